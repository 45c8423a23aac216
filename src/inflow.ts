/** Datagrams come one by one: what waits in sockets is taken together, since the last may be a beat. */

/** Node.js gives away so many of a socket's before anything else has its turn. */
const batchCount = 32
/** Nothing is put off for longer than it takes to read so many batches: this node's own beats are due. */
const mostBatches = 8

export interface Inflow {
  /** So many have come; `take` follows when no more are waiting. */
  note(count: number): void
  /** `take` is about to be called: what else has come goes with it. */
  readonly isRunning: boolean
}

/** Calls `take` after each inflow; `soon` calls back when sockets have been looked at again. */
export function createInflow(
  take: () => void, soon: (act: () => void) => unknown = setImmediate,
): Inflow {
  let [isRunning, come, batches] = [false, 0, 0]
  const look = (): void => {
    const isFull = come >= batchCount
    come = 0
    if (isFull && ++batches < mostBatches) return void soon(look)
    isRunning = false
    take()
  }
  return {
    note: (count) => {
      come += count
      if (isRunning) return
      isRunning = true
      batches = 0
      soon(look)
    },
    get isRunning() {
      return isRunning
    },
  }
}
