/** Long turns in pieces: what is due at once, beats above all, goes between them. */
import type { Millis } from '../net/model.ts'

/** A piece that took this long is followed by a breath. */
const pieceMs: Millis = 5

/** Where the present piece began. */
export interface Pieces {
  atMs: Millis
}

/** Turns do not meet: each begins when the last has ended; it settles as that one does. */
export function oneByOne(act: () => Promise<void>): () => Promise<void> {
  let last: Promise<void> = Promise.resolve()
  return () => {
    const next = last.then(act)
    last = next.catch(() => {})
    return next
  }
}

/**
 * Fulfils at once, or when a piece has taken so long that timers and sockets go first: beats are due every
 * 100 ms, however many Services change. What is read before it and used after it are values. What it took.
 */
export async function breathe(pieces: Pieces): Promise<Millis> {
  const begunMs = performance.now()
  if (begunMs - pieces.atMs < pieceMs) return 0
  // A timer that is late puts its work behind an immediate, and what was read then behind another timer.
  for (let i = 0; i < 2; i++) {
    await new Promise<void>((resolve) => setTimeout(() => setImmediate(resolve), 1))
  }
  pieces.atMs = performance.now()
  return pieces.atMs - begunMs
}
