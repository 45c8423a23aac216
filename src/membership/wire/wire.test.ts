/** Bytes as the real memberlist makes them, both ways, and what becomes of bytes it never makes. */
import { createHash } from 'node:crypto'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex, toHex } from '../../l2/bytes.ts'
import { concatBytes } from './bytes.ts'
import { golden } from './golden.ts'
import { decodeMessage, encodeMessage, type Message, ourVersions, type Source } from './message.ts'
import { compress, decompress, joinParts, unwrapPacket, wrapPacket } from './packet.ts'
import { decodeStream, encodeStream, type StreamMessage } from './stream.ts'

const text = (letters: string): Uint8Array => new TextEncoder().encode(letters)
const at = (n: number): Uint8Array => Uint8Array.of(10, 0, 0, n)
const source: Source = { sourceAddress: at(1), sourceName: 'node-a', sourcePort: 7946 }
const nowhere: Source = { sourceAddress: undefined, sourceName: '', sourcePort: 0 }
const mapped = concatBytes(new Uint8Array(10), Uint8Array.of(255, 255), at(1))
const ipv6 = Uint8Array.of(0xfd, ...Array.from({ length: 14 }, () => 0), 1)
const alive = { kind: 'alive', incarnation: 1, port: 7946, meta: undefined, versions: ourVersions } as const
const accused = { name: 'node-b', incarnation: 1, from: 'node-a' } as const

const messages: Readonly<Record<string, readonly [hex: string, message: Message]>> = {
  'a ping': [golden.ping, { kind: 'ping', seqNo: 1, name: 'node-b', ...source }],
  'a ping without a source': [golden.pingMin, { kind: 'ping', seqNo: 1, name: 'node-b', ...nowhere }],
  'a ping with a wide number':
    [golden.pingSeq70000, { kind: 'ping', seqNo: 70_000, name: 'node-b', ...nowhere }],
  'an indirect ping': [golden.indirectPing, {
    kind: 'indirectPing', seqNo: 7, wantsNack: true, name: 'node-b', target: at(2), port: 7946, ...source,
  }],
  'an ack': [golden.ackNilPayload, { kind: 'ack', seqNo: 1, payload: undefined }],
  'an ack with an empty payload': [golden.ackEmptyPayload, { kind: 'ack', seqNo: 1, payload: text('') }],
  'an ack with a payload': [golden.ackPayload, { kind: 'ack', seqNo: 300, payload: text('hi') }],
  'a nack': [golden.nack, { kind: 'nack', seqNo: 7 }],
  'an error': [golden.err, { kind: 'error', text: 'boom' }],
  'a suspicion': [golden.suspect, { kind: 'suspect', ...accused }],
  'a suspicion of a long name':
    [golden.suspectName40, { kind: 'suspect', name: 'n'.repeat(40), incarnation: 1, from: 'a' }],
  'a death': [golden.dead, { kind: 'dead', ...accused }],
  'a leave': [golden.leave, { kind: 'dead', ...accused, from: 'node-b' }],
  'an alive': [golden.aliveIpv4, { ...alive, name: 'node-a', address: at(1) }],
  'an alive at a mapped address': [golden.aliveIpv4Mapped16, { ...alive, name: 'node-a', address: mapped }],
  'an alive at an IPv6 address': [golden.aliveIpv6, { ...alive, name: 'node-a', address: ipv6 }],
  'an alive with metadata': [golden.aliveMeta, {
    ...alive, name: 'node-a', address: at(1), incarnation: 200, meta: text('m'),
  }],
  'a user message': [golden.userPacket, { kind: 'user', payload: text('hello') }],
}

for (const [it, [hex, message]] of Object.entries(messages)) {
  test(`${it} encodes to the peer's bytes`, () => assert.is(toHex(encodeMessage(message)), hex))
  test(`${it} decodes from the peer's bytes`, () => assert.equal(decodeMessage(fromHex(hex)), message))
  test(`${it}, cut at every length, is refused`, () => {
    const bytes = fromHex(hex)
    const ends = Array.from(bytes.keys()).filter((end) =>
      typeof decodeMessage(bytes.subarray(0, end)) !== 'string'
    )
    assert.equal(ends, message.kind === 'user' ? [1, 2, 3, 4, 5] : [])
  })
}

const accepted: Readonly<Record<string, readonly [hex: string, message: Message]>> = {
  'numbers in any width': ['0b81a55365714e6fcf0000000000000007', { kind: 'nack', seqNo: 7 }],
  'signed numbers': ['0b81a55365714e6fd300000000000000ff', { kind: 'nack', seqNo: 255 }],
  'text as str8': ['0d81a54572726f72d904626f6f6d', { kind: 'error', text: 'boom' }],
  'text as bin8': ['0d81a54572726f72c404626f6f6d', { kind: 'error', text: 'boom' }],
  'bytes as an array':
    ['0281a75061796c6f6164920102', { kind: 'ack', seqNo: 0, payload: Uint8Array.of(1, 2) }],
  'map16, unknown fields of every kind, and what follows the map': [
    '0bde0006a161cb0000000000000000a162d60000000000a163c7010000a16481a165ca00000000a16692c201' +
      'a55365714e6f07ffff', { kind: 'nack', seqNo: 7 }],
  'a field twice: the last one': ['0b82a55365714e6f01a55365714e6f02', { kind: 'nack', seqNo: 2 }],
}
for (const [it, [hex, message]] of Object.entries(accepted)) {
  test(`accepts ${it}`, () => assert.equal(decodeMessage(fromHex(hex)), message))
}

const refused: readonly (readonly [it: string, hex: string, failure: string])[] = [
  ['nothing', '', 'empty'],
  ['a type nobody knows', '0e80', 'unknownType'],
  ['a float for a number', '0b81a55365714e6fca3f800000', 'malformed'],
  ['a negative number', '0b81a55365714e6fff', 'malformed'],
  ['more than 32 bits', '0b81a55365714e6fcf0000000100000000', 'malformed'],
  ['an array for the map', '0b9107', 'malformed'],
  ['the byte nobody writes', '0bc1', 'malformed'],
  ['a number as a name of a field', '0b810107', 'malformed'],
  ['a map that claims four billion fields', '0bdfffffffff', 'malformed'],
  ['nesting without end', `0b${'91'.repeat(200)}`, 'malformed'],
  ['a suspicion of nobody', '0380', 'malformed'],
  ['an alive with three version bytes', golden.aliveIpv4.replace('a6010502000000', 'a3010502'), 'malformed'],
  ['an alive at an address of five bytes',
    golden.aliveIpv4.replace('a40a000001', 'a50a00000100'), 'malformed'],
  ['an alive with 513 bytes of metadata',
    golden.aliveMeta.replace('a16d', `da0201${'6d'.repeat(513)}`), 'malformed'],
]
for (const [it, hex, failure] of refused) {
  test(`refuses ${it}`, () => assert.is(decodeMessage(fromHex(hex)), failure))
}

const sample = Uint8Array.from({ length: 20_000 }, (() => {
  let x = 1
  return () => ((x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0) >>> 24) & 0x3f
})())
const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

test('compression makes the peer\'s bytes through every width and a reset', () => {
  assert.is(sha(sample), 'f7696cf36c98761346eba3919100cddcc25446995dca4e50eea9acac7f5a1677')
  const packed = compress(sample)
  assert.is(packed.length, 20_957)
  assert.is(sha(packed), 'a99657cb7bcfe555d8fbf744ab437fa67645a4a4902b4c321c266c3dc87ac086')
  const back = decompress(packed, 20_000)
  assert.is(typeof back === 'string' ? back : sha(back), sha(sample))
})

const lzw: readonly (readonly [hex: string, plain: Uint8Array])[] = [
  [golden.lzwEmpty, text('')], [golden.lzwA, text('a')], [golden.lzwAaaaaaaa, text('aaaaaaaa')],
  [golden.lzwAbababab, text('abababab')],
  [golden.lzwBytes, Uint8Array.from({ length: 256 }, (_, n) => n)],
]
for (const [hex, plain] of lzw) {
  test(`${plain.length} bytes compress to the peer's bytes and back`, () => {
    assert.is(toHex(compress(plain)), hex)
    const back = decompress(fromHex(hex), 256)
    assert.is(typeof back === 'string' ? back : toHex(back), toHex(plain))
  })
}

const three = [1, 2, 3].map((n) =>
  encodeMessage({ ...alive, name: `node-${'abc'.charAt(n - 1)}`, address: at(n) })
)

test('packets are joined, compressed where shorter, and checked, as the peer\'s', () => {
  const pingAndSuspect = joinParts([fromHex(golden.ping), fromHex(golden.suspect)])
  assert.is(toHex(pingAndSuspect), golden.compoundPingSuspect)
  assert.is(toHex(joinParts(three)), golden.compound3Alive)
  const wrap = (hex: string, isCompressed: boolean, hasChecksum: boolean): string =>
    toHex(wrapPacket(fromHex(hex), { isCompressed, hasChecksum }))
  assert.is(wrap(golden.compound3Alive, true, false), golden.compressCompound3Alive)
  assert.is(wrap(golden.compound3Alive, true, true), golden.crcCompressCompound3Alive)
  assert.is(wrap(golden.suspect, true, true), golden.crcSuspect)
})

test('a packet unfolds into its messages in order', () => {
  const { messages, failures } = unwrapPacket(fromHex(golden.crcCompressCompound3Alive))
  assert.equal(messages.map(encodeMessage).map(toHex), three.map(toHex))
  assert.equal(failures, [])
})

const bomb = compress(new Uint8Array(300_000))
const nest = (packet: Uint8Array, times: number): Uint8Array =>
  times === 0 ? packet : nest(joinParts([packet, packet]), times - 1)
/** The first failures, and how many messages are left. */
const spoiled: readonly (readonly [it: string, packet: Uint8Array, failures: string, messages: number])[] = [
  ['an empty packet', text(''), 'empty', 0],
  ['a changed byte', fromHex(golden.crcSuspect.replace('6e6f', '6e6e')), 'badChecksum', 0],
  ['a compound without a count', fromHex('07'), 'truncated', 0],
  ['a compound without its lengths', fromHex('07020001'), 'truncated', 0],
  ['a compound cut in its last part', fromHex(golden.compound3Alive).subarray(0, 190), 'truncated', 2],
  ['a compound cut in its second part', fromHex(golden.compound3Alive).subarray(0, 80),
    'truncated', 1],
  ['a bomb', bomb, 'tooLarge', 0],
  ['compression without an end', fromHex(golden.lzwAaaaaaaa.replace('3020', '')), 'malformed', 0],
  ['compression cut inside', fromHex('0982a4416c676f00a3427566a300c308'), 'badCompression', 0],
  ['a code nobody defined', fromHex('0982a4416c676f00a3427566a300ffff'), 'badCompression', 0],
  ['another algorithm', fromHex('0982a4416c676f01a3427566a3000302'), 'badCompression', 0],
  ['six layers', nest(fromHex(golden.nack), 5), 'tooDeep', 0],
]
for (const [it, packet, failures, count] of spoiled) {
  test(`drops ${it}`, () => {
    const unwrapped = unwrapPacket(packet)
    assert.is([...new Set(unwrapped.failures)].join(), failures)
    assert.is(unwrapped.messages.length, count)
  })
}

test('a packet of thousands of messages stops at a bound', () => {
  const many = joinParts(Array.from({ length: 200 }, () => fromHex(golden.nack)))
  const { messages, failures } = unwrapPacket(joinParts(Array.from({ length: 12 }, () => many)))
  assert.is(messages.length, 2_048)
  assert.is(failures[0], 'tooMany')
})

test('random bytes and spoiled packets never throw', () => {
  let x = 7
  const random = (below: number): number => (x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0) % below
  const seeds = Object.values(golden).map(fromHex)
  for (let round = 0; round < 5_000; round++) {
    const bytes = (seeds[round % seeds.length] ?? text('')).slice()
    for (let i = 0; i < 3; i++) bytes[random(bytes.length)] = random(256)
    unwrapPacket(bytes.subarray(0, random(2) === 0 ? bytes.length : random(bytes.length)))
    decodeStream(bytes)
  }
})

const nodes = [
  { name: 'node-a', state: 'alive', incarnation: 1, address: at(1) },
  { name: 'node-b', state: 'suspect', incarnation: 2, address: at(2) },
] as const
const listed = nodes.map((node) => ({ ...node, port: 7946, meta: undefined, versions: ourVersions }))
type Streamed = readonly [it: string, hex: string, message: StreamMessage, isCompressed: boolean]
const streams: readonly Streamed[] = [
  ['an exchange', golden.pushpullPlain,
    { kind: 'pushPull', isJoin: true, nodes: listed, userState: text('') }, false],
  ['an exchange, compressed', golden.pushpullCompressed,
    { kind: 'pushPull', isJoin: true, nodes: listed, userState: text('') }, true],
  ['an exchange with user state', golden.pushpullUser,
    { kind: 'pushPull', isJoin: false, nodes: listed.slice(0, 1), userState: text('xyz') }, false],
  ['a user message', golden.userStream, { kind: 'user', payload: text('hello') }, false],
  ['an error', golden.err, { kind: 'error', text: 'boom' }, false],
  ['a ping', golden.ping, { kind: 'ping', seqNo: 1, name: 'node-b', ...source }, false],
]
for (const [it, hex, message, isCompressed] of streams) {
  test(`a stream with ${it} is the peer's, both ways`, () => {
    assert.is(toHex(encodeStream(message, isCompressed)), hex)
    assert.equal(decodeStream(fromHex(hex)), message)
  })
  test(`a stream with ${it}, cut at every length, waits for more`, () => {
    const bytes = fromHex(hex)
    const early = [...bytes.keys()].filter((end) => decodeStream(bytes.subarray(0, end)) !== 'incomplete')
    assert.equal(early, [])
  })
}

test('200 nodes are counted as the peer counts', () => {
  const many = Array.from({ length: 200 }, () => listed).flat().slice(0, 200)
  const message = { kind: 'pushPull', isJoin: false, nodes: many, userState: text('') } as const
  const head = toHex(encodeStream(message, false)).slice(2, 2 + golden.pushpullHeader200.length)
  assert.is(head, golden.pushpullHeader200)
})

const badStreams: readonly (readonly [it: string, hex: string, failure: string])[] = [
  ['a negative count', golden.pushpullPlain.replace('f64657302', 'f646573ff'), 'malformed'],
  ['a huge count', golden.pushpullPlain.replace('f64657302', 'f646573ce7fffffff'), 'malformed'],
  ['a huge user message', '0881aa557365724d73674c656ece7fffffff', 'malformed'],
  ['a state nobody knows', golden.pushpullPlain.replace('537461746500', '537461746504'), 'malformed'],
  ['compressed nonsense', '0982a4416c676f00a3427566a400c30404', 'unknownType'],
  ['a packet\'s type', golden.suspect, 'unknownType'],
]
for (const [it, hex, failure] of badStreams) {
  test(`refuses a stream with ${it}`, () => assert.is(decodeStream(fromHex(hex)), failure))
}

test('a stream that unfolds beyond its bound is refused', () => {
  assert.is(decodeStream(compress(new Uint8Array(9 * 1_024 * 1_024))), 'tooLarge')
})

test.run()
