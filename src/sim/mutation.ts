/** Rules that are left out on purpose: if no check notices, the checks are worth nothing. */
import type { Rules } from '../ownership/state.ts'

export interface Mutation {
  readonly name: string
  readonly rules: Partial<Rules>
}

export const mutations: readonly Mutation[] = [
  { name: 'without the fence', rules: { hasFence: false } },
  { name: 'without the control probe', rules: { hasControls: false } },
  { name: 'without the tie-break', rules: { hasTieBreak: false } },
  { name: 'without terms', rules: { hasTerms: false } },
]
