/** What a refusal may be mistaken about where parts of the input are bad: then it is not told. */
import type { Intent, Problem } from '../config/model.ts'
import type { Refusal } from '../ipam/model.ts'
import type { Address } from '../net/model.ts'

export interface Doubts {
  /** Nobody knows what was meant: there may be more pools, Services and Namespaces. */
  readonly isOpen: boolean
  /** Names of pools that are bad themselves. */
  readonly pools: ReadonlySet<string>
  /** Services that are bad themselves, as `object` of a Problem. */
  readonly services: ReadonlySet<string>
}

/** They say where addresses are announced: nobody gets another one by them. */
const harmless = new Set([
  'L2Advertisement', 'BGPAdvertisement', 'BGPPeer', 'BFDProfile', 'Community', 'Node', 'EndpointSlice',
])

export function doubtsOf(problems: readonly Problem[]): Doubts {
  const [pools, services] = [new Set<string>(), new Set<string>()]
  let isOpen = false
  for (const { object, reason } of problems) {
    const [kind = '', ...names] = object.split('/')
    const name = names.at(-1)
    if (reason === 'TooMany' || name === undefined) isOpen = true
    else if (kind === 'IPAddressPool') pools.add(name)
    else if (kind === 'Service') services.add(object)
    else if (!harmless.has(kind)) isOpen = true
  }
  return { isOpen, pools, services }
}

/**
 * Whether it would be refused for this reason too if everything were mended that is bad. `isShared`: another
 * Service that is not bad asks for the address, or holds it; pools are disjoint, so the two are in each
 * other's way, whatever else there is.
 */
export function isCertain(
  reason: Refusal, { requested, requestedPool }: Intent, { isOpen, pools }: Doubts,
  isShared: (address: Address) => boolean,
): boolean {
  const isPoolGood = requestedPool === undefined ? pools.size === 0 : !pools.has(requestedPool)
  switch (reason) {
    case 'addressNotInRequestedPool':
    case 'addressExcluded':
      return isPoolGood
    case 'unknownPool':
    case 'poolNotForService':
      return isPoolGood && !isOpen
    case 'addressInUse':
    case 'portInUse':
    case 'sharingKeyMismatch':
      return pools.size === 0 && (!isOpen || requested.some(isShared))
    default:
      return pools.size === 0 && !isOpen
  }
}
