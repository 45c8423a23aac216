/** The state of one member: the nodes it knows, its timers and its queue; and how it sends. */
import { createSchedule, insertAt, type Schedule } from '../l2/schedule.ts'
import type { Millis } from '../net/model.ts'
import type { Drop, Effect, Endpoint, Member, MemberChange } from './model.ts'
import { createQueue, enqueue, type Queue, takeBroadcasts } from './queue.ts'
import type { Random } from './random.ts'
import type { Settings } from './settings.ts'
import { retransmitLimit, type SuspicionTimes } from './timing.ts'
import { type Bytes, isSameBytes } from './wire/bytes.ts'
import { type Alive, encodeMessage, type Message, type NodeState, ourVersions } from './wire/message.ts'
import { compoundBytes, joinParts, maxParts, partBytes, wrapPacket } from './wire/packet.ts'

export interface Suspicion {
  readonly startedMs: Millis
  readonly times: SuspicionTimes
  /** Who has said it; the first one started it. */
  readonly from: Set<string>
  dueMs: Millis
}

/** Mutable; the address is kept as received, for others compare its bytes. */
export interface Node {
  readonly name: string
  address: Bytes
  port: number
  meta: Bytes | undefined
  versions: Bytes
  incarnation: number
  state: NodeState
  sinceMs: Millis
  suspicion: Suspicion | undefined
}

/** One round of the failure detector; the target as it was when the round began. */
export interface Probe {
  readonly seqNo: number
  readonly target: Readonly<Pick<Node, 'name' | 'address' | 'port' | 'incarnation' | 'versions'>>
  readonly endMs: Millis
  isDirect: boolean
  isReachedByStream: boolean
  expectedNacks: number
  nacks: number
}

/** A ping we sent for somebody else. */
export interface Relay {
  readonly requester: Endpoint
  readonly seqNo: number
  readonly wantsNack: boolean
}

/** An address that ought to be a member. */
export interface Peer extends Endpoint {
  failures: number
  nextMs: Millis
  isTrying: boolean
}

export type Purpose = 'accepted' | 'join' | 'periodic' | 'ping' | 'user'

export interface Stream {
  readonly id: number
  readonly purpose: Purpose
  readonly to: Endpoint
  readonly deadlineMs: Millis
  /** What we send once it is open; undefined for accepted ones. */
  readonly content: Bytes | undefined
  readonly seqNo: number
  readonly peer: Peer | undefined
  received: Bytes
}

export type Timer =
  | { readonly kind: 'probe' | 'gossip' | 'pushPull' | 'peers' | 'leave' }
  | { readonly kind: 'probeLate' | 'probeEnd'; readonly probe: Probe }
  | { readonly kind: 'relayEnd'; readonly seqNo: number }
  | { readonly kind: 'suspicion'; readonly node: Node; readonly suspicion: Suspicion }
  | { readonly kind: 'stream'; readonly stream: Stream }

export interface RingOptions {
  readonly settings: Settings
  /** A byte string: ASCII as Kubernetes names are. */
  readonly name: string
  /** What others are told; IPv4 in 4 bytes. */
  readonly endpoint: Endpoint
  readonly meta: Bytes
  /**
   * First incarnation. Unix seconds outlive what others remember of an earlier life, so that a
   * restarted node need not first hear of its own death (memberlist issue 311).
   */
  readonly incarnation: number
  /** Bytes that encryption adds to a packet: 29, or 0 without a key. */
  readonly sealBytes: number
  readonly random: Random
}

/** Mutable, owned by one loop; only `step` writes it. */
export interface Ring {
  readonly options: RingOptions
  readonly settings: Settings
  readonly random: Random
  readonly self: Node
  /** In probe order. */
  readonly nodes: Node[]
  readonly byName: Map<string, Node>
  readonly queue: Queue
  readonly timers: Schedule<Timer>
  readonly relays: Map<number, Relay>
  readonly streams: Map<number, Stream>
  peers: readonly Peer[]
  /** Read for each exchange: it is long, and tells of the time that has passed. */
  userState: () => Bytes
  seqNo: number
  lastStream: number
  health: number
  probe: Probe | undefined
  probeIndex: number
  hasMissedProbe: boolean
  gossipPhaseMs: Millis
  isGossipDue: boolean
  leaving: 'no' | 'spreading' | 'done'
  nowMs: Millis
  effects: Effect[]
}

const nothing = new Uint8Array()

export function createRing(options: RingOptions): Ring {
  const { settings, name, endpoint, meta, random, incarnation } = options
  const self: Node = {
    name, address: endpoint.address, port: endpoint.port, meta: meta.length === 0 ? undefined : meta,
    versions: ourVersions, incarnation, state: 'dead', sinceMs: 0, suspicion: undefined,
  }
  return {
    options, settings, random, self, nodes: [self], byName: new Map([[name, self]]),
    queue: createQueue(), timers: createSchedule(), relays: new Map(), streams: new Map(), peers: [],
    userState: () => nothing, seqNo: 0, lastStream: 0, health: 0, probe: undefined, probeIndex: 0,
    hasMissedProbe: false, gossipPhaseMs: 0, isGossipDue: false, leaving: 'no', nowMs: 0, effects: [],
  }
}

/** What others may see of a node. */
export function memberOf(ring: Ring, node: Node): Member {
  const { name, address, port, state, incarnation, sinceMs } = node
  const meta = node.meta ?? new Uint8Array()
  return { name, address, port, state, meta, incarnation, sinceMs, isSelf: node === ring.self }
}

export function tell(ring: Ring, change: MemberChange, node: Node): void {
  ring.effects.push({ kind: 'member', change, member: memberOf(ring, node) })
}

export function drop(ring: Ring, reason: Drop): void {
  ring.effects.push({ kind: 'drop', reason })
}

export function setTimer(ring: Ring, atMs: Millis, timer: Timer): void {
  insertAt(ring.timers, atMs, timer)
}

/** Lifeguard's health score: 0 is well; each point stretches the probe rounds by their length. */
export function addHealth(ring: Ring, points: number): void {
  const most = Math.max(1, ring.settings.awarenessMaxMultiplier) - 1
  ring.health = Math.min(most, Math.max(0, ring.health + points))
}

/** The next number of the counter that probes and relays share. */
export function nextSeqNo(ring: Ring): number {
  ring.seqNo = (ring.seqNo + 1) >>> 0
  return ring.seqNo
}

/** Alive or suspect: what the library calls a member. */
export function isLive({ state }: Node): boolean {
  return state === 'alive' || state === 'suspect'
}

export function isSameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return a.port === b.port && isSameBytes(plainAddress(a.address), plainAddress(b.address))
}

/** An IPv4 address in 4 bytes, whichever way it came. */
export function plainAddress(address: Bytes): Bytes {
  const isMapped = address.length === 16 && address[10] === 255 && address[11] === 255 &&
    address.subarray(0, 10).every((byte) => byte === 0)
  return isMapped ? address.subarray(12) : address
}

/** What we or others say of a node that lives. */
export function aliveOf({ name, incarnation, address, port, meta, versions }: Node): Alive {
  return { kind: 'alive', name, incarnation, address, port, meta, versions }
}

/** Queues a message for gossip, in place of an older one of the same key. */
export function broadcast(ring: Ring, key: string, message: Message, isLeave = false): void {
  const finishedLeave = enqueue(ring.queue, { key, message: encodeMessage(message), isLeave })
  if (finishedLeave && !isLeave) finishLeave(ring, true)
  armGossip(ring)
}

/** An idle ring sends nothing, so its gossip timer runs only while something waits. */
export function armGossip(ring: Ring): void {
  const { gossipIntervalMs, gossipNodes } = ring.settings
  if (ring.isGossipDue || gossipIntervalMs <= 0 || gossipNodes <= 0) return
  if (ring.queue.entries.length === 0) return
  ring.isGossipDue = true
  const passed = Math.floor((ring.nowMs - ring.gossipPhaseMs) / gossipIntervalMs)
  setTimer(ring, ring.gossipPhaseMs + Math.max(0, passed + 1) * gossipIntervalMs, { kind: 'gossip' })
}

/** Ends the wait of our leave. */
export function finishLeave(ring: Ring, isComplete: boolean): void {
  if (ring.leaving !== 'spreading') return
  ring.leaving = 'done'
  ring.effects.push({ kind: 'leftRing', isComplete })
}

/** Shorter messages never shrink, so they are not tried. */
const minCompressedBytes = 100

/** Sends one finished message, plain or compound. */
function sendWhole(ring: Ring, to: Endpoint, message: Bytes, hasChecksum: boolean): void {
  const isCompressed = ring.settings.isCompressed && message.length >= minCompressedBytes
  ring.effects.push({ kind: 'sendPacket', to, packet: wrapPacket(message, { isCompressed, hasChecksum }) })
}

/** Sends a message at once, by itself. */
export function sendAlone(ring: Ring, to: Endpoint, message: Message): void {
  sendWhole(ring, to, encodeMessage(message), false)
}

/** The same messages in one packet, to a node whose versions are known. */
export function sendTogether(ring: Ring, to: Pick<Node, 'address' | 'port' | 'versions'>,
  messages: readonly Message[]): void {
  sendWhole(ring, to, joinParts(messages.map(encodeMessage)), hasChecksums(to))
}

/** Sends a message at once, with broadcasts in what is left of the packet. */
export function sendWithGossip(ring: Ring, to: Endpoint, message: Message): void {
  const bytes = encodeMessage(message)
  const mostBytes = ring.settings.packetBytes - bytes.length - compoundBytes - ring.options.sealBytes
  const parts = takeFromQueue(ring, mostBytes - partBytes, maxParts - 1)
  sendWhole(ring, to, joinParts([bytes, ...parts]), false)
}

/** Sends broadcasts only; false when none waits. */
export function sendGossip(ring: Ring, to: Node): boolean {
  const mostBytes = ring.settings.packetBytes - compoundBytes - ring.options.sealBytes
  const parts = takeFromQueue(ring, mostBytes, maxParts)
  if (parts.length === 0) return false
  sendWhole(ring, to, joinParts(parts), hasChecksums(to))
  return true
}

function takeFromQueue(ring: Ring, mostBytes: number, mostCount: number): readonly Bytes[] {
  const limit = retransmitLimit(ring.settings.retransmitMult, ring.nodes.length)
  const taken = takeBroadcasts(ring.queue, { overheadBytes: partBytes, mostBytes, mostCount, limit })
  if (taken.finishedLeave) finishLeave(ring, true)
  return taken.messages
}

/** Since protocol version 5 a receiver knows the checksum wrapper. */
function hasChecksums({ versions }: Pick<Node, 'versions'>): boolean {
  return (versions[1] ?? 0) >= 5
}
