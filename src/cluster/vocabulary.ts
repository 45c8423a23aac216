/** The events of both roles, all of them: docs/reference.md says what each means. */

/** By their reason, in MetalLB's words where it has the same: who writes it, and how loud it is. */
export const eventReasons = {
  IPAllocated: { by: 'controller', type: 'Normal' },
  AdditionalAssignFailed: { by: 'controller', type: 'Normal' },
  ClearAssignment: { by: 'controller', type: 'Normal' },
  AllocationFailed: { by: 'controller', type: 'Warning' },
  LoadBalancerFailed: { by: 'controller', type: 'Warning' },
  'not enough clusterips': { by: 'controller', type: 'Warning' },
  noclusterIPsIPFamily: { by: 'controller', type: 'Warning' },
  deprecatedAnnotation: { by: 'controller', type: 'Warning' },
  notAnnounced: { by: 'controller', type: 'Warning' },
  nodeAssigned: { by: 'speaker', type: 'Normal' },
  announceFailed: { by: 'speaker', type: 'Warning' },
  inConflict: { by: 'speaker', type: 'Warning' },
  strictARP: { by: 'speaker', type: 'Warning' },
} as const

export type EventReason = keyof typeof eventReasons

export interface EventText {
  readonly type: 'Normal' | 'Warning'
  readonly reason: EventReason
  readonly message: string
}

export function eventText(reason: EventReason, message: string): EventText {
  return { type: eventReasons[reason].type, reason, message }
}
