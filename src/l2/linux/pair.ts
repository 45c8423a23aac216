/** A veth pair in a network namespace of a test's own: both ends in one process. */
import { execFileSync, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { toHex } from '../bytes.ts'
import { askerMac } from '../golden.ts'
import type { LinkState } from '../model.ts'
import { type Links, openLinks } from './links.ts'
import { openPackets, type Packets } from './packets.ts'

const insideVariable = 'ARPEGGIO_TEST_NAMESPACE'

const isInside = process.env[insideVariable] === '1'
const isPermitted = isInside || spawnSync('unshare', ['--net', 'true']).status === 0

type Register = (name: string, run: () => Promise<void>) => void

/**
 * Runs the test file `url` in a fresh namespace, which goes with its last process: outside, this
 * does not return. Returns what registers a test, or skips it with its reason where namespaces may
 * not be made.
 */
export function enterNamespace(url: string, test: Register & { skip: Register }): Register {
  if (isPermitted && !isInside) {
    const args = ['--net', process.execPath, fileURLToPath(url)]
    const env = { ...process.env, [insideVariable]: '1' }
    const inner = spawnSync('unshare', args, { env, stdio: 'inherit' })
    process.exit(inner.status ?? 1)
  }
  return (name, run) => {
    if (isPermitted) return test(name, run)
    console.log(`skipped ${name}: network namespaces are not permitted here; run as root`)
    return test.skip(name, run)
  }
}

const capMs = 5_000
/** Runs iproute2 in the namespace. */
export const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8' })

/** Whether this kernel can make a device of the kind; `add` is what follows its name. */
export function hasDevice(add: readonly string[]): boolean {
  const made = spawnSync('ip', ['link', 'add', 'probe', ...add])
  if (made.status === 0) ip('link', 'del', 'probe')
  return made.status === 0
}

/** Settles when the condition holds; fails after one generous cap. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const startMs = performance.now()
  while (!condition()) {
    if (performance.now() - startMs > capMs) throw new Error(`Timed out waiting until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

/** The link of that name, if there is one. */
export function linkNamed(links: Links, name: string): LinkState | undefined {
  return links.current().find((link) => link.name === name)
}

/** The link of that name; throws without one. */
export function need(links: Links, name: string): LinkState {
  const link = linkNamed(links, name)
  if (link === undefined) throw new Error(`There is no link "${name}"`)
  return link
}

/** Both ends, and the frames each of them received, as hex. */
export interface Pair extends AsyncDisposable {
  readonly links: Links
  readonly near: Packets
  readonly far: Packets
  readonly nearIndex: number
  readonly farIndex: number
  readonly heard: string[]
  readonly heardFar: string[]
}

/** Until the kernel has followed the carrier on both ends, it silently drops what is sent. */
export function untilInOperation(): Promise<void> {
  return until('both ends are in operation', () =>
    ['near', 'far'].every((name) => ip('link', 'show', name).includes('state UP')))
}

/** A veth pair `near`–`far`, both up with carrier, and what each end received. */
export async function openPair(): Promise<Pair> {
  ip('link', 'add', 'near', 'address', askerMac, 'type', 'veth', 'peer', 'name', 'far')
  ip('link', 'set', 'near', 'addrgenmode', 'none', 'up')
  ip('link', 'set', 'far', 'addrgenmode', 'none', 'up')
  await untilInOperation()
  const links = await openLinks()
  const heard: string[] = []
  const heardFar: string[] = []
  const near = openPackets((_, frame) => void heard.push(toHex(frame)))
  const far = openPackets((_, frame) => void heardFar.push(toHex(frame)))
  const failures = [near.attach(need(links, 'near')), far.attach(need(links, 'far'))]
  for (const failure of failures) if (failure !== undefined) throw new Error(failure)
  return {
    links, near, far, heard, heardFar,
    nearIndex: need(links, 'near').index,
    farIndex: need(links, 'far').index,
    [Symbol.asyncDispose]: async () => {
      await near[Symbol.asyncDispose]()
      await far[Symbol.asyncDispose]()
      await links[Symbol.asyncDispose]()
      ip('link', 'del', 'near')
    },
  }
}
