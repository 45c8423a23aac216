/** How long to wait before the next attempt: doubling, with a cap, spread so that none is in step. */
import type { Millis } from '../net/model.ts'

export interface Backoff {
  readonly firstMs: Millis
  readonly maxMs: Millis
}

/**
 * Wait before attempt number `failures + 1` (at least one has failed). `random` in 0..1 takes off
 * up to half, so that many clients of one server do not return at the same instant.
 */
export function backoffMs({ firstMs, maxMs }: Backoff, failures: number, random: number): Millis {
  const fullMs = Math.min(maxMs, firstMs * 2 ** Math.min(Math.max(0, failures - 1), 30))
  return fullMs * (1 - random / 2)
}
