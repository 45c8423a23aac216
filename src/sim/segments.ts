/** Schedule 12: two segments that may have different winners, and how its parts come together. */
import {
  appear, crash, cutGossip, deafen, endMove, loseCarrier, loseUplink, move, muffle, pauseNode, split,
} from './faults.ts'
import type { Scenario } from './scenario.ts'
import { goodQuality } from './segment.ts'

export const segmentSchedules: readonly Scenario[] = [
  {
    it: '12 two segments, one cut for the owner: it hands over the other one too',
    options: { nodes: 4, segments: 2, units: 2 },
    story: ({ cluster, owner, lan, pass }) => {
      loseUplink(cluster, lan(1), owner)
      pass(8_000)
    },
    most: { darkMs: 1_600, overlapMs: 50 },
  },
  {
    it: '12 two segments, one uplink lost: beats on the other one withdraw nothing there',
    options: { nodes: 4, segments: 2, units: 7, isGossipCarried: true,
      quality: { ...goodQuality, jitterMs: 3 } },
    seeds: 12,
    story: ({ cluster, owner, lan, pass }) => {
      const back = loseUplink(cluster, lan(), owner)
      pass(2_500)
      back()
      pass(6_000)
    },
    most: { darkMs: 1_600, overlapMs: 250 },
  },
  {
    it: '12 two segments, one cut for the owner and the other for its heir: two parts, then one owner',
    options: { nodes: 4, segments: 2, units: 3 },
    seeds: 8,
    story: ({ cluster, owner, others, lan, pass }) => {
      const kept = others.toSorted().slice(0, 2)
      const backs = [crash(cluster, owner), ...kept.map((name, i) => muffle(cluster, lan(i), name))]
      pass(4_000)
      for (const back of backs.slice(1)) back()
      pass(4_000)
    },
    most: { darkMs: 1_600, overlapMs: 250 },
  },
  {
    it: '12 two parts, and the owner of one goes deaf: the other waits until it has fallen silent',
    options: { nodes: 3, segments: 2, units: 1, placement: 'hash' },
    seeds: 12,
    story: ({ cluster, owner, lan, pass }) => {
      muffle(cluster, lan(0), owner)
      pass(2_400 + cluster.random.between(0, 800))
      deafen(cluster, lan(1), owner)
      pass(4_000)
    },
    most: { darkMs: 1_600 },
    isSettled: false,
  },
  {
    it: '12 two parts, and membership calls the other owner dead: the wire has heard it, and one gets both',
    options: { nodes: 4, segments: 2, units: 4, hasRings: true },
    seeds: 8,
    story: ({ cluster, owner, lan, pass }) => {
      const whole = cutGossip(cluster, [owner])
      pass(9_000)
      const back = loseUplink(cluster, lan(), owner)
      pass(3_000)
      whole()
      back()
      pass(4_000)
    },
    most: { darkMs: 1_600, overlapMs: 250 },
  },
  {
    it: '12 two parts, and the other refused the whole lately: they come together all the same',
    options: { nodes: 2, segments: 2, units: 4 },
    seeds: 8,
    story: ({ cluster, lan, pass }) => {
      const back = loseUplink(cluster, lan(1), 'n1')
      pass(2_000)
      for (const unit of cluster.api.units.keys()) move(cluster, unit, 'n1')
      pass(300)
      for (const unit of cluster.api.units.keys()) endMove(cluster, unit)
      const resume = pauseNode(cluster, 'n2')
      pass(1_500)
      back()
      resume()
      pass(2_000)
    },
    most: { darkMs: 2_000, overlapMs: 250 },
  },
  {
    it: '12 two parts, and a check while one is due to ask for the rest: it asks afterwards',
    options: { nodes: 2, segments: 2, units: 6 },
    seeds: 6,
    story: ({ cluster, lan, pass }) => {
      const back = muffle(cluster, lan(1), 'n1')
      pass(2_000)
      for (let i = 0; i < 6; i++) {
        appear(cluster, 6 + 2 * i, 2)
        pass(1_000 + cluster.random.between(0, 300))
      }
      back()
      pass(4_000)
    },
    most: { darkMs: 2_000, overlapMs: 250 },
  },
  ...[{ nodes: 2, dumbOn: 1 }, { nodes: 3, dumbOn: 0 }, { nodes: 4, dumbOn: 1 }].map(
    ({ nodes, dumbOn }): Scenario => ({
      it: `12 two of ${nodes} do not send on one of two segments each: new Services are not left with them`,
      options: { nodes, segments: 2, units: 2 },
      seeds: 6,
      story: (stage) => {
        const { cluster, lan, pass } = stage
        muffle(cluster, lan(0), 'n1')
        muffle(cluster, lan(dumbOn), 'n2')
        pass(2_000)
        stage.judgeFromHere()
        appear(cluster, 2, 6)
        pass(4_000)
      },
      most: { darkMs: 1_200 },
      isSettled: false,
    })),
  {
    it: '12 two segments, one split in the first minute: balance moves nothing to who is cut off there',
    options: { nodes: 5, segments: 2, units: 7 },
    seeds: 12,
    story: ({ cluster, others, lan, pass }) => {
      const [gone = ''] = others
      crash(cluster, gone)
      const heal = split(cluster, lan(), others.slice(1, 3))
      pass(4_000)
      heal()
      pass(4_000)
    },
    most: { darkMs: 1_000, overlapMs: 250 },
  },
  {
    it: '12 two segments, carrier lost on one, hash placement: its heir gets both, then it does again',
    options: { nodes: 6, segments: 2, units: 5, placement: 'hash' },
    story: ({ cluster, owner, lan, pass }) => {
      const back = loseCarrier(cluster, lan(), owner)
      pass(4_000)
      back()
      pass(4_000)
    },
    most: { darkMs: 600, overlapMs: 50 },
  },
  {
    it: '12 two own a part each, and one of them pauses: who claims its part gets the other, or gives it up',
    options: { nodes: 3, segments: 2, units: 1 },
    seeds: 8,
    story: ({ cluster, owner, lan, pass }) => {
      muffle(cluster, lan(1), owner)
      pass(3_000)
      pauseNode(cluster, owner)
      pass(3_000)
    },
    most: { darkMs: 600 },
  },
]
