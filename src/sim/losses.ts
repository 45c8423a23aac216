/** Numbered schedules on a segment that loses frames: who stays owner, and what is said meanwhile. */
import type { Scenario } from './scenario.ts'
import { lossy } from './segment.ts'

/**
 * Asks and messages a second of each of 20 nodes at 30 % loss, in the mean: 15 where the next three in rank
 * are told of a suspicion, 28 where all are.
 */
const mostTalk = 20

export const lossSchedules: readonly Scenario[] = [
  {
    it: '5 10 % loss for a minute: nothing moves',
    options: { nodes: 20, units: 6, quality: lossy(0.1), clients: 1 },
    seeds: 2,
    story: ({ pass }) => pass(60_000),
    most: { moves: 0, darkMs: 300 },
    isSettled: false,
  },
  {
    it: '5 30 % loss for a minute: moves are rare, and nobody talks much',
    options: { nodes: 20, units: 4, quality: lossy(0.3) },
    seeds: 2,
    story: ({ pass }) => pass(60_000),
    most: { moves: 3, overlapMs: 1_500 },
    isSettled: false,
    also: ({ cluster: { machines, clock } }) => {
      const sent = [...machines.values()].map(({ sent: { asks, tells, gossips } }) => asks + tells + gossips)
      const each = sent.reduce((all, one) => all + one, 0) / sent.length / (clock.nowMs / 1_000)
      return each <= mostTalk ? [] : [`each sent ${each.toFixed(1)} a second, at most ${mostTalk} allowed`]
    },
  },
]
