/** What Services hold and where they are served, from one change to the next. */
import type { Feed } from '../cluster/feed.ts'
import type { Config } from '../config/model.ts'
import { type HeldPlan, planHeld, replanHeld } from '../plan/held.ts'
import { countChanges } from './calm.ts'

export interface Holdings {
  readonly plan: HeldPlan
  /** Looks what has changed; how many addresses came, went or are another Service's. */
  follow(config: Config): number
  /** Services whose endpoints may have changed since `forget`; undefined = any. */
  served(): ReadonlySet<string> | undefined
  /** A world was made of them. */
  forget(): void
}

const nothing: Config = { pools: [], advertisements: [], bgpOnlyPools: new Set() }

/** The same plan as long as no Service that holds an address is another. */
export function createHoldings(
  feed: Pick<Feed, 'services' | 'takeChangedServices' | 'takeServed'>, loadBalancerClass: string,
): Holdings {
  let plan = planHeld(nothing, [], loadBalancerClass)
  let last: Config | undefined
  let served: Set<string> | undefined
  return {
    get plan() {
      return plan
    },
    follow: (config) => {
      const before = plan.holdings
      const changed = feed.takeChangedServices()
      const isAnew = changed === undefined || last !== config
      // Should planning throw, the next plan is a whole one.
      last = undefined
      if (isAnew) {
        plan = planHeld(config, [...feed.services.values()].map(({ intent }) => intent), loadBalancerClass)
      } else if (changed.size > 0) {
        plan = replanHeld(plan, new Map([...changed].map((key) =>
          [key, feed.services.get(key)?.intent] as const)))
      }
      last = config
      return countChanges(before, plan.holdings)
    },
    served: () => {
      const more = feed.takeServed()
      if (more === undefined) served = undefined
      else for (const key of more) served?.add(key)
      return served
    },
    forget: () => void (served = new Set()),
  }
}
