/** A seeded source of randomness, so that a run can be replayed. */

/** Mutable; one seed gives one sequence. */
export interface Random {
  seed: number
}

/** The next number in [0, 1). (mulberry32) */
export function nextRandom(random: Random): number {
  random.seed = (random.seed + 0x6d2b79f5) >>> 0
  let mixed = Math.imul(random.seed ^ (random.seed >>> 15), random.seed | 1)
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
}

/** A whole number in [0, below). */
export function nextIndex(random: Random, below: number): number {
  return Math.floor(nextRandom(random) * below)
}

/** The same items in random order, in place. (Fisher and Yates) */
export function shuffle<T>(random: Random, items: T[]): void {
  for (let i = items.length - 1; i > 0; i--) {
    const j = nextIndex(random, i + 1)
    const [a, b] = [items[i], items[j]]
    if (a === undefined || b === undefined) continue
    items[i] = b
    items[j] = a
  }
}

/** At most `count` different items, in random order. */
export function pickRandom<T>(random: Random, items: readonly T[], count: number): readonly T[] {
  const pool = [...items]
  const picked: T[] = []
  while (picked.length < count && pool.length > 0) {
    picked.push(...pool.splice(nextIndex(random, pool.length), 1))
  }
  return picked
}
