/** The brain of a machine as production has it, or with rules left out to see whether the checks bite. */
import { createNode } from '../ownership/node.ts'
import { createOwnership, type Rules, step } from '../ownership/ownership.ts'
import type { CreateBrain } from './cluster.ts'

/** `rules`: what is left out; none by default. */
export function createProduction(rules: Partial<Rules> = {}): CreateBrain {
  return (machine) => {
    const ownership = createOwnership({ self: machine.name, rules })
    return createNode((event, now) => step(ownership, event, now))
  }
}
