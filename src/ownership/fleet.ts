/** Who shares which segment with this node, who monitors and witnesses whom. */
import { rankByHash } from '../l2/placement.ts'
import { answerKey } from '../l2/responder.ts'
import { isSameList } from '../l2/unit.ts'
import type { Mac } from '../l2/model.ts'
import type { Millis } from '../net/model.ts'
import { ghostMs, hostCount, monitorCount, mixedMs, witnessCount } from './limits.ts'
import type { Leg, Peer, World } from './model.ts'
import { hearingOf, type Ownership } from './state.ts'
import { isLinkLocal } from './wire.ts'

/** Takes over what the world says of nodes. */
export function readFleet(o: Ownership, world: World, now: Millis): void {
  const peers = new Map([...forgottenOf(o, world), ...world.peers].map((peer) => [peer.name, peer]))
  for (const peer of world.peers) if (peer.legs !== o.peers.get(peer.name)?.legs) unlearn(o, peer)
  o.peers = peers
  const legs = peers.get(o.self)?.legs ?? []
  o.legs = new Map(legs.map((leg) => [leg.ifindex, leg]))
  o.ownMacs = new Set(legs.map(({ mac }) => mac))
  const addresses = new Map<bigint, string>()
  for (const peer of peers.values()) {
    if (peer.name === o.self) continue
    for (const leg of peer.legs) {
      if (leg.mac !== '') {
        o.macs.set(leg.mac, peer.name)
        o.knownLegs.set(leg.mac, leg)
      }
      for (const { address } of leg.addresses) addresses.set(answerKey(address), peer.name)
    }
    if (peer.isAlive) {
      if (o.deadSinceMs.delete(peer.name)) awaitVoice(o, peer.name, now)
      continue
    }
    o.unmet.delete(peer.name)
    if (!o.deadSinceMs.has(peer.name)) o.deadSinceMs.set(peer.name, now)
  }
  for (const [mac, node] of o.macs) if (!peers.has(node) || o.ownMacs.has(mac)) o.macs.delete(mac)
  for (const mac of o.knownLegs.keys()) if (!o.macs.has(mac)) o.knownLegs.delete(mac)
  for (const name of o.deadSinceMs.keys()) if (!peers.has(name)) o.deadSinceMs.delete(name)
  for (const name of o.unmet.keys()) if (!peers.has(name)) o.unmet.delete(name)
  o.peerAddresses = addresses
  o.isAlone = world.peers.every(({ name }) => name === o.self) &&
    world.expected.every((name) => name === o.self)
  if (world.peers.some((peer) => peer.isAlive && !peer.isCapable)) {
    o.mixedUntilMs = Number.POSITIVE_INFINITY
  } else if (o.mixedUntilMs === Number.POSITIVE_INFINITY) o.mixedUntilMs = now + mixedMs
  forgetLegs(o)
  for (const [high, low] of o.twins) {
    if (!o.legs.has(high) || !o.legs.has(low)) o.twins.delete(high)
  }
}

/**
 * Membership forgets the dead after 30 s; those that are expected are asked for all the same: behind a split
 * that is healed they may own what this node owns.
 */
function forgottenOf(o: Ownership, world: World): readonly Peer[] {
  const known = new Set(world.peers.map(({ name }) => name))
  return world.expected.flatMap((name) => {
    const peer = known.has(name) ? undefined : o.peers.get(name)
    return peer === undefined ? [] : [peer.isAlive ? { ...peer, isAlive: false } : peer]
  })
}

/** It tells its MACs anew: what frames alone have said of it is no longer believed. */
function unlearn(o: Ownership, { name, legs }: Peer): void {
  if (legs.every(({ mac }) => mac === '')) return
  for (const [mac, node] of o.macs) if (node === name && !o.knownLegs.has(mac)) o.macs.delete(mac)
}

/**
 * Membership meets a member again before its wire may have: it is missing until it is heard there, since it
 * may own what this node owns.
 */
function awaitVoice(o: Ownership, name: string, now: Millis): void {
  if (o.owned.size === 0) return
  const legs = new Set([...o.legs.keys()].filter((ifindex) => legOf(o, name, ifindex) !== undefined))
  if (legs.size > 0) o.unmet.set(name, { sinceMs: now, legs })
}

/**
 * What nodes said that are no members any more, nor expected, is forgotten a while after their last word: by
 * then their units have been claimed.
 */
export function forgetGone(o: Ownership, now: Millis): void {
  const isGone = (name: string, lastMs: Millis): boolean => !o.peers.has(name) && now - lastMs > ghostMs
  for (const [name, { heard }] of o.beats) {
    if (isGone(name, Math.max(...heard.values(), Number.NEGATIVE_INFINITY))) o.beats.delete(name)
  }
  for (const [name, atMs] of o.spoken) if (isGone(name, atMs)) o.spoken.delete(name)
  for (const [name, { heardMs }] of o.returned) if (isGone(name, heardMs)) o.returned.delete(name)
  for (const name of o.witnessing.keys()) if (!o.peers.has(name)) o.witnessing.delete(name)
}

/**
 * A leg without carrier is heard on no more; who was heard there stays known, so that it does not come
 * back as one on which no other host was ever heard. Of so many legs at most: interfaces come and go.
 */
function forgetLegs(o: Ownership): void {
  const gone = [...o.hearing.values()].filter(({ ifindex }) => !o.legs.has(ifindex))
  for (const { ifindex, hosts } of gone) {
    o.hearing.delete(ifindex)
    if (hosts.size === 0) continue
    const { hosts: kept } = hearingOf(o, ifindex)
    for (const [mac, host] of hosts) kept.set(mac, host)
  }
  for (const { ifindex } of gone.slice(0, Math.max(0, gone.length - hostCount))) o.hearing.delete(ifindex)
}

/**
 * All that are expected live, and have told their interfaces: a member has none for a moment after it has
 * joined, and would be passed over for what it had before everything was restarted.
 */
export function isComplete(o: Ownership): boolean {
  return o.world?.expected.every((name) => {
    const peer = o.peers.get(name)
    return name === o.self || (peer?.isAlive === true && (!peer.isCapable || peer.legs.length > 0))
  }) === true
}

/** A member without our capability lives, or did until lately: MetalLB's election holds for all. */
export function isMixed(o: Ownership, now: Millis): boolean {
  return now < o.mixedUntilMs
}

export function isHash(o: Ownership, now: Millis): boolean {
  return o.world?.placement === 'hash' || isMixed(o, now)
}

/** Whether two interfaces are on one segment, as far as their prefixes tell. */
export function shareSegment(a: Leg, b: Leg): boolean {
  return a.addresses.some(({ address, prefix }) =>
    !isLinkLocal(address) && b.addresses.some(({ prefix: other }) =>
      other.family === prefix.family && other.bits === prefix.bits && other.length === prefix.length
    )
  )
}

/** Own legs on the segment of the peer's leg with `mac`, also of one that it has lost. */
export function ownLegsAt(o: Ownership, peer: string, mac: Mac): readonly number[] {
  const leg = o.macs.get(mac) === peer ? o.knownLegs.get(mac) : undefined
  if (leg === undefined) return []
  return [...o.legs.values()].filter((own) => shareSegment(own, leg)).map(({ ifindex }) => ifindex)
}

/** The peer's leg on the segment of our leg. */
export function legOf(o: Ownership, peer: string, ifindex: number): Leg | undefined {
  const own = o.legs.get(ifindex)
  if (own === undefined) return undefined
  return o.peers.get(peer)?.legs.find((leg) => shareSegment(own, leg))
}

/** Alive capable members other than `owner`, by the hash of its name. */
function standbys(o: Ownership, owner: string): readonly string[] {
  const able = [...o.peers.values()].filter((peer) =>
    peer.name !== owner && peer.isCapable && (peer.isAlive || peer.name === o.self)
  )
  return rankByHash(able.map(({ name }) => ({ node: name, score: 0 })), owner).map(({ node }) => node)
}

/** The first three that have a leg on our segment `ifindex`; all segments where it is undefined. */
export function monitorsOf(o: Ownership, ifindex: number | undefined): readonly string[] {
  const able = standbys(o, o.self).filter((name) =>
    ifindex === undefined || legOf(o, name, ifindex) !== undefined
  )
  return able.slice(0, monitorCount)
}

/** Whether this node is one of the last two in rank of `owner` among those on a common segment. */
export function isWitnessOf(o: Ownership, owner: Peer): boolean {
  const near = standbys(o, owner.name).filter((name) => {
    const peer = o.peers.get(name)
    return peer?.legs.some((a) => owner.legs.some((b) => shareSegment(a, b))) === true
  })
  return near.slice(-witnessCount).includes(o.self)
}

export function macsOf(o: Ownership, node: string | undefined): ReadonlySet<Mac> {
  const macs = new Set<Mac>()
  if (node === undefined) return macs
  for (const [mac, name] of o.macs) if (name === node) macs.add(mac)
  return macs
}

/** Whether nobody who has a wish as it was can be better served by another than before. */
export function isSameButWishes(before: World | undefined, world: World): boolean {
  return before !== undefined && before.peers === world.peers && before.moves === world.moves &&
    before.placement === world.placement && before.isDraining === world.isDraining &&
    before.isLeaving === world.isLeaving && isSameList(before.expected, world.expected)
}
