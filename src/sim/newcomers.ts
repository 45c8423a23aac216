/** Histories of new Services that appear while something is wrong: who may announce them at once. */
import { appear, deafen } from './faults.ts'
import { notesOf, type Scenario } from './scenario.ts'

export const newcomers: readonly Scenario[] = [
  {
    it: 'new Services where a node has fallen silent since it is deaf: it announces none of them as new',
    options: { nodes: 4, units: 4 },
    seeds: 6,
    story: (stage) => {
      const { cluster, owner, lan, pass } = stage
      deafen(cluster, lan(), owner)
      pass(cluster.random.between(2_000, 4_000))
      stage.judgeFromHere()
      appear(cluster, 4, 6)
      pass(4_000)
    },
    most: { darkMs: 800 },
    also: (stage) => notesOf(stage, 'claimed').slice(4).includes(stage.owner) ? ['the deaf one claimed'] : [],
  },
]
