/** placeholder */
import type { Fault, Outcome } from './fault.ts'
export const crowd: Fault & { run: (assets: string, choice: { trials: number; repeats: number }) => Promise<{ outcomes: readonly Outcome[]; voids: number; shownVoids: number; errors: number }> } = {
  name: 'crowd', about: '', peer: '', bounds: { moves: [1, 1], overlapMs: 0 }, strike: async () => {},
  run: async () => ({ outcomes: [], voids: 0, shownVoids: 0, errors: 0 }),
}
