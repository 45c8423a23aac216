/** Joins the EndpointSlices of each Service. */
import type { Slice } from '../config/cluster.ts'
import type { Endpoint } from '../config/model.ts'
import { isSameList } from '../l2/unit.ts'

/** Endpoints by Service, from the slices there are. */
export interface Merged {
  changed(items: ReadonlyMap<string, Slice>): void
  current(): ReadonlyMap<string, readonly Endpoint[]>
}

/**
 * Made anew when slices changed, not with every turn; a Service whose slices are the same has the same
 * list, by which a plan sees that nothing has changed for it.
 */
export function createMerged(): Merged {
  let merged: ReadonlyMap<string, readonly Endpoint[]> = new Map()
  let source: ReadonlyMap<string, Slice> = new Map()
  let isDirty = false
  return {
    changed: (items) => {
      source = items
      isDirty = true
    },
    current: () => {
      if (!isDirty) return merged
      isDirty = false
      merged = merge(source, merged)
      return merged
    },
  }
}

function merge(
  slices: ReadonlyMap<string, Slice>, before: ReadonlyMap<string, readonly Endpoint[]>,
): ReadonlyMap<string, readonly Endpoint[]> {
  const merged = new Map<string, readonly Endpoint[]>()
  for (const { service, endpoints } of slices.values()) {
    if (service === undefined) continue
    const others = merged.get(service)
    merged.set(service, others === undefined ? endpoints : [...others, ...endpoints])
  }
  for (const [service, now] of merged) {
    const known = before.get(service)
    if (known !== undefined && isSameList(known, now)) merged.set(service, known)
  }
  return merged
}
