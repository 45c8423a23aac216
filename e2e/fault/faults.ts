/** The faults by name: what is done to a stage, and what must hold (design §5). */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Bounds, Fault, Struck } from './fault.ts'
import {
  blockGossip, clockFile, clockLack, cutLinks, freeze, type Hurt, loseFrames, loseUplink, split, starve,
  steppedClock,
} from './hurt.ts'
import { advertisement, pool, service, slice } from '../kube/objects.ts'
import { until } from '../lab/command.ts'
import { wallMs } from './instruments.ts'
import { lasting, nodes, type Stage, vip } from './stage.ts'
import { voicesOf } from './voices.ts'

const stays: Bounds = { moves: [0, 0], overlapMs: 0, isSeamless: true }
const movesOnce: Bounds = { moves: [1, 1], overlapMs: 0 }
/** A planned hand-over; counted from a heal. */
const handedMs = 50
const healedMs = 250
const lossyMs = 300

/** An address that a Service gets while the lab looks on. */
const fresh = '192.168.1.198'
const freshCapMs = 10_000

/** How long the wire is watched when what was waited for has come. */
const restMs = 1_500

/** Hurts, waits for a successor, and watches a little longer. */
async function succeed(stage: Stage, owner: string, hurt: () => Promise<unknown>): Promise<void> {
  const struckMs = wallMs()
  await hurt()
  await stage.successor(owner, struckMs)
  await lasting(restMs)
}

/** Hurts for some time, heals, and watches a little longer. */
async function endure(hurting: Promise<Hurt>, ms: number, afterMs = restMs): Promise<Struck> {
  let judgeFromMs: number
  {
    await using _ = await hurting
    await lasting(ms)
    judgeFromMs = wallMs()
  }
  await lasting(afterMs)
  return { judgeFromMs }
}

const frozenMs = [200, 600, 2_000, 10_000]

const losses: readonly Fault[] = [
  {
    name: 'link-cut', about: 'all cables of the owner are pulled', peer: 'dark 5.2-5.9 s', bounds: movesOnce,
    strike: (stage, owner) => succeed(stage, owner, () => cutLinks(stage, owner, [0, 1])),
    heal: async (stage, owner) => {
      for (const port of [0, 1]) await stage.wire(['ip', 'link', 'set', `${owner}.${port}`, 'up'])
    },
  },
  {
    name: 'kill', about: 'SIGKILL of the owner', peer: 'dark 5.2-5.9 s', bounds: movesOnce,
    strike: (stage, owner) => succeed(stage, owner, () => stage.stop(owner, 'SIGKILL')),
  },
  ...frozenMs.map((ms): Fault => ({
    name: `freeze-${ms}`, about: `SIGSTOP of the owner, SIGCONT after ${ms} ms`,
    peer: ms >= 10_000 ? 'dark 4.8-5.2 s, then 2 answerers' : '',
    // Woken before anybody could claim, it goes on; later, somebody else has taken over.
    bounds: { moves: [ms > 600 ? 1 : 0, ms > 200 ? 1 : 0], overlapMs: 0 },
    strike: async (stage, owner) => {
      await endure(freeze(stage, owner), ms, 2 * restMs)
    },
  })),
  {
    name: 'carrier', about: 'the owner\'s LAN cable is pulled, gossip goes over another', peer: '',
    gossip: 'control', bounds: movesOnce,
    strike: (stage, owner) => succeed(stage, owner, () => cutLinks(stage, owner, [0])),
    heal: (stage, owner) => stage.wire(['ip', 'link', 'set', `${owner}.0`, 'up']),
  },
  {
    name: 'uplink', about: 'every frame of the owner is lost for 5 s, its carrier stays', peer: '',
    bounds: movesOnce,
    strike: async (stage, owner) => {
      await endure(loseUplink(stage, owner), 5_000, 2 * restMs)
    },
  },
  {
    name: 'uplink-gossip', about: 'the same while gossip goes over another NIC', peer: '', gossip: 'control',
    bounds: movesOnce,
    strike: async (stage, owner) => {
      await endure(loseUplink(stage, owner), 5_000, 2 * restMs)
    },
  },
]

/** Gossip and beats are cut for so long; shorter than deaths take, or longer. */
export function blockFor(ms: number): Fault {
  return {
    name: 'gossip-block', about: `port 7946 is blocked for ${ms / 1_000} s, the segment is whole`,
    peer: '3 answerers for 18.2 s', bounds: stays,
    strike: async (stage) => {
      await endure(blockGossip(stage), ms, 2 * restMs)
    },
  }
}

const quiet: readonly Fault[] = [
  {
    name: 'return', about: 'the node of the last owner comes back', peer: 'takes the address back',
    bounds: stays,
    prepare: async (stage, owner) => {
      const killedMs = wallMs()
      await stage.stop(owner, 'SIGKILL')
      await stage.successor(owner, killedMs)
      await lasting(restMs)
    },
    strike: async (stage) => {
      await stage.steady()
      await lasting(2 * restMs)
    },
  },
  {
    name: 'cordon', about: 'kubectl cordon of the owner\'s node, 5 s', peer: '', bounds: stays,
    strike: async (stage, owner) => {
      await stage.rig.server.kubectlOk(['cordon', owner])
      await lasting(5_000)
    },
    heal: (stage, owner) => stage.rig.server.kubectlOk(['uncordon', owner]).then(() => undefined),
  },
  {
    name: 'fresh', peer: '',
    about: 'a new Service, made by kubectl 300 ms after the trial began: mute = until it is announced',
    bounds: { moves: [0, 0], overlapMs: 0 },
    prepare: (stage) => stage.rig.apply(
      pool('fresh', [`${fresh}/32`], { autoAssign: false }),
      advertisement('fresh', { ipAddressPools: ['fresh'] }),
    ),
    strike: async (stage) => {
      const madeMs = wallMs()
      await stage.rig.apply(service('fresh', {}, { 'metallb.io/address-pool': 'fresh' }),
        slice('fresh', nodes.map((node) => ({ node }))))
      const isSpoken = (): boolean =>
        voicesOf(stage.instruments.frames(madeMs, wallMs()), fresh).length > 0
      await until('it is announced', isSpoken, freshCapMs)
      return { judgeFromMs: madeMs, address: fresh }
    },
    heal: (stage) => stage.rig.server.kubectlOk(['delete', 'service', 'fresh']).then(() => undefined),
  },
  blockFor(15_000),
  {
    name: 'api-down', about: 'the API server is gone for 8 s', peer: '', bounds: stays,
    strike: async (stage) => {
      await stage.rig.server.stopApi('SIGKILL')
      await lasting(8_000)
    },
    heal: (stage) => stage.rig.server.startApi(),
  },
  {
    name: 'api-down-kill', about: 'SIGKILL of the owner while the API server is gone', peer: '',
    bounds: movesOnce,
    prepare: async (stage) => {
      await stage.rig.server.stopApi('SIGKILL')
      await lasting(restMs)
    },
    strike: (stage, owner) => succeed(stage, owner, () => stage.stop(owner, 'SIGKILL')),
    heal: (stage) => stage.rig.server.startApi(),
  },
  ...(['+5m', '-5m'] as const).map((step): Fault => ({
    name: step.startsWith('+') ? 'clock-forward' : 'clock-back',
    about: `the owner's wall clock is stepped by ${step}`, peer: '', bounds: stays,
    lack: clockLack,
    prepare: async (stage, owner) => {
      // The owner itself is to run with such a clock: the others come when it has the address.
      await Promise.all(nodes.map((node) => stage.stop(node)))
      const aloneMs = wallMs()
      stage.start(owner, { within: steppedClock(stage.rig.lab.folder) ?? [] })
      await stage.successor('nobody', aloneMs)
      await stage.steady()
    },
    strike: async (stage) => {
      writeFileSync(clockFile(stage.rig.lab.folder), step)
      await lasting(4_000)
    },
    heal: async (stage, owner) => stage.stop(owner),
  })),
]

const planned: readonly Fault[] = [
  {
    name: 'stop', about: 'graceful stop of the owner (SIGTERM)', peer: '',
    bounds: { moves: [1, 1], overlapMs: handedMs, isSeamless: true },
    strike: (stage, owner) => succeed(stage, owner, () => stage.stop(owner)),
  },
  {
    name: 'rolling', about: 'all speakers are restarted one after the other', peer: '',
    bounds: { moves: [1, 2], overlapMs: handedMs, isSeamless: true },
    strike: async (stage) => {
      for (const node of nodes) {
        await stage.stop(node)
        await stage.steady()
      }
      await lasting(restMs)
    },
  },
]

/** The last defence is long enough ago for another (RFC 5227, DEFEND_INTERVAL). */
const undisputed = (): Promise<void> => lasting(10_500)

const shared: readonly Fault[] = [
  {
    name: 'split', about: 'the owner and a silent host are cut off for 8 s, then healed', peer: '',
    bounds: { moves: [0, 1], overlapMs: healedMs },
    strike: (stage, owner) => endure(split(stage, [owner, 'client']), 8_000, 2 * restMs),
  },
  {
    name: 'loss', about: '30 % of all frames are lost for 20 s', peer: '',
    bounds: { moves: [0, 1], overlapMs: lossyMs },
    strike: async (stage) => {
      await endure(loseFrames(stage), 20_000)
    },
  },
  {
    name: 'loss-kill', about: 'SIGKILL of the owner while 30 % of all frames are lost', peer: '',
    bounds: { moves: [1, 2], overlapMs: lossyMs },
    strike: async (stage, owner) => {
      await using _ = await loseFrames(stage)
      await lasting(2_000)
      await succeed(stage, owner, () => stage.stop(owner, 'SIGKILL'))
    },
  },
  {
    name: 'starved', about: 'the owner gets 5 % of a processor for 10 s', peer: '',
    bounds: { moves: [0, 2], overlapMs: 0 },
    strike: async (stage, owner) => {
      await endure(starve(stage, owner), 10_000, 2 * restMs)
    },
  },
  {
    name: 'foreign', about: 'a foreign host takes the address for 4 s', peer: '',
    // Until its first frame, and one defence in 10 s (RFC 5227 section 2.4).
    bounds: { moves: [0, 0], overlapMs: handedMs },
    prepare: undisputed,
    strike: async (stage) => {
      const stranger = stage.host('stranger')
      await stranger.execOk(['ip', 'address', 'add', `${vip}/32`, 'dev', 'eth0'])
      await stranger.exec(['arping', '-U', '-c', '1', '-w', '1', '-I', 'eth0', vip])
      await lasting(4_000)
      await stranger.execOk(['ip', 'address', 'del', `${vip}/32`, 'dev', 'eth0'])
      const goneMs = wallMs()
      await stage.successor('stranger', goneMs)
      await lasting(restMs)
    },
  },
  {
    name: 'stray', about: 'a foreign host announces the address once', peer: '',
    bounds: { moves: [0, 0], overlapMs: handedMs },
    prepare: undisputed,
    strike: async (stage) => {
      const shouter = join(import.meta.dirname, 'shouter.ts')
      await stage.host('stranger').execOk([process.execPath, shouter, vip], { capMs: 20_000 })
      await lasting(2 * restMs)
    },
  },
]

/** Ends all, and starts these at one instant. */
async function startTogether(stage: Stage, names: readonly string[]): Promise<Struck> {
  for (const node of names) stage.start(node)
  const judgeFromMs = wallMs()
  await stage.successor('nobody', judgeFromMs)
  await lasting(2 * restMs)
  return { judgeFromMs }
}

const starts: readonly Fault[] = [
  {
    name: 'twins', about: 'two speakers are started at one instant, no other runs', peer: '',
    bounds: { moves: [0, 1], overlapMs: handedMs },
    prepare: async (stage) => void await Promise.all(nodes.map((node) => stage.stop(node, 'SIGKILL'))),
    strike: (stage) => startTogether(stage, ['a', 'b']),
  },
  {
    name: 'total', about: 'SIGKILL of all speakers, and all are started again', peer: '',
    bounds: { moves: [0, 1], overlapMs: handedMs },
    strike: async (stage) => {
      await Promise.all(nodes.map((node) => stage.stop(node, 'SIGKILL')))
      return startTogether(stage, nodes)
    },
  },
]

export const faults: readonly Fault[] = [...losses, ...planned, ...quiet, ...shared, ...starts]
