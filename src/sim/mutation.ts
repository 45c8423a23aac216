/** Rules that are left out on purpose: if no check notices, the checks are worth nothing. */
import type { Rules } from '../ownership/rules.ts'
import { createProduction } from './production.ts'
import type { Finding } from './record.ts'
import { runSeed, type SwarmLimits } from './swarm.ts'

export interface Mutation {
  readonly name: string
  readonly rules: Partial<Rules>
}

export const mutations: readonly Mutation[] = [
  { name: 'without the fence', rules: { hasFence: false } },
  { name: 'without the control probe', rules: { hasControls: false } },
  { name: 'without the tie-break', rules: { hasTieBreak: false } },
  { name: 'without terms', rules: { hasTerms: false } },
  { name: 'without suspicion of who misses beats', rules: { hasSuspicion: false } },
  { name: 'without a look at what ends', rules: { hasEndings: false } },
]

/** So many seeds are looked through: terms alone matter in few, since claimers ask the wire. */
export const mutationSeeds = 300

/** The first seed that is clean with all rules and not without this one; undefined if there is none. */
export function catchMutation(
  { rules }: Mutation, seeds: number, limits: SwarmLimits,
): number | undefined {
  for (let seed = 1; seed <= seeds; seed++) {
    const isSeen = runSeed(seed, limits, createProduction(rules)).findings.length > 0
    if (isSeen && runSeed(seed, limits, createProduction()).findings.length === 0) return seed
  }
  return undefined
}

/** What one seed finds with all rules, where `name` is undefined, and without each of them. */
export function* mutationsOf(
  seed: number, limits: SwarmLimits,
): Generator<{ readonly name: string | undefined; readonly found: readonly Finding[] }> {
  yield { name: undefined, found: runSeed(seed, limits, createProduction()).findings }
  for (const { name, rules } of mutations) {
    yield { name, found: runSeed(seed, limits, createProduction(rules)).findings }
  }
}
