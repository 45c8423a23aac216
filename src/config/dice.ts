/** Random numbers for tests of random worlds: one seed gives one sequence on every machine. */

/** The next whole number in [0, below). */
export type Dice = (below: number) => number

/** mulberry32: a small generator with a 32-bit state. */
export function createDice(seed: number): Dice {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}
