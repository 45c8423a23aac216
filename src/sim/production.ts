/** The brain of a machine as production has it, or with a rule left out to see whether the checks bite. */
import { createNode } from '../ownership/node.ts'
import { exportClaims, step } from '../ownership/ownership.ts'
import { allRules, type Rules } from '../ownership/rules.ts'
import { createOwnership } from '../ownership/state.ts'
import type { CreateBrain } from './cluster.ts'

export function createProduction(left: Partial<Rules> = {}): CreateBrain {
  return (machine) => {
    const ownership = createOwnership(machine.name, { ...allRules, ...left })
    const node = createNode((event, now) => step(ownership, event, now))
    return { ...node, claims: (now) => exportClaims(ownership, now) }
  }
}
