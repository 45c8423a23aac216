/** Which nodes have a speaker, and what interfaces each says it has. */
import type { LiveState } from '../kube/live.ts'
import { decodeMember } from '../l2/facts.ts'
import type { LinkState, Member } from '../l2/model.ts'

/** Label of a speaker's ConfigurationState (MetalLB 0.15.3). */
export const nodeNameLabel = 'metallb.io/node-name'

/** Speakers that run, by name of their node, with the interfaces they tell of. */
export function readMembers(
  speakers: ReadonlySet<string>, states: ReadonlyMap<string, LiveState>,
): readonly Member[] {
  const byNode = new Map<string, LiveState>()
  for (const state of states.values()) {
    const node = state.labels[nodeNameLabel]
    if (node !== undefined) byNode.set(node, state)
  }
  return [...speakers].toSorted().map((name) => {
    const state = byNode.get(name)
    return state === undefined ? decodeMember(name, undefined) : memberOf(name, state)
  })
}

/** Read once from each state, and the same value each time. */
const decoded = new WeakMap<LiveState, Member>()

function memberOf(name: string, state: LiveState): Member {
  const known = decoded.get(state)
  if (known?.name === name) return known
  const member = decodeMember(name, state.links)
  decoded.set(state, member)
  return member
}

/**
 * This node among the others: an interface counts as up only if it is so here, at this instant,
 * and the others have been told. What is lost is lost at once; what is won is won when all know.
 */
export function withOwnLinks(
  members: readonly Member[], node: string, links: readonly LinkState[], deaf: ReadonlySet<number>,
): readonly Member[] {
  const told = members.find(({ name }) => name === node)?.links
  const known = new Map(told?.map((link) => [link.name, link]))
  const own = links.map((link) => {
    const other = known.get(link.name)
    if (told === undefined || other === undefined) return link
    // The link itself wherever nothing is taken from it.
    if (other.isUp && other.hasCarrier) return link
    return { ...link, isUp: link.isUp && other.isUp, hasCarrier: link.hasCarrier && other.hasCarrier }
  })
  const others = members.filter(({ name }) => name !== node)
  return [...others, { name: node, links: own, deaf }]
}
