/** What a TCP stream holds before encryption: one exchange of states, one ping, or one user message. */
import { type Bytes, concatBytes, copyBytes } from './bytes.ts'
import {
  codes, decodeMessage, encodeListedNode, encodeMessage, type ListedNode, listedNodeOf, type Message,
} from './message.ts'
import { readFields, writeFields } from './msgpack.ts'
import { compress, decompress } from './packet.ts'
import type { LzwFailure } from './lzw.ts'

/** Most bytes of one stream's content, packed or not. Thousands of nodes with full metadata fit. */
export const maxStreamBytes = 8 * 1_024 * 1_024

const maxNodes = 20_000

export interface PushPull {
  readonly kind: 'pushPull'
  readonly isJoin: boolean
  readonly nodes: readonly ListedNode[]
  readonly userState: Bytes
}

/** One whole stream content. */
export type StreamMessage = PushPull | Extract<Message, { readonly kind: 'ping' | 'ack' | 'error' | 'user' }>

/** The bytes of a stream; compressed always where compression is on, also if that is longer. */
export function encodeStream(message: StreamMessage, isCompressed: boolean): Bytes {
  const plain = encodePlain(message)
  return isCompressed ? compress(plain) : plain
}

function encodePlain(message: StreamMessage): Bytes {
  switch (message.kind) {
    case 'pushPull': {
      const { isJoin, nodes, userState } = message
      const head = writeFields([
        ['Join', isJoin], ['Nodes', { signed: nodes.length }],
        ['UserStateLen', { signed: userState.length }],
      ])
      return concatBytes(Uint8Array.of(codes.pushPull), head, ...nodes.map(encodeListedNode), userState)
    }
    case 'user': {
      const head = writeFields([['UserMsgLen', { signed: message.payload.length }]])
      return concatBytes(Uint8Array.of(codes.user), head, message.payload)
    }
    default:
      return encodeMessage(message)
  }
}

export type StreamFailure = LzwFailure | 'malformed' | 'unknownType'

/**
 * The message that the bytes so far hold; `incomplete` while more must come: nothing but the
 * content says where it ends.
 */
export function decodeStream(bytes: Bytes): StreamMessage | StreamFailure | 'incomplete' {
  if (bytes.length > maxStreamBytes) return 'tooLarge'
  if (bytes[0] !== codes.compressed) return decodePlain(bytes)
  const read = readFields(bytes, 1)
  if (read === 'truncated') return 'incomplete'
  const inner = decompress(bytes, maxStreamBytes)
  if (typeof inner === 'string') return inner
  const message = decodePlain(inner)
  return message === 'incomplete' ? 'malformed' : message
}

function decodePlain(bytes: Bytes): StreamMessage | StreamFailure | 'incomplete' {
  const code = bytes[0]
  if (code === undefined) return 'incomplete'
  if (code === codes.pushPull) return decodePushPull(bytes)
  if (code === codes.user) return decodeUser(bytes)
  if (code !== codes.ping && code !== codes.ack && code !== codes.error) return 'unknownType'
  const read = readFields(bytes, 1)
  if (typeof read === 'string') return read === 'truncated' ? 'incomplete' : 'malformed'
  const message = decodeMessage(bytes)
  if (typeof message === 'string') return 'malformed'
  return message.kind === 'ping' || message.kind === 'ack' || message.kind === 'error'
    ? message
    : 'unknownType'
}

function decodeUser(bytes: Bytes): StreamMessage | StreamFailure | 'incomplete' {
  const read = readFields(bytes, 1)
  if (typeof read === 'string') return read === 'truncated' ? 'incomplete' : 'malformed'
  const length = read.fields.number('UserMsgLen', maxStreamBytes)
  if (!read.fields.isValid()) return 'malformed'
  const end = read.end + length
  if (end > bytes.length) return 'incomplete'
  return { kind: 'user', payload: copyBytes(bytes.subarray(read.end, end)) }
}

function decodePushPull(bytes: Bytes): PushPull | StreamFailure | 'incomplete' {
  const head = readFields(bytes, 1)
  if (typeof head === 'string') return head === 'truncated' ? 'incomplete' : 'malformed'
  const isJoin = head.fields.flag('Join')
  const count = head.fields.number('Nodes', maxNodes)
  const stateBytes = head.fields.number('UserStateLen', maxStreamBytes)
  if (!head.fields.isValid()) return 'malformed'
  const nodes: ListedNode[] = []
  let at = head.end
  while (nodes.length < count) {
    const read = readFields(bytes, at)
    if (typeof read === 'string') return read === 'truncated' ? 'incomplete' : 'malformed'
    const node = listedNodeOf(read.fields)
    if (node === undefined) return 'malformed'
    nodes.push(node)
    at = read.end
  }
  if (at + stateBytes > bytes.length) return 'incomplete'
  const userState = copyBytes(bytes.subarray(at, at + stateBytes))
  return { kind: 'pushPull', isJoin, nodes, userState }
}

