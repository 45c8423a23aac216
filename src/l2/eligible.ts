/** Decides on which interfaces of a node an address may be announced, or why on none. */
import type { Address } from '../net/model.ts'
import { prefixContains } from '../net/range.ts'
import type { LinkState, Member, Silence } from './model.ts'

/**
 * Names of interfaces that carry containers, tunnels or nothing: never announced on unless an
 * advertisement names them. The list is the one MetalLB ships for exclusion.
 */
const virtualNames = new RegExp(
  '^(docker|cbr|dummy|virbr|lxcbr|veth|cali|tunl|flannel|kube-ipvs|cni|nodelocaldns|lxc|' +
    'br-[0-9a-f]{12}$)|^lo$',
)

/** Whether the name is one of those that are announced on only when an advertisement names them. */
export function isVirtual(name: string): boolean {
  return virtualNames.test(name)
}

/** 'all' = no advertisement names interfaces; else the union of the names they give. */
export type InterfaceChoice = 'all' | ReadonlySet<string>

/** Where one node may announce one address. `prefixed` says that a connected prefix covers it. */
export interface Eligibility {
  /** 'all' when the node's interfaces are not known. */
  readonly interfaces: 'all' | readonly string[]
  readonly prefixed: boolean
}

/**
 * Whether frames can be sent and received on the interface at all: up, not enslaved, able to
 * resolve neighbours.
 */
export function isUsable(link: LinkState): boolean {
  return link.isUp && !link.isLoopback && link.master === undefined && !link.isNoArp &&
    link.isBroadcast
}

/**
 * The interfaces of `member` for `address`: chosen, usable, with carrier. Those with a connected
 * prefix if there are any, unless `everywhere`. Silences: `interfaceMissing`, `interfaceDown`, `noCarrier`,
 * `socketFailed`.
 */
export function eligibleOn(
  member: Member, address: Address, choice: InterfaceChoice, everywhere = false,
): Eligibility | Silence {
  if (member.links === undefined) {
    const interfaces = choice === 'all' ? choice : [...choice].toSorted()
    return { interfaces, prefixed: true }
  }
  const chosen = member.links.filter((link) =>
    choice === 'all' ? !isVirtual(link.name) && !link.isLoopback : choice.has(link.name)
  )
  if (chosen.length === 0) return 'interfaceMissing'
  const usable = chosen.filter(isUsable)
  if (usable.length === 0) return 'interfaceDown'
  const carried = usable.filter((link) => link.hasCarrier)
  if (carried.length === 0) return 'noCarrier'
  const ready = carried.filter((link) => member.deaf?.has(link.index) !== true)
  if (ready.length === 0) return 'socketFailed'
  const covering = ready.filter((link) => covers(link, address))
  const narrowed = covering.length > 0 && !everywhere ? covering : ready
  const names = narrowed.map((link) => link.name).toSorted()
  return { interfaces: names, prefixed: covering.length > 0 }
}

function covers(link: LinkState, address: Address): boolean {
  return link.addresses.some((own) => prefixContains(own.prefix, address))
}
