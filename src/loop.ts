/** Runs one async turn at a time for as long as somebody marked it dirty. */

export interface Loop {
  /** Asks for another turn; marks made during a turn lead to exactly one more. */
  mark(): void
  /** Settles when no turn is running or due. */
  idle(): Promise<void>
}

/** `onError` gets what a turn threw; the loop goes on. */
export function createLoop(turn: () => Promise<void>, onError: (error: unknown) => void): Loop {
  let isDirty = false
  let running: Promise<void> | undefined
  const run = async (): Promise<void> => {
    while (isDirty) {
      isDirty = false
      try {
        await turn()
      } catch (error) {
        onError(error)
      }
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
