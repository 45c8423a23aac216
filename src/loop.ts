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
   * 1 / (1 + rest) of the time is spent on turns. What a loop did not use lately is its credit, so
   * that the few marks that one change makes are each taken at once.
   */
  readonly rest?: number
  /** The most rest, in ms, that a pause pays for. */
  readonly creditMs?: number
  /** A turn is put off no longer than this, in ms, however long the last one took. */
  readonly mostRestMs?: number
  /** Asked after each turn: the least rest, in ms, whatever the credit. */
  readonly leastMs?: () => number
}

const defaultMostRestMs = 500
export const maxCreditMs = 100

/** What a loop has rested in advance, in ms. */
export interface Credit {
  readonly creditMs: number
  /** To be waited before the next turn. */
  readonly restMs: number
}

/** A turn that took `turnMs` wants `rest` times as much; `pauseMs` went by before it with nothing due. */
export function restAfter(
  { creditMs, pauseMs, turnMs }: { creditMs: number; pauseMs: number; turnMs: number }, rest: number,
  mostMs = maxCreditMs, mostRestMs = defaultMostRestMs,
): Credit {
  const owedMs = turnMs * rest - Math.min(mostMs, creditMs + pauseMs)
  return { creditMs: Math.max(0, -owedMs), restMs: Math.min(mostRestMs, Math.max(0, owedMs)) }
}

/** `onError` gets what a turn threw; the loop goes on. */
export function createLoop(
  turn: () => Promise<void>, onError: (error: unknown) => void, options: LoopOptions = {},
): Loop {
  const { rest = 0, creditMs: mostMs = maxCreditMs, leastMs = () => 0 } = options
  const { mostRestMs = defaultMostRestMs } = options
  let isDirty = false
  let running: Promise<void> | undefined
  let creditMs = mostMs
  let endedAtMs = performance.now()
  const run = async (): Promise<void> => {
    while (isDirty) {
      isDirty = false
      const begunAtMs = performance.now()
      try {
        await turn()
      } catch (error) {
        onError(error)
      }
      const turnMs = performance.now() - begunAtMs
      const after = restAfter({ creditMs, pauseMs: begunAtMs - endedAtMs, turnMs }, rest, mostMs, mostRestMs)
      creditMs = after.creditMs
      const restMs = Math.max(after.restMs, leastMs())
      if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs))
      endedAtMs = performance.now()
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
