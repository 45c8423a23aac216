/** A seeded source of randomness: the same seed gives the same run on every machine. */

export interface Random {
  /** In [0, 1). */
  next(): number
  /** An integer in [0, count). */
  below(count: number): number
  /** In [from, to). */
  between(from: number, to: number): number
  chance(probability: number): boolean
  /** One of a list that is not empty. */
  pick<T>(list: readonly T[]): T
  shuffle<T>(list: readonly T[]): T[]
  /** A source of its own, so that what one part draws does not shift what another sees. */
  fork(): Random
}

/** mulberry32: 32 bits of state, which is plenty for schedules. */
export function createRandom(seed: number): Random {
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) | 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }
  const below = (count: number): number => Math.floor(next() * count)
  const pick = <T>(list: readonly T[]): T => {
    const item = list[below(list.length)]
    if (item === undefined) throw new RangeError('Cannot pick from an empty list')
    return item
  }
  return {
    next,
    below,
    between: (from, to) => from + next() * (to - from),
    chance: (probability) => next() < probability,
    pick,
    shuffle: <T>(list: readonly T[]): T[] => {
      const left = [...list]
      return list.map(() => left.splice(below(left.length), 1)).flat()
    },
    fork: () => createRandom(Math.floor(next() * 0x1_0000_0000)),
  }
}
