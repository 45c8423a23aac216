/** Who announced each Service before this speaker came up, as far as the API server remembers. */
import type { LiveL2Status } from '../kube/live.ts'

/** Node by Service. */
export type HintsOf = (statuses: Iterable<LiveL2Status>) => ReadonlyMap<string, string>

/**
 * The statuses count as they are at the first call: whoever answers for an address for the moment, while
 * its last owner is still to come back, overwrites them, and is who has to know where it belongs. The
 * same map each time.
 */
export function createHints(): HintsOf {
  let nodes: ReadonlyMap<string, string> | undefined
  return (statuses) => nodes ??= nodesOf(statuses)
}

/** Those that were made and never filled tell of nobody. */
function nodesOf(statuses: Iterable<LiveL2Status>): ReadonlyMap<string, string> {
  const nodes = new Map<string, string>()
  for (const { service, node, isFilled } of statuses) if (isFilled) nodes.set(service, node)
  return nodes
}
