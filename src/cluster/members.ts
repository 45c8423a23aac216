/** Which nodes have a speaker, and what interfaces each says it has. */
import { createHash } from 'node:crypto'
import { labelKeys } from '../config/names.ts'
import type { LiveState } from '../kube/live.ts'
import { decodeMember } from '../l2/facts.ts'
import type { LinkState, Member } from '../l2/model.ts'
import type { WireSilence } from '../l2/silences.ts'

/** Nodes that have gone and are remembered, besides as many as there are. */
const maxGone = 64
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
  const members = statesOf(speakers, states).map(({ name, state }) =>
    state === undefined ? decodeMember(name, undefined) : memberOf(name, state)
  )
  if (decoded.size > 2 * speakers.size + maxGone) {
    for (const name of decoded.keys()) if (!speakers.has(name)) decoded.delete(name)
  }
  return members
}

function statesOf(
  speakers: ReadonlySet<string>, states: ReadonlyMap<string, LiveState>,
): readonly { readonly name: string; readonly state: LiveState | undefined }[] {
  const byNode = new Map<string, LiveState>()
  for (const state of states.values()) {
    const node = state.labels[labelKeys.stateNode]
    if (node !== undefined) byNode.set(node, state)
  }
  return [...speakers].toSorted().map((name) => ({ name, state: byNode.get(labelOfNode(name)) }))
}

/**
 * The last of each node: while its text is the same, the same value, whatever else of the state changes.
 * Nodes that have gone are forgotten when there are as many as that live, and more.
 */
const decoded = new Map<string, { readonly text: string | undefined; readonly member: Member }>()

function memberOf(name: string, { links }: LiveState): Member {
  const known = decoded.get(name)
  if (known !== undefined && known.text === links) return known.member
  const member = decodeMember(name, links)
  decoded.set(name, { text: links, member })
  return member
}

/** What a node says of an address that it should answer for and does not. */
export interface ToldSilence extends WireSilence {
  readonly node: string
}

/** What speakers that run tell, by formatted address; of each, in the order of nodes. */
export function readSilences(
  speakers: ReadonlySet<string>, states: ReadonlyMap<string, LiveState>,
): ReadonlyMap<string, readonly ToldSilence[]> {
  const told = statesOf(speakers, states).flatMap(({ name, state }) =>
    state?.silences.map((silence): ToldSilence => ({ ...silence, node: name })) ?? []
  )
  return Map.groupBy(told, ({ text }) => text)
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
