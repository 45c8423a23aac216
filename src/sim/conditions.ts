/** What has to hold besides the numbered schedules: freezes, placement, fabrics, peers, many addresses. */
import { rankByHash } from '../l2/placement.ts'
import { answerersOf, checkBalance, checkVoice } from './checks.ts'
import { addUnit, type Cluster } from './cluster.ts'
import { slow, slowest } from './environment.ts'
import {
  appear, crash, cutGossip, deafen, disappear, drain, exclude, freezeNode, loseCarrier, move,
  setQuality, starve, stopApi, takeAddress,
} from './faults.ts'
import { notesOf, type Scenario, type Stage } from './scenario.ts'
import { goodQuality } from './segment.ts'

const three = { nodes: 3 }
const ten = { nodes: 10 }
const one = { nodes: 3, units: 1 }

/** Again and again, one of them gets no processor for longer than the fence lasts. */
function standStill({ cluster, pass }: Stage, times: number): void {
  for (let i = 0; i < times; i++) {
    const thawed = freezeNode(cluster, cluster.random.pick([...cluster.machines.keys()]))
    pass(cluster.random.between(310, 600))
    thawed()
    pass(cluster.random.between(0, 300))
  }
}

function contestedSince({ cluster }: Stage, sinceMs: number): readonly string[] {
  return cluster.record.notes.filter(({ atMs, note }) =>
    atMs > sinceMs && note.kind === 'silenced'
  ).slice(0, 3).map(({ node, note }) => `${node} ${JSON.stringify(note)}`)
}

/** Units that end with another owner than the first of all nodes by MetalLB's hash. */
function notElected(cluster: Cluster): readonly string[] {
  const nodes = [...cluster.machines.keys()].map((node) => ({ node, score: 0 }))
  return [...cluster.record.places.values()].flatMap((place) => {
    const [elected, owners] = [rankByHash(nodes, place.unit)[0]?.node, answerersOf(cluster, place).join()]
    return owners === elected ? [] : [`${owners} answers for ${place.unit}, not ${elected}`]
  })
}

export const conditions: readonly Scenario[] = [
  ...[3, 10, 20].map((nodes): Scenario => ({
    it: `a hard kill at ${nodes} nodes: dark 600 ms at most, no second voice, nothing returns`,
    options: { nodes },
    seeds: 10,
    story: ({ cluster, owner, pass }) => {
      const back = crash(cluster, owner)
      pass(9_000)
      back()
      pass(5_000)
    },
    most: { darkMs: 600 },
    also: ({ answerers, owner }) => answerers()[0] === owner ? ['it went back to the one that returned'] : [],
  })),
  {
    it: 'a freeze beyond the fence, asked every 5 ms: the queue is not answered after the claim',
    options: { ...one, askEveryMs: 5 },
    seeds: 8,
    story: ({ cluster, owner, pass }) => {
      const thawed = freezeNode(cluster, owner)
      pass(cluster.random.between(300, 3_000))
      thawed()
      pass(3_000)
    },
    most: { darkMs: 600 },
  },
  {
    it: 'freezes of 290 ms again and again: nobody claims what its owner can keep',
    options: one,
    story: ({ cluster, owner, pass }) => {
      for (let i = 0; i < 5; i++) {
        const thawed = freezeNode(cluster, owner)
        pass(290)
        thawed()
        pass(1_000)
      }
    },
    // A standby whose turn comes as the owner wakes probes too, and one of them waits for the other.
    most: { darkMs: 600 },
  },
  {
    it: 'the owner gets 5 % of a processor: whatever moves, there is one voice',
    options: three,
    story: ({ cluster, owner, pass }) => {
      const end = starve(cluster, owner, 5, 100)
      pass(8_000)
      end()
      pass(4_000)
    },
    most: { darkMs: 1_600 },
  },
  {
    it: 'gossip is cut while the segment is whole: the wire is the judge, nothing moves',
    options: ten,
    story: ({ cluster, owner, others, pass }) => {
      const heal = cutGossip(cluster, [owner, ...others.slice(0, 3)])
      pass(15_000)
      heal()
      pass(8_000)
    },
    most: { darkMs: 0, moves: 0 },
  },
  {
    it: 'the first in rank is deaf when the owner dies: the next one claims',
    options: ten,
    story: ({ cluster, owner, others, lan, pass }) => {
      for (const name of others.slice(0, 3)) deafen(cluster, lan(), name)
      pass(300)
      crash(cluster, owner)
      pass(9_000)
    },
    most: { darkMs: 1_700 },
  },
  {
    it: 'the successor dies during the hand-over',
    options: ten,
    story: ({ cluster, owner, pass }) => {
      drain(cluster, owner, 4_000)
      pass(cluster.random.between(0, 60))
      const claimer = cluster.record.notes.findLast(({ note }) => note.kind === 'claimed')?.node
      if (claimer !== undefined && claimer !== owner) crash(cluster, claimer)
      pass(9_000)
    },
    most: { darkMs: 1_100, overlapMs: 50 },
  },
  {
    it: 'a node returns and believes what it knew: nobody is contested by it',
    options: ten,
    story: ({ cluster, owner, pass }) => {
      const thawed = freezeNode(cluster, owner)
      pass(20_000)
      thawed()
      pass(6_000)
    },
    most: { darkMs: 600 },
  },
  {
    it: 'the API server is away: nothing changes, and an owner that dies is replaced all the same',
    options: three,
    story: ({ cluster, owner, pass }) => {
      stopApi(cluster)
      pass(5_000)
      crash(cluster, owner)
      pass(4_000)
    },
    most: { darkMs: 600 },
  },
  {
    it: 'the exclude label: its addresses are handed over',
    options: ten,
    story: ({ cluster, owner, pass }) => {
      exclude(cluster, owner)
      pass(4_000)
    },
    most: { darkMs: 5, overlapMs: 50 },
    also: ({ answerers, owner }) => answerers()[0] === owner ? ['it stayed'] : [],
  },
  {
    it: 'carrier lost while gossip goes on elsewhere: replaced within 600 ms',
    options: ten,
    story: ({ cluster, owner, lan, pass }) => {
      const back = loseCarrier(cluster, lan(), owner)
      pass(5_000)
      back()
      pass(5_000)
    },
    most: { darkMs: 600 },
  },
  {
    it: 'a foreign host takes an address: silent in the same frame, announced again when it has gone',
    options: one,
    story: ({ cluster, unit, pass }) => {
      const [client] = cluster.clients
      if (client === undefined) return
      const end = takeAddress(cluster, client, unit())
      pass(15_000)
      end()
      pass(75_000)
    },
    most: { moves: 0 },
    also: (stage) => [
      ...(notesOf(stage, 'inConflict').length > 0 ? [] : ['nobody reported the conflict']),
      ...(notesOf(stage, 'conflictEnded').length > 0 ? [] : ['the conflict did not end']),
    ],
  },
  {
    it: 'a fabric answers in the name of the dead owner: it is asked by unicast, and claimed',
    options: { ...three, isSuppressing: true },
    story: ({ cluster, owner, pass }) => {
      crash(cluster, owner)
      pass(14_000)
    },
    most: { darkMs: 9_500 },
  },
  {
    it: 'a MetalLB speaker joins: all elect as it does, and agree with it',
    options: { nodes: 4, strangers: 1, units: 6 },
    seeds: 12,
    story: ({ pass }) => pass(12_000),
    // It asks nobody before it answers: only ours are judged, in `also`.
    most: { overlapMs: Infinity },
    also: ({ cluster }) => [...checkVoice(cluster).map(({ text }) => text), ...notElected(cluster)],
  },
  {
    it: 'hash placement: the elected node owns, and an owner that dies is replaced',
    options: { ...ten, placement: 'hash' },
    story: ({ cluster, owner, pass }) => {
      crash(cluster, owner)
      pass(9_000)
    },
    most: { darkMs: 600, overlapMs: 50 },
  },
  {
    it: 'hash placement: the elected node takes its addresses back by hand-over',
    options: { ...ten, placement: 'hash' },
    story: ({ cluster, owner, pass }) => {
      const back = crash(cluster, owner)
      pass(9_000)
      back()
      pass(9_000)
    },
    most: { darkMs: 600, overlapMs: 50 },
    also: ({ answerers, owner }) => answerers()[0] === owner ? [] : ['it did not go back'],
  },
  {
    it: '1,000 addresses: those of a dead owner are claimed within 2 s',
    options: { ...ten, units: 1_000 },
    seeds: 1,
    warmUpMs: 8_000,
    story: ({ cluster, owner, pass }) => {
      crash(cluster, owner)
      pass(4_000)
    },
    most: { darkMs: 2_000 },
  },
  {
    it: '300 addresses on slow machines that stand still in turn: bounded frames, and one owner soon after',
    options: { ...three, units: 300, costs: slow },
    seeds: 3,
    warmUpMs: 8_000,
    story: (stage) => {
      standStill(stage, 8)
      stage.pass(5_000)
      stage.judgeFromHere()
      stage.pass(3_000)
    },
    most: { darkMs: 0, moves: 0 },
    also: ({ cluster }) => [...cluster.machines.values()].filter(({ sent }) => sent.worst > 3_000)
      .map(({ name, sent }) => `${name} sent ${sent.worst} messages and asks in one second`),
  },
  {
    it: '1,000 addresses on the slowest machines, which stand still all at once: they find peace again',
    options: { ...three, units: 1_000, costs: slowest },
    seeds: 1,
    warmUpMs: 12_000,
    story: (stage) => {
      const { cluster, pass } = stage
      const thaws = [...cluster.machines.keys()].map((name) => freezeNode(cluster, name))
      pass(500)
      for (const thaw of thaws) thaw()
      pass(20_000)
      stage.judgeFromHere()
      pass(3_000)
    },
    most: { darkMs: 0, moves: 0 },
  },
  {
    it: '1,000 addresses on slow machines, one stands still beyond its fence: it leaves them to who beats',
    options: { ...three, units: 1_000, costs: slow },
    seeds: 2,
    warmUpMs: 12_000,
    story: ({ cluster, owner, pass }) => {
      const thawed = freezeNode(cluster, owner)
      pass(500)
      thawed()
      pass(3_000)
    },
    most: { darkMs: 600 },
  },
  {
    it: '1,000 addresses on slow machines, a node returns: claims come as it joins, so it contests nobody',
    options: { ...three, units: 1_000, costs: slow, hasRings: true },
    seeds: 1,
    warmUpMs: 12_000,
    story: ({ cluster, owner, pass }) => {
      const back = crash(cluster, owner)
      pass(5_000)
      back()
      pass(3_000)
    },
    most: { darkMs: 600 },
  },
  {
    it: 'a graceful stop with 450 addresses on slow machines: all are handed over, none is contested',
    options: { ...three, units: 900, costs: slow },
    seeds: 2,
    warmUpMs: 12_000,
    story: (stage) => {
      const { cluster, others, owner, pass } = stage
      crash(cluster, others[0] ?? '')
      pass(10_000)
      stage.judgeFromHere()
      drain(cluster, owner, 2_000)
      pass(4_000)
    },
    most: { darkMs: 5, overlapMs: 50 },
    also: (stage) => contestedSince(stage, 20_000),
  },
  {
    it: 'a Service is deleted, and its address given to another, while it is handed over',
    options: one,
    story: ({ cluster, others, unit, pass }) => {
      const key = unit()
      move(cluster, key, others[0] ?? '')
      pass(cluster.random.between(0, 60))
      disappear(cluster, key)
      pass(cluster.random.between(0, 60))
      addUnit(cluster, 0)
      pass(4_000)
    },
    most: { overlapMs: 50 },
  },
  {
    it: 'dual stack on two segments: one owner for both families everywhere',
    options: { nodes: 4, segments: 2, isDual: true, units: 3 },
    story: ({ cluster, owner, pass }) => {
      crash(cluster, owner)
      pass(9_000)
    },
    most: { darkMs: 600 },
  },
  {
    it: 'two nodes start at the same instant',
    options: { nodes: 2, units: 6 },
    seeds: 8,
    spreadMs: 0,
    story: ({ pass }) => pass(5_000),
    most: { darkMs: 0 },
  },
  {
    it: 'nodes join one by one: nothing moves to them',
    options: { nodes: 6, units: 6 },
    story: ({ cluster, others, pass }) => {
      const late = others.slice(0, 2)
      const backs = late.map((name) => crash(cluster, name))
      pass(75_000)
      for (const back of backs) back()
      pass(10_000)
    },
    most: { darkMs: 600 },
    also: ({ cluster }) => checkBalance(cluster, 4).map(({ text }) => text),
  },
  {
    it: 'a burst of loss while everything is well: nothing moves at 5 %',
    options: ten,
    story: ({ cluster, lan, pass }) => {
      const end = setQuality(cluster, lan(), { ...goodQuality, loss: 0.05, duplicate: 0.05, jitterMs: 5 })
      pass(20_000)
      end()
      pass(3_000)
    },
    most: { darkMs: 300, moves: 0 },
  },
  {
    it: 'a new Service while a node is away: placed at once',
    options: ten,
    story: ({ cluster, others, pass }) => {
      crash(cluster, others[0] ?? '')
      pass(10_000)
      appear(cluster, 4, 4)
      pass(4_000)
    },
    most: { darkMs: 1_000, moves: 0 },
  },
  {
    it: 'new Services while a node stands still: it takes none for new that others have claimed since',
    options: { nodes: 8, units: 8 },
    seeds: 12,
    story: ({ cluster, others, pass }) => {
      const thaw = freezeNode(cluster, others[0] ?? '')
      // It is called dead by then, and is told of no claims.
      pass(cluster.random.between(12_000, 15_000))
      appear(cluster, 8, 8)
      pass(cluster.random.between(600, 1_500))
      thaw()
      pass(3_000)
    },
    most: { darkMs: 1_200 },
    also: ({ cluster }) => {
      const placed = cluster.record.notes.flatMap(({ note }) =>
        note.kind === 'claimed' && note.cause === 'placed' ? [note.unit] : [])
      return placed.filter((unit, i) => placed.indexOf(unit) !== i).map((unit) => `${unit} was placed twice`)
    },
  },
]
