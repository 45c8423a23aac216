/** What Services hold as this process knows it, within a term of leading and from one to the next. */
import type { LiveService } from '../kube/live.ts'
import { formatAddress } from '../net/address.ts'
import type { Address } from '../net/model.ts'

/** An allocation as this process knows it, before the cluster says it back. */
export interface Held {
  readonly uid: string
  readonly addresses: readonly Address[]
}

/** Of what is held, what the cluster shows: the rest was only planned, and is nobody's. */
export function keepShown(
  held: ReadonlyMap<string, Held>, services: ReadonlyMap<string, Pick<LiveService, 'uid' | 'ingress'>>,
): ReadonlyMap<string, Held> {
  return new Map([...held].filter(([key, { uid, addresses }]) => {
    const live = services.get(key)
    return live?.uid === uid && addresses.every((one) => live.ingress.includes(formatAddress(one)))
  }))
}

/**
 * What Services were seen to hold in an earlier term and have lost since: a cluster restored from a
 * backup forgets what came after it. Not what another Service shows now, and not to a Service made
 * anew.
 */
export function recall(
  seen: ReadonlyMap<string, Held>, services: ReadonlyMap<string, Pick<LiveService, 'uid' | 'ingress'>>,
): ReadonlyMap<string, readonly Address[]> {
  if (seen.size === 0) return new Map()
  const shown = new Set([...services.values()].flatMap(({ ingress }) => ingress))
  const recalled = new Map<string, readonly Address[]>()
  for (const [key, { uid, addresses }] of seen) {
    const live = services.get(key)
    const isLost = live?.uid === uid && live.ingress.length === 0
    const isFree = addresses.every((one) => !shown.has(formatAddress(one)))
    if (isLost && isFree) recalled.set(key, addresses)
  }
  return recalled
}
