/** Histories in which membership matters, played again with production's in place of the model. */
import { conditions } from './conditions.ts'
import type { Scenario } from './scenario.ts'
import { schedules } from './schedules.ts'

/** How their names begin. */
const chosen = [
  '3 a segment split', '4 a pause', '6 the owner', '10 a kill', 'a process is killed', 'a drain',
  'gossip is cut', 'a node returns', 'carrier lost', 'a hard kill at 3', 'a new Service while',
]

export const memberships: readonly Scenario[] = [...schedules, ...conditions]
  .filter(({ it }) => chosen.some((words) => it.startsWith(words)))
  .map((scenario): Scenario => ({
    ...scenario, it: `${scenario.it} (production membership)`, seeds: 2,
    options: { ...scenario.options, hasRings: true },
  }))
