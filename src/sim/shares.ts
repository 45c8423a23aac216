/** Who owns how much, and whether it is the elected one: judged where placement promises it. */
import { rankByHash } from '../l2/placement.ts'
import type { Millis } from '../net/model.ts'
import { provisionalMs, slowMs } from '../ownership/limits.ts'
import { darkBounds } from './bounds.ts'
import { answerersOf, isVeryLossy } from './checks.ts'
import { lossNow } from './deeds.ts'
import type { Cluster } from './cluster.ts'
import { nomineesOf, type Unit } from './plan.ts'
import type { Finding } from './record.ts'

/** A unit with the one node that answers for it. */
interface Owned {
  readonly unit: Unit
  readonly owner: string
}

function ownedOf(cluster: Cluster): readonly Owned[] {
  const [segment] = cluster.segments
  return [...cluster.record.places.values()].flatMap((place): readonly Owned[] => {
    const unit = cluster.api.units.get(place.unit)
    const [owner, ...others] = answerersOf(cluster, place)
    const isOne = place.segment === segment?.name && others.length === 0
    return isOne && unit !== undefined && owner !== undefined ? [{ unit, owner }] : []
  })
}

/** Nothing has been done but that Services came, and whatever a start has placed has had its minute. */
function isBalanceDue(cluster: Cluster): boolean {
  const { options: { placement, strangers }, record, clock: { nowMs } } = cluster
  return placement === 'sticky' && strangers === 0 && nowMs > darkBounds.startMs + provisionalMs &&
    lossNow(cluster, 0, nowMs) < 0.1 && record.deeds.every(({ kind }) => kind.endsWith(' new Services'))
}

/** Owners that look within this choose by loads of before each other's hand-overs. */
const raceMs = slowMs

/**
 * Addresses that came to the unit's owner by choice about when the unit did: each owner chooses for itself,
 * and each address of a start may move once, so nobody puts right what they chose alike.
 */
function racingOf({ record }: Cluster, { unit, owner }: Owned, owned: readonly Owned[]): number {
  const takenAtMs = ({ key }: Unit): Millis | undefined => record.notes.findLast(({ node, note }) =>
    note.kind === 'claimed' && note.unit === key && note.cause === 'handOver' && node === owner)?.atMs
  const ownMs = takenAtMs(unit)
  if (ownMs === undefined) return 0
  return owned.filter((other) => other.owner === owner && other.unit !== unit &&
    Math.abs((takenAtMs(other.unit) ?? Infinity) - ownMs) < raceMs)
    .reduce((sum, other) => sum + other.unit.addresses.length, 0)
}

/**
 * Sticky placement shares the load: no node that could serve a unit too has less than its owner by more than
 * the unit's own addresses. With less, the owner would have handed it over in the first minute, and whatever
 * came later, one at a time, went to whoever had least.
 */
export function checkShares(cluster: Cluster): readonly Finding[] {
  if (!isBalanceDue(cluster)) return []
  const names = [...cluster.machines.keys()]
  const owned = ownedOf(cluster)
  const load = new Map(names.map((name) => [name, 0]))
  const loadOf = (name: string): number => load.get(name) ?? 0
  for (const { owner, unit } of owned) load.set(owner, loadOf(owner) + unit.addresses.length)
  return owned.flatMap(({ owner, unit }): readonly Finding[] => {
    const able = nomineesOf(unit, names).filter(({ isEnding }) => isEnding !== true)
    const least = Math.min(...able.map(({ node }) => loadOf(node)))
    const allowed = unit.addresses.length + racingOf(cluster, { owner, unit }, owned)
    if (loadOf(owner) - least <= allowed) return []
    return [{
      check: 'balance', atMs: cluster.clock.nowMs,
      text: `${owner} has ${loadOf(owner)} addresses, ${unit.key} among them, ` +
        `which a node with ${least} could serve`,
    }]
  })
}

/** By hash, all agree on whom MetalLB elects, and that one has the unit. */
export function checkElected(cluster: Cluster): readonly Finding[] {
  const { placement, strangers } = cluster.options
  if ((placement !== 'hash' && strangers === 0) || isVeryLossy(cluster)) return []
  const names = [...cluster.machines.keys()]
  return ownedOf(cluster).flatMap(({ owner, unit }): readonly Finding[] => {
    const [elected] = rankByHash(nomineesOf(unit, names), unit.key)
    if (elected === undefined || elected.node === owner) return []
    return [{
      check: 'balance', atMs: cluster.clock.nowMs,
      text: `${owner} has ${unit.key} by hash, and ${elected.node} is elected`,
    }]
  })
}
