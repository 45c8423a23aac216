/** Performs what the ring decides: sockets, encryption, timers, and counts. */
import { formatAddress } from '../../net/address.ts'
import type { Address, Millis } from '../../net/model.ts'
import { membersOf } from '../engine.ts'
import type { Drop, Effect, Endpoint, Member, MemberChange } from '../model.ts'
import { createRing, type Ring } from '../ring.ts'
import type { Settings } from '../settings.ts'
import { type Bytes, copyBytes } from '../wire/bytes.ts'
import { codes } from '../wire/message.ts'
import { createCipher, sealBytes } from './cipher.ts'
import { type Datagrams, openDatagrams } from './datagrams.ts'
import { type AddressBook, createAddressBook, fromAddressBytes, toAddressBytes } from './endpoint.ts'
import { createEnvelope, type Envelope } from './envelope.ts'
import { type Arrival, type Legs, openLegs } from './legs.ts'
import { createRunner, type Runner } from './runner.ts'
import { openStreams, type Streams } from './streams.ts'

export interface MembershipOptions {
  /** Name of this node; ASCII. */
  readonly name: string
  /** The node's own address: what others dial. Not the unspecified one. */
  readonly address: Address
  readonly port: number
  readonly settings: Settings
  /** AES key of 16, 24 or 32 bytes; undefined = plain text. See `deriveKey`. */
  readonly key: Bytes | undefined
  readonly meta: Bytes
  /** First incarnation, best unix seconds; 1 is what MetalLB starts with. */
  readonly incarnation: number
  readonly seed: number
  readonly now: () => Millis
  /** How long what was read last from a descriptor has waited in the kernel; undefined = nobody knows. */
  readonly ageOf?: (fd: number) => Millis
  readonly onEvent: (event: MembershipEvent) => void
  /** Something that came was thrown away; `from`, where it is known and the reason lies in what came. */
  readonly onDrop?: (reason: Drop, from: Address | undefined) => void
  /** Whether the others take somebody else for this node: then they are not told that it leaves. */
  readonly isMistaken?: () => boolean
}

export type MembershipEvent =
  | { readonly kind: 'member'; readonly change: MemberChange; readonly member: Member }
  /**
   * A user message. `local` is our address it came to, `from` the sender's; with a key, somebody who
   * has it sent these bytes, which does not say who, nor when.
   */
  | { readonly kind: 'message'; readonly payload: Bytes; readonly from: Address; readonly local: Address
      readonly isReliable: boolean; readonly receivedMs: Millis }
  | { readonly kind: 'remoteState'; readonly userState: Bytes; readonly isJoin: boolean }
  | Extract<Effect, { readonly kind: 'conflict' }>

/** Totals since the start. */
export interface MembershipCounts {
  readonly packetsSent: number
  readonly packetsReceived: number
  readonly streamsOpened: number
  readonly streamsAccepted: number
  readonly drops: ReadonlyMap<Drop, number>
}

/** A member of the ring; disposing leaves it gracefully, within a second, as MetalLB does. */
export interface Membership extends AsyncDisposable {
  /** Every known node by name, itself, suspects, dead and left ones included. */
  members(): readonly Member[]
  /** Lifeguard's score: 0 is well. */
  health(): number
  counts(): MembershipCounts
  /** Addresses of everybody who ought to be here; they are joined until they are. */
  setPeers(addresses: readonly Address[]): void
  /** At most 512 bytes; spreads at once. */
  setMeta(meta: Bytes): void
  /** What exchanges of states carry from us: read for each of them. */
  setUserState(userState: () => Bytes): void
  /** A message to a member: as a datagram that may be lost, or over TCP. */
  send(name: string, payload: Bytes, by: 'datagram' | 'stream'): void
  /** Gossips a message to everyone; a newer one of the same key replaces it. */
  broadcast(key: string, payload: Bytes): void
  /** Tells somebody of this node who is no member: one of its name. */
  greet(to: Endpoint): void
  /** Further local addresses that send and receive datagrams; the whole set. */
  setLegs(addresses: readonly Address[]): void
  /** A datagram from one of our addresses to peers' addresses; false while that leg is not open. */
  sendFrom(local: Address, to: readonly Address[], payload: Bytes): boolean
}

/** What MetalLB grants a leave. */
const leaveMs = 1_000

/** Totals that grow, and what the parts share. */
interface Parts {
  readonly options: MembershipOptions
  readonly ring: Ring
  readonly envelope: Envelope
  readonly book: AddressBook
  readonly counts: {
    packetsSent: number; packetsReceived: number; streamsOpened: number; streamsAccepted: number
  }
  readonly drops: Map<Drop, number>
  /** Of the datagram that the ring is told of just now. */
  ageMs: Millis
  countDrop(reason: Drop, from?: string): void
}

function createParts(options: MembershipOptions): Parts {
  const { settings, key, port, seed } = options
  const envelope = createEnvelope(settings, key === undefined ? undefined : createCipher(key))
  const drops = new Map<Drop, number>()
  const book = createAddressBook()
  return {
    options, envelope, drops, ageMs: 0, book,
    ring: createRing({
      ...options, endpoint: { address: toAddressBytes(options.address), port },
      sealBytes: envelope.isSealed ? sealBytes : 0, random: { seed },
    }),
    counts: { packetsSent: 0, packetsReceived: 0, streamsOpened: 0, streamsAccepted: 0 },
    countDrop: (reason, from) => {
      drops.set(reason, (drops.get(reason) ?? 0) + 1)
      const bytes = book.bytesOf(from ?? '')
      options.onDrop?.(reason, bytes.length === 0 ? undefined : fromAddressBytes(bytes))
    },
  }
}

/** Binds UDP and TCP and starts the ring; rejects where that cannot be. */
export async function openMembership(options: MembershipOptions): Promise<Membership> {
  const parts = createParts(options)
  const { ring, counts, countDrop } = parts
  const left = Promise.withResolvers<void>()
  const runner = createRunner(ring, options.now, (effect) => {
    if (effect.kind === 'leftRing') left.resolve()
    else perform(parts, effect, { datagrams, streams })
  })
  const datagrams = await bindDatagrams(parts, runner)
  const streams = await listen(parts, runner).catch(async (error: unknown) => {
    await datagrams.close()
    throw error
  })
  const legs = openLegs({
    main: options.address, datagrams, port: options.port, drop: countDrop, ageOf: options.ageOf,
    onPacket: (packet, from, at) => {
      const plain = unseal(parts, packet, from)
      if (plain === undefined) return
      // Gossip belongs to the address that the ring knows.
      if (plain[0] === codes.user) hear(parts, plain, from, at)
      else countDrop('wrongSocket')
    },
  })
  const close = async (): Promise<void> => {
    if (options.isMistaken?.() !== true) {
      runner.take({ kind: 'leave', timeoutMs: leaveMs })
      await left.promise
    }
    runner.stop()
    await Promise.all([legs.end(), datagrams.close(), streams.end()])
  }
  let closing: Promise<void> | undefined
  runner.take({ kind: 'start' })
  return {
    ...orders(runner, options.port),
    members: () => membersOf(ring),
    health: () => ring.health,
    counts: () => ({ ...counts, drops: parts.drops }),
    setLegs: legs.set,
    sendFrom: (local, to, payload) => closing === undefined && sendFrom(parts, legs, { local, to, payload }),
    [Symbol.asyncDispose]: () => (closing ??= close()),
  }
}

type Orders = Pick<Membership, 'setPeers' | 'setMeta' | 'setUserState' | 'send' | 'broadcast' | 'greet'>

function orders({ take }: Runner, port: number): Orders {
  return {
    setPeers: (addresses) => {
      const peers = addresses.map((address) => ({ address: toAddressBytes(address), port }))
      take({ kind: 'peers', peers })
    },
    setMeta: (meta) => take({ kind: 'meta', meta }),
    setUserState: (userState) => take({ kind: 'userState', userState }),
    send: (to, payload, by) => take({ kind: 'send', to, payload, isReliable: by === 'stream' }),
    greet: (to) => take({ kind: 'greet', to }),
    broadcast: (key, payload) => take({ kind: 'broadcast', key, payload }),
  }
}

function bindDatagrams(parts: Parts, { take }: Runner): Promise<Datagrams> {
  const { options, book, countDrop } = parts
  return openDatagrams({
    address: formatAddress(options.address), port: options.port,
    ageOf: options.ageOf,
    onPacket: (packet, from, port, ageMs) => {
      const plain = unseal(parts, packet, from)
      if (plain === undefined) return
      // Beats are many, and need nothing of the ring.
      if (plain[0] === codes.user) return hear(parts, plain, from, { local: options.address, ageMs })
      parts.ageMs = ageMs
      take({ kind: 'packet', packet: plain, from: { address: book.bytesOf(from), port } })
      parts.ageMs = 0
    },
    onSendFailure: (to, port) => take({ kind: 'sendFailed', to: { address: book.bytesOf(to), port } }),
    onError: () => countDrop('sendFailed'),
  })
}

function listen({ options, envelope, book, counts, countDrop }: Parts, { take }: Runner): Promise<Streams> {
  return openStreams({
    ...envelope, address: formatAddress(options.address), port: options.port,
    on: {
      accepted: (stream, from, port) => {
        counts.streamsAccepted++
        take({ kind: 'streamAccepted', stream, from: { address: book.bytesOf(from), port } })
      },
      opened: (stream) => take({ kind: 'streamOpened', stream }),
      bytes: (stream, bytes) => take({ kind: 'streamBytes', stream, bytes }),
      closed: (stream) => take({ kind: 'streamClosed', stream }),
      failed: (stream) => take({ kind: 'streamFailed', stream }),
      drop: countDrop,
    },
  })
}

/** The plaintext of a datagram; undefined, and counted, where it is not for us. */
function unseal({ envelope, counts, countDrop }: Parts, packet: Bytes, from: string): Bytes | undefined {
  counts.packetsReceived++
  const plain = envelope.open(packet)
  if (typeof plain !== 'string') return plain
  countDrop(plain, from)
  return undefined
}

/** A datagram that is one user message. */
function hear({ options, book }: Parts, plain: Bytes, from: string, { local, ageMs }: Arrival): void {
  options.onEvent({
    kind: 'message', payload: copyBytes(plain.subarray(1)), from: fromAddressBytes(book.bytesOf(from)),
    local, isReliable: false, receivedMs: options.now() - ageMs,
  })
}

function sendFrom(
  { envelope, counts, options }: Parts, legs: Legs,
  { local, to, payload }: { local: Address; to: readonly Address[]; payload: Bytes },
): boolean {
  const leg = legs.find(local)
  if (leg === undefined) return false
  const plain = new Uint8Array(payload.length + 1)
  plain[0] = codes.user
  plain.set(payload, 1)
  const packet = envelope.seal(plain)
  for (const address of to) leg.send(packet, formatAddress(address), options.port)
  counts.packetsSent += to.length
  return true
}

interface Sockets {
  readonly datagrams: Datagrams
  readonly streams: Streams
}

type Performed = Exclude<Effect, { readonly kind: 'wake' | 'leftRing' }>

function perform(parts: Parts, effect: Performed, { datagrams, streams }: Sockets): void {
  const { options, envelope, book, counts, countDrop } = parts
  switch (effect.kind) {
    case 'sendPacket':
      counts.packetsSent++
      datagrams.send(envelope.seal(effect.packet), book.textOf(effect.to.address), effect.to.port)
      return
    case 'openStream':
      counts.streamsOpened++
      streams.open(effect.stream, book.textOf(effect.to.address), effect.to.port)
      return
    case 'sendStream': return streams.send(effect.stream, effect.content)
    case 'closeStream': return streams.close(effect.stream)
    case 'drop': return countDrop(effect.reason)
    case 'member':
    case 'conflict':
    case 'remoteState':
      return options.onEvent(effect)
    case 'message':
      return options.onEvent({
        ...effect, from: fromAddressBytes(effect.from.address), local: options.address,
        receivedMs: options.now() - parts.ageMs,
      })
  }
}
