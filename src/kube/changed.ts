/** Which keys have changed since somebody asked: one by one, as long as these are few. */

export interface Changed {
  /** This one has changed. */
  note(key: string): void
  /** Any may have. */
  noteAll(): void
  /** Those since this was asked last; undefined = any may have, as before it was asked first. */
  take(): ReadonlySet<string> | undefined
}

/** More are not told one by one: perhaps nobody asks. */
const maxKeys = 1_000

export function createChanged(): Changed {
  let keys: Set<string> | undefined
  return {
    note: (key) => {
      keys?.add(key)
      if (keys !== undefined && keys.size > maxKeys) keys = undefined
    },
    noteAll: () => void (keys = undefined),
    take: () => {
      const taken = keys
      keys = new Set()
      return taken
    },
  }
}
