/** Decides which node tells of an address that the interfaces of an advertisement keep silent. */
import type { AnnouncementPlan } from '../l2/plan.ts'
import { rankByHash } from '../l2/placement.ts'

export interface Failure {
  /** `namespace/name` */
  readonly service: string
  readonly ip: string
}

/**
 * Addresses that nobody announces and that `node` would announce, had it the interface: one node
 * tells of each (MetalLB: the elected one), the first of those that lack it in the order of the hash.
 */
export function planFailures({ silent }: AnnouncementPlan, node: string): readonly Failure[] {
  const lacking = new Map<string, { failure: Failure; nodes: { node: string; score: number }[] }>()
  for (const row of silent) {
    if (row.reason !== 'interfaceMissing' || row.node === undefined) continue
    const key = `${row.service} ${row.text}`
    const entry = lacking.get(key) ?? { failure: { service: row.service, ip: row.text }, nodes: [] }
    entry.nodes.push({ node: row.node, score: 0 })
    lacking.set(key, entry)
  }
  return [...lacking.values()]
    .filter(({ failure, nodes }) => rankByHash(nodes, failure.ip)[0]?.node === node)
    .map(({ failure }) => failure)
}
