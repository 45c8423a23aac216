/** Gives up the small heap that the program is started with where there is much to hold. */
import { setFlagsFromString } from 'node:v8'

/** With more Services than this, time counts more than memory. */
const many = 2_000
const small = '--optimize-for-size'

export interface Heap {
  /** To be told how many Services there are, as often as one likes. */
  follow(services: number): void
}

/**
 * `--optimize-for-size` makes V8 collect the whole heap at every few MiB of growth: right for tens of MiB of
 * a process at rest. With 10,000 Services a controller and speakers spent a third to a half of their busy
 * time on that. V8 reads this flag at each collection, and Node.js does not freeze flags.
 */
export function createHeap(
  set: (flag: string) => void = setFlagsFromString, options: readonly string[] = process.execArgv,
): Heap {
  const isSmall = options.includes(small)
  let isLarge = false
  return {
    follow: (services) => {
      if (!isSmall || services > many === isLarge) return
      isLarge = !isLarge
      set(isLarge ? '--no-optimize-for-size' : small)
    },
  }
}
