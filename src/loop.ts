/** Runs one async turn at a time for as long as somebody marked it dirty. */

export interface Loop {
  /** Asks for another turn; marks made during a turn lead to exactly one more. */
  mark(): void
  /** Settles when no turn is running or due. */
  idle(): Promise<void>
}

export interface LoopOptions {
  /**
   * Rest after a turn, as a multiple of its own time: under a stream of marks at most
   * 1 / (1 + rest) of the time is spent on turns. The first turn after a pause never waits.
   */
  readonly rest?: number
}

/** A turn is never put off longer than this, in ms, however long the last one took. */
const maxRestMs = 500

/** `onError` gets what a turn threw; the loop goes on. */
export function createLoop(
  turn: () => Promise<void>, onError: (error: unknown) => void, options: LoopOptions = {},
): Loop {
  const { rest = 0 } = options
  let isDirty = false
  let running: Promise<void> | undefined
  const run = async (): Promise<void> => {
    while (isDirty) {
      isDirty = false
      const begunAtMs = performance.now()
      try {
        await turn()
      } catch (error) {
        onError(error)
      }
      const restMs = Math.min(maxRestMs, (performance.now() - begunAtMs) * rest)
      if (rest > 0) await new Promise((resolve) => setTimeout(resolve, restMs))
    }
    running = undefined
  }
  return {
    mark: () => {
      isDirty = true
      running ??= Promise.resolve().then(run)
    },
    idle: () => running ?? Promise.resolve(),
  }
}
