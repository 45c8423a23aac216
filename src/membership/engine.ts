/** One member of a ring: takes events, returns what the shell must perform. */
import { nextDueMs, takeDue } from '../l2/schedule.ts'
import type { Millis } from '../net/model.ts'
import {
  acceptStream, expireStream, openPushPull, openUserMessage, streamBytes, streamGone, streamOpened,
} from './exchange.ts'
import type { Effect, Endpoint, Event, Member } from './model.ts'
import { lookForPeers, setPeers, startPeers } from './peers.ts'
import {
  endRelay, hearAck, hearIndirectPing, hearNack, hearPing, probeEnd, probeLate, probeTick, sendFailed,
} from './probe.ts'
import { nextRandom, pickRandom } from './random.ts'
import {
  aliveOf, armGossip, broadcast, drop, finishLeave, isLive, memberOf, type Ring, sendAlone, sendGossip,
  sendTogether, setTimer, type Timer,
} from './ring.ts'
import { endSuspicion, hearAlive, hearDead, hearSuspect } from './rules.ts'
import { pushPullMs } from './timing.ts'
import { type Bytes, isSameBytes } from './wire/bytes.ts'
import { maxMetaBytes, type Message } from './wire/message.ts'
import { compoundBytes, partBytes, unwrapPacket } from './wire/packet.ts'
import { maxStreamBytes } from './wire/stream.ts'

/** Nodes that are told of our leave at once, besides the gossip. */
const maxFarewells = 64

/** Takes one event at `now` (monotonic) and returns what the shell must perform, in order. */
export function step(ring: Ring, event: Event, now: Millis): readonly Effect[] {
  const effects: Effect[] = []
  ring.nowMs = now
  ring.effects = effects
  take(ring, event)
  for (;;) {
    const timer = takeDue(ring.timers, now)
    if (timer === undefined) break
    fire(ring, timer)
  }
  const atMs = nextDueMs(ring.timers)
  if (atMs !== undefined) effects.push({ kind: 'wake', atMs })
  return effects
}

/** All nodes this ring knows, itself included, in order of their names. */
export function membersOf(ring: Ring): readonly Member[] {
  return ring.nodes.map((node) => memberOf(ring, node))
    .toSorted((a, b) => a.name < b.name ? -1 : 1)
}

function take(ring: Ring, event: Event): void {
  switch (event.kind) {
    case 'start': return start(ring)
    case 'packet': return takePacket(ring, event.packet, event.from)
    case 'sendFailed': return sendFailed(ring, event.to)
    case 'peers': return setPeers(ring, event.peers)
    case 'meta': return setMeta(ring, event.meta)
    case 'userState':
      ring.userState = event.userState
      return
    case 'send': return sendUser(ring, event.to, event.payload, event.isReliable)
    case 'broadcast': return broadcastUser(ring, event.key, event.payload)
    case 'greet': return sendAlone(ring, event.to, aliveOf(ring.self))
    case 'leave': return leave(ring, event.timeoutMs)
    case 'streamAccepted': return acceptStream(ring, event.stream, event.from)
    case 'streamOpened': return streamOpened(ring, event.stream)
    case 'streamBytes': return streamBytes(ring, event.stream, event.bytes)
    case 'streamClosed': return streamGone(ring, event.stream, false)
    case 'streamFailed': return streamGone(ring, event.stream, true)
    case 'wake': return
  }
}

function fire(ring: Ring, timer: Timer): void {
  switch (timer.kind) {
    case 'probe': return probeTick(ring)
    case 'probeLate': return probeLate(ring, timer.probe)
    case 'probeEnd': return probeEnd(ring, timer.probe)
    case 'relayEnd': return endRelay(ring, timer.seqNo)
    case 'gossip': return gossip(ring)
    case 'pushPull': return exchange(ring)
    case 'peers': return lookForPeers(ring)
    case 'suspicion': return endSuspicion(ring, timer.node, timer.suspicion)
    case 'stream': return expireStream(ring, timer.stream)
    case 'leave': return finishLeave(ring, false)
  }
}

/** Phases are random, so that nodes started together do not speak together. */
function start(ring: Ring): void {
  const { settings, random, nowMs } = ring
  const { probeIntervalMs, gossipIntervalMs, pushPullIntervalMs } = settings
  ring.gossipPhaseMs = nowMs + nextRandom(random) * gossipIntervalMs
  hearAlive(ring, aliveOf(ring.self), 'self')
  if (probeIntervalMs > 0) {
    setTimer(ring, nowMs + probeIntervalMs * (1 + nextRandom(random)), { kind: 'probe' })
  }
  if (pushPullIntervalMs > 0) {
    setTimer(ring, nowMs + pushPullIntervalMs * (1 + nextRandom(random)), { kind: 'pushPull' })
  }
  startPeers(ring)
}

function takePacket(ring: Ring, packet: Bytes, from: Endpoint): void {
  const { messages, failures } = unwrapPacket(packet)
  for (const failure of failures) drop(ring, failure)
  for (const message of messages) hear(ring, message, from)
}

function hear(ring: Ring, message: Message, from: Endpoint): void {
  switch (message.kind) {
    case 'ping': return hearPing(ring, message, from)
    case 'indirectPing': return hearIndirectPing(ring, message, from)
    case 'ack': return hearAck(ring, message.seqNo)
    case 'nack': return hearNack(ring, message.seqNo)
    case 'alive': return hearAlive(ring, message, 'other')
    case 'suspect': return hearSuspect(ring, message)
    case 'dead': return hearDead(ring, message)
    case 'user':
      ring.effects.push({ kind: 'message', payload: message.payload, from, isReliable: false })
      return
    case 'error': return drop(ring, 'unknownType')
  }
}

/** One round of gossip; none while nothing waits, or for nobody: whoever comes is news, which begins it. */
function gossip(ring: Ring): void {
  ring.isGossipDue = false
  const { gossipNodes, gossipToTheDeadMs } = ring.settings
  const listeners = ring.nodes.filter((node) => node !== ring.self && (isLive(node) ||
    (node.state === 'dead' && ring.nowMs - node.sinceMs <= gossipToTheDeadMs)))
  if (listeners.length === 0) return
  for (const node of pickRandom(ring.random, listeners, gossipNodes)) {
    if (!sendGossip(ring, node)) break
  }
  armGossip(ring)
}

/** The regular exchange with one live node. */
function exchange(ring: Ring): void {
  const { pushPullIntervalMs } = ring.settings
  setTimer(ring, ring.nowMs + pushPullMs(pushPullIntervalMs, ring.nodes.length), { kind: 'pushPull' })
  const alive = ring.nodes.filter((node) => node !== ring.self && node.state === 'alive')
  const [node] = pickRandom(ring.random, alive, 1)
  if (node !== undefined) openPushPull(ring, node, undefined)
}

function setMeta(ring: Ring, meta: Bytes): void {
  const { self } = ring
  if (meta.length > maxMetaBytes) return drop(ring, 'tooLong')
  if (isSameBytes(meta, self.meta ?? new Uint8Array())) return
  const incarnation = (self.incarnation + 1) >>> 0
  const next = meta.length === 0 ? undefined : meta
  hearAlive(ring, { ...aliveOf(self), incarnation, meta: next }, 'self')
}

function sendUser(ring: Ring, name: string, payload: Bytes, isReliable: boolean): void {
  const to = ring.byName.get(name)
  if (to === undefined || to === ring.self || !isLive(to)) return drop(ring, 'unknownMember')
  const mostBytes = isReliable ? maxStreamBytes / 2 : ring.settings.packetBytes
  if (payload.length > mostBytes) return drop(ring, 'tooLong')
  const { address, port } = to
  if (isReliable) openUserMessage(ring, to, payload)
  else sendAlone(ring, { address, port }, { kind: 'user', payload })
}

function broadcastUser(ring: Ring, key: string, payload: Bytes): void {
  const { settings, options } = ring
  const mostBytes = settings.packetBytes - options.sealBytes - compoundBytes - partBytes - 1
  if (payload.length > mostBytes) return drop(ring, 'tooLong')
  // No node can have such a name, so that keys of the two kinds never meet.
  broadcast(ring, `/${key}`, { kind: 'user', payload })
}

/** Says that we leave: to those we know at once, then by gossip until it has spread. */
function leave(ring: Ring, timeoutMs: Millis): void {
  if (ring.leaving !== 'no') return
  ring.leaving = 'spreading'
  const { name, incarnation } = ring.self
  const others = ring.nodes.filter((node) => node !== ring.self && isLive(node))
  const farewell: Message = { kind: 'dead', name, incarnation, from: name }
  hearDead(ring, { kind: 'dead', name, incarnation, from: name })
  for (const node of pickRandom(ring.random, others, maxFarewells)) sendTogether(ring, node, [farewell])
  if (others.length === 0) finishLeave(ring, true)
  else setTimer(ring, ring.nowMs + timeoutMs, { kind: 'leave' })
}
