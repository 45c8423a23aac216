/** Finds what Services ask for and would be refused: what `check` tells beside problems of the input. */
import type { Intent, PlacedService, Problem, Reading } from '../config/model.ts'
import { allocate, type Allocator, type Refused } from '../ipam/allocate.ts'
import { release, take } from '../ipam/ledger.ts'
import type { Refusal, Verdict } from '../ipam/model.ts'
import { isOurs, meetsRequest, planAfresh } from '../ipam/plan.ts'
import { formatAddress } from '../net/address.ts'
import type { Address } from '../net/model.ts'
import { doubtsOf, isCertain } from './doubt.ts'

/** A refusal with its place; reason and message are the controller's. */
export interface RefusedRequest extends Omit<Problem, 'reason'> {
  readonly reason: Refusal
}

/** Pools that are missing, full, or kept for others who ask: nothing is wrong with the Service. */
const isAboutPools: Readonly<Partial<Record<Refusal, true>>> = {
  noPool: true, noAutoPool: true, poolExhausted: true,
}

/**
 * One finding for each Service of this class ('' = without one) that asks for what it cannot have, in the
 * order of the input. What takes pools to judge is left out where the input has none, or where it may be
 * false since something else is bad; and so is what the cluster decides. A Service that keeps an address
 * although it asks for another is found too.
 */
export function refusedRequests(reading: Reading, loadBalancerClass: string): readonly RefusedRequest[] {
  const byPools = reading.config.pools.length === 0
    ? new Map<string, Refused>()
    : judge(reading, loadBalancerClass)
  return reading.services.flatMap((placed) => {
    const { intent, file, document, object } = placed
    if (!isOurs(intent, loadBalancerClass)) return []
    const refused = intent.refusal ?? byPools.get(intent.key)
    if (refused === undefined || isAboutPools[refused.reason] === true) return []
    const { reason, message } = refused
    if (isOpen(reason, placed)) return []
    return [{ file, document, object, path: pathOf(reason, placed), reason, message }]
  })
}

/** The cluster may grant it: it has one family only, or gives the namespace the labels that a pool wants. */
function isOpen(reason: Refusal, { intent, unseen }: PlacedService): boolean {
  if (reason === 'poolNotForService') return unseen.namespace
  const { policy, requested, families } = intent
  return reason === 'requestedFamilyMismatch' && unseen.clusterIPs && policy === 'PreferDualStack' &&
    requested.length === 1 && requested[0]?.family === families[0]
}

/** Refusals by Service key, of Services that are not bad themselves. */
function judge(
  { config, services: placed, problems }: Reading, loadBalancerClass: string,
): ReadonlyMap<string, Refused> {
  const doubts = doubtsOf(problems)
  const services = new Map(placed.filter(({ object }) => !doubts.services.has(object))
    .map(({ intent }) => [intent.key, intent]))
  const isShared = createShared([...services.values()])
  const { verdicts, allocator } = planAfresh({ config, services: [...services.values()], loadBalancerClass })
  return new Map(verdicts.flatMap((verdict) => {
    const service = services.get(verdict.service)
    const refused = service && whyRefused(allocator, service, verdict)
    if (service === undefined || refused === undefined) return []
    return isCertain(refused.reason, service, doubts, isShared) ? [[service.key, refused] as const] : []
  }))
}

/** Whether more than one of the Services asks for an address, or holds it. */
function createShared(services: readonly Intent[]): (address: Address) => boolean {
  const counts = new Map<string, number>()
  for (const { requested, held } of services) {
    for (const text of new Set([...requested, ...held].map(formatAddress))) {
      counts.set(text, (counts.get(text) ?? 0) + 1)
    }
  }
  return (address) => (counts.get(formatAddress(address)) ?? 0) > 1
}

function whyRefused(allocator: Allocator, service: Intent, verdict: Verdict): Refused | undefined {
  if (verdict.kind === 'refused') return verdict
  if (verdict.kind !== 'kept' && verdict.kind !== 'assigned') return undefined
  const { addresses } = verdict
  if (meetsRequest(allocator, { service, kept: addresses })) return undefined
  // It keeps what it has: asked again as if it had nothing, it is told why.
  for (const address of addresses) release(allocator.ledger, address, service)
  const found = allocate(allocator, service)
  for (const address of addresses) take(allocator.ledger, address, service)
  return 'reason' in found ? found : undefined
}

function pathOf(reason: Refusal, { intent, paths }: PlacedService): string {
  switch (reason) {
    case 'noClusterIP': return 'spec.clusterIP'
    case 'notEnoughClusterIPs': return 'spec.ipFamilyPolicy'
    case 'conflictingRequest': return 'spec.loadBalancerIP'
    case 'unknownPool':
    case 'addressNotInRequestedPool': return paths.pool
    case 'poolNotForService': return intent.requestedPool === undefined ? paths.addresses : paths.pool
    case 'sharingKeyMismatch':
    case 'portInUse': return intent.hasSharingKey ? paths.sharing : paths.addresses
    default: return paths.addresses
  }
}
