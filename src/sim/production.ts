/** The brain of a machine as production has it, or with rules left out to see whether the checks bite. */
import { createNode } from '../ownership/node.ts'
import { step } from '../ownership/ownership.ts'
import { createOwnership } from '../ownership/state.ts'
import type { CreateBrain } from './cluster.ts'
export type Rules = { hasFence: boolean; hasControls: boolean; hasTieBreak: boolean; hasTerms: boolean }

/** `rules`: what is left out; none by default. */
export function createProduction(_rules: Partial<Rules> = {}): CreateBrain {
  return (machine) => {
    const ownership = createOwnership(machine.name)
    return createNode((event, now) => step(ownership, event, now))
  }
}
