/** Named histories of who is left and who comes back: what silence means to them, and who is believed. */
import { appear, crash, cutGossip, deafen, freezeNode, kill, split, starve, stepWallClock } from './faults.ts'
import { ringViewOf } from './ring.ts'
import type { Scenario } from './scenario.ts'

export const survivors: readonly Scenario[] = [
  {
    it: 'a segment split until membership has forgotten the other side: it is asked for all the same',
    options: { nodes: 6, isGossipCarried: true, hasRings: true },
    seeds: 8,
    story: ({ cluster, owner, others, lan, pass }) => {
      const heal = split(cluster, lan(), [owner, ...others.slice(0, 2)])
      pass(60_000 + cluster.random.between(0, 30_000))
      // Each side hears of a member that is away and back: its list of members is made anew.
      const thaws = [1, 4].map((i) => freezeNode(cluster, others[i] ?? ''))
      pass(4_000)
      for (const thaw of thaws) thaw()
      pass(8_000)
      heal()
      pass(8_000)
    },
    most: { darkMs: 1_000, overlapMs: 250 },
  },
  {
    it: 'a split too short for the elected node to miss the others: it hears that it is dead, and is back',
    options: { nodes: 4, placement: 'hash', isGossipCarried: true, hasRings: true },
    seeds: 8,
    story: ({ cluster, owner, lan, pass }) => {
      const heal = split(cluster, lan(), [owner])
      pass(8_000)
      heal()
      pass(6_000)
    },
    most: { darkMs: 600, overlapMs: 250 },
    also: ({ answerers, owner }) => answerers()[0] === owner ? [] : [`${owner} has not got it back`],
  },
  {
    it: 'an owner stands still, replaced by one that knew nothing of it: the silent one is contested',
    options: { nodes: 3, units: 4 },
    seeds: 8,
    story: (stage) => {
      const { cluster, owner, others, pass } = stage
      const heal = cutGossip(cluster, [owner])
      const back = crash(cluster, others.at(-1) ?? '')
      pass(300)
      back()
      // It is told of no claims, and does not know the owner: it asks again and again whether it is there.
      pass(1_500)
      const thaw = freezeNode(cluster, owner)
      pass(2_500)
      stage.judgeFromHere()
      heal()
      thaw()
      pass(500)
    },
    most: { darkMs: 0 },
    also: ({ cluster, owner }) => cluster.record.notes.flatMap(({ node, note }) =>
      note.kind === 'silenced' && node !== owner ? [`${node} was silenced for ${note.unit}`] : []),
  },
  {
    it: 'an owner goes deaf, one of its heirs is killed and one is late again and again: the third claims',
    options: { nodes: 4, units: 8 },
    seeds: 12,
    story: (stage) => {
      const { cluster, owner, others: [late = '', dead = ''], lan, pass } = stage
      const { random } = cluster
      kill(cluster, dead)
      pass(random.between(0, 1_000))
      stage.judgeFromHere()
      deafen(cluster, lan(), owner)
      for (let i = 0; i < 6; i++) {
        const goOn = freezeNode(cluster, late)
        pass(random.between(50, 700))
        goOn()
        pass(random.between(5, 300))
      }
      pass(1_000)
    },
    most: { darkMs: 2_000, overlapMs: 0 },
    isSettled: false,
  },
  {
    it: 'a wall clock is set back, and its node returns with an older incarnation: the others believe it',
    options: { nodes: 3, hasRings: true },
    seeds: 8,
    story: ({ cluster, owner, others, pass }) => {
      stepWallClock(cluster, owner, -300_000)
      stepWallClock(cluster, others[0] ?? '', 300_000)
      const back = crash(cluster, owner)
      pass(12_000)
      back()
      pass(6_000)
    },
    most: { darkMs: 600 },
    also: ({ cluster: { rings }, owner, others }) => others.filter((name) =>
      rings !== undefined && !ringViewOf(rings, name).some((seen) => seen.name === owner && seen.isAlive))
      .map((name) => `${name} takes ${owner} for dead`),
  },
  {
    // Its asks lie for longer than 40 ms and are dropped, a round of probes fits between two of its slices.
    it: 'an owner with 5 % of a processor is taken for deaf, and is let run in the middle of that: one voice',
    options: { nodes: 8, units: 24, clients: 0 },
    seeds: 12,
    story: ({ cluster, owner, pass }) => {
      const { notes } = cluster.record
      const letRun = starve(cluster, owner, 5, 100)
      const isTaken = (): boolean => notes.some(({ note }) =>
        note.kind === 'claimed' && note.cause === 'ownerDeaf' && note.from === owner)
      for (let i = 0; i < 5_000 && !isTaken(); i++) pass(1)
      letRun()
      pass(3_000)
    },
    most: { darkMs: 600 },
  },
  {
    it: 'one of 20 nodes dies just after its first beat, and those that get it had nobody to watch before',
    options: { nodes: 20, units: 0 },
    seeds: 10,
    story: (stage) => {
      const { cluster, answerers, pass } = stage
      appear(cluster, 0, 1)
      for (let i = 0; i < 3_000 && answerers().length === 0; i++) pass(1)
      pass(cluster.random.between(0, 100))
      stage.judgeFromHere()
      for (const name of answerers()) crash(cluster, name)
      pass(4_000)
    },
    most: { darkMs: 600 },
  },
  {
    it: 'a fabric answers on two segments for both addresses of a dead owner: each is asked for, and claimed',
    options: { nodes: 3, segments: 2, isDual: true, isSuppressing: true },
    story: ({ cluster, owner, pass }) => {
      crash(cluster, owner)
      pass(14_000)
    },
    most: { darkMs: 9_500 },
  },
]
