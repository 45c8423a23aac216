/** Writes the counters of pools into their status, where they differ. */
import type { PoolUsage } from '../ipam/usage.ts'
import type { Writer } from '../kube/writer.ts'
import { type ConfigObject, groupPath } from '../cluster/resources.ts'

/** The largest number that the field (int64) holds; a /64 has more addresses. */
const maxCount = 2n ** 63n - 1n

/** `assignedIPv4` and its three companions, as MetalLB 0.15 counts: distinct addresses. */
export function poolCounters({ capacity, used }: PoolUsage): Readonly<Record<string, bigint>> {
  const clamp = (count: bigint): bigint => count < 0n ? 0n : count > maxCount ? maxCount : count
  return {
    assignedIPv4: clamp(used.ipv4),
    assignedIPv6: clamp(used.ipv6),
    availableIPv4: clamp(capacity.ipv4 - used.ipv4),
    availableIPv6: clamp(capacity.ipv6 - used.ipv6),
  }
}

/** Queues a write for each custom resource whose status says something else. */
export function syncPools(
  writer: Writer, pools: ReadonlyMap<string, ConfigObject>,
  usages: readonly PoolUsage[], namespace: string,
): void {
  for (const usage of usages) {
    const live = pools.get(`${namespace}/${usage.pool}`)
    if (live === undefined) continue // a pool of the legacy ConfigMap has no status
    const counters = Object.entries(poolCounters(usage))
    // The client parses numbers as doubles: beyond 2⁵³ equal doubles count as equal.
    if (counters.every(([name, count]) => live.status[name] === Number(count))) continue
    const fields = counters.map(([name, count]) => `"${name}":${count}`)
    writer.put({
      key: `pool/${usage.pool}`,
      rank: 2,
      make: () => ({
        method: 'PATCH',
        path: `${groupPath}/namespaces/${namespace}/ipaddresspools/${usage.pool}/status`,
        contentType: 'application/merge-patch+json',
        text: `{"status":{${fields.join(',')}}}`,
        wantsMetadata: true,
      }),
    })
  }
}
