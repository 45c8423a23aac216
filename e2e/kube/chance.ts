/** Random numbers that a seed repeats; the seed is printed, so that a failure can be. */

export interface Chance {
  readonly seed: number
  /** In 0..1, without 1. */
  next(): number
  /** In `from`..`to`, without `to`; a whole number. */
  between(from: number, to: number): number
}

/** SEED of the environment, else another each time. */
export function openChance(what: string): Chance {
  const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  console.log(`${what}: SEED=${seed}`)
  let state = seed
  // mulberry32: any 32-bit generator would serve.
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return { seed, next, between: (from, to) => from + Math.floor(next() * (to - from)) }
}
