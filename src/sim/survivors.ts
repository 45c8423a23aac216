/** Named histories of who is left and who comes back: what silence means to them, and who is believed. */
import { crash, cutGossip, freezeNode, split } from './faults.ts'
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
]
