/** The faults by name: what is done to a stage, and what must hold (design §5). */
import { writeFileSync } from 'node:fs'
import type { Fault, Struck } from './fault.ts'
import {
  blockGossip, clockFile, clockLack, cutLinks, freeze, loseFrames, loseUplink, split, starve, steppedClock,
} from './hurt.ts'
import { wallMs } from './instruments.ts'
import { newborn } from './newborn.ts'
import { planned } from './planned.ts'
import { lasting, nodes, type Stage } from './stage.ts'
import { strangers } from './strangers.ts'
import {
  endure, handedMs, healedMs, lossyMs, movesOnce, restMs, soon, stays, succeed, unbroken,
  witnessed,
} from './strikes.ts'

const frozenMs = [200, 600, 2_000, 10_000]

const losses: readonly Fault[] = [
  {
    name: 'link-cut', about: 'all cables of the owner are pulled', peer: 'dark 5.2-5.9 s', bounds: movesOnce,
    promised: soon,
    strike: (stage, owner) => succeed(stage, owner, () => cutLinks(stage, owner, [0, 1])),
    heal: async (stage, owner) => {
      for (const port of [0, 1]) await stage.wire(['ip', 'link', 'set', `${owner}.${port}`, 'up'])
    },
  },
  {
    name: 'kill', about: 'SIGKILL of the owner', peer: 'dark 5.2-5.9 s', bounds: movesOnce,
    promised: soon,
    strike: (stage, owner) => succeed(stage, owner, () => stage.stop(owner, 'SIGKILL')),
  },
  ...frozenMs.map((ms): Fault => ({
    name: `freeze-${ms}`, about: `SIGSTOP of the owner, SIGCONT after ${ms} ms`,
    peer: ms >= 10_000 ? 'dark 4.8-5.2 s, then 2 answerers' : '',
    // Woken before anybody could claim, it goes on; later, somebody else has taken over.
    bounds: { moves: [ms > 600 ? 1 : 0, ms > 200 ? 1 : 0], overlapMs: 0 }, promised: soon,
    strike: async (stage, owner) => {
      await endure(freeze(stage, owner), ms, 2 * restMs)
    },
  })),
  {
    name: 'carrier', about: 'the owner\'s LAN cable is pulled, gossip goes over another', peer: '',
    gossip: 'control', bounds: movesOnce, promised: soon,
    strike: (stage, owner) => succeed(stage, owner, () => cutLinks(stage, owner, [0])),
    heal: (stage, owner) => stage.wire(['ip', 'link', 'set', `${owner}.0`, 'up']),
  },
  {
    name: 'uplink', about: 'every frame of the owner is lost for 5 s, its carrier stays', peer: '',
    bounds: movesOnce, promised: witnessed,
    strike: async (stage, owner) => {
      await endure(loseUplink(stage, owner), 5_000, 2 * restMs)
    },
  },
  {
    name: 'uplink-gossip', about: 'the same while gossip goes over another NIC', peer: '', gossip: 'control',
    bounds: movesOnce, promised: witnessed,
    strike: async (stage, owner) => {
      await endure(loseUplink(stage, owner), 5_000, 2 * restMs)
    },
  },
]

/** Gossip and beats are cut for so long; shorter than deaths take, or longer. */
export function blockFor(ms: number): Fault {
  return {
    name: 'gossip-block', about: `port 7946 is blocked for ${ms / 1_000} s, the segment is whole`,
    peer: '3 answerers for 18.2 s', bounds: stays, promised: unbroken,
    strike: async (stage) => {
      await endure(blockGossip(stage), ms, 2 * restMs)
    },
  }
}

const quiet: readonly Fault[] = [
  {
    name: 'return', about: 'the node of the last owner comes back', peer: 'takes the address back',
    bounds: stays, promised: unbroken,
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
  blockFor(10_000),
  {
    name: 'api-down', about: 'the API server is gone for 8 s', peer: '', bounds: stays,
    promised: unbroken,
    strike: async (stage) => {
      await stage.rig.server.stopApi('SIGKILL')
      await lasting(8_000)
    },
    heal: (stage) => stage.rig.server.startApi(),
  },
  {
    name: 'api-down-kill', about: 'SIGKILL of the owner while the API server is gone', peer: '',
    bounds: movesOnce, promised: soon,
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
    promised: unbroken,
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

const shared: readonly Fault[] = [
  {
    name: 'split', about: 'the owner and a silent host are cut off for 8 s, then healed', peer: '',
    bounds: { moves: [0, 1], overlapMs: healedMs }, promised: soon,
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

export const faults: readonly Fault[] = [
  ...losses, ...planned, newborn, ...quiet, ...shared, ...strangers, ...starts,
]
