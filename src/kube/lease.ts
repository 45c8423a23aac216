/** Decides who of several controllers writes: a Lease, judged by this process's own clock only. */
import type { Millis } from '../net/model.ts'

/** Nobody else may take the lease before it was seen unchanged for so long (design: 15 s). */
export const leaseMs: Millis = 15_000
/** After sending a renewal this long one may write: the rest is for clocks that run differently. */
export const writeMs: Millis = 10_000
export const renewEveryMs: Millis = 2_000
export const leaseTimeoutMs: Millis = 4_000

/** A Lease object as it was read. */
export interface Lease {
  readonly version: string
  /** '' = released. */
  readonly holder: string
  readonly transitions: number
  /** As written: only compared, never read as a time. */
  readonly renewTime: string
}

/** What is known of the lease; replaced, never changed. */
export interface Knowledge {
  readonly lease: Lease | undefined
  /** When the lease was first seen as it is, on the monotonic clock. */
  readonly seenAtMs: Millis
}

/** Takes in what the server says; the same lease again keeps the instant it was first seen. */
export function observe(before: Knowledge, lease: Lease | undefined, now: Millis): Knowledge {
  const isSame = before.lease !== undefined && lease !== undefined &&
    before.lease.version === lease.version
  return isSame ? before : { lease, seenAtMs: now }
}

export type Step =
  /** Nobody has ever held it. */
  | { readonly kind: 'create' }
  /** Ours, released, or expired: write our name, on condition that it is still as we saw it. */
  | { readonly kind: 'take'; readonly lease: Lease }
  /** Somebody else's: look again. */
  | { readonly kind: 'wait' }

/** What to do now. The same identity resumes at once: a restarted container keeps its Pod's name. */
export function nextStep(known: Knowledge, identity: string, now: Millis): Step {
  const { lease } = known
  if (lease === undefined) return { kind: 'create' }
  const isFree = lease.holder === '' || lease.holder === identity
  const isExpired = now - known.seenAtMs >= leaseMs
  return isFree || isExpired ? { kind: 'take', lease } : { kind: 'wait' }
}
