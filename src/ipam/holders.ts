/** Confirms what Services hold: each address that is still valid stays, whatever else changed. */
import type { Intent } from '../config/model.ts'
import type { Address } from '../net/model.ts'
import { findClash, type Ledger, take } from './ledger.ts'
import type { Dropped, Release } from './model.ts'
import { admits, isBuggy, type PoolIndex, poolOf } from './pools.ts'

/** A Service that held addresses before this plan. */
export interface Holder {
  readonly service: Intent
  readonly held: readonly Address[]
  /** Confirmed addresses, in their order; replaced when a request is met. */
  kept: readonly Address[]
  readonly dropped: Dropped[]
}

/**
 * Confirms the addresses of one holder in the ledger. Call with the oldest holder first: of two
 * that hold one address without sharing it, the older keeps it.
 *
 * MetalLB drops every address of a Service when one of them became invalid. Here each stands
 * for itself, and a pair that an edit split over two pools stays: nothing moves without cause.
 */
export function confirm(index: PoolIndex, ledger: Ledger, holder: Holder): void {
  const { service } = holder
  const kept: Address[] = []
  for (const address of holder.held) {
    const reason = kept.some((one) => one.family === address.family)
      ? 'familyNotWanted'
      : whyInvalid(index, ledger, service, address)
    if (reason === undefined) {
      take(ledger, address, service)
      kept.push(address)
    } else {
      holder.dropped.push({ address, reason })
    }
  }
  holder.kept = kept
}

function whyInvalid(
  index: PoolIndex, ledger: Ledger, service: Intent, address: Address,
): Release | undefined {
  if (service.refusal?.reason === 'noClusterIP') return 'refused'
  if (!service.families.includes(address.family)) return 'familyNotWanted'
  const pool = poolOf(index, address)
  if (pool === undefined) return 'notInPool'
  // Switching avoidBuggyIPs on says that such addresses do not work in this network. An
  // `arpeggio.io/exclude`d address that is held stays: that only reserves the rest.
  if (isBuggy(pool, address)) return 'addressExcluded'
  if (!admits(pool, service)) return 'poolNotForService'
  return findClash(ledger, address, service) === undefined ? undefined : 'sharingBroken'
}
