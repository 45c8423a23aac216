/** Joins what a speaker sees of the cluster and of the ring into the world that ownership decides on. */
import { isSameValue } from '../config/fields.ts'
import type { ClusterNode, Config, Endpoint } from '../config/model.ts'
import type { DemandPlan, Holding } from '../l2/demand.ts'
import { isUsable, isVirtual } from '../l2/eligible.ts'
import type { LinkState, Member } from '../l2/model.ts'
import type { Placement } from '../l2/placement.ts'
import { prepare } from '../l2/plan.ts'
import { isSameList } from '../l2/unit.ts'
import type { Address } from '../net/model.ts'
import { prefixContains } from '../net/range.ts'
import type { Leg, Peer, World } from '../ownership/model.ts'
import { type Wishes, wishesOf } from '../ownership/wishes.ts'

/** A member of the ring, as far as it matters here. */
export interface WorldMember {
  readonly name: string
  /** Where it gossips. */
  readonly address: Address
  readonly isAlive: boolean
  /** It has said that it leaves. */
  readonly isDraining?: boolean
  /** undefined = it speaks no beats. The same list for as long as it tells the same. */
  readonly legs: readonly Leg[] | undefined
}

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
  readonly members: readonly WorldMember[]
  /** Names of nodes that ought to be in the ring. */
  readonly expected: readonly string[]
  /** Members whose process is of another generation than this one: newer, where this one leaves. */
  readonly restarted: ReadonlySet<string>
  /** Default routers by name of the interface that leads to them. */
  readonly gateways: ReadonlyMap<string, readonly Address[]>
  /** Services whose endpoints may be others than in the last world; undefined = any. */
  readonly served?: ReadonlySet<string> | undefined
  /** Last known owner by address, or by Service. */
  readonly hints: ReadonlyMap<string, string>
  readonly isDraining: boolean
  readonly isLeaving?: boolean
  readonly announceEverywhere: boolean
  readonly ignoreExcludeLabel: boolean
}

/** A world, and what the next one may be made from. */
export interface Outlook {
  readonly world: World
  readonly demand: DemandPlan
  readonly wishes: Wishes
}

/**
 * The world as of now. With the last outlook, what has not changed is not judged again, and a world
 * that says the same is the same value.
 */
export function worldOf(input: WorldInput, before?: Outlook): Outlook {
  const { self, placement, members, expected, isDraining, config, nodes, endpoints, hints, served } = input
  const fresh = peersOf(input)
  // The same value for as long as it is the same.
  const peers = isSameValue(before?.world.peers, fresh) ? before?.world.peers ?? fresh : fresh
  const others = members.filter((member) => member.isAlive && member.name !== self)
  const demand = prepare({
    config, nodes, endpoints, members: speakersOf(input),
    everywhere: input.announceEverywhere,
    ignoreExcludeLabel: input.ignoreExcludeLabel,
  }, before?.demand)
  const isMixed = others.some(({ legs }) => legs === undefined)
  const wishes = wishesOf({ demand, holdings: input.holdings, hints, isMixed, served }, before?.wishes)
  const world = {
    self, placement, peers, expected, isDraining, isLeaving: input.isLeaving === true,
    wishes: wishes.list,
    gateways: gatewaysOf(input),
    moves: noMoves,
  }
  const isSame = before !== undefined && isSameWorld(before.world, world)
  return { world: isSame ? before.world : world, demand, wishes }
}

const noMoves: World['moves'] = new Map()

/** Wishes that are as they were are the same values; the rest is small. */
function isSameWorld(a: World, b: World): boolean {
  const { wishes, gateways, moves, peers, ...rest } = a
  const { wishes: otherWishes, gateways: otherGateways, moves: otherMoves, peers: otherPeers, ...others } = b
  return moves === otherMoves && peers === otherPeers && isSameList(wishes, otherWishes) &&
    isSameValue(rest, others) &&
    isSameValue([...gateways], [...otherGateways])
}

/** This host and the others that live, as the judge of eligibility sees them. */
export function speakersOf(
  { self, links, deaf, members }: Pick<WorldInput, 'self' | 'links' | 'deaf' | 'members'>,
): readonly Member[] {
  const others = members.filter(({ isAlive, name }) => isAlive && name !== self)
  return [
    { name: self, links, deaf },
    ...others.map(({ name, legs }): Member => ({
      name, links: legs === undefined ? undefined : linksOf(legs),
    })),
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
    isRestarted: restarted.has(member.name), isDraining: member.isDraining === true,
    legs: member.legs ?? strangerLegs(member.address, own.legs),
  }))
  return [own, ...others]
}

/** A member that tells nothing is known by the address at which it gossips, if that is on our segments. */
function strangerLegs(address: Address, legs: readonly Leg[]): readonly Leg[] {
  const near = legs.flatMap(({ addresses }) => addresses)
    .find(({ prefix }) => prefixContains(prefix, address))
  return near === undefined ? [] : [
    { name: '', ifindex: 0, mac: '', addresses: [{ address, prefix: near.prefix }] },
  ]
}

/** The same list for the same legs. */
const linksByLegs = new WeakMap<readonly Leg[], readonly LinkState[]>()

function linksOf(legs: readonly Leg[]): readonly LinkState[] {
  const known = linksByLegs.get(legs)
  if (known !== undefined) return known
  const links = legs.map(toLink)
  linksByLegs.set(legs, links)
  return links
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
