/** The units a node knows: taken over from wishes, ranked, and weighed. */
import { rankByHash } from '../l2/placement.ts'
import { answerKey } from '../l2/responder.ts'
import { changesOf } from '../l2/span.ts'
import type { Address, Millis } from '../net/model.ts'
import { digestOf } from './codec.ts'
import { isHash, isMixed, legOf } from './fleet.ts'
import { setLegs, setOwned } from './legs.ts'
import { ghostMs, slowMs, unitLimit } from './limits.ts'
import type { Nominee, Wish, World } from './model.ts'
import { createUnit, isAliveNode, lookAt, type Ownership, setOwner, type Unit, weigh } from './state.ts'
import { isLinkLocal } from './wire.ts'

/** The unit of that name; undefined when there are too many to remember one more. */
export function unitOf(o: Ownership, key: string, now: Millis): Unit | undefined {
  const known = o.units.get(key)
  if (known !== undefined) return known
  if (o.units.size >= unitLimit) return undefined
  const fresh = createUnit(key, now)
  o.units.set(key, fresh)
  return fresh
}

/** What the world's new wishes did to the units. */
export interface UnitChanges {
  /** No address of them was wished before. */
  readonly fresh: readonly Unit[]
  /** Known, now this node may own them, and their owner, if there is one, may not any more. */
  readonly vacant: readonly Unit[]
  /** Owned here, and nobody wants them any more. */
  readonly unwanted: readonly Unit[]
  /** All that were looked into: where they may be owned is as it was for the others. */
  readonly read: readonly Unit[]
}

/**
 * Takes over the wishes; a unit that was renamed keeps owner and term by its addresses. A wish that is
 * the value it was is not looked into again.
 */
export function readWishes(o: Ownership, world: World, now: Millis): UnitChanges {
  const isSamePlace = keepPlaces(o, now)
  const { gone, others } = isSamePlace && o.wishes !== undefined
    ? newsOf(o, world.wishes, o.wishes, now)
    : allOf(o, world.wishes, isSamePlace, now)
  const changes = setWishes(o, { gone, others }, now)
  if (now - o.sweptMs >= slowMs) sweep(o, now)
  return changes
}

/** Units that nobody wishes for any more, and those whose wish, or what is made of it, is another. */
interface News {
  readonly gone: readonly Unit[]
  readonly others: readonly { readonly unit: Unit; readonly wish: Wish }[]
}

/** From what has changed in the list, and from units that may change without it. */
function newsOf(o: Ownership, wishes: readonly Wish[], known: readonly Wish[], now: Millis): News {
  const { gone, come } = changesOf(known, wishes)
  const others = new Map<Unit, Wish>()
  let isWhole = true
  for (const wish of come) {
    const unit = unitOf(o, wish.key, now)
    if (unit === undefined) isWhole = false
    else others.set(unit, wish)
  }
  o.wishes = isWhole ? wishes : undefined
  const left = gone.flatMap((wish) => {
    const unit = o.units.get(wish.key)
    return unit === undefined || unit.wish !== wish || others.has(unit) ? [] : [unit]
  })
  const lost = new Set(left)
  for (const unit of o.unsteady) {
    if (isSteady(o, unit)) o.unsteady.delete(unit)
    else if (unit.wish !== undefined && !others.has(unit) && !lost.has(unit)) others.set(unit, unit.wish)
  }
  return { gone: left, others: [...others].map(([unit, wish]) => ({ unit, wish })) }
}

function allOf(o: Ownership, wishes: readonly Wish[], isSamePlace: boolean, now: Millis): News {
  const wished = new Set<Unit>()
  const others: { readonly unit: Unit; readonly wish: Wish }[] = []
  let isWhole = true
  for (const wish of wishes) {
    const unit = unitOf(o, wish.key, now)
    if (unit === undefined) {
      isWhole = false
      continue
    }
    wished.add(unit)
    if (!isSamePlace || unit.wish !== wish || !isSteady(o, unit)) others.push({ unit, wish })
  }
  o.wishes = isWhole ? wishes : undefined
  const gone = [...o.units.values()].filter((unit) => unit.wish !== undefined && !wished.has(unit))
  return { gone, others }
}

function setWishes(o: Ownership, { gone, others }: News, now: Millis): UnitChanges {
  const fresh: Unit[] = []
  const vacant: Unit[] = []
  const before = gone.concat(others.map(({ unit }) => unit)).flatMap(keysOf)
  for (const { unit, wish } of others) {
    const isNew = unit.wish === undefined
    const isUntouched = isNew || (unit.nominees.length === 0 && isUnowned(unit))
    const couldOwn = isNew || isNominee(unit, o.self)
    const old = wish.addresses.map(({ address }) => o.byAddress.get(answerKey(address))?.unit)
      .find((other) => other !== undefined)
    const gained = gainedOf(o.byAddress, unit, wish)
    const isHeir = isNew && old !== undefined && old !== unit
    if (isHeir) inherit(o, unit, old, now)
    setWish(o, unit, wish, now)
    if (isUntouched && !isHeir && unit.nominees.length > 0) fresh.push(unit)
    else if (!couldOwn && isNominee(unit, o.self) && !isNominee(unit, unit.owner)) vacant.push(unit)
    if (unit.own !== undefined && !o.isAlone) doubt(o, unit, gained, now)
  }
  for (const key of before) o.byAddress.delete(key)
  for (const { unit, wish } of others) {
    for (const { address, text } of wish.addresses) o.byAddress.set(answerKey(address), { unit, text })
  }
  for (const unit of gone) forgetWish(o, unit, now)
  return {
    fresh, vacant, unwanted: gone.filter(({ own }) => own !== undefined),
    read: others.map(({ unit }) => unit),
  }
}

function forgetWish(o: Ownership, unit: Unit, now: Millis): void {
  weigh(o, unit, -1)
  unit.wish = undefined
  unit.goneMs = now
  unit.mine = new Map()
  setLegs(o, unit, new Set())
  unit.attempt = undefined
  unit.round = undefined
  unit.pick = undefined
  o.load = undefined
  o.unsteady.delete(unit)
}

/** What nobody has wanted for long is forgotten. */
function sweep(o: Ownership, now: Millis): void {
  o.sweptMs = now
  for (const unit of o.units.values()) {
    if (unit.wish !== undefined || unit.own !== undefined) continue
    if (now - unit.goneMs > ghostMs) o.units.delete(unit.key)
  }
}

/** Addresses that belonged to a unit of another owner, or of none, until now. */
function gainedOf(before: Ownership['byAddress'], unit: Unit, wish: Wish): readonly string[] {
  return wish.addresses.flatMap(({ address, text }) => {
    const other = before.get(answerKey(address))?.unit
    return other === undefined || other === unit || other.own !== undefined ? [] : [text]
  })
}

/** Units were joined: what their owner did not answer for yet may have another, so it is probed first. */
function doubt(o: Ownership, unit: Unit, gained: readonly string[], now: Millis): void {
  for (const text of unit.unproven) if (!unit.mine.has(text)) unit.unproven.delete(text)
  for (const text of gained) unit.unproven.add(text)
  if (gained.length === 0) return
  unit.checkMs = now
  lookAt(o, unit, now)
}

/** As far as this node knows nobody has ever owned it, or is about to. */
function isUnowned({ term, owner, own, attempt, pick }: Unit): boolean {
  return term === 0 && owner === undefined && own === undefined && attempt === undefined &&
    pick === undefined
}

export function isNominee({ nominees }: Unit, name: string | undefined): boolean {
  return nominees.some(({ node }) => node === name)
}

function keysOf({ wish }: Unit): readonly bigint[] {
  return wish?.addresses.map(({ address }) => answerKey(address)) ?? []
}

/** Whether what this node makes of a wish, besides the wish, is what it was. */
function keepPlaces(o: Ownership, now: Millis): boolean {
  const legs = [...o.legs.values()].map(({ ifindex, name }) => `${ifindex} ${name}`)
  const places = `${isMixed(o, now)} ${o.isAlone} ${legs.join()}`
  const isSame = places === o.places
  o.places = places
  return isSame
}

/** What the unit's places are does not hang on whether it is owned here. */
function isSteady(o: Ownership, { nominees, own, mine }: Unit): boolean {
  return (own === undefined && mine.size === 0) || nominees.some(({ node }) => node === o.self)
}

/** The oldest Service of a unit has gone: its addresses stay where they are under a new name. */
function inherit(o: Ownership, unit: Unit, old: Unit, now: Millis): void {
  unit.term = Math.max(unit.term, old.term)
  setOwner(o, unit, old.owner, now)
  unit.sinceMs = old.sinceMs
  unit.ownedMs = old.ownedMs
  unit.contestedUntilMs = old.contestedUntilMs
  if (old.own === undefined || unit.own !== undefined) return
  unit.own = old.own
  old.own = undefined
  setOwned(o, old, false)
  setOwned(o, unit, true)
  // What was agreed for the old name is not looked at any more, nor does its round of probes go on.
  if (unit.own.trialMs !== undefined) unit.checkMs = now
  lookAt(o, unit, now)
  o.isListDirty = true
}

function setWish(o: Ownership, unit: Unit, wish: Wish, now: Millis): void {
  const nominees = isMixed(o, now) ? wish.wideNominees ?? wish.nominees : wish.nominees
  const before = unit.mine
  if (!sameNominees(unit.nominees, nominees)) unit.ranked = undefined
  weigh(o, unit, -1)
  unit.wish = wish
  weigh(o, unit, 1)
  unit.nominees = nominees
  unit.digest = digestOf(wish.addresses.map(({ text }) => text).toSorted().join(' '))
  const own = nominees.find(({ node }) => node === o.self)
  // An owner that may no longer answers where it did until somebody has taken over, if somebody can.
  if (own === undefined && unit.own !== undefined && !o.isAlone) unit.mine = stillThere(o, before)
  else unit.mine = own === undefined ? new Map() : placesOf(o, wish, own)
  const legs = new Set([...unit.mine.values()].flatMap((places) => [...places]))
  if (unit.own !== undefined && [...unit.legs].some((ifindex) => !legs.has(ifindex))) {
    unit.own.isCut = true
    unit.own.hasLost = true
  } else if (unit.own !== undefined && legs.size > unit.legs.size) unit.own.hasLost = false
  setLegs(o, unit, legs)
  o.unsteady.add(unit)
}

function placesOf(o: Ownership, wish: Wish, own: Nominee): Map<string, ReadonlySet<number>> {
  const places = new Map<string, ReadonlySet<number>>()
  for (const { text } of wish.addresses) {
    const names = own.interfaces.get(text)
    if (names === undefined) continue
    const found = [...o.legs.values()].filter(({ name }) => names === 'all' || names.includes(name))
    if (found.length > 0) places.set(text, new Set(found.map(({ ifindex }) => ifindex)))
  }
  return places
}

function stillThere(o: Ownership, before: Unit['mine']): Map<string, ReadonlySet<number>> {
  const places = new Map<string, ReadonlySet<number>>()
  for (const [text, legs] of before) {
    const left = [...legs].filter((ifindex) => o.legs.has(ifindex))
    if (left.length > 0) places.set(text, new Set(left))
  }
  return places
}

function sameNominees(a: readonly Nominee[], b: readonly Nominee[]): boolean {
  return a === b || (a.length === b.length &&
    a.every((one, i) => one.node === b[i]?.node && one.score === b[i]?.score))
}

/** Number of addresses. */
export function weightOf(unit: Unit): number {
  return unit.wish?.addresses.length ?? 0
}

/** Addresses owned by, or just placed on, each node. */
export function loadOf(o: Ownership, now: Millis): Map<string, number> {
  if (o.load !== undefined) return o.load
  const load = new Map(o.weights)
  for (const unit of o.picks) {
    const { picked } = unit
    if (picked === undefined || unit.owner !== undefined || now >= picked.untilMs) o.picks.delete(unit)
    else load.set(picked.node, (load.get(picked.node) ?? 0) + weightOf(unit))
  }
  o.load = load
  return load
}

/** On how many interfaces, over all addresses, the node would answer for the unit. */
export function reachOf(o: Ownership, unit: Unit, node: string): number {
  const nominee = unit.nominees.find((each) => each.node === node)
  const legs = o.peers.get(node)?.legs ?? []
  let reach = 0
  for (const names of nominee?.interfaces.values() ?? []) {
    reach += names === 'all' ? legs.length : legs.filter(({ name }) => names.includes(name)).length
  }
  return reach
}

/** On how many of this node's legs for the unit, as far as prefixes tell, the node has one too. */
export function coverOf(o: Ownership, unit: Unit, node: string): number {
  const places = [...unit.nominees.find((each) => each.node === node)?.interfaces.values() ?? []]
  return [...unit.legs].filter((ifindex) => {
    const leg = legOf(o, node, ifindex)
    if (leg === undefined) return o.legs.get(ifindex)?.addresses.every(isLocal) === true
    return places.some((names) => names === 'all' || names.includes(leg.name))
  }).length
}

function isLocal({ address }: { readonly address: Address }): boolean {
  return isLinkLocal(address)
}

/** The node hands over all that it owns, and goes. */
export function isDraining(o: Ownership, node: string): boolean {
  return node === o.self ? o.world?.isDraining === true : o.peers.get(node)?.isDraining === true
}

/** Alive nominees, best first, by the hash of the unit's key; `except` is passed over. */
export function hashRank(o: Ownership, unit: Unit, except?: string): readonly string[] {
  unit.ranked ??= rankByHash(unit.nominees, unit.key).map(({ node }) => node)
  return unit.ranked.filter((node) =>
    node !== except && isAliveNode(o, node) && !isDraining(o, node)
  )
}

/** Whether all that the node could serve a Service of the unit with terminates. */
export function isEnding({ nominees }: Unit, node: string): boolean {
  return nominees.some((nominee) => nominee.node === node && nominee.isEnding === true)
}

/**
 * Alive nominees in the order in which they should own it: those that do not end, then score, then load,
 * then hash.
 */
export function loadRank(
  o: Ownership, unit: Unit, load: ReadonlyMap<string, number>, except?: string,
): readonly string[] {
  const rank = hashRank(o, unit, except)
  const [one] = unit.nominees
  // The rule: nobody is preferred, and nothing ends.
  if (unit.nominees.every(({ score, isEnding: is }) => score === one?.score && is !== true)) {
    return rank.toSorted((a, b) => (load.get(a) ?? 0) - (load.get(b) ?? 0))
  }
  const scores = new Map(unit.nominees.map(({ node, score }) => [node, score]))
  const scoreOf = (node: string): number => scores.get(node) ?? 0
  const ending = new Set(unit.nominees.filter((nominee) => nominee.isEnding).map(({ node }) => node))
  const isLast = (node: string): number => ending.has(node) ? 1 : 0
  return rank.toSorted((a, b) =>
    isLast(a) - isLast(b) || scoreOf(b) - scoreOf(a) || (load.get(a) ?? 0) - (load.get(b) ?? 0)
  )
}

/**
 * The successors of each of the units of a lost owner, best first: each node's turn counts what
 * the others of the list add to its load, so that the orphans of one node spread over all.
 */
export function ranksOf(
  o: Ownership, units: readonly Unit[], suspect: string | undefined, now: Millis,
): ReadonlyMap<Unit, readonly string[]> {
  const ranks = new Map<Unit, readonly string[]>()
  const isByHash = isHash(o, now)
  const load = new Map(loadOf(o, now))
  for (const unit of units.toSorted((a, b) => (a.key < b.key ? -1 : 1))) {
    const rank = isByHash ? hashRank(o, unit, suspect) : loadRank(o, unit, load, suspect)
    ranks.set(unit, rank)
    const first = rank[0]
    if (first !== undefined) load.set(first, (load.get(first) ?? 0) + weightOf(unit))
  }
  return ranks
}

/** Under MetalLB's election: a member that is not capable has won, and answers without asking. */
export function isOthers(o: Ownership, unit: Unit, now: Millis): boolean {
  if (!isMixed(o, now)) return false
  const winner = hashRank(o, unit)[0]
  return winner !== undefined && winner !== o.self && o.peers.get(winner)?.isCapable === false
}

/** Whether this node may own the unit at all. */
export function mayOwn(o: Ownership, unit: Unit, now: Millis): boolean {
  return unit.wish !== undefined && unit.legs.size > 0 && o.world?.isDraining !== true &&
    unit.nominees.some(({ node }) => node === o.self) && !isOthers(o, unit, now)
}
