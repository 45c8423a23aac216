/** Which nodes have a speaker, and what interfaces each says it has. */
import { createHash } from 'node:crypto'
import { labelKeys } from '../config/names.ts'
import type { LiveState } from '../kube/live.ts'
import { decodeMember } from '../l2/facts.ts'
import type { LinkState, Member } from '../l2/model.ts'

/** Of a label's value (Kubernetes); names of nodes may have 253. */
const maxLabel = 63
const hashDigits = 10

/**
 * The name of a node as the value of a label: itself, or its beginning and a hash of all of it, so
 * that no two nodes share one. MetalLB cannot write its objects for nodes with such names.
 */
export function labelOfNode(name: string): string {
  if (name.length <= maxLabel) return name
  const hash = createHash('sha256').update(name).digest('hex').slice(0, hashDigits)
  return `${name.slice(0, maxLabel - 1 - hashDigits).replace(/[^A-Za-z0-9]+$/, '')}-${hash}`
}

const maxName = 253

/** Name of a speaker's ConfigurationState: it has the node's name whole, as far as names go. */
export function stateNameOf(node: string): string {
  const name = `speaker-${node}`
  return name.length <= maxName ? name : `speaker-${labelOfNode(node)}`
}

/** Speakers that run, by name of their node, with the interfaces they tell of. */
export function readMembers(
  speakers: ReadonlySet<string>, states: ReadonlyMap<string, LiveState>,
): readonly Member[] {
  const byNode = new Map<string, LiveState>()
  for (const state of states.values()) {
    const node = state.labels[labelKeys.stateNode]
    if (node !== undefined) byNode.set(node, state)
  }
  return [...speakers].toSorted().map((name) => {
    const state = byNode.get(labelOfNode(name))
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
