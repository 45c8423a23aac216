/** Members of another program in the ring: whose MAC speaks, and what they have given up without a word. */
import type { Mac } from '../l2/model.ts'
import type { Millis } from '../net/model.ts'
import { orphan } from './claim.ts'
import { isMixed } from './fleet.ts'
import { fenceMs } from './limits.ts'
import { isAliveNode, type Ownership, type Unit } from './state.ts'
import { hashRank, isOthers } from './units.ts'

/**
 * The member that speaks with an unknown MAC for an address that MetalLB's election gives to one that
 * tells nothing of its MACs: it is believed to be that one. undefined = nobody of the ring.
 */
export function recogniseStranger(
  o: Ownership, unit: Unit, mac: Mac, now: Millis,
): string | undefined {
  if (!isOthers(o, unit, now)) return undefined
  const node = hashRank(o, unit)[0]
  if (node !== undefined) o.macs.set(mac, node)
  return node
}

/**
 * Units whose owner tells nothing and lives, but is no longer elected: it falls silent when it has
 * seen so, and the elected node waits for that on the wire.
 */
export function orphanWithdrawn(o: Ownership, now: Millis): void {
  if (!isMixed(o, now)) return
  const byOwner = new Map<string, Unit[]>()
  for (const unit of o.units.values()) {
    const { owner, attempt } = unit
    if (unit.wish === undefined || owner === undefined || unit.own !== undefined) continue
    if (o.peers.get(owner)?.isCapable !== false || !isAliveNode(o, owner)) continue
    if (hashRank(o, unit)[0] === owner) continue
    if (attempt === undefined) byOwner.set(owner, [...byOwner.get(owner) ?? [], unit])
    else if (attempt.suspect === owner) attempt.toldMs = now
  }
  for (const [suspect, units] of byOwner) {
    const loss = { suspect, cause: 'election', lastBeatMs: now - fenceMs, segments: undefined } as const
    orphan(o, units, loss, now)
  }
}
