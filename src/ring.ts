/** The members as ownership needs them: by name, with interfaces, and their messages with a sender. */
import type { MemberPort } from './announcer.ts'
import type { Clock } from './clock.ts'
import { decodeEnvelope, encodeEnvelope } from './ownership/envelope.ts'
import { decodeMeta, encodeMeta, isGoodbye } from './ownership/meta.ts'
import type { Leg, ReceivedMessage } from './ownership/model.ts'
import { isLinkLocal } from './ownership/wire.ts'
import { shareSegment } from './ownership/fleet.ts'
import {
  type Membership, type MembershipEvent, openMembership,
} from './membership/net/membership.ts'
import { fromAddressBytes, toAddressBytes } from './membership/net/endpoint.ts'
import type { Drop } from './membership/model.ts'
import {
  createUnreadable, hearUnreadable, listUnreadable, unreadableNews,
} from './membership/unreadable.ts'
import type { Settings } from './membership/settings.ts'
import { type NameConflict, watchNames } from './namesake.ts'
import { formatAddress, parseAddress } from './net/address.ts'
import type { Address } from './net/model.ts'

/** A member of the ring as of now. */
export interface RingMember {
  readonly name: string
  readonly address: Address
  /** Not dead, and has not left. */
  readonly isAlive: boolean
  /** undefined = it speaks no beats: a speaker of MetalLB. */
  readonly legs: readonly Leg[] | undefined
  /** It hands over what it owns, and goes. */
  readonly isDraining: boolean
  /** `alive`, `suspect`, `dead` or `left`. */
  readonly state: string
}

export interface RingOptions {
  readonly name: string
  readonly address: Address
  readonly port: number
  readonly settings: Settings
  readonly key: Uint8Array | undefined
  readonly clock: Clock
  /** How long what was read last from a descriptor has waited in the kernel. */
  readonly ageOf: (fd: number) => number
  readonly onMessages: (messages: readonly ReceivedMessage[]) => void
  /** Members came, went or have other interfaces. */
  readonly onChange: () => void
  readonly onMember: (change: string, name: string) => void
  /** Hosts have the same name, or do no more. */
  readonly onConflicts: (conflicts: readonly NameConflict[]) => void
  /** What these send cannot be read with this member's secret, or without one; none: it has ended. */
  readonly onUnreadable: (fresh: readonly Address[]) => void
}

export interface Ring extends MemberPort, AsyncDisposable {
  members(): readonly RingMember[]
  /** Own interfaces: told to the others, and listened on. */
  setLegs(legs: readonly Leg[]): void
  /** Tells everybody that this node hands over what it owns, and goes. */
  sayGoodbye(): void
  /** Everybody who ought to be here. */
  setPeers(addresses: readonly Address[]): void
  /** What exchanges of states carry from us: read for each of them. */
  setClaims(read: () => Uint8Array): void
  /** To a member, whole or not at all: over TCP, at most 4 MiB. */
  deliver(to: string, bytes: Uint8Array): void
  /** Who ought to be met, and sends what cannot be read with this member's secret. */
  unreadable(): readonly Address[]
  /** Hosts that have the same name. */
  conflicts(): readonly NameConflict[]
  /** Others take another host for this one: it must own nothing, and what it says is not sent. */
  isYielding(): boolean
  /** For metrics. */
  readonly membership: Membership
}

const nothing = new Uint8Array()

/** Binds the membership's port; rejects where that cannot be. */
export async function openRing(options: RingOptions): Promise<Ring> {
  const { name, clock, onMessages, onChange, onMember } = options
  let legs: readonly Leg[] = []
  let isLeaving = false
  const legsByMeta = createMetaMemory()
  let byName: ReadonlyMap<string, RingMember> | undefined
  const onEvent = (event: MembershipEvent): void => {
    switch (event.kind) {
      case 'member':
        byName = undefined
        if (event.member.name !== name) names.meet()
        onMember(event.change, event.member.name)
        onChange()
        return unreadable.look()
      case 'conflict': return names.take(event)
      case 'message':
      case 'remoteState': {
        const messages = readEvent(event, options)
        if (messages.length > 0) onMessages(messages)
      }
    }
  }
  const unreadable = watchUnreadable(options, () => members())
  const tellMeta = (): void => {
    byName = undefined
    membership.setMeta(bytesOf(encodeMeta(legs, isLeaving || names.isYielding())))
  }
  const names = watchNames({
    name, clock, self: { address: toAddressBytes(options.address), port: options.port },
    greet: (to) => membership.greet(to),
    onChange: () => {
      tellMeta()
      options.onConflicts(names.list())
      onChange()
    },
  })
  const membership = await openMembership({
    name, address: options.address, port: options.port, settings: options.settings, key: options.key,
    meta: bytesOf(encodeMeta([])), incarnation: Math.floor(clock.wall().getTime() / 1_000),
    seed: Math.floor(Math.random() * 2 ** 31), now: clock.now, ageOf: options.ageOf, onEvent,
    onDrop: unreadable.take, isMistaken: names.isYielding,
  })
  const members = (): ReadonlyMap<string, RingMember> => byName ??= new Map(
    membership.members().map((member) =>
      [member.name, toRingMember(member, legsByMeta(member.name, member.meta))]),
  )
  return {
    members: () => [...members().values()],
    setLegs: (now) => {
      legs = now
      tellMeta()
      membership.setLegs(now.flatMap((leg) => addressesOf(leg)))
    },
    sayGoodbye: () => {
      isLeaving = true
      tellMeta()
    },
    setPeers: (addresses) => membership.setPeers(unreadable.expect(addresses)),
    setClaims: (read) => membership.setUserState(() => names.isYielding() ? nothing : bytesOf(read())),
    ...voiceOf({ name, membership, members, legs: () => legs, isMuted: names.isYielding }),
    conflicts: names.list,
    isYielding: names.isYielding,
    unreadable: unreadable.list,
    membership,
    [Symbol.asyncDispose]: () => {
      names[Symbol.dispose]()
      return membership[Symbol.asyncDispose]()
    },
  }
}

function readEvent(
  event: Extract<MembershipEvent, { readonly kind: 'message' | 'remoteState' }>, { name, clock }: RingOptions,
): readonly ReceivedMessage[] {
  if (event.kind === 'remoteState') {
    const { userState: bytes } = event
    return bytes.length === 0 ? [] : [{ from: '', isGossip: true, bytes, receivedAtMs: clock.now() }]
  }
  const opened = decodeEnvelope(event.payload)
  return opened === undefined || opened.from === name ? [] : [{ ...opened, receivedAtMs: event.receivedMs }]
}

interface VoiceParts {
  readonly name: string
  readonly membership: Membership
  readonly members: () => ReadonlyMap<string, RingMember>
  readonly legs: () => readonly Leg[]
  readonly isMuted: () => boolean
}

/** What this member says to others. */
function voiceOf(
  { name, membership, members, legs, isMuted }: VoiceParts,
): Pick<Ring, 'tell' | 'deliver' | 'gossip'> {
  let gossiped = 0
  return {
    deliver: (to, bytes) => {
      if (!isMuted()) membership.send(to, seal(name, bytes, false), 'stream')
    },
    tell: (to, ifindex, bytes) => {
      if (isMuted()) return
      const payload = seal(name, bytes, false)
      const leg = legs().find((own) => own.ifindex === ifindex)
      if (leg === undefined) return membership.send(to, payload, 'datagram')
      const peer = members().get(to)
      for (const { local, remote } of pathsOf(leg, peer?.legs ?? [])) {
        // One family is enough: it is the segment that is asked, not the protocol.
        if (membership.sendFrom(local, [remote], payload)) return
      }
    },
    gossip: (bytes) => {
      if (!isMuted()) membership.broadcast(`arpeggio ${gossiped++}`, seal(name, bytes, true))
    },
  }
}

type Members = ReadonlyMap<string, RingMember>

interface UnreadableWatch {
  /** Who ought to be met beside members; given back. */
  expect(peers: readonly Address[]): readonly Address[]
  take(reason: Drop, from: Address | undefined): void
  /** Somebody may have become a member. */
  look(): void
  list(): readonly Address[]
}

/** A flood must cost no more than its packets: sets are made when members or peers are others. */
function watchUnreadable({ clock, onUnreadable }: RingOptions, members: () => Members): UnreadableWatch {
  const u = createUnreadable()
  let peers: readonly Address[] = []
  const placesNow = createPlaces(() => peers, members)
  const list = (): readonly Address[] =>
    addressesOfTexts(listUnreadable(u, placesNow().living, clock.now()))
  const look = (): void => {
    if (u.heard.size + u.told.length === 0) return
    const { fresh, hasEnded } = unreadableNews(u, list().map(formatAddress))
    if (fresh.length > 0 || hasEnded) onUnreadable(addressesOfTexts(fresh))
  }
  return {
    list, look,
    expect: (addresses) => (peers = addresses),
    take: (reason, from) => {
      if (from === undefined || (reason !== 'undecryptable' && reason !== 'unencrypted')) return
      if (hearUnreadable(u, formatAddress(from), placesNow().expected, clock.now())) look()
    },
  }
}

interface Places {
  /** Of whoever ought to be met: peers, and members, whatever their state. */
  readonly expected: ReadonlySet<string>
  readonly living: ReadonlySet<string>
}

function createPlaces(peersNow: () => readonly Address[], membersNow: () => Members): () => Places {
  let of: readonly [readonly Address[], Members] | undefined
  let places: Places = { expected: new Set(), living: new Set() }
  return () => {
    const [peers, members] = [peersNow(), membersNow()]
    if (peers === of?.[0] && members === of[1]) return places
    const list = [...members.values()]
    of = [peers, members]
    places = {
      expected: new Set([...peers.map(formatAddress), ...list.flatMap(placesOf)]),
      living: new Set(list.filter(({ isAlive }) => isAlive).flatMap(placesOf)),
    }
    return places
  }
}

/** Where it sends from: its address, and those of its interfaces. */
function placesOf({ address, legs = [] }: RingMember): readonly string[] {
  return [address, ...legs.flatMap(addressesOf)].map(formatAddress)
}

function addressesOfTexts(texts: readonly string[]): readonly Address[] {
  return texts.flatMap((text) => parseAddress(text) ?? [])
}

function toRingMember(
  { name, address, state, meta }: ReturnType<Membership['members']>[number], legs: RingMember['legs'],
): RingMember {
  return {
    name, legs, state, address: fromAddressBytes(address),
    // Who has nothing to hand over leaves so soon that its goodbye need not spread.
    isDraining: isGoodbye(meta) || state === 'left',
    isAlive: state === 'alive' || state === 'suspect',
  }
}

function seal(from: string, bytes: Uint8Array, isGossip: boolean): Uint8Array<ArrayBuffer> {
  return bytesOf(encodeEnvelope({ from, isGossip, bytes }))
}

/** A copy with a buffer of its own, as the membership wants it. */
function bytesOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(bytes)
}

/** Metadata is read again only when it is other bytes. */
function createMetaMemory(): (name: string, meta: Uint8Array) => readonly Leg[] | undefined {
  const known = new Map<string, { meta: Uint8Array; legs: readonly Leg[] | undefined }>()
  return (name, meta) => {
    const before = known.get(name)
    if (before?.meta === meta) return before.legs
    const legs = decodeMeta(meta)
    known.set(name, { meta, legs })
    return legs
  }
}

/** IPv4 first; link-local addresses need a scope that datagrams here have not. */
function addressesOf(leg: Leg): readonly Address[] {
  return leg.addresses.map(({ address }) => address)
    .filter((address) => !isLinkLocal(address))
    .toSorted((a, b) => (a.family < b.family ? -1 : a.family > b.family ? 1 : 0))
}

/** Our address and the peer's on the same segment, one pair a family. */
function pathsOf(
  leg: Leg, legs: readonly Leg[],
): readonly { readonly local: Address; readonly remote: Address }[] {
  const there = legs.filter((other) => shareSegment(leg, other)).flatMap(addressesOf)
  return addressesOf(leg).flatMap((local) => {
    const remote = there.find(({ family }) => family === local.family)
    return remote === undefined ? [] : [{ local, remote }]
  })
}
