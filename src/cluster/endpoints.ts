/** Joins the EndpointSlices of each Service. */
import type { Slice } from '../config/cluster.ts'
import type { Endpoint } from '../config/model.ts'
import { type Changed, createChanged } from '../kube/changed.ts'
import { isSameList } from '../l2/unit.ts'

/** Endpoints by Service, from the slices there are. */
export interface Merged {
  /** Slices of these keys are others than before; undefined = any may be. */
  changed(items: ReadonlyMap<string, Slice>, keys: ReadonlySet<string> | undefined): void
  /** One map, which is kept up to date. */
  current(): ReadonlyMap<string, readonly Endpoint[]>
  /** Services whose endpoints are another list since this was asked last; undefined = any. */
  takeServed(): ReadonlySet<string> | undefined
}

interface Memory {
  readonly merged: Map<string, readonly Endpoint[]>
  readonly slices: Map<string, Slice>
  /** Keys of the slices of each Service, sorted. */
  readonly keys: Map<string, readonly string[]>
  readonly served: Changed
}

/**
 * Only Services whose slices changed are joined anew; one whose slices are the same has the same list, by
 * which a plan sees that nothing has changed for it.
 */
export function createMerged(): Merged {
  const memory: Memory = { merged: new Map(), slices: new Map(), keys: new Map(), served: createChanged() }
  return {
    changed: (items, keys) => {
      const all = keys ?? new Set([...memory.slices.keys(), ...items.keys()])
      for (const service of take(memory, items, all)) {
        if (join(memory, service)) memory.served.note(service)
      }
    },
    current: () => memory.merged,
    takeServed: () => memory.served.take(),
  }
}

/** Takes over these slices; the Services that they are of, and were of. */
function take(
  { slices, keys: byService }: Memory, items: ReadonlyMap<string, Slice>, keys: ReadonlySet<string>,
): ReadonlySet<string> {
  const touched = new Set<string>()
  for (const key of keys) {
    const [before, now] = [slices.get(key), items.get(key)]
    if (before === now) continue
    if (before?.service !== undefined) {
      byService.set(before.service, (byService.get(before.service) ?? []).filter((one) => one !== key))
      touched.add(before.service)
    }
    if (now === undefined) slices.delete(key)
    else slices.set(key, now)
    if (now?.service === undefined) continue
    byService.set(now.service, [...byService.get(now.service) ?? [], key].toSorted())
    touched.add(now.service)
  }
  return touched
}

/** Joins the slices of one Service; whether that made another list. */
function join({ merged, slices, keys }: Memory, service: string): boolean {
  const own = keys.get(service) ?? []
  const before = merged.get(service)
  if (own.length === 0) {
    keys.delete(service)
    return merged.delete(service)
  }
  const lists = own.map((key) => slices.get(key)?.endpoints ?? [])
  const now = lists.length === 1 ? lists[0] ?? [] : lists.flat()
  if (before !== undefined && isSameList(before, now)) return false
  merged.set(service, now)
  return true
}
