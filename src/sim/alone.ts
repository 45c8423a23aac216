/** Schedule 9 where hardly anybody is left: whether silence is that of the others, or one's own. */
import { crash, deafen } from './faults.ts'
import type { Scenario } from './scenario.ts'

export const aloneSchedules: readonly Scenario[] = [
  {
    it: '9 nothing but three nodes, one is gone, and another goes deaf: it does not take the third for dead',
    options: { units: 6, hasGateway: false, clients: 0, isGossipCarried: true, hasRings: true },
    seeds: 8,
    story: (stage) => {
      const { cluster, owner, others, lan, pass } = stage
      crash(cluster, others[0] ?? '')
      // It is dead by membership, too.
      pass(12_000)
      stage.judgeFromHere()
      deafen(cluster, lan(), owner)
      pass(4_000)
    },
    most: { moves: 0 },
    isSettled: false,
  },
  {
    it: '9 nothing but three nodes, two die: the third claims as soon as it hears anybody',
    options: { units: 6, hasGateway: false, clients: 1, isGossipCarried: true, hasRings: true },
    seeds: 8,
    story: (stage) => {
      const { cluster, owner, others, pass } = stage
      const gone = [others[0] ?? '', owner]
      for (const name of gone) {
        crash(cluster, name)
        pass(12_000)
      }
      // The client has to ask everybody again.
      for (const { cache } of cluster.clients) cache.clear()
      stage.judgeFromHere()
      pass(2_000)
    },
    // A packet every 250 ms, and a probe round.
    most: { darkMs: 400 },
  },
]
