/** Histories of new Services that appear while something is wrong: who may announce them at once. */
import { appear, cutGossip, deafen, split } from './faults.ts'
import { notesOf, type Scenario } from './scenario.ts'

const one = { nodes: 3, units: 1 }

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
  {
    it: 'new Services after a split that membership has not forgotten: whoever places them asks first',
    options: { ...one, isGossipCarried: true, hasRings: true, hasGateway: false, clients: 0 },
    seeds: 6,
    story: (stage) => {
      const { cluster, others, lan, pass } = stage
      const heal = split(cluster, lan(), others.slice(0, 1))
      pass(12_000)
      heal()
      pass(cluster.random.between(600, 1_000))
      stage.judgeFromHere()
      appear(cluster, 1, 8)
      pass(3_000)
    },
    most: {},
    isSettled: false,
  },
  {
    it: 'new Services while gossip is cut and the segment whole: whoever places them asks first',
    options: { nodes: 4, units: 2 },
    seeds: 6,
    story: ({ cluster, others, pass }) => {
      const heal = cutGossip(cluster, others.slice(0, 1))
      pass(12_000)
      appear(cluster, 2, 8)
      pass(3_000)
      heal()
      pass(4_000)
    },
    most: {},
  },
]
