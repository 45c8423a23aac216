/** Performs what the ring decides: sockets, encryption, timers, and counts. */
import { formatAddress } from '../../net/address.ts'
import type { Address, Millis } from '../../net/model.ts'
import { membersOf, step } from '../engine.ts'
import type { Drop, Effect, Event, Member, MemberChange } from '../model.ts'
import { createRing } from '../ring.ts'
import type { Settings } from '../settings.ts'
import { type Bytes, copyBytes } from '../wire/bytes.ts'
import { codes } from '../wire/message.ts'
import { createCipher, sealBytes } from './cipher.ts'
import { openDatagrams } from './datagrams.ts'
import { createAddressBook, fromAddressBytes, toAddressBytes } from './endpoint.ts'
import { openLegs } from './legs.ts'
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
  readonly onEvent: (event: MembershipEvent) => void
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
  /** What exchanges of states carry from us. */
  setUserState(userState: Bytes): void
  /** A message to a member: as a datagram that may be lost, or over TCP. */
  send(name: string, payload: Bytes, by: 'datagram' | 'stream'): void
  /** Gossips a message to everyone; a newer one of the same key replaces it. */
  broadcast(key: string, payload: Bytes): void
  /** Further local addresses that send and receive datagrams; the whole set. */
  setLegs(addresses: readonly Address[]): void
  /** A datagram from one of our addresses to peers' addresses; false while that leg is not open. */
  sendFrom(local: Address, to: readonly Address[], payload: Bytes): boolean
}

/** What MetalLB grants a leave. */
const leaveMs = 1_000

/** Binds UDP and TCP and starts the ring; rejects where that cannot be. */
export async function openMembership(options: MembershipOptions): Promise<Membership> {
  const { settings, port, now, onEvent } = options
  const cipher = options.key === undefined ? undefined : createCipher(options.key)
  const isSealed = cipher !== undefined && settings.verifiesOutgoing
  const wantsEncryption = cipher !== undefined && settings.verifiesIncoming
  const ring = createRing({
    ...options, endpoint: { address: toAddressBytes(options.address), port },
    sealBytes: isSealed ? sealBytes : 0, random: { seed: options.seed },
  })
  const book = createAddressBook()
  const counts = { packetsSent: 0, packetsReceived: 0, streamsOpened: 0, streamsAccepted: 0 }
  const drops = new Map<Drop, number>()
  const countDrop = (reason: Drop): void => void drops.set(reason, (drops.get(reason) ?? 0) + 1)
  const left = Promise.withResolvers<void>()
  let timer: NodeJS.Timeout | undefined
  let armedMs = Number.POSITIVE_INFINITY
  let isOpen = true

  const arm = (atMs: Millis): void => {
    if (atMs === armedMs || !isOpen) return
    armedMs = atMs
    clearTimeout(timer)
    // After the timer, sockets are read once more: what arrived while we were late counts first.
    timer = setTimeout(() => setImmediate(() => {
      armedMs = Number.POSITIVE_INFINITY
      take({ kind: 'wake' })
    }), Math.max(0, Math.ceil(atMs - now())))
  }
  const take = (event: Event): void => {
    if (!isOpen) return
    for (const effect of step(ring, event, now())) perform(effect)
  }
  const seal = (plain: Bytes): Bytes => isSealed && cipher !== undefined ? cipher.seal(plain) : plain
  /** The plaintext of a datagram; undefined where it is not for us. */
  const unseal = (packet: Bytes): Bytes | undefined => {
    counts.packetsReceived++
    const plain = cipher?.open(packet)
    if (plain !== undefined) return plain
    if (!wantsEncryption && packet[0] !== codes.label) return packet
    countDrop(packet[0] === codes.label ? 'label' : 'undecryptable')
    return undefined
  }
  const hear = (plain: Bytes, from: string, local: Address): void => onEvent({
    kind: 'message', payload: copyBytes(plain.subarray(1)), from: fromAddressBytes(book.bytesOf(from)),
    local, isReliable: false, receivedMs: now(),
  })
  const perform = (effect: Effect): void => {
    switch (effect.kind) {
      case 'sendPacket':
        counts.packetsSent++
        datagrams.send(seal(effect.packet), book.textOf(effect.to.address), effect.to.port)
        return
      case 'openStream':
        counts.streamsOpened++
        streams.open(effect.stream, book.textOf(effect.to.address), effect.to.port)
        return
      case 'sendStream': return streams.send(effect.stream, effect.content)
      case 'closeStream': return streams.close(effect.stream)
      case 'member':
      case 'remoteState':
        return onEvent(effect)
      case 'message': {
        const from = fromAddressBytes(effect.from.address)
        return onEvent({ ...effect, from, local: options.address, receivedMs: now() })
      }
      case 'leftRing': return left.resolve()
      case 'drop': return countDrop(effect.reason)
      case 'wake': return arm(effect.atMs)
    }
  }

  const datagrams = await openDatagrams({
    address: formatAddress(options.address), port,
    onPacket: (packet, from, fromPort) => {
      const plain = unseal(packet)
      if (plain === undefined || !isOpen) return
      // Beats are many: they need nothing of the ring.
      if (plain[0] === codes.user) return hear(plain, from, options.address)
      take({ kind: 'packet', packet: plain, from: { address: book.bytesOf(from), port: fromPort } })
    },
    onSendFailure: (to, toPort) =>
      take({ kind: 'sendFailed', to: { address: book.bytesOf(to), port: toPort } }),
    onError: () => countDrop('sendFailed'),
  })
  const streams: Streams = await openStreams({
    address: formatAddress(options.address), port, cipher, isSealed, wantsEncryption,
    on: {
      accepted: (stream, from, fromPort) => {
        counts.streamsAccepted++
        take({ kind: 'streamAccepted', stream, from: { address: book.bytesOf(from), port: fromPort } })
      },
      opened: (stream) => take({ kind: 'streamOpened', stream }),
      bytes: (stream, bytes) => take({ kind: 'streamBytes', stream, bytes }),
      closed: (stream) => take({ kind: 'streamClosed', stream }),
      failed: (stream) => take({ kind: 'streamFailed', stream }),
      drop: countDrop,
    },
  }).catch(async (error: unknown) => {
    await datagrams.close()
    throw error
  })
  const legs = openLegs({ main: options.address, datagrams, port, drop: countDrop,
    onPacket: (packet, from, local) => {
      const plain = unseal(packet)
      if (plain === undefined || !isOpen) return
      // Gossip belongs to the address that the ring knows.
      if (plain[0] === codes.user) hear(plain, from, local)
      else countDrop('wrongSocket')
    } })
  let closing: Promise<void> | undefined
  const close = async (): Promise<void> => {
    take({ kind: 'leave', timeoutMs: leaveMs })
    await left.promise
    isOpen = false
    clearTimeout(timer)
    await legs.end()
    await datagrams.close()
    await streams.end()
  }
  take({ kind: 'start' })
  return {
    members: () => membersOf(ring),
    health: () => ring.health,
    counts: () => ({ ...counts, drops }),
    setPeers: (addresses) =>
      take({ kind: 'peers', peers: addresses.map((address) => ({ address: toAddressBytes(address), port })) }),
    setMeta: (meta) => take({ kind: 'meta', meta }),
    setUserState: (userState) => take({ kind: 'userState', userState }),
    send: (to, payload, by) => take({ kind: 'send', to, payload, isReliable: by === 'stream' }),
    broadcast: (key, payload) => take({ kind: 'broadcast', key, payload }),
    setLegs: legs.set,
    sendFrom: (local, to, payload) => {
      const leg = isOpen ? legs.find(local) : undefined
      if (leg === undefined) return false
      const plain = new Uint8Array(payload.length + 1)
      plain[0] = codes.user
      plain.set(payload, 1)
      const packet = seal(plain)
      for (const address of to) leg.send(packet, formatAddress(address), port)
      counts.packetsSent += to.length
      return true
    },
    [Symbol.asyncDispose]: () => (closing ??= close()),
  }
}
