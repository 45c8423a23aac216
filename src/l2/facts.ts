/** A node's interfaces as text, for the others: who may announce where is then seen from anywhere. */
import { formatAddress, parseAddress } from '../net/address.ts'
import { prefixOf } from '../net/range.ts'
import { isVirtual } from './eligible.ts'
import { noMac } from './frame.ts'
import type { LinkState, Mac, Member } from './model.ts'

/** Most interfaces told about; a node with more has them for containers. */
const maxLinks = 64

interface LinkFact {
  readonly name: string
  readonly index: number
  /** An older version tells none. */
  readonly mac?: string
  readonly up: boolean
  readonly carrier: boolean
  /** Enslaved, without ARP or without broadcast: not to be announced on. */
  readonly unusable?: true
  /** No packet socket could be opened on it. */
  readonly deaf?: true
  /** `address/length` */
  readonly addresses: readonly string[]
}

/**
 * What others need to judge this node: JSON, sorted by index, the same for the same state.
 * Interfaces of containers are left out unless `named` by an advertisement.
 */
export function encodeLinks(
  links: readonly LinkState[], deaf: ReadonlySet<number>, named: ReadonlySet<string>,
): string {
  const told = links.filter((link) =>
    named.has(link.name) || (!link.isLoopback && !isVirtual(link.name))
  )
  const facts = told.slice(0, maxLinks).map((link): LinkFact => ({
    name: link.name,
    index: link.index,
    mac: link.mac,
    up: link.isUp,
    carrier: link.hasCarrier,
    ...(link.master === undefined && !link.isNoArp && link.isBroadcast ? {} : { unusable: true }),
    ...(deaf.has(link.index) ? { deaf: true } : {}),
    addresses: link.addresses.map(({ address, prefix }) =>
      `${formatAddress(address)}/${prefix.length}`
    ).toSorted(),
  }))
  return JSON.stringify(facts)
}

/** The member as it described itself; interfaces unknown where the text is not ours. */
export function decodeMember(name: string, text: string | undefined): Member {
  const unknown: Member = { name, links: undefined }
  if (text === undefined) return unknown
  try {
    const facts: unknown = JSON.parse(text)
    if (!Array.isArray(facts) || !facts.every(isFact)) return unknown
    const deaf = facts.filter((fact) => fact.deaf === true).map((fact) => fact.index)
    return { name, links: facts.map(decodeLink), deaf: new Set(deaf) }
  } catch {
    return unknown
  }
}

function isFact(value: unknown): value is LinkFact {
  return typeof value === 'object' && value !== null && 'name' in value && 'index' in value &&
    typeof value.name === 'string' && typeof value.index === 'number' &&
    (!('mac' in value) || typeof value.mac === 'string') &&
    'addresses' in value && Array.isArray(value.addresses)
}

/** MACs of the member's interfaces; undefined = it tells not all of those that others may hear. */
export function toldMacs({ links }: Member): readonly Mac[] | undefined {
  if (links?.some((link) => !link.isNoArp && link.mac === noMac) !== false) return undefined
  return links.map(({ mac }) => mac)
}

function decodeLink(fact: LinkFact): LinkState {
  return {
    index: fact.index,
    name: fact.name,
    mac: fact.mac ?? noMac,
    mtuBytes: 0,
    isUp: fact.up,
    hasCarrier: fact.carrier,
    master: undefined,
    isLoopback: false,
    isNoArp: fact.unusable === true,
    isBroadcast: true,
    addresses: fact.addresses.flatMap((text) => {
      const slash = text.lastIndexOf('/')
      const address = parseAddress(text.slice(0, slash))
      if (address === undefined) return []
      return [{ address, prefix: prefixOf(address, Number(text.slice(slash + 1))), isTentative: false }]
    }),
  }
}
