/** What is wrong with this host, and the command that mends it: for the log, for status and its metric. */

/** Literals, for scripts: docs/reference.md says what each means. */
export const findingReasons = [
  'minority', 'noAllocator', 'hostMissing', 'notForgotten', 'foreignGroup', 'optionsDiffer', 'sameName',
  'otherSecret', 'inConflict', 'foreignHost',
  'stateNotStored', 'outsidePrefix', 'socketFailed', 'sendFailed', 'forwardingOff', 'forwardBlocked',
  'rulesNotLoaded', 'loopbackEndpoint', 'noEndpointForPort', 'portTaken', 'watchFailed', 'writeFailed',
  'notLeading', 'webhookNotServed',
] as const

export type FindingReason = (typeof findingReasons)[number]

/** No trouble now, or none by themselves: everything is served as agreed, or another replica does it. */
export const noteReasons: ReadonlySet<string> = new Set<FindingReason>([
  'hostMissing', 'notForgotten', 'optionsDiffer', 'foreignHost', 'outsidePrefix', 'sendFailed', 'notLeading',
])

/** Whether something is not as it should be; what an older program does not know is. */
export function isTrouble(reason: unknown): boolean {
  return typeof reason !== 'string' || !noteReasons.has(reason)
}

export interface HostFinding {
  readonly reason: FindingReason
  /** A sentence that ends with the fix. */
  readonly message: string
}

/** One, or none where there is nothing to say. */
export function findingOf(reason: FindingReason, message: string | undefined): readonly HostFinding[] {
  return message === undefined ? [] : [{ reason, message }]
}
