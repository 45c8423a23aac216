/** The demo's second act: three hosts share an address; its owner dies under a client, and returns. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { capMs, runOk, until } from './command.ts'
import { type Dialer, type Dialled, openDialer } from './dialer.ts'
import { type Host, type Lab, lan, openLab } from './lab.ts'
import { type Arpeggio, openArpeggio } from './program.ts'

/** Prints what a step does and how it went. */
export type Step = (text: string, act: () => Promise<string | void>) => Promise<void>

const names = ['red', 'green', 'blue'] as const
const address = '192.168.1.240'
const joined = '192.168.1.11,192.168.1.12,192.168.1.13'
/** For what waits for gossip and for elections. */
const slowCapMs = 20_000
/** What the demo asks of a take-over; hack/fault measures it. */
const maxDarkMs = 5_000

/** One object in each host's folder: together they are one configuration. */
const parts: Readonly<Record<(typeof names)[number], string>> = {
  red: `
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: { name: shared, namespace: metallb-system }
spec: { addresses: [192.168.1.240-192.168.1.244] }
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: { name: shared, namespace: metallb-system }
spec: { ipAddressPools: [shared] }
`,
  green: `
apiVersion: v1
kind: Service
metadata: { name: shop, namespace: default }
spec: { type: LoadBalancer, ports: [{ port: 80 }] }
`,
  blue: `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: shop-1, namespace: default, labels: { kubernetes.io/service-name: shop } }
addressType: IPv4
ports: [{ port: 8080 }]
endpoints: [{ addresses: [192.168.1.30] }]
`,
}

interface Stage {
  readonly lab: Lab
  readonly programs: Map<string, Arpeggio>
  dialer: Dialer | undefined
  owner: string
}

async function build(): Promise<Stage> {
  const lab = await openLab({
    hosts: {
      red: { lan: lan(11) }, green: { lan: lan(12) }, blue: { lan: lan(13) },
      client: { lan: lan(20) }, shop: { lan: lan(30) },
    },
  })
  for (const name of names) {
    await mkdir(join(lab.folder, name))
    await writeFile(join(lab.folder, name, 'part.yaml'), parts[name])
  }
  const pages = lab.host('shop').spawn([process.execPath, join(import.meta.dirname, 'page.ts'), '8080=shop'])
  await pages.line(/^ready$/)
  return { lab, programs: new Map(), dialer: undefined, owner: '' }
}

async function start({ lab, programs }: Stage, name: string): Promise<void> {
  const args = ['--node-name', name, '--state-dir', join(lab.folder, `${name}-state`), '--set-sysctls',
    '--join', joined, join(lab.folder, name)]
  programs.set(name, await openArpeggio(lab.host(name), args, slowCapMs))
}

/** The hosts whose hardware address answers for the address. */
async function voices({ lab }: Stage): Promise<readonly string[]> {
  const client: Host = lab.host('client')
  const { stdout } = await client.exec(['arping', '-b', '-c', '2', '-w', '2', '-I', 'eth0', address])
  const macs = [...stdout.matchAll(/\[([0-9A-Fa-f:]{17})\]/g)].map(([, mac = '']) => mac.toLowerCase())
  return [...new Set(macs.map((mac) => names.find((name) => lab.host(name).mac('eth0') === mac) ?? mac))]
}

async function findOwner(stage: Stage): Promise<string> {
  const found = await until(`one host answers for ${address}`, async () => {
    const all = await voices(stage)
    if (all.length > 1) throw new Error(`${all.join(' and ')} answer for ${address}`)
    return all[0]
  }, slowCapMs)
  return found
}

async function startAll(stage: Stage): Promise<string> {
  await Promise.all(names.map((name) => start(stage, name)))
  for (const [name, program] of stage.programs) {
    await program.statusWhen(`${name} knows all members and the address`, ({ group, services }) =>
      group?.members.length === 3 && services.some(({ addresses }) => addresses.includes(address)), slowCapMs)
  }
  stage.owner = await findOwner(stage)
  const rows = names.map((name) => `${name} brings ${/kind: (\w+)/.exec(parts[name])?.[1]}`)
  return `${rows.join(', ')}\n${address} is answered by ${stage.owner} alone`
}

async function dial(stage: Stage): Promise<string> {
  stage.dialer = await openDialer(stage.lab.host('client'), address, 80)
  return describe(await stage.dialer.look())
}

function describe({ good, failed, darkMs }: Dialled): string {
  return `${good} connections good, ${failed} failed, longest gap ${darkMs} ms`
}

async function look({ dialer }: Stage): Promise<Dialled> {
  if (dialer === undefined) throw new Error('no client is there')
  const seen = await dialer.look()
  if (seen.darkMs > maxDarkMs) throw new Error(`dark for ${seen.darkMs} ms`)
  return seen
}

/** Moves as all living hosts remember them. */
async function moves({ programs }: Stage): Promise<readonly string[]> {
  const all: string[] = []
  for (const program of programs.values()) {
    const { ownership, node } = await program.status()
    for (const { kind, unit, cause } of ownership?.moves ?? []) all.push(`${node} ${kind} ${unit} ${cause}`)
  }
  return all
}

/** Pulls a host's cable, or puts it back: the kernel of a host whose program was killed forwards on. */
async function setCable({ lab }: Stage, host: string, state: 'up' | 'down'): Promise<void> {
  await runOk(['ip', '-n', `${lab.prefix}wire`, 'link', 'set', `${host}.0`, state])
}

async function killOwner(stage: Stage): Promise<string> {
  const { programs, owner } = stage
  await setCable(stage, owner, 'down')
  await programs.get(owner)?.child.stop('SIGKILL')
  programs.delete(owner)
  const seen = await look(stage)
  const next = await findOwner(stage)
  if (next === owner) throw new Error(`${owner} answers after its death`)
  stage.owner = next
  const status = await programs.get(next)?.status()
  const move = status?.ownership?.moves.findLast(({ unit }) => unit === address)
  const moved = `${address} moved from ${owner} to ${next}: ${move?.cause}`
  return `DARK ${seen.darkMs} ms; ${moved}\n${describe(seen)}`
}

async function bringBack(stage: Stage): Promise<string> {
  const gone = names.find((name) => !stage.programs.has(name)) ?? ''
  const before = await moves(stage)
  await setCable(stage, gone, 'up')
  await start(stage, gone)
  await stage.programs.get(gone)?.statusWhen('it knows the owner', ({ ownership }) =>
    ownership?.units.some(({ owner }) => owner === stage.owner) === true, slowCapMs)
  const seen = await look(stage)
  const count = (await moves(stage)).length - before.length
  const owner = await findOwner(stage)
  if (count !== 0 || owner !== stage.owner) throw new Error(`${count} moves, ${owner} answers`)
  return `MOVES ${count}; ${owner} still answers\n${describe(seen)}`
}

async function stopOwner(stage: Stage): Promise<string> {
  const { programs, owner } = stage
  const code = await programs.get(owner)?.child.stop()
  programs.delete(owner)
  if (code !== 0) throw new Error(`exit code ${code}`)
  const seen = await look(stage)
  stage.owner = await findOwner(stage)
  if (stage.owner === owner) throw new Error(`${owner} answers after its end`)
  return `handed over from ${owner} to ${stage.owner}\n${describe(seen)}`
}

async function showStatus({ lab, owner }: Stage): Promise<string> {
  const ask = ['curl', '-sS', '-m', String(capMs / 1_000), 'http://127.0.0.1:7472/status']
  const text = await lab.host(owner).execOk(ask)
  for (const word of ['MEMBER', 'OWNER', 'INTERFACE', 'CAUSE']) {
    if (!text.includes(word)) throw new Error(`the status has no column ${word}`)
  }
  return text
}

/** Runs the act; each step is told to `step`, and a failed one does not end it. */
export async function playSecondAct(step: Step): Promise<void> {
  let stage: Stage | undefined
  await step('build a lab: three hosts, a client, a shop', async () => {
    stage = await build()
  })
  const built = stage
  if (built === undefined) return
  try {
    await step('start arpeggio standalone --join on all three, each with a part of the input',
      () => startAll(built))
    await step('the client opens a connection every 10 ms', () => dial(built))
    await step('the owner dies: cable pulled, program killed', () => killOwner(built))
    await step('it returns', () => bringBack(built))
    await step('the new owner is stopped (SIGTERM)', () => stopOwner(built))
    await step('what a host tells of all this', () => showStatus(built))
  } finally {
    await built.dialer?.[Symbol.asyncDispose]()
    await step('stop, and tear down', async () => void await built.lab[Symbol.asyncDispose]())
  }
}
