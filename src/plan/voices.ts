/** What a node's rights are, seen as announcements: which Services, on which interfaces. */
import type { Announcement, LinkState } from '../l2/model.ts'
import { isSameList, isSameSet, type Unit, type Units } from '../l2/unit.ts'
import type { Right } from '../ownership/model.ts'

/** Announcements, and what the next ones may be made from. */
export interface Voices {
  readonly list: readonly Announcement[]
  readonly names: ReadonlyMap<number, string>
  /** By address; it goes on to the next. */
  readonly known: Map<string, Known>
}

interface Known {
  readonly unit: Unit
  readonly ifindexes: ReadonlySet<number>
  readonly announcement: Announcement
}

/**
 * In the order of the rights; rights of addresses that no Service holds any more are left out. What is
 * announced as before is the same value. `before` is used up.
 */
export function voicesOf(
  rights: readonly Right[], { index }: Units, links: readonly LinkState[], before?: Voices,
): Voices {
  const names = new Map(links.map(({ index: ifindex, name }) => [ifindex, name]))
  const isSame = before !== undefined && names.size === before.names.size &&
    [...names].every(([ifindex, name]) => before.names.get(ifindex) === name)
  const known = isSame ? before.known : new Map<string, Known>()
  const list: Announcement[] = []
  for (const { address, text, ifindexes } of rights) {
    const unit = index.byText.get(text)
    if (unit === undefined) continue
    const was = known.get(text)
    const isKept = was?.unit === unit && isSameSet(was.ifindexes, ifindexes)
    const announcement = isKept ? was.announcement : {
      address, text, interfaces: [...ifindexes].flatMap((ifindex) => names.get(ifindex) ?? []).toSorted(),
      services: unit.filter((holding) => holding.text === text).map(({ service }) => service.key).toSorted(),
    }
    if (!isKept) known.set(text, { unit, ifindexes, announcement })
    list.push(announcement)
  }
  if (known.size > list.length) {
    const texts = new Set(list.map(({ text }) => text))
    for (const text of known.keys()) if (!texts.has(text)) known.delete(text)
  }
  return { list: before !== undefined && isSameList(before.list, list) ? before.list : list, names, known }
}
