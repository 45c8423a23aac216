/** Who announced each address before this speaker came up, as far as the API server remembers. */
import type { LiveL2Status } from '../kube/live.ts'
import type { Holding } from '../l2/demand.ts'

/** Node by address. */
export type HintsOf = (
  statuses: Iterable<LiveL2Status>, holdings: readonly Holding[],
) => ReadonlyMap<string, string>

/**
 * The statuses count as they are at the first call: whoever answers for an address for the moment, while
 * its last owner is still to come back, overwrites them, and is who has to know where it belongs.
 */
export function createHints(): HintsOf {
  let nodes: ReadonlyMap<string, string> | undefined
  let made: { readonly holdings: readonly Holding[]; readonly hints: ReadonlyMap<string, string> } | undefined
  return (statuses, holdings) => {
    nodes ??= nodesOf(statuses)
    if (made?.holdings !== holdings) made = { holdings, hints: hintsOf(nodes, holdings) }
    return made.hints
  }
}

/** By Service; those that were made and never filled tell of nobody. */
function nodesOf(statuses: Iterable<LiveL2Status>): ReadonlyMap<string, string> {
  const nodes = new Map<string, string>()
  for (const { service, node, isFilled } of statuses) if (isFilled) nodes.set(service, node)
  return nodes
}

function hintsOf(
  nodes: ReadonlyMap<string, string>, holdings: readonly Holding[],
): ReadonlyMap<string, string> {
  return new Map(holdings.flatMap(({ service, text }) => {
    const node = nodes.get(service.key)
    return node === undefined ? [] : [[text, node] as const]
  }))
}
