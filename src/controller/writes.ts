/** Decides what a verdict changes about a Service: its status, and the events that tell of it. */
import { type EventText, eventText } from '../cluster/vocabulary.ts'
import type { Dropped, Verdict } from '../ipam/model.ts'
import { formatAddress } from '../net/address.ts'
import type { Change } from './sent.ts'

/** What of a Service's present state is compared. */
export interface Present {
  /** `status.loadBalancer.ingress[].ip`; '' for entries without one. */
  readonly ingress: readonly string[]
  /** Annotation `metallb.io/ip-allocated-from-pool`. */
  readonly pool: string | undefined
}

/** The whole status we want; absent pool = no annotation. */
export interface Wanted {
  readonly ingress: readonly string[]
  readonly pool: string | undefined
}

/**
 * What has to be written; undefined = nothing: the Service is as it should be, or none of ours.
 * Entries that somebody else wrote go only where addresses of ours take their place. `leaving` = addresses of
 * ours that an earlier verdict took, and that are shown still.
 */
export function planStatus(
  verdict: Verdict, present: Present, leaving: readonly string[] = [],
): Wanted | undefined {
  switch (verdict.kind) {
    case 'assigned':
    case 'kept': {
      const ingress = verdict.addresses.map(formatAddress)
      return differs({ ingress, pool: verdict.pool }, present)
    }
    case 'released':
    case 'refused': {
      const dropped = new Set(verdict.dropped.map(({ address }) => formatAddress(address)))
      const left = present.ingress.filter((text) => !dropped.has(text) && !leaving.includes(text))
      // Without an address of ours the annotation claims nothing any more.
      return differs({ ingress: left, pool: left.length === 0 ? undefined : present.pool }, present)
    }
    case 'ignored':
      return undefined
  }
}

function differs(wanted: Wanted, present: Present): Wanted | undefined {
  const isSame = wanted.pool === present.pool && wanted.ingress.length === present.ingress.length &&
    wanted.ingress.every((text, i) => text === present.ingress[i])
  return isSame ? undefined : wanted
}

/** What the status comes to say of addresses of ours. */
export function changeOf(verdict: Verdict): Change {
  const has = verdict.kind === 'assigned' || verdict.kind === 'kept' ? verdict.addresses : []
  const lacks = verdict.kind === 'ignored' ? [] : verdict.dropped.map(({ address }) => address)
  return { has: has.map(formatAddress), lacks: lacks.map(formatAddress) }
}

/** Go's rendering of a list of addresses, which scripts match: `["192.0.2.1" "2001:db8::1"]`. */
function quoteList(texts: readonly string[]): string {
  return `[${texts.map((text) => `"${text}"`).join(' ')}]`
}

/**
 * Events of a verdict in MetalLB's words (0.16), for a Service that held `ingress` before. The
 * caller keeps those that it has told already from being told again.
 */
export function eventsOf(verdict: Verdict, ingress: readonly string[]): readonly EventText[] {
  const events: EventText[] = []
  switch (verdict.kind) {
    case 'assigned':
    case 'kept': {
      const foreign = verdict.dropped.filter(({ reason }) => reason === 'foreignHost')
      const lost = verdict.dropped.filter((one) => !foreign.includes(one))
      if (lost.length > 0) events.push(clearEvent(verdict.service, lost))
      const texts = verdict.addresses.map(formatAddress)
      const news = texts.filter((text) => !ingress.includes(text))
      const isAddition = news.length === 1 && ingress.length > 0 &&
        ingress.every((text) => texts.includes(text))
      if (isAddition) {
        const message = `Assigned additional IP "${news.join()}"`
        events.push(eventText('IPAllocated', message))
      } else if (news.length > 0) {
        const message = `Assigned IP ${quoteList(texts)}${describeForeign(foreign)}`
        events.push(eventText('IPAllocated', message))
      }
      if (verdict.lacking !== undefined) {
        const message = `cannot assign additional IP in PreferDualStack: ${verdict.lacking}`
        events.push(eventText('AdditionalAssignFailed', message))
      }
      return events
    }
    case 'refused':
      if (verdict.dropped.length > 0) events.push(clearEvent(verdict.service, verdict.dropped))
      return [...events, refusedEvent(verdict)]
    case 'released':
      return verdict.reason === 'notLoadBalancer' || verdict.reason === 'otherClass'
        ? []
        : [clearEvent(verdict.service, verdict.dropped)]
    case 'ignored':
      return []
  }
}

/** In parentheses: it is no other event without it, as which the next turn finds it. */
function describeForeign(foreign: readonly Dropped[]): string {
  if (foreign.length === 0) return ''
  const list = foreign.map(({ address, mac = '' }) =>
    `${formatAddress(address)}, for which the host ${mac === '' ? 'unknown' : mac} answers`)
  return ` (in place of ${list.join(', and of ')})`
}

function clearEvent(service: string, dropped: readonly Dropped[]): EventText {
  const why = dropped.map(({ address, reason }) => `${formatAddress(address)} ${reason}`).join(', ')
  const message = `current IP for "${service}" not allowed by config, will attempt for new IP ` +
    `assignment: ${why}`
  return eventText('ClearAssignment', message)
}

function refusedEvent(verdict: Extract<Verdict, { kind: 'refused' }>): EventText {
  const { service, reason, message } = verdict
  switch (reason) {
    case 'badRequestedAddress':
    case 'conflictingRequest':
    case 'tooManyRequested':
      return eventText('LoadBalancerFailed', `invalid requested loadbalancer IPs: ${message}`)
    case 'notEnoughClusterIPs':
      return eventText('not enough clusterips', message)
    case 'noClusterIP':
      return eventText(
        'noclusterIPsIPFamily', `Failed to retrieve ClusterIPs IPFamily for ["None"]: ${message}`,
      )
    default:
      return eventText('AllocationFailed', `Failed to allocate IP for "${service}": ${message}`)
  }
}
