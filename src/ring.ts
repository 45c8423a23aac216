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
import type { Settings } from './membership/settings.ts'
import { type NameConflict, watchNames } from './namesake.ts'
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
  /** Somebody sends what cannot be read with this member's secret, or without one: told once a minute. */
  readonly onUnreadable: () => void
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
  /** In the last minute somebody sent what cannot be read with this member's secret. */
  isUnreadable(): boolean
  /** Hosts that have the same name. */
  conflicts(): readonly NameConflict[]
  /** Others take another host for this one: it must own nothing, and what it says is not sent. */
  isYielding(): boolean
  /** For metrics. */
  readonly membership: Membership
}

const unreadableMs = 60_000
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
        return
      case 'conflict': return names.take(event)
      case 'message':
      case 'remoteState': {
        const messages = readEvent(event, options)
        if (messages.length > 0) onMessages(messages)
      }
    }
  }
  const unreadable = watchUnreadable(options)
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
    setPeers: (addresses) => membership.setPeers(addresses),
    setClaims: (read) => membership.setUserState(() => names.isYielding() ? nothing : bytesOf(read())),
    ...voiceOf({ name, membership, members, legs: () => legs, isMuted: names.isYielding }),
    conflicts: names.list,
    isYielding: names.isYielding,
    isUnreadable: unreadable.isRecent,
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

interface Unreadable {
  take(reason: Drop): void
  isRecent(): boolean
}

function watchUnreadable({ clock, onUnreadable }: RingOptions): Unreadable {
  let [lastMs, toldMs] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]
  return {
    take: (reason) => {
      if (reason !== 'undecryptable' && reason !== 'unencrypted') return
      lastMs = clock.now()
      if (lastMs - toldMs < unreadableMs) return
      toldMs = lastMs
      onUnreadable()
    },
    isRecent: () => clock.now() - lastMs < unreadableMs,
  }
}

function toRingMember(
  { name, address, state, meta }: ReturnType<Membership['members']>[number], legs: RingMember['legs'],
): RingMember {
  return {
    name, legs, state, address: fromAddressBytes(address), isDraining: isGoodbye(meta),
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
