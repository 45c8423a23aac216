/** Lists of other owners, compared with what this node knows: owners and terms are learned, or contested. */
import type { Millis } from '../net/model.ts'
import { endAttempt } from './claim.ts'
import { type Entry, entryOf, isForeign, isHushed, isPart, type Message, pagesOf } from './codec.ts'
import { beatMs } from './limits.ts'
import { secondOf } from './lists.ts'
import { tell } from './mail.ts'
import { type BeatRecord, type Ownership, setOwner, setTerm, type Unit } from './state.ts'
import { unitOf } from './units.ts'

/** Another node says, with a term, that it owns a unit of ours. */
export type Rival = (unit: Unit, from: string, entry: { term: number; flags: number }) => void

/** Another node says that what this one has claimed is older than what it knows. */
export function onContested(o: Ownership, from: string, { entries }: Message, onRival: Rival): void {
  for (const entry of entries) {
    const unit = o.units.get(entry.unit)
    if (unit !== undefined) onRival(unit, entry.node === '' ? from : entry.node, entry)
  }
}

/** Besides what a beat has changed of it, a list is compared as a whole this long after anything changed. */
const wholeMs: Millis = 1_000

interface Compared {
  readonly now: Millis
  readonly onRival: Rival
}

/**
 * Learns owners and terms from a list that is known; contests what is older than what is known.
 * `since` = what of the list is another than at that revision; undefined = any.
 */
export function compareTerms(
  o: Ownership, record: BeatRecord,
  since: { readonly base: number; readonly keys: readonly string[] } | undefined, at: Compared,
): void {
  const { compared, revision } = record
  const { now } = at
  const isLate = compared === undefined || now - compared.wholeMs >= wholeMs
  const isSame = compared?.revision === revision && compared.claims === o.claimsRevision
  if (isSame && (compared.isWhole || !isLate)) return
  const isBrief = !isLate && since?.base === compared.revision
  const touched = isBrief ? touchedSince(o, compared.claims) : undefined
  const keys = touched === undefined ? record.list.keys() : new Set([...since?.keys ?? [], ...touched])
  const old: Entry[] = []
  for (const key of keys) {
    const item = record.list.get(key)
    const unit = item === undefined ? undefined : unitOf(o, key, now)
    if (item === undefined || unit === undefined) continue
    const entry = compareTerm(o, record, { unit, ...item }, at)
    if (entry !== undefined) old.push(entry)
  }
  record.compared = old.length > 0 ? undefined : {
    revision, claims: o.claimsRevision, isWhole: touched === undefined,
    wholeMs: touched === undefined ? now : compared?.wholeMs ?? now,
  }
  if (old.length === 0 || now < record.contestedMs + beatMs / 2) return
  record.contestedMs = now
  for (const page of pagesOf(old)) tell(o, record.owner, 'contested', { entries: page })
}

/** Units whose owner or term has changed since; undefined = more than are known. */
function touchedSince({ touched, claimsRevision }: Ownership, claims: number): readonly string[] | undefined {
  const count = claimsRevision - claims
  if (count > touched.length) return undefined
  return count === 0 ? [] : touched.slice(-count).map(({ key }) => key)
}

/** Takes in one item of a list; an entry = what is known is newer. */
function compareTerm(
  o: Ownership, record: BeatRecord,
  { unit, term, flags }: { readonly unit: Unit; readonly term: number; readonly flags: number },
  { now, onRival }: Compared,
): Entry | undefined {
  const { key } = unit
  const isItsPart = (flags & isPart) !== 0
  if (unit.own !== undefined) {
    const isOurPart = unit.own.scope !== undefined
    const entry = entryOf(key, { term: unit.own.term, node: o.self, flags: isOurPart ? isPart : 0 })
    const isOld = term <= unit.own.term && !(isItsPart && isOurPart)
    const isLess = term === unit.own.term && (flags & isHushed) !== 0
    if (term >= unit.own.term && !isLess) onRival(unit, record.owner, { term, flags })
    return isOld ? entry : undefined
  }
  if (term < unit.beatTerm) {
    const rest = { node: unit.owner ?? '', flags: unit.isBeatPart ? isPart : 0 }
    return isItsPart && unit.isBeatPart ? undefined : entryOf(key, { term: unit.beatTerm, ...rest })
  }
  const isTie = term === unit.beatTerm && !isItsPart && !unit.isBeatPart
  const second = isTie ? secondOf(o, unit, record.owner, now) : undefined
  if (second === record.owner) return entryOf(key, { term, node: unit.owner ?? '' })
  if (second !== undefined) {
    tell(o, second, 'contested', { entries: [entryOf(key, { term, node: record.owner })] })
  }
  setTerm(o, unit, term)
  unit.beatTerm = term
  unit.isBeatPart = isItsPart
  const isElsewhere = unit.attempt?.suspect === record.owner && unit.attempt.segments !== undefined
  if (isItsPart && unit.attempt !== undefined) setOwner(o, unit, record.owner, now)
  else if (unit.owner !== record.owner || (unit.attempt !== undefined && !isElsewhere)) {
    endAttempt(o, unit, record.owner, now)
  }
  unit.contestedUntilMs = (flags & isForeign) === 0 ? 0 : unit.contestedUntilMs
  return undefined
}
