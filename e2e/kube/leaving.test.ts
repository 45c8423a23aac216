/** Leaving MetalLB in place: its speakers are replaced one by one, in one ring with ours under way. */
import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Instruments, openInstruments, wallMs } from '../fault/instruments.ts'
import { judge, type Voice, voicesOf } from '../fault/voices.ts'
import { until } from '../lab/command.ts'
import { lan } from '../lab/lab.ts'
import { type Former, openFormer } from '../membership/former.ts'
import { findPeer } from '../membership/ring.ts'
import { findAssets, testUnless } from './assets.ts'
import { advertisement, at, ingressOf, pool, service, slice } from './objects.ts'
import { openRig, type Rig, type Role } from './rig.ts'
import { serverPrograms } from './server.ts'

const assets = await findAssets(serverPrograms)
const peer = await findPeer()
const lack = 'lack' in assets ? assets.lack : 'reason' in peer ? peer.reason : undefined
const check = testUnless(lack, test)
const nodes = ['a', 'b', 'c']
const secret = 'AAECAwQFBgcICQoLDA0ODw'
/** Of each node two that MetalLB's election gives it. */
const addresses = nodes.flatMap((name) =>
  Array.from({ length: 60 }, (_, i) => `192.168.1.${100 + i}`)
    .filter((address) => electedOf(address) === name).slice(0, 2))
const stepCapMs = 40_000
const lookMs = 500
/** The one generous cap: no promise of speed, but silence ends. */
const capMs = 5_000
/** Design §5 promises 50 ms of a planned hand-over; a loaded machine may take longer to see it. */
const overlapMs = 250
/** MetalLB's speakers see members come and go so late, and answer so long after they have said goodbye. */
const slowMs = 400
const lingerMs = 500

function electedOf(address: string): string {
  const hash = (node: string): string => createHash('sha256').update(`${node}#${address}`).digest('hex')
  return nodes.toSorted((a, b) => (hash(a) < hash(b) ? -1 : 1))[0] ?? ''
}

/** A cluster as MetalLB leaves it: pools, Services that hold addresses, speakers that answer for them. */
interface Stage {
  readonly rig: Rig
  readonly instruments: Instruments
  readonly former: ReadonlyMap<string, Former>
  /** For `--ml-secret-key-path`. */
  readonly keys: string
}

async function openStage(closing: AsyncDisposableStack, segment: 'lan' | 'control'): Promise<Stage> {
  if (!('folder' in assets) || !('path' in peer)) throw new Error(lack)
  const rig = closing.use(await openRig({
    assets: assets.folder, nodes, others: { asker: { lan: lan(40) }, caller: { lan: lan(41) } },
  }))
  const keys = join(rig.lab.folder, 'keys')
  await mkdir(keys)
  await writeFile(join(keys, 'secretkey'), secret)
  await rig.apply(pool('lan', ['192.168.1.100-192.168.1.159']), advertisement('lan'),
    ...addresses.flatMap((_, i) => [service(`web-${i}`), slice(`web-${i}`, nodes.map((node) => ({ node })))]))
  for (const [i, ip] of addresses.entries()) {
    await rig.kubectl('patch', 'service', `web-${i}`, '--subresource=status', '-p',
      JSON.stringify({ status: { loadBalancer: { ingress: [{ ip }] } } }))
  }
  await Promise.all(nodes.map((name) => rig.placePod(name, segment)))
  const gossip = (name: string): string =>
    `${segment === 'lan' ? '192.168.1' : '198.51.100'}.${11 + nodes.indexOf(name)}`
  const former = new Map<string, Former>()
  for (const name of nodes) {
    former.set(name, await openFormer(rig.lab.host(name), {
      peer: peer.path, name, bind: gossip(name), secret, addresses, slowMs, lingerMs,
      join: [...former.keys()].map(gossip),
    }))
  }
  const instruments = closing.use(await openInstruments({
    lab: rig.lab, turns: addresses.map((address) => [address]), called: addresses.slice(0, 1),
  }))
  return { rig, instruments, former, keys }
}

function nodeOf(rig: Rig, mac: string): string {
  return nodes.find((name) => rig.lab.host(name).mac('eth0') === mac) ?? mac
}

/** Waits until each address was answered by its elected node alone for a while, after `sinceMs`. */
async function asElected({ rig, instruments }: Stage, sinceMs = 0): Promise<void> {
  let why: readonly string[] = []
  await until('each address is with its elected node', () => {
    const now = wallMs()
    if (now - lookMs < sinceMs) return false
    const frames = instruments.frames(now - lookMs, now)
    why = addresses.flatMap((address) => {
      const voices = [...new Set(voicesOf(frames, address).map(({ mac }) => nodeOf(rig, mac)))].join()
      return voices === electedOf(address) ? [] : [`${address}: "${voices}", not ${electedOf(address)}`]
    })
    return why.length === 0
  }, stepCapMs).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${why.join('; ')}`)
  })
}

/**
 * Two speakers of MetalLB may speak at a time, as they do without us: they are one voice here.
 * `goneMs`: when each was gone.
 */
function voicesFor(
  { rig, instruments }: Stage, address: string, goneMs: ReadonlyMap<string, number>,
): readonly Voice[] {
  return voicesOf(instruments.frames(0, wallMs()), address).map(({ atMs, mac }) => {
    const node = nodeOf(rig, mac)
    return { atMs, mac: atMs <= (goneMs.get(node) ?? Infinity) ? 'MetalLB' : node }
  })
}

for (const segment of ['lan', 'control'] as const) {
  check(`one by one, gossip on ${segment}: each address is kept, with one voice`, async () => {
    await using closing = new AsyncDisposableStack()
    const stage = await openStage(closing, segment)
    const { rig, former, keys } = stage
    const controller = closing.use(await rig.startController())
    await asElected(stage)
    const begunMs = wallMs()
    const goneMs = new Map<string, number>()
    const speakers: Role[] = []
    for (const name of nodes) {
      await former.get(name)?.stop()
      goneMs.set(name, wallMs())
      speakers.push(closing.use(rig.spawnSpeaker(name, { args: ['--ml-secret-key-path', keys] })))
      // A speaker of ours has the MAC of the one before it.
      await asElected(stage, goneMs.get(name))
    }
    // Nobody of MetalLB's is left: the election is over, and nothing moves for that.
    for (const role of segment === 'lan' ? speakers : []) {
      await until('the ring is ours', async () => {
        const status: unknown = JSON.parse(await role.page('/status?format=json'))
        return at(status, 'ownership', 'isMixed') === false
      }, stepCapMs)
    }
    await asElected(stage)

    const endMs = wallMs()
    for (const [i, address] of addresses.entries()) {
      const verdict = judge(voicesFor(stage, address, goneMs), begunMs, endMs)
      const gaps = verdict.gapsMs.map(Math.round).join()
      const who = `${address}: ${verdict.owners.join(' > ')} after ${gaps} ms`
      assert.ok(verdict.overlapMs <= overlapMs, `${who}: two voices for ${verdict.overlapMs} ms`)
      assert.ok(verdict.muteMs < capMs, `${who}: no voice for ${verdict.muteMs} ms`)
      assert.is(verdict.owners.at(-1), electedOf(address))
      assert.equal(ingressOf(await rig.service(`web-${i}`)), [address])
    }
    const lines = [controller, ...speakers].flatMap((role) => role.log())
    const conflicts = lines.filter((line) => /^(inConflict|strictARP)$/.test(String(line['event'])))
    assert.equal(conflicts, [])
  })
}

test.run()
