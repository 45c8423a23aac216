/** What one ring believes, answers and refuses, message by message. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { membersOf, step } from './engine.ts'
import { maxStreams } from './exchange.ts'
import type { Effect, Endpoint, Event } from './model.ts'
import { maxRelays } from './probe.ts'
import { createRing, type Ring } from './ring.ts'
import { maxNodes } from './rules.ts'
import { lanSettings } from './settings.ts'
import { type Bytes, fromByteString } from './wire/bytes.ts'
import { encodeMessage, type ListedNode, type Message, ourVersions } from './wire/message.ts'
import { unwrapPacket } from './wire/packet.ts'
import { decodeStream, encodeStream, type StreamMessage } from './wire/stream.ts'

const place = (n: number): Endpoint => ({ address: Uint8Array.of(192, 0, 2, n), port: 7946 })
const asker = place(9)

function ringOf(): Ring {
  const ring = createRing({
    settings: lanSettings, name: 'a', endpoint: place(1), meta: fromByteString('of a'), incarnation: 1,
    sealBytes: 0, random: { seed: 1 },
  })
  step(ring, { kind: 'start' }, 0)
  return ring
}

type AliveParts = Partial<Omit<Extract<Message, { kind: 'alive' }>, 'kind'>>
const alive = (name: string, n: number, parts: AliveParts = {}): Message => ({
  kind: 'alive', name, incarnation: 1, ...place(n), meta: undefined, versions: ourVersions, ...parts,
})
const suspect = (name: string, from: string, incarnation = 1): Message =>
  ({ kind: 'suspect', name, from, incarnation })
const dead = (name: string, from: string, incarnation = 1): Message =>
  ({ kind: 'dead', name, from, incarnation })

function hear(ring: Ring, message: Message, now = 10): readonly Effect[] {
  return step(ring, { kind: 'packet', packet: encodeMessage(message), from: asker }, now)
}

/** States, incarnations and changes after the messages, `b suspect 1`, then what was dropped or told. */
function outcome(messages: readonly Message[]): string {
  const ring = ringOf()
  const words = messages.flatMap((message) => hear(ring, message)).flatMap((effect) =>
    effect.kind === 'drop' ? [effect.reason] : effect.kind === 'member' ? [effect.change] : [])
  const rows = membersOf(ring).map(({ name, state, incarnation }) => `${name} ${state} ${incarnation}`)
  return [...rows.slice(name(messages) === 'a' ? 0 : 1), ...words].join(', ')
}

function name([first]: readonly Message[]): string {
  return first !== undefined && 'name' in first ? first.name : ''
}

const beliefs: readonly (readonly [it: string, messages: readonly Message[], want: string])[] = [
  ['an unknown node joins', [alive('b', 2)], 'b alive 1, joined'],
  ['a node at incarnation 0 stays dead', [alive('b', 2, { incarnation: 0 })], 'b dead 0'],
  ['port 0 is our own', [alive('b', 2, { port: 0 }), alive('b', 2, { incarnation: 2 })],
    'b alive 2, joined'],
  ['versions that cannot be are refused', [alive('b', 2, { versions: new Uint8Array(6) })], 'badVersions'],
  ['versions the wrong way round are refused',
    [alive('b', 2, { versions: Uint8Array.of(5, 1, 2, 0, 0, 0) })], 'badVersions'],
  ['an older alive changes nothing', [alive('b', 2, { incarnation: 3 }), alive('b', 2)], 'b alive 3, joined'],
  ['news in metadata', [alive('b', 2), alive('b', 2, { incarnation: 2, meta: fromByteString('m') })],
    'b alive 2, joined, changed'],
  ['another address is a conflict', [alive('b', 2), alive('b', 3, { incarnation: 2 })],
    'b alive 1, joined, nameConflict'],
  ['the mapped form of an address is another address', [alive('b', 2), alive('b', 2, {
    incarnation: 2, address: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 2),
  })], 'b alive 1, joined, nameConflict'],
  ['a dead node cannot return elsewhere', [alive('b', 2), dead('b', 'c'), alive('b', 3, { incarnation: 2 })],
    'b dead 1, joined, left, nameConflict'],
  ['one that left can, whatever its incarnation',
    [alive('b', 2, { incarnation: 5 }), dead('b', 'b', 5), alive('b', 3)], 'b alive 1, joined, left, joined'],
  ['a suspicion', [alive('b', 2), suspect('b', 'c')], 'b suspect 1, joined, suspected'],
  ['the same incarnation does not clear it', [alive('b', 2), suspect('b', 'c'), alive('b', 2)],
    'b suspect 1, joined, suspected'],
  ['a higher one does', [alive('b', 2), suspect('b', 'c'), alive('b', 2, { incarnation: 2 })],
    'b alive 2, joined, suspected, cleared'],
  ['an old suspicion is ignored',
    [alive('b', 2, { incarnation: 2 }), suspect('b', 'c')], 'b alive 2, joined'],
  ['nobody knows whom', [suspect('b', 'c'), dead('b', 'c')], ''],
  ['a death', [alive('b', 2), dead('b', 'c')], 'b dead 1, joined, left'],
  ['the dead stay dead, also for those who leave',
    [alive('b', 2), dead('b', 'c'), dead('b', 'b', 2)], 'b dead 1, joined, left'],
  ['an old death is ignored', [alive('b', 2, { incarnation: 2 }), dead('b', 'c')], 'b alive 2, joined'],
  ['an alive of the same incarnation does not raise the dead',
    [alive('b', 2), dead('b', 'c'), alive('b', 2)], 'b dead 1, joined, left'],
  ['we refute a suspicion', [suspect('a', 'b')], 'a alive 2'],
  ['we refute our death above its incarnation', [dead('a', 'b', 7)], 'a alive 8'],
  ['we refute what others tell of us', [alive('a', 1, { incarnation: 4, meta: fromByteString('else') })],
    'a alive 5'],
  ['we let stand what is true', [alive('a', 1, { meta: fromByteString('of a') })], 'a alive 1'],
  ['an error in a datagram', [{ kind: 'error', text: 'x' }], 'unknownType'],
  ['a ping for another', [{
    kind: 'ping', seqNo: 1, name: 'z', sourceAddress: undefined, sourcePort: 0, sourceName: '',
  }], 'wrongName'],
]
for (const [it, messages, want] of beliefs) test(it, () => assert.is(outcome(messages), want))

const sent = (effects: readonly Effect[]): readonly string[] => effects.flatMap((effect) =>
  effect.kind === 'sendPacket'
    ? unwrapPacket(effect.packet).messages.map(({ kind }) => `${effect.to.address[3]} ${kind}`)
    : [])

const conflicts = (messages: readonly Message[]): readonly string[] => {
  const ring = ringOf()
  return messages.flatMap((message) => hear(ring, message)).flatMap((effect) => effect.kind === 'conflict'
    ? [`${effect.name} ${effect.known.address[3]} ${effect.claimed.address[3]}`]
    : [])
}

test('a second host of a name is told; another form of the address and a return from death are none', () => {
  const mapped = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 1)
  assert.equal(conflicts([alive('a', 7), alive('b', 2), alive('b', 3)]), ['a 1 7', 'b 2 3'])
  assert.equal(conflicts([alive('a', 1, { incarnation: 9, address: mapped })]), [])
  assert.equal(conflicts([alive('b', 2), dead('b', 'c'), alive('b', 3, { incarnation: 2 })]), [])
})

test('an accuser is told directly, and one with an old accusation too', () => {
  const ring = ringOf()
  hear(ring, alive('b', 2))
  assert.equal(sent(hear(ring, suspect('a', 'b'))), ['2 alive'])
  assert.equal(sent(hear(ring, suspect('a', 'b'))), ['2 alive'], 'of incarnation 1, and we are at 2')
  assert.equal(ring.health, 1, 'only the first cost health')
})

/** Wakes the ring whenever it wants, until that instant: how often, and whom it said to be alive. */
function wakeUntil(
  ring: Ring, untilMs: number,
): { readonly wakes: number; readonly named: readonly string[] } {
  const named = new Set<string>()
  let wakes = 0
  for (let atMs = ring.nowMs;; wakes++) {
    const effects = step(ring, { kind: 'wake' }, atMs)
    const messages = effects.flatMap((effect) =>
      effect.kind === 'sendPacket' ? unwrapPacket(effect.packet).messages : [])
    for (const message of messages) if (message.kind === 'alive') named.add(message.name)
    const next = effects.findLast((effect) => effect.kind === 'wake')
    if (next === undefined || next.atMs > untilMs) return { wakes, named: [...named].toSorted() }
    atMs = next.atMs
  }
}

test('alone, a ring looks for members twice a second, no more; whoever comes hears what waited', () => {
  const ring = ringOf()
  wakeUntil(ring, 1_000)
  // To probe, and for addresses that ought to be members.
  assert.equal(wakeUntil(ring, 21_000), { wakes: 40, named: [] })
  hear(ring, alive('b', 2), ring.nowMs)
  assert.equal(wakeUntil(ring, ring.nowMs + 200).named, ['a', 'b'])
})

test('three confirmations end a suspicion early, doubles do not count', () => {
  const ring = ringOf()
  for (const [i, node] of ['b', 'c', 'd', 'e'].entries()) hear(ring, alive(node, i + 2))
  hear(ring, suspect('b', 'c'))
  const due = (): number | undefined => ring.byName.get('b')?.suspicion?.dueMs
  assert.is(due(), 24_010)
  const { ids } = ring.queue
  hear(ring, suspect('b', 'c'))
  assert.is(due(), 24_010)
  assert.is(ring.queue.ids, ids, 'what is no news is not passed on')
  hear(ring, suspect('b', 'd'))
  assert.is(ring.queue.ids, ids + 1)
  assert.is(due(), 11_391)
  hear(ring, suspect('b', 'e'))
  assert.is(due(), 4_010)
})

test('a ping is answered where it says, gossip riding along', () => {
  const ring = ringOf()
  const ping = { kind: 'ping', seqNo: 7, name: 'a', sourceName: 'b' } as const
  const near = hear(ring, { ...ping, sourceAddress: Uint8Array.of(192, 0, 2, 7), sourcePort: 7946 })
  assert.equal(sent(near), ['7 ack', '7 alive'])
  assert.is(sent(hear(ring, { ...ping, sourceAddress: undefined, sourcePort: 0 }))[0], '9 ack')
})

test('whoever is dead to us and pings is told so, at the address that we know; one that left is not', () => {
  const ping = { kind: 'ping', seqNo: 7, name: 'a', sourceName: 'b', sourcePort: 7946 } as const
  const told = (death: Message, n: number): readonly (readonly string[])[] => {
    const ring = ringOf()
    hear(ring, alive('b', 2))
    hear(ring, death)
    const answers = hear(ring, { ...ping, sourceAddress: Uint8Array.of(192, 0, 2, n) })
    // The first is the acknowledgement, with gossip.
    return answers.filter(({ kind }) => kind === 'sendPacket').slice(1).map((effect) => sent([effect]))
  }
  assert.equal(told(dead('b', 'c'), 2), [['2 dead']])
  assert.equal(told(dead('b', 'c'), 3), [], 'another host of that name')
  assert.equal(told(dead('b', 'b'), 2), [], 'it has said goodbye')
})

test('an indirect ping is relayed: its ack goes back under the asker\'s number, else a nack', () => {
  const ring = ringOf()
  const asked: Message = {
    kind: 'indirectPing', seqNo: 70, wantsNack: true, name: 'b', target: Uint8Array.of(192, 0, 2, 2), port: 0,
    sourceAddress: undefined, sourcePort: 0, sourceName: '',
  }
  assert.is(sent(hear(ring, asked))[0], '2 ping')
  const acked = hear(ring, { kind: 'ack', seqNo: ring.seqNo, payload: undefined })
  assert.is(sent(acked)[0], '9 ack')
  hear(ring, asked)
  assert.is(sent(step(ring, { kind: 'wake' }, 510)).find((row) => row.startsWith('9')), '9 nack')
  for (let i = 0; i < maxRelays; i++) hear(ring, asked, 600)
  assert.equal(drops(hear(ring, asked, 600)), ['tooManyRelays'])
})

const drops = (effects: readonly Effect[]): readonly string[] =>
  effects.flatMap((effect) => effect.kind === 'drop' ? [effect.reason] : [])

/** Opens an accepted stream, gives it the bytes, and returns what the ring says. */
function serve(ring: Ring, content: Bytes): readonly Effect[] {
  step(ring, { kind: 'streamAccepted', stream: 1, from: asker }, 10)
  return step(ring, { kind: 'streamBytes', stream: 1, bytes: content }, 10)
}

const listed = (name: string, n: number, parts: Partial<ListedNode> = {}): ListedNode => ({
  name, state: 'alive', incarnation: 1, ...place(n), meta: undefined, versions: ourVersions, ...parts,
})
const pushPull = (nodes: readonly ListedNode[]): StreamMessage =>
  ({ kind: 'pushPull', isJoin: true, nodes, userState: new Uint8Array() })

test('an exchange answers with our list first, then takes theirs: their dead are suspects here', () => {
  const ring = ringOf()
  hear(ring, alive('d', 4))
  const effects = serve(ring, encodeStream(pushPull([
    listed('b', 2), listed('d', 4, { state: 'dead' }), listed('e', 5, { state: 'dead' }),
  ]), true))
  const kinds = effects.map(({ kind }) => kind).filter((kind) => kind.endsWith('Stream') || kind === 'member')
  assert.equal(kinds, ['sendStream', 'member', 'member', 'closeStream'])
  const answer = effects.find((effect) => effect.kind === 'sendStream')
  const message = answer === undefined ? undefined : decodeStream(answer.content)
  const names = typeof message === 'object' && message.kind === 'pushPull'
    ? message.nodes.map(({ name }) => name).toSorted() : []
  assert.equal(names, ['a', 'd'])
  assert.equal(membersOf(ring).map(({ name, state }) => `${name} ${state}`),
    ['a alive', 'b alive', 'd suspect'])
  assert.equal([...ring.byName.get('d')?.suspicion?.from ?? []], ['a'], 'the suspicion is our own')
})

test("who a second host of our name is: by a list of others it is believed, by its own it says so", () => {
  const says = (from: Endpoint, claimed: Endpoint): readonly boolean[] => {
    const ring = ringOf()
    step(ring, { kind: 'streamAccepted', stream: 1, from }, 10)
    const bytes = encodeStream(pushPull([listed('a', 7, claimed), listed('b', 9)]), true)
    return step(ring, { kind: 'streamBytes', stream: 1, bytes }, 10)
      .flatMap((effect) => effect.kind === 'conflict' ? [effect.isWord] : [])
  }
  const mapped = (address: Bytes): Endpoint =>
    ({ address: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, ...address), port: 40_000 })
  const ipv6: Endpoint = { address: Uint8Array.of(32, 1, 13, 184, ...new Uint8Array(11), 7), port: 7946 }
  assert.equal(says(asker, place(7)), [false])
  assert.equal(says({ ...place(7), port: 40_000 }, place(7)), [true])
  assert.equal(says(mapped(place(7).address), place(7)), [true])
  assert.equal(says(asker, ipv6), [false])
  assert.equal(says({ ...ipv6, port: 40_000 }, ipv6), [true])
})

const streams: readonly (readonly [it: string, content: Bytes, want: string])[] = [
  ['versions that not all understand', encodeStream(pushPull([
    listed('b', 2, { versions: Uint8Array.of(3, 5, 3, 0, 0, 0) }),
  ]), true), 'incompatible'],
  ['a ping for another', encodeStream({
    kind: 'ping', seqNo: 1, name: 'z', sourceAddress: undefined, sourcePort: 0, sourceName: '',
  }, true), 'wrongName'],
  ['an answer nobody asked for', encodeStream({ kind: 'ack', seqNo: 1, payload: undefined }, true),
    'unexpectedReply'],
  ['nonsense', fromByteString('zzz'), 'unknownType'],
]
for (const [it, content, want] of streams) {
  test(`a stream with ${it} is closed`, () => {
    const ring = ringOf()
    const effects = serve(ring, content)
    assert.equal(drops(effects), [want])
    assert.ok(effects.some(({ kind }) => kind === 'closeStream'))
    assert.is(ring.streams.size, 0)
  })
}

/** A stream of ours to a peer, open and waiting for its answer. */
function joining(): Ring {
  const ring = ringOf()
  step(ring, { kind: 'peers', peers: [place(2)] }, 10)
  step(ring, { kind: 'streamOpened', stream: 2 }, 10)
  return ring
}
const answers: readonly (readonly [it: string, event: Event, now: number, want: string])[] = [
  ['an error', { kind: 'streamBytes', stream: 2, bytes: encodeStream({ kind: 'error', text: 'no' }, true) },
    20, 'remoteError'],
  ['an ack', {
    kind: 'streamBytes', stream: 2, bytes: encodeStream({ kind: 'ack', seqNo: 1, payload: undefined }, true),
  }, 20, 'unexpectedReply'],
  ['its end', { kind: 'streamClosed', stream: 2 }, 20, 'streamEnded'],
  ['its failure', { kind: 'streamFailed', stream: 2 }, 20, 'streamFailed'],
  ['nothing', { kind: 'wake' }, 10_011, 'streamTimeout'],
]
for (const [it, event, now, want] of answers) {
  test(`a join that meets ${it} is tried again later`, () => {
    const ring = joining()
    assert.ok(drops(step(ring, event, now)).includes(want))
    assert.equal(ring.peers.map(({ failures }) => failures), [1])
  })
}

test('floods meet bounds: nodes, streams', () => {
  const ring = ringOf()
  const many = Array.from({ length: maxNodes + 5 }, (_, i) => listed(`n${i}`, 2))
  assert.equal(drops(serve(ring, encodeStream(pushPull(many), false))).length, 6)
  assert.is(membersOf(ring).length, maxNodes)
  assert.is(drops(hear(ring, alive('late', 3)))[0], 'tooManyNodes')
  const effects = Array.from({ length: maxStreams + 1 }, (_, i) =>
    step(ring, { kind: 'streamAccepted', stream: 101 + 2 * i, from: asker }, 20)).flat()
  assert.equal(drops(effects), ['tooManyStreams'])
})

test('a refused datagram speeds the probe up: others are asked at once', () => {
  const ring = ringOf()
  hear(ring, alive('b', 2))
  let now = 0
  while (ring.probe === undefined && now < 3_000) step(ring, { kind: 'wake' }, now += 10)
  assert.is(ring.probe?.isDirect, true)
  const effects = step(ring, { kind: 'sendFailed', to: place(2) }, now)
  assert.equal(drops(effects), ['sendFailed'])
  assert.is(ring.probe?.isDirect, false)
  assert.ok(effects.some(({ kind }) => kind === 'openStream'))
})

test.run()
