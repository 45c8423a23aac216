/** Joins what a speaker sees of the cluster and of the ring into the world that ownership decides on. */
import type { ClusterNode, Config, Endpoint } from '../config/model.ts'
import type { Holding } from '../l2/demand.ts'
import { isUsable, isVirtual } from '../l2/eligible.ts'
import type { Gateways } from '../l2/linux/routes.ts'
import type { LinkState, Member } from '../l2/model.ts'
import type { Placement } from '../l2/placement.ts'
import { prepare } from '../l2/plan.ts'
import type { Address } from '../net/model.ts'
import type { Leg, Peer, World } from '../ownership/model.ts'
import { wishesOf } from '../ownership/wishes.ts'
import type { RingMember } from '../ring.ts'

export interface WorldInput {
  readonly self: string
  readonly placement: Placement
  readonly config: Config
  readonly nodes: readonly ClusterNode[]
  readonly endpoints: ReadonlyMap<string, readonly Endpoint[]> | undefined
  /** Oldest Service first. */
  readonly holdings: readonly Holding[]
  /** This host's interfaces, and those of them on which no socket could be opened. */
  readonly links: readonly LinkState[]
  readonly deaf: ReadonlySet<number>
  /** The ring; empty = this host is alone. */
  readonly members: readonly RingMember[]
  /** Names of nodes that ought to be in the ring. */
  readonly expected: readonly string[]
  /** Members whose process is of another generation than this one: newer, where this one leaves. */
  readonly restarted: ReadonlySet<string>
  readonly gateways: Gateways
  /** Last known owner by address. */
  readonly hints: ReadonlyMap<string, string>
  readonly isDraining: boolean
  readonly isLeaving?: boolean
  readonly announceEverywhere: boolean
  readonly ignoreExcludeLabel: boolean
}

/** The world as of now; pure. */
export function worldOf(input: WorldInput): World {
  const { self, placement, members, expected, isDraining, config, nodes, endpoints, hints } = input
  const peers = peersOf(input)
  const others = members.filter((member) => member.isAlive && member.name !== self)
  const demand = prepare({
    config, nodes, endpoints, members: speakersOf(input),
    everywhere: input.announceEverywhere,
    ignoreExcludeLabel: input.ignoreExcludeLabel,
  })
  const isMixed = others.some(({ legs }) => legs === undefined)
  return {
    self, placement, peers, expected, isDraining, isLeaving: input.isLeaving === true,
    wishes: wishesOf({ demand, holdings: input.holdings, hints, isMixed }),
    gateways: gatewaysOf(input),
    moves: new Map(),
  }
}

/** This host and the others that live, as the judge of eligibility sees them. */
export function speakersOf(
  { self, links, deaf, members }: Pick<WorldInput, 'self' | 'links' | 'deaf' | 'members'>,
): readonly Member[] {
  const others = members.filter(({ isAlive, name }) => isAlive && name !== self)
  return [
    { name: self, links, deaf },
    ...others.map(({ name, legs }): Member => ({ name, links: legs?.map(toLink) })),
  ]
}

/** Interfaces that this host can speak on, for the other members. */
export function legsOf(
  links: readonly LinkState[], deaf: ReadonlySet<number>, named: ReadonlySet<string>,
): readonly Leg[] {
  const able = links.filter((link) =>
    isUsable(link) && link.hasCarrier && !deaf.has(link.index) &&
    (named.has(link.name) || !isVirtual(link.name))
  )
  return able.map(({ name, index, mac, addresses }) => ({
    name, ifindex: index, mac,
    addresses: addresses.filter(({ isTentative }) => !isTentative)
      .map(({ address, prefix }) => ({ address, prefix })),
  }))
}

function peersOf(input: WorldInput): readonly Peer[] {
  const { self, members, restarted } = input
  const named = new Set(input.config.advertisements.flatMap(({ interfaces }) => interfaces))
  const own: Peer = {
    name: self, isAlive: true, isCapable: true, isRestarted: false,
    legs: legsOf(input.links, input.deaf, named),
  }
  const others = members.filter(({ name }) => name !== self).map((member): Peer => ({
    name: member.name, isAlive: member.isAlive, isCapable: member.legs !== undefined,
    isRestarted: restarted.has(member.name), isDraining: member.isDraining, legs: member.legs ?? [],
  }))
  return [own, ...others]
}

/** A leg as the judge of eligibility wants it: what a member tells of is usable. */
function toLink({ name, mac, addresses }: Leg, i: number): LinkState {
  return {
    index: i + 1, name, mac, mtuBytes: 0, isUp: true, hasCarrier: true, master: undefined,
    isLoopback: false, isNoArp: false, isBroadcast: true,
    addresses: addresses.map(({ address, prefix }) => ({ address, prefix, isTentative: false })),
  }
}

function gatewaysOf({ links, gateways }: WorldInput): ReadonlyMap<number, readonly Address[]> {
  return new Map(links.flatMap(({ name, index }) => {
    const routers = gateways.get(name)
    return routers === undefined ? [] : [[index, routers] as const]
  }))
}
