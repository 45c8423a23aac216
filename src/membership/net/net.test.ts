/** Sealed packets and frames as the peer makes them, and two members on real sockets of this host. */
import { createSocket } from 'node:dgram'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex, toHex } from '../../l2/bytes.ts'
import { formatAddress, parseAddress } from '../../net/address.ts'
import type { Address } from '../../net/model.ts'
import { lanSettings, type Settings, wanSettings } from '../settings.ts'
import { fromByteString, toByteString } from '../wire/bytes.ts'
import { golden } from '../wire/golden.ts'
import { decodeStream } from '../wire/stream.ts'
import { createCipher } from './cipher.ts'
import { fromAddressBytes, toAddressBytes } from './endpoint.ts'
import { createEnvelope } from './envelope.ts'
import { readMembershipFiles } from './files.ts'
import { createUnframer, sealFrame } from './frames.ts'
import { type Membership, type MembershipEvent, openMembership } from './membership.ts'

const key = Uint8Array.from({ length: 32 }, (_, n) => n)
const nonce = Uint8Array.from({ length: 12 }, (_, n) => 0xa0 + n)
const cipher = createCipher(key)
const other = createCipher(key.toReversed())

const sealed: readonly (readonly [plain: string, sealed: string])[] = [
  [golden.ping, golden.encV1Ping], [golden.ackNilPayload, golden.encV1Ack],
  [golden.crcSuspect, golden.encV1Suspect], [golden.compoundPingSuspect, golden.encV1Compound],
  [golden.crcCompressCompound3Alive, golden.encV1CompressCompound3Alive],
]
for (const [plain, bytes] of sealed) {
  test(`${plain.length / 2} bytes are sealed as the peer seals them, and opened`, () => {
    assert.is(toHex(cipher.seal(fromHex(plain), undefined, nonce)), bytes)
    assert.is(toHex(cipher.open(fromHex(bytes)) ?? new Uint8Array()), plain)
  })
}
test('the peer\'s other keys and versions are opened', () => {
  assert.is(toHex(cipher.open(fromHex(golden.encV0Ping)) ?? new Uint8Array()), golden.ping)
  const short = createCipher(key.subarray(0, 16)).open(fromHex(golden.encV1PingKey16))
  assert.is(toHex(short ?? new Uint8Array()), golden.ping)
  assert.throws(() => createCipher(key.subarray(0, 20)), /Cannot use a key of 20 bytes/)
})
test('no two seals are alike, and what is changed or cut does not open', () => {
  const plain = fromHex(golden.ping)
  const seals = Array.from({ length: 1_000 }, () => toHex(cipher.seal(plain)))
  assert.is(new Set(seals).size, 1_000)
  const bytes = fromHex(golden.encV1Ping)
  for (const i of bytes.keys()) {
    assert.is(cipher.open(bytes.map((byte, at) => at === i ? byte ^ 1 : byte)), undefined)
    assert.is(cipher.open(bytes.subarray(0, i)), undefined)
  }
  assert.is(other.open(bytes), undefined)
})

type Sealing = readonly [it: string, flags: Partial<Settings>, packet: string, want: string]
const envelopes: readonly Sealing[] = [
  ['sealed', {}, golden.encV1Ping, golden.ping],
  ['plain where encryption is wanted', {}, golden.ping, 'undecryptable'],
  ['plain where it is not yet', { verifiesIncoming: false }, golden.ping, golden.ping],
  ['with a label', {}, golden.labelPlainPing, 'label'],
  ['with a label where plain is taken', { verifiesIncoming: false }, golden.labelPlainPing, 'label'],
]
for (const [it, flags, packet, want] of envelopes) {
  test(`a packet ${it}`, () => {
    const opened = createEnvelope({ ...lanSettings, ...flags }, cipher).open(fromHex(packet))
    assert.is(typeof opened === 'string' ? opened : toHex(opened), want)
  })
}

test('a frame is the peer\'s, and is read in pieces of any size', () => {
  const content = fromHex(golden.pushpullCompressed)
  assert.is(toHex(sealFrame(cipher, content, nonce)), golden.pushpullEncrypted)
  const frame = fromHex(golden.pushpullEncrypted)
  for (const size of [1, 3, 4, 5, 6, 100, frame.length]) {
    const unframer = createUnframer({ cipher, wantsEncryption: true })
    const read = Array.from({ length: Math.ceil(frame.length / size) }, (_, i) =>
      unframer.push(frame.subarray(i * size, (i + 1) * size)))
    const last = read.at(-1)
    assert.is(typeof last === 'object' ? toHex(last) : last, golden.pushpullCompressed)
    assert.ok(read.slice(0, -1).every((content) => content === undefined))
    assert.is(unframer.heldBytes(), 0)
  }
})

const frames: readonly (readonly [it: string, hex: string, hasKey: boolean, want: string])[] = [
  ['a plain stream where encryption is wanted', golden.pushpullPlain, true, 'unencrypted'],
  ['a sealed stream without a key', golden.pushpullEncrypted, false, 'undecryptable'],
  ['a changed frame', golden.pushpullEncrypted.replace('07d62908', '07d62909'), true, 'undecryptable'],
  ['a frame of gigabytes', '0a7fffffff', true, 'overload'],
  ['a label', golden.labelPlainPing, false, 'label'],
  ['a plain stream without a key', golden.userStream, false, golden.userStream],
]
for (const [it, hex, hasKey, want] of frames) {
  test(`a stream begins with ${it}`, () => {
    const rules = { cipher: hasKey ? cipher : undefined, wantsEncryption: hasKey }
    const read = createUnframer(rules).push(fromHex(hex))
    assert.is(typeof read === 'object' ? toHex(read) : read, want)
  })
}

const port = 7946
let hosts = 0
/** A loopback address that nobody else on this machine uses. */
function nextHost(): string {
  hosts += 1
  return `127.${1 + process.pid % 250}.${(process.pid >> 8) % 256}.${hosts}`
}
function need(text: string): Address {
  const address = parseAddress(text)
  if (address === undefined) throw new Error(`"${text}" is no address`)
  return address
}
const noKey = undefined
/** Faster than MetalLB's, for tests that wait. */
const brisk: Settings = { ...lanSettings, gossipIntervalMs: 20 }

interface Seen {
  readonly host: string
  readonly membership: Membership
  readonly events: MembershipEvent[]
  /** Reasons, and from whom. */
  readonly drops: string[]
}
async function open(name: string, secret: Uint8Array | undefined): Promise<Seen> {
  const events: MembershipEvent[] = []
  const drops: string[] = []
  const host = nextHost()
  const membership = await openMembership({
    name, address: need(host), port, settings: brisk, key: secret, meta: fromByteString(`of ${name}`),
    incarnation: 1, seed: 1, now: () => performance.now(), onEvent: (event) => void events.push(event),
    onDrop: (reason, from) => void drops.push(`${reason} ${from && formatAddress(from)}`),
  })
  return { host, membership, events, drops }
}

async function until(what: string, isDone: () => boolean): Promise<void> {
  const endMs = performance.now() + 5_000
  while (!isDone()) {
    if (performance.now() > endMs) throw new Error(`Not within 5 s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
const texts = ({ events }: Seen): readonly string[] => events.flatMap((event) =>
  event.kind === 'message' ? [`${toByteString(event.payload)} ${event.isReliable}`] : [])
const views = ({ membership }: Seen): string =>
  membership.members().map(({ name, state, meta }) => `${name} ${state} ${toByteString(meta)}`).join()

for (const [it, secret] of [['encrypted', key], ['plain', noKey]] as const) {
  test(`two members, ${it}: they meet, talk every way, and part`, async () => {
    const [a, b] = [await open('a', secret), await open('b', secret)]
    a.membership.setUserState(() => fromByteString('state of a'))
    a.membership.setPeers([need(b.host)])
    const both = 'a alive of a,b alive of b'
    await until('both see both', () => views(a) === both && views(b) === both)
    assert.ok(b.events.some((event) => event.kind === 'remoteState'))
    a.membership.send('b', fromByteString('light'), 'datagram')
    a.membership.send('b', fromByteString('sure'), 'stream')
    a.membership.broadcast('k', fromByteString('all'))
    await until('b hears all three', () =>
      ['light false', 'sure true', 'all false'].every((text) => texts(b).includes(text)))
    await a.membership[Symbol.asyncDispose]()
    await until('b knows that a left', () => views(b).startsWith('a left'))
    await b.membership[Symbol.asyncDispose]()
    await b.membership[Symbol.asyncDispose]()
  })
}

test('further addresses send and receive, and take no gossip', async () => {
  const [a, b] = [await open('a', key), await open('b', key)]
  const [legA, legB] = [nextHost(), nextHost()]
  a.membership.setLegs([need(legA)])
  b.membership.setLegs([need(legB), need('192.0.2.1')])
  await until('the leg sends', () =>
    a.membership.sendFrom(need(legA), [need(legB), need(b.host)], fromByteString('beat')))
  const heard = (): readonly string[] => b.events.flatMap((event) => event.kind === 'message'
    ? [`${toAddressBytes(event.from).join('.')} ${toAddressBytes(event.local).join('.')}`] : [])
  await until('both of its addresses hear, however late one opened', () => {
    a.membership.sendFrom(need(legA), [need(legB)], fromByteString('beat'))
    return heard().includes(`${legA} ${legB}`) && heard().includes(`${legA} ${b.host}`)
  })
  await until('the foreign address is counted', () => b.membership.counts().drops.has('legUnavailable'))
  assert.is(a.membership.sendFrom(need('192.0.2.7'), [need(legB)], fromByteString('x')), false)
  const stranger = createSocket('udp4')
  const send = (packet: Uint8Array, host: string): void => stranger.send(packet, port, host)
  send(cipher.seal(fromHex(golden.nack)), legB)
  send(fromHex(golden.ping), b.host)
  send(fromHex(golden.labelPlainPing), b.host)
  const sender = '127.0.0.1'
  const drops = (): readonly string[] => [...b.membership.counts().drops.keys()]
  await until('each is counted by its reason', () =>
    ['wrongSocket', 'undecryptable', 'label'].every((reason) => drops().includes(reason)))
  assert.ok(b.drops.includes(`undecryptable ${sender}`), b.drops.join())
  await new Promise<void>((resolve) => stranger.close(() => resolve()))
  await a.membership[Symbol.asyncDispose]()
  await b.membership[Symbol.asyncDispose]()
})

test('a stranger\'s stream is counted, answered with a sealed error, and cut', async () => {
  const a = await open('a', key)
  const socket = connect({ host: a.host, port, allowHalfOpen: true })
  const answer: Uint8Array[] = []
  socket.on('error', () => {})
  socket.on('data', (bytes) => void answer.push(bytes))
  socket.write(fromHex(golden.pushpullPlain))
  const timer = setInterval(() => socket.write('more'), 50)
  await new Promise<void>((resolve) => socket.once('close', () => resolve()))
  clearInterval(timer)
  assert.is(a.membership.counts().drops.get('unencrypted'), 1)
  const content = createUnframer({ cipher, wantsEncryption: true }).push(Buffer.concat(answer))
  assert.equal(typeof content === 'object' && decodeStream(content), { kind: 'error', text: 'unencrypted' })
  await a.membership[Symbol.asyncDispose]()
})

const secrets: readonly (readonly [it: string, a: Uint8Array | undefined, b: Uint8Array | undefined])[] = [
  ['two secrets', key, key.toReversed()], ['a secret here and none there', key, noKey],
  ['no secret here and one there', noKey, key],
]
for (const [it, ofA, ofB] of secrets) {
  test(`${it}: one that calls and one that is called hear of it, and from whom`, async () => {
    const [a, b] = [await open('a', ofA), await open('b', ofB)]
    a.membership.setPeers([need(b.host)])
    const heard = ({ drops }: Seen): readonly string[] => drops.filter((text) => /crypt/.test(text))
    await until('both have', () => heard(a).length > 0 && heard(b).length > 0)
    assert.match(heard(a).join(), new RegExp(`^un(decryptable|encrypted) ${b.host}`))
    assert.match(heard(b).join(), new RegExp(`^un(decryptable|encrypted) ${a.host}`))
    assert.equal([views(a), views(b)], ['a alive of a', 'b alive of b'])
    await a.membership[Symbol.asyncDispose]()
    await b.membership[Symbol.asyncDispose]()
  })
}

test('an address that is taken is refused in words', async () => {
  const a = await open('a', key)
  const again = openMembership({
    name: 'b', address: need(a.host), port, settings: brisk, key, meta: new Uint8Array(), incarnation: 1,
    seed: 1, now: () => performance.now(), onEvent: () => {},
  })
  assert.match(await again.then(() => 'open', String),
    /Cannot bind UDP 127\.\S+ port 7946: another program uses it/)
  await a.membership[Symbol.asyncDispose]()
})

test('an address that this host has not is refused in words', async () => {
  const opening = openMembership({
    name: 'b', address: need('192.0.2.1'), port, settings: brisk, key, meta: new Uint8Array(),
    incarnation: 1, seed: 1, now: () => performance.now(), onEvent: () => {},
  })
  assert.match(await opening.then(() => 'open', String),
    /192\.0\.2\.1 port 7946: this host has no such address/)
})

test('the secret is read as it is; a bad configuration file leaves the profile in force', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'arpeggio-membership-'))
  const read = (profile: 'lan' | 'wan'): ReturnType<typeof readMembershipFiles> =>
    readMembershipFiles({ secretKeyPath: folder, profile, configPath: join(folder, 'config.json') })
  assert.match(await read('lan').then(() => 'read', String),
    /Cannot read the secret of membership "[^"]+": .*no such file/)
  writeFileSync(join(folder, 'secretkey'), 'short')
  const { key: derived, ...none } = await read('wan')
  assert.is(toHex(derived ?? new Uint8Array()).slice(0, 20), '73686f7274e3b0c44298')
  assert.equal(none, { settings: wanSettings, problems: [], warnings: [] })
  writeFileSync(join(folder, 'config.json'), '{"ProbeInterval":"fast"}')
  const bad = await read('lan')
  assert.equal(bad.settings, lanSettings)
  assert.ok(bad.problems.includes('"ProbeInterval" cannot be "fast"'))
  rmSync(folder, { recursive: true })
})

test('addresses survive the way to bytes and back; mapped ones are IPv4', () => {
  for (const text of ['192.0.2.1', '2001:db8::1']) {
    assert.equal(fromAddressBytes(toAddressBytes(need(text))), need(text))
  }
  assert.equal(fromAddressBytes(fromHex('00000000000000000000ffffc0000201')), need('192.0.2.1'))
})

test.run()
