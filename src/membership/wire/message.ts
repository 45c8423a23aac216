/** The messages of hashicorp/memberlist 0.5 as values, and their bytes: type byte, then MessagePack. */
import { type Bytes, concatBytes, copyBytes } from './bytes.ts'
import { type Fields, readFields, type WritableFields, writeFields } from './msgpack.ts'

/** First byte of every message. */
export const codes = {
  ping: 0, indirectPing: 1, ack: 2, suspect: 3, alive: 4, dead: 5, pushPull: 6, compound: 7, user: 8,
  compressed: 9, encrypted: 10, nack: 11, checksum: 12, error: 13, label: 244,
} as const

/** Versions as a node announces them: protocol least, most, current; delegate the same. */
export const ourVersions: Bytes = Uint8Array.of(1, 5, 2, 0, 0, 0)

/** Most bytes of a node's metadata. */
export const maxMetaBytes = 512

const u16 = 0xffff
const u32 = 0xffffffff

/** Where an answer goes; absent where the asker did not say. */
export interface Source {
  readonly sourceAddress: Bytes | undefined
  readonly sourcePort: number
  readonly sourceName: string
}

export interface Ping extends Source {
  readonly kind: 'ping'
  readonly seqNo: number
  /** Whom the sender believes it asks; '' = anyone. */
  readonly name: string
}

export interface IndirectPing extends Source {
  readonly kind: 'indirectPing'
  readonly seqNo: number
  readonly wantsNack: boolean
  readonly name: string
  readonly target: Bytes
  /** 0 = the receiver's own. */
  readonly port: number
}

export interface Alive {
  readonly kind: 'alive'
  readonly name: string
  readonly incarnation: number
  readonly address: Bytes
  readonly port: number
  readonly meta: Bytes | undefined
  /** Six bytes from real nodes. */
  readonly versions: Bytes
}

/** An accusation; a `dead` about oneself means: left on purpose. */
export interface Accusation {
  readonly kind: 'suspect' | 'dead'
  readonly name: string
  readonly incarnation: number
  readonly from: string
}

export type Message =
  | Ping
  | IndirectPing
  | { readonly kind: 'ack'; readonly seqNo: number; readonly payload: Bytes | undefined }
  | { readonly kind: 'nack'; readonly seqNo: number }
  | { readonly kind: 'error'; readonly text: string }
  | Alive
  | Accusation
  | { readonly kind: 'user'; readonly payload: Bytes }

export const nodeStates = ['alive', 'suspect', 'dead', 'left'] as const
export type NodeState = (typeof nodeStates)[number]

/** One node as push/pull lists it. */
export interface ListedNode {
  readonly name: string
  readonly state: NodeState
  readonly incarnation: number
  readonly address: Bytes
  readonly port: number
  readonly meta: Bytes | undefined
  readonly versions: Bytes
}

/** The bytes of one message that fits a packet, type byte first. */
export function encodeMessage(message: Message): Bytes {
  switch (message.kind) {
    case 'ping': {
      const { name, seqNo } = message
      return typed(codes.ping, [['Node', name], ['SeqNo', seqNo], ...sourceFields(message)])
    }
    case 'indirectPing':
      return typed(codes.indirectPing, [
        ['Nack', message.wantsNack], ['Node', message.name], ['Port', message.port],
        ['SeqNo', message.seqNo], ...sourceFields(message), ['Target', message.target],
      ])
    case 'ack':
      return typed(codes.ack, [['Payload', message.payload], ['SeqNo', message.seqNo]])
    case 'nack':
      return typed(codes.nack, [['SeqNo', message.seqNo]])
    case 'error':
      return typed(codes.error, [['Error', message.text]])
    case 'alive':
      return typed(codes.alive, [
        ['Addr', message.address], ['Incarnation', message.incarnation], ['Meta', message.meta],
        ['Node', message.name], ['Port', message.port], ['Vsn', message.versions],
      ])
    case 'suspect':
    case 'dead':
      return typed(codes[message.kind], [
        ['From', message.from], ['Incarnation', message.incarnation], ['Node', message.name],
      ])
    case 'user':
      return concatBytes(Uint8Array.of(codes.user), message.payload)
  }
}

function typed(code: number, fields: WritableFields): Bytes {
  return concatBytes(Uint8Array.of(code), writeFields(fields))
}

function sourceFields({ sourceAddress, sourceName, sourcePort }: Source): WritableFields {
  return [
    ...(sourceAddress === undefined ? [] : [['SourceAddr', sourceAddress] as const]),
    ...(sourceName === '' ? [] : [['SourceNode', sourceName] as const]),
    ...(sourcePort === 0 ? [] : [['SourcePort', sourcePort] as const]),
  ]
}

export type MessageFailure = 'empty' | 'malformed' | 'unknownType'

/** One message of a packet; compound, compressed and stream types are not among them. */
export function decodeMessage(bytes: Bytes): Message | MessageFailure {
  const code = bytes[0]
  if (code === undefined) return 'empty'
  if (code === codes.user) return { kind: 'user', payload: copyBytes(bytes.subarray(1)) }
  const decode = decoders.get(code)
  if (decode === undefined) return 'unknownType'
  const read = readFields(bytes, 1)
  if (typeof read === 'string') return 'malformed'
  const message = decode(read.fields)
  return read.fields.isValid() && isSound(message) ? message : 'malformed'
}

const decoders = new Map<number, (fields: Fields) => Message>([
  [codes.ping, (fields) => ({
    kind: 'ping', name: fields.text('Node'), seqNo: fields.number('SeqNo', u32), ...sourceOf(fields),
  })],
  [codes.indirectPing, (fields) => ({
    kind: 'indirectPing', wantsNack: fields.flag('Nack'), name: fields.text('Node'),
    port: fields.number('Port', u16), seqNo: fields.number('SeqNo', u32),
    target: fields.bytes('Target') ?? new Uint8Array(), ...sourceOf(fields),
  })],
  [codes.ack, (fields) => ({
    kind: 'ack', payload: fields.bytes('Payload'), seqNo: fields.number('SeqNo', u32),
  })],
  [codes.nack, (fields) => ({ kind: 'nack', seqNo: fields.number('SeqNo', u32) })],
  [codes.error, (fields) => ({ kind: 'error', text: fields.text('Error') })],
  [codes.suspect, (fields) => accusation('suspect', fields)],
  [codes.dead, (fields) => accusation('dead', fields)],
  [codes.alive, (fields) => ({
    kind: 'alive', name: fields.text('Node'), incarnation: fields.number('Incarnation', u32),
    ...placeOf(fields),
  })],
])

function sourceOf(fields: Fields): Source {
  return {
    sourceAddress: fields.bytes('SourceAddr'), sourceName: fields.text('SourceNode'),
    sourcePort: fields.number('SourcePort', u16),
  }
}

function accusation(kind: 'suspect' | 'dead', fields: Fields): Accusation {
  return {
    kind, name: fields.text('Node'), from: fields.text('From'),
    incarnation: fields.number('Incarnation', u32),
  }
}

function placeOf(fields: Fields): Pick<Alive, 'address' | 'port' | 'meta' | 'versions'> {
  return {
    address: fields.bytes('Addr') ?? new Uint8Array(), port: fields.number('Port', u16),
    meta: fields.bytes('Meta'), versions: fields.bytes('Vsn') ?? new Uint8Array(),
  }
}

/** What would crash or poison other nodes if it were passed on is not taken in. */
function isSound(message: Message): boolean {
  switch (message.kind) {
    case 'alive':
      return isSoundNode(message)
    case 'suspect':
    case 'dead':
      return message.name !== ''
    case 'indirectPing':
      return isAddress(message.target)
    default:
      return true
  }
}

/** Peers of version 0.5 crash on 1 to 5 version bytes; no versions poison every exchange. */
function isSoundNode({ name, address, meta, versions }: Omit<Alive, 'kind'>): boolean {
  return name !== '' && isAddress(address) && versions.length === 6 &&
    (meta?.length ?? 0) <= maxMetaBytes
}

function isAddress(bytes: Bytes): boolean {
  return bytes.length === 4 || bytes.length === 16
}

/** One node of a push/pull body: its MessagePack map. */
export function encodeListedNode(node: ListedNode): Bytes {
  return writeFields([
    ['Addr', node.address], ['Incarnation', node.incarnation], ['Meta', node.meta],
    ['Name', node.name], ['Port', node.port], ['State', { signed: nodeStates.indexOf(node.state) }],
    ['Vsn', node.versions],
  ])
}

/** The node in these fields; undefined where it is unsound. */
export function listedNodeOf(fields: Fields): ListedNode | undefined {
  const state = nodeStates[fields.number('State', nodeStates.length - 1)] ?? 'dead'
  const node = {
    name: fields.text('Name'), state, incarnation: fields.number('Incarnation', u32), ...placeOf(fields),
  }
  return fields.isValid() && isSoundNode(node) ? node : undefined
}
