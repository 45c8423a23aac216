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
  const texts = new Map<string, string | undefined>()
  for (const { labels, links } of states.values()) {
    const node = labels[nodeNameLabel]
    if (node !== undefined) texts.set(node, links)
  }
  return [...speakers].toSorted().map((name) => decodeMember(name, texts.get(name)))
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
    return { ...link, isUp: link.isUp && other.isUp, hasCarrier: link.hasCarrier && other.hasCarrier }
  })
  const others = members.filter(({ name }) => name !== node)
  return [...others, { name: node, links: own, deaf }]
}
