/** Pools as metrics show them: what they have and what is used. */
import type { Config } from '../config/model.ts'
import type { Verdict } from '../ipam/model.ts'
import { poolUsage } from '../ipam/usage.ts'
import type { PoolGauges } from '../metrics.ts'

/** One row a pool. */
export function poolGauges(config: Config, verdicts: readonly Verdict[]): readonly PoolGauges[] {
  return poolUsage(config, verdicts).map(({ pool, capacity, used }) => ({
    pool,
    ipv4Total: capacity.ipv4,
    ipv6Total: capacity.ipv6,
    ipv4Used: used.ipv4,
    ipv6Used: used.ipv6,
  }))
}
