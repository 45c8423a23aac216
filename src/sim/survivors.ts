/** Named histories of who is left and who comes back: what silence means to them, and who is believed. */
import { split } from './faults.ts'
import type { Scenario } from './scenario.ts'

export const survivors: readonly Scenario[] = [
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
]
