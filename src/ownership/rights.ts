/** What this node may answer for, from one change to the next: of units that changed, or all of it anew. */
import { isSameSet } from '../l2/unit.ts'
import { isSpoken } from './legs.ts'
import type { Effect, Right } from './model.ts'
import type { Ownership, Unit } from './state.ts'

/** What may be answered of the unit now. */
export function rightsOf(o: Ownership, unit: Unit): readonly Right[] {
  const { own, wish } = unit
  if (own === undefined || own.hush !== undefined || wish === undefined) return []
  const rights: Right[] = []
  for (const { address, text } of wish.addresses) {
    if (unit.unproven.has(text)) continue
    const ifindexes = new Set<number>()
    for (const ifindex of unit.mine.get(text) ?? []) {
      if (isSpoken(o, unit, ifindex)) ifindexes.add(ifindex)
    }
    if (ifindexes.size === 0) continue
    rights.push({ unit: unit.key, address, text, ifindexes, notAfterMs: o.notAfterMs })
  }
  return rights
}

/**
 * What to tell of rights at the end of a step; undefined = they are as they were. Nothing is told of those
 * that stay: a step that changes one unit costs what that one does, however much is owned.
 */
export function renewRights(o: Ownership): Effect | undefined {
  const { isRightsDirty, stale } = o
  if (!isRightsDirty && stale.size === 0) return undefined
  o.isRightsDirty = false
  const change = isRightsDirty ? renewAll(o) : renewSome(o)
  stale.clear()
  return change
}

function renewAll(o: Ownership): Effect {
  o.rights.clear()
  for (const unit of o.owned) {
    const rights = rightsOf(o, unit)
    if (rights.length > 0) o.rights.set(unit, rights)
  }
  return { kind: 'rights', rights: [...o.rights.values()].flat() }
}

function renewSome(o: Ownership): Effect | undefined {
  const gone = new Set<string>()
  const come: Right[] = []
  for (const unit of o.stale) {
    const before = o.rights.get(unit) ?? []
    const rights = o.owned.has(unit) ? rightsOf(o, unit) : []
    if (isSameRights(before, rights)) continue
    for (const { text } of before) gone.add(text)
    come.push(...rights)
    if (rights.length > 0) o.rights.set(unit, rights)
    else o.rights.delete(unit)
  }
  // An address may have gone from one unit to another.
  for (const { text } of come) gone.delete(text)
  return gone.size + come.length === 0 ? undefined : { kind: 'rightsChanged', gone: [...gone], come }
}

function isSameRights(a: readonly Right[], b: readonly Right[]): boolean {
  return a.length === b.length && a.every(({ text, ifindexes }, i) => {
    const other = b[i]
    return other?.text === text && isSameSet(ifindexes, other.ifindexes)
  })
}
