/** Decides whether a status has come to say something, from what was sent and what was seen since. */

/** Statuses of one Service that are on their way, or whose answers were lost. */
export interface Sent {
  readonly uid: string
  /** The version that all of them were based on: the server takes one of them at most. */
  readonly base: string
  /** Addresses in each, none twice. */
  readonly ingresses: readonly (readonly string[])[]
  /** Those that the server has said it took. */
  readonly taken: readonly string[] | undefined
  /** One is under way: its answer may come after the watch has shown what somebody else wrote over it. */
  readonly isOut?: boolean
}

/** What a Service shows. */
export interface Shown {
  readonly uid: string
  readonly version: string
  readonly ingress: readonly string[]
}

/** What a status says once it has changed. */
export interface Change {
  readonly has: readonly string[]
  readonly lacks: readonly string[]
}

/** With one more under way; those that another version has decided are forgotten. */
export function withSent(
  before: Sent | undefined, { uid, version }: Shown, ingress: readonly string[],
): Sent {
  const isSame = before?.uid === uid && before.base === version
  if (!isSame) return { uid, base: version, ingresses: [ingress], taken: undefined }
  const isKnown = before.ingresses.some((one) => one.join() === ingress.join())
  return isKnown ? before : { ...before, ingresses: [...before.ingresses, ingress] }
}

/** With nothing under way: it was answered, or nobody waits for the answer any more. */
export function withAnswer(before: Sent): Sent {
  return { ...before, isOut: false }
}

/** With the server's word that it took one of them. */
export function withTaken(before: Sent, base: string, ingress: readonly string[]): Sent {
  return before.base === base ? { ...before, taken: ingress } : before
}

/**
 * Whether the status has changed so; undefined = that is not known yet: one is under way, or an answer was
 * lost and no other version was seen since. False does not say that it never will.
 */
export function hasChanged(
  uid: string, change: Change, shown: Shown | undefined, sent: Sent | undefined,
): boolean | undefined {
  const ours = sent?.uid === uid ? sent : undefined
  if (ours?.taken !== undefined && fits(change, ours.taken)) return true
  if (shown?.uid !== uid) return false
  // What is shown is older than what was taken.
  if (ours?.taken !== undefined && ours.base === shown.version) return false
  if (fits(change, shown.ingress)) return true
  const isOpen = ours?.taken === undefined && (ours?.isOut === true || ours?.base === shown.version)
  return isOpen && ours.ingresses.some((one) => fits(change, one)) ? undefined : false
}

/** Whether a status with these addresses says what the change comes to. */
export function fits({ has, lacks }: Change, ingress: readonly string[]): boolean {
  return has.every((one) => ingress.includes(one)) && !lacks.some((one) => ingress.includes(one))
}
