/** Streams: exchanges of whole states, fallback pings, and user messages that must arrive. */
import type { Endpoint } from './model.ts'
import {
  drop, isSameEndpoint, type Peer, type Probe, type Purpose, type Ring, setTimer, type Stream,
} from './ring.ts'
import { areCompatible, merge } from './rules.ts'
import { type Bytes, concatBytes } from './wire/bytes.ts'
import type { ListedNode } from './wire/message.ts'
import {
  decodeStream, encodeStream, maxStreamBytes, type PushPull, type StreamMessage,
} from './wire/stream.ts'

/** More streams than this at a time are refused, in either direction. */
export const maxStreams = 64

/** Wait before an address that failed is tried again: doubles, and then as MetalLB's minute. */
const firstRetryMs = 1_000
export const rejoinMs = 60_000

/** Opens an exchange of states; `peer` learns how it went. */
export function openPushPull(ring: Ring, to: Endpoint, peer: Peer | undefined): void {
  const isJoin = peer !== undefined
  const content = encodeStream(ownState(ring, isJoin), ring.settings.isCompressed)
  const { tcpTimeoutMs } = ring.settings
  open(ring, { to, content, purpose: isJoin ? 'join' : 'periodic', peer, timeoutMs: tcpTimeoutMs })
}

/** Asks the target of a failing probe over TCP, until the round ends. */
export function openPing(ring: Ring, probe: Probe): void {
  const { target, seqNo, endMs } = probe
  const { self } = ring
  const ping: StreamMessage = {
    kind: 'ping', seqNo, name: target.name, sourceAddress: self.address, sourceName: self.name,
    sourcePort: self.port,
  }
  const content = encodeStream(ping, ring.settings.isCompressed)
  open(ring, { to: target, content, purpose: 'ping', seqNo, timeoutMs: endMs - ring.nowMs })
}

/** Sends a user message over TCP. */
export function openUserMessage(ring: Ring, to: Endpoint, payload: Bytes): void {
  const content = encodeStream({ kind: 'user', payload }, ring.settings.isCompressed)
  open(ring, { to, content, purpose: 'user', timeoutMs: ring.settings.tcpTimeoutMs })
}

interface Opening {
  readonly to: Endpoint
  readonly content: Bytes
  readonly purpose: Purpose
  readonly timeoutMs: number
  readonly seqNo?: number
  readonly peer?: Peer | undefined
}

function open(ring: Ring, { to, content, purpose, timeoutMs, seqNo = 0, peer }: Opening): void {
  if (ring.streams.size >= maxStreams) {
    settlePeer(ring, peer, false)
    return drop(ring, 'tooManyStreams')
  }
  ring.lastStream += 2
  const { address, port } = to
  add(ring, {
    id: ring.lastStream, purpose, content, seqNo, peer, to: { address, port },
    deadlineMs: ring.nowMs + timeoutMs, received: new Uint8Array(),
  })
  ring.effects.push({ kind: 'openStream', stream: ring.lastStream, to: { address, port } })
}

function add(ring: Ring, stream: Stream): void {
  ring.streams.set(stream.id, stream)
  setTimer(ring, stream.deadlineMs, { kind: 'stream', stream })
}

/** Somebody opened a stream; its number is odd, ours are even. */
export function acceptStream(ring: Ring, id: number, from: Endpoint): void {
  if (ring.streams.size >= maxStreams) {
    ring.effects.push({ kind: 'closeStream', stream: id })
    return drop(ring, 'tooManyStreams')
  }
  add(ring, {
    id, purpose: 'accepted', to: from, content: undefined, seqNo: 0, peer: undefined,
    deadlineMs: ring.nowMs + ring.settings.tcpTimeoutMs, received: new Uint8Array(),
  })
}

/** A stream of ours is open: its one message leaves. */
export function streamOpened(ring: Ring, id: number): void {
  const stream = ring.streams.get(id)
  if (stream?.content === undefined) return
  ring.effects.push({ kind: 'sendStream', stream: id, content: stream.content })
  if (stream.purpose === 'user') close(ring, stream)
}

/** Bytes arrived; whoever has the whole message acts on it. */
export function streamBytes(ring: Ring, id: number, bytes: Bytes): void {
  const stream = ring.streams.get(id)
  if (stream === undefined) return
  stream.received = stream.received.length === 0 ? bytes : concatBytes(stream.received, bytes)
  const message = decodeStream(stream.received)
  if (message === 'incomplete') return
  if (typeof message === 'string') {
    drop(ring, message)
    if (stream.purpose === 'accepted') reply(ring, stream, { kind: 'error', text: message })
    settlePeer(ring, stream.peer, false)
    return close(ring, stream)
  }
  if (stream.purpose === 'accepted') serve(ring, stream, message)
  else takeReply(ring, stream, message)
  close(ring, stream)
}

/** A request on a stream that somebody opened. */
function serve(ring: Ring, stream: Stream, message: StreamMessage): void {
  switch (message.kind) {
    case 'ping':
      if (message.name !== '' && message.name !== ring.self.name) return drop(ring, 'wrongName')
      return reply(ring, stream, { kind: 'ack', seqNo: message.seqNo, payload: undefined })
    case 'pushPull':
      // Our state as it was before theirs came in, as the library does.
      reply(ring, stream, ownState(ring, message.isJoin))
      takeState(ring, message, stream.to)
      return
    case 'user':
      ring.effects.push({
        kind: 'message', payload: message.payload, from: stream.to, isReliable: true,
      })
      return
    default:
      return drop(ring, 'unexpectedReply')
  }
}

function reply(ring: Ring, { id }: Stream, message: StreamMessage): void {
  const content = encodeStream(message, ring.settings.isCompressed)
  ring.effects.push({ kind: 'sendStream', stream: id, content })
}

/** An answer on a stream of ours. */
function takeReply(ring: Ring, stream: Stream, message: StreamMessage): void {
  const { purpose, peer } = stream
  if (message.kind === 'error') {
    drop(ring, 'remoteError')
    return settlePeer(ring, peer, false)
  }
  if (purpose === 'ping' && message.kind === 'ack' && message.seqNo === stream.seqNo) {
    if (ring.probe?.seqNo === stream.seqNo) ring.probe.isReachedByStream = true
    return
  }
  if (message.kind !== 'pushPull' || purpose === 'ping') {
    drop(ring, 'unexpectedReply')
    return settlePeer(ring, peer, false)
  }
  settlePeer(ring, peer, takeState(ring, message, stream.to))
}

function takeState(ring: Ring, { nodes, userState, isJoin }: PushPull, from: Endpoint): boolean {
  if (!areCompatible(ring, nodes)) {
    drop(ring, 'incompatible')
    return false
  }
  merge(ring, nodes, from)
  if (userState.length > 0) ring.effects.push({ kind: 'remoteState', userState, isJoin })
  return true
}

function ownState(ring: Ring, isJoin: boolean): PushPull {
  const nodes = ring.nodes.map((node): ListedNode => {
    const { name, state, incarnation, address, port, meta, versions } = node
    return { name, state, incarnation, address, port, meta, versions }
  })
  const userState = ring.userState()
  const isLong = userState.length > maxStreamBytes / 4
  if (isLong) drop(ring, 'tooLong')
  return { kind: 'pushPull', isJoin, nodes, userState: isLong ? new Uint8Array() : userState }
}

/** The other side closed, or the stream broke, before its message was whole. */
export function streamGone(ring: Ring, id: number, isFailure: boolean): void {
  const stream = ring.streams.get(id)
  if (stream === undefined) return
  drop(ring, isFailure ? 'streamFailed' : 'streamEnded')
  settlePeer(ring, stream.peer, false)
  close(ring, stream)
}

/** Its time is over. */
export function expireStream(ring: Ring, stream: Stream): void {
  if (ring.streams.get(stream.id) !== stream) return
  drop(ring, 'streamTimeout')
  settlePeer(ring, stream.peer, false)
  close(ring, stream)
}

function close(ring: Ring, { id }: Stream): void {
  if (ring.streams.delete(id)) ring.effects.push({ kind: 'closeStream', stream: id })
}

function settlePeer(ring: Ring, peer: Peer | undefined, isGood: boolean): void {
  if (peer === undefined) return
  peer.isTrying = false
  peer.failures = isGood ? 0 : peer.failures + 1
  const backoffMs = firstRetryMs * 2 ** Math.min(6, peer.failures - 1)
  peer.nextMs = ring.nowMs + (isGood ? rejoinMs : Math.min(rejoinMs, backoffMs))
}

/** Whether somebody who lives in this ring has that address. */
export function isMemberAddress(ring: Ring, endpoint: Endpoint): boolean {
  return ring.nodes.some((node) =>
    (node.state === 'alive' || node.state === 'suspect') && isSameEndpoint(node, endpoint)
  )
}

