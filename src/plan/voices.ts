/** What a node's rights are, seen as announcements: which Services, on which interfaces. */
import type { Announcement, LinkState } from '../l2/model.ts'
import { changesOf, spanOf } from '../l2/span.ts'
import { isSameList, isSameSet, type Unit, type Units } from '../l2/unit.ts'
import type { Right } from '../ownership/model.ts'

/** Announcements, and what the next ones may be made from. */
export interface Voices {
  readonly list: readonly Announcement[]
  readonly names: ReadonlyMap<number, string>
  /** What it was made from, and of each right its announcement: undefined = no Service holds it. */
  readonly rights: readonly Right[]
  readonly units: readonly Unit[]
  readonly each: readonly (Announcement | undefined)[]
  /** By address; it goes on to the next. */
  readonly known: Map<string, Known>
}

interface Known {
  readonly unit: Unit | undefined
  readonly ifindexes: ReadonlySet<number>
  readonly announcement: Announcement | undefined
}

type Made = Pick<Voices, 'names' | 'known'>

/** Where more units than this came or went at once, all rights are looked at. */
const maxChanges = 64

/**
 * In the order of the rights; rights of addresses that no Service holds any more are left out. What is
 * announced as before is the same value. `before` is used up: only rights that changed, or whose units did,
 * are looked at. Of a right that is the same value only the deadline may be another.
 */
export function voicesOf(
  rights: readonly Right[], units: Units, links: readonly LinkState[], before?: Voices,
): Voices {
  const names = new Map(links.map(({ index: ifindex, name }) => [ifindex, name]))
  const isSame = before !== undefined && names.size === before.names.size &&
    [...names].every(([ifindex, name]) => before.names.get(ifindex) === name)
  const known = isSame ? before.known : new Map<string, Known>()
  const made = { names, known }
  const each = (isSame ? changeEach(made, rights, units, before) : undefined) ??
    rights.map((right) => voiceOf(made, right, units))
  if (known.size > rights.length) forget(known, rights)
  const isEqual = before !== undefined && isSameList(before.each, each)
  const found = isEqual ? before.list : each.filter((one) => one !== undefined)
  const list = before !== undefined && isSameList(before.list, found) ? before.list : found
  return { list, names, rights, units: units.list, each: isEqual ? before.each : each, known }
}

/** From what has changed in either list; undefined = too much has. */
function changeEach(
  made: Made, rights: readonly Right[], units: Units, before: Voices,
): readonly (Announcement | undefined)[] | undefined {
  const { known } = made
  const { gone, come } = changesOf(before.units, units.list)
  if (gone.length + come.length > maxChanges) return undefined
  const { from, count, items } = spanOf(before.rights, rights)
  const texts = new Set([...gone, ...come].flatMap((unit) => unit.map(({ text }) => text)))
  const touched = new Set([...texts].filter((text) => known.has(text)))
  const isEqual = count === 0 && items.length === 0
  if (isEqual && touched.size === 0) return before.each
  const each = before.each.toSpliced(from, count, ...items.map((right) => voiceOf(made, right, units)))
  const left = new Set(items.map(({ text }) => text))
  for (const { text } of before.rights.slice(from, from + count)) if (!left.has(text)) known.delete(text)
  if (touched.size === 0) return each
  rights.forEach((right, i) => {
    if (touched.has(right.text)) each[i] = voiceOf(made, right, units)
  })
  return each
}

function voiceOf(
  { names, known }: Made, { address, text, ifindexes }: Right, { index }: Units,
): Announcement | undefined {
  const unit = index.byText.get(text)
  const was = known.get(text)
  if (was !== undefined && was.unit === unit && isSameSet(was.ifindexes, ifindexes)) return was.announcement
  const announcement = unit === undefined ? undefined : {
    address, text, interfaces: [...ifindexes].flatMap((ifindex) => names.get(ifindex) ?? []).toSorted(),
    services: unit.filter((holding) => holding.text === text).map(({ service }) => service.key).toSorted(),
  }
  known.set(text, { unit, ifindexes, announcement })
  return announcement
}

function forget(known: Map<string, Known>, rights: readonly Right[]): void {
  const texts = new Set(rights.map(({ text }) => text))
  for (const text of known.keys()) if (!texts.has(text)) known.delete(text)
}
