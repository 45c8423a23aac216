/** What a node's rights are, seen as announcements: which Services, on which interfaces. */
import type { Holding } from '../l2/demand.ts'
import type { Announcement, LinkState } from '../l2/model.ts'
import type { Right } from '../ownership/model.ts'

/** In the order of the rights; rights of addresses that no Service holds any more are left out. */
export function voicesOf(
  rights: readonly Right[], holdings: readonly Holding[], links: readonly LinkState[],
): readonly Announcement[] {
  const services = new Map<string, string[]>()
  for (const { text, service } of holdings) {
    const list = services.get(text)
    if (list === undefined) services.set(text, [service.key])
    else list.push(service.key)
  }
  const names = new Map(links.map(({ index, name }) => [index, name]))
  return rights.flatMap(({ address, text, ifindexes }) => {
    const sharers = services.get(text)
    if (sharers === undefined) return []
    const interfaces = [...ifindexes].flatMap((index) => names.get(index) ?? []).toSorted()
    return [{ address, text, interfaces, services: sharers.toSorted() }]
  })
}
