/** Joins the EndpointSlices of each Service. */
import type { Slice } from '../config/cluster.ts'
import type { Endpoint } from '../config/model.ts'

/** Endpoints by Service, from the slices there are. */
export interface Merged {
  changed(items: ReadonlyMap<string, Slice>): void
  current(): ReadonlyMap<string, readonly Endpoint[]>
}

/** Made anew when slices changed, not with every turn. */
export function createMerged(): Merged {
  let merged: Map<string, readonly Endpoint[]> = new Map()
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
      merged = new Map()
      for (const { service, endpoints } of source.values()) {
        if (service !== undefined) merged.set(service, [...merged.get(service) ?? [], ...endpoints])
      }
      return merged
    },
  }
}
