/** Profiles, MetalLB's configuration file, its key, and the formulas of suspicion and gossip. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { toHex } from '../l2/bytes.ts'
import { createQueue, enqueue, maxBroadcasts, takeBroadcasts } from './queue.ts'
import { deriveKey, lanSettings, parseGoDuration, parseSettings, wanSettings } from './settings.ts'
import { pushPullMs, retransmitLimit, suspicionMs, suspicionTimes } from './timing.ts'
import { fromByteString, toByteString } from './wire/bytes.ts'

const keys: Readonly<Record<string, string>> = {
  'AAECAwQFBgcICQoLDA0ODw': '41414543417751464267634943516f4c4441304f4477e3b0c44298fc1c149afb',
  'short': '73686f7274e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca49599',
  '0123456789abcdef0123456789abcdefEXTRA':
    '3031323334353637383961626364656630313233343536373839616263646566',
}
for (const [secret, key] of Object.entries(keys)) {
  test(`the key of "${secret}"`, () =>
    assert.is(toHex(deriveKey(fromByteString(secret)) ?? new Uint8Array()), key))
}
test('an empty secret is no key; a line break is part of one', () => {
  assert.is(deriveKey(new Uint8Array()), undefined)
  assert.is.not(toHex(deriveKey(fromByteString('short\n')) ?? new Uint8Array()), keys['short'])
})

const durations: Readonly<Record<string, number | undefined>> = {
  '500ms': 500, '1s': 1_000, '1m30s': 90_000, '1.5h': 5_400_000, '250us': 0.25, '.5s': 500, '0': 0,
  '10': undefined, '-1s': undefined, '1 s': undefined, '': undefined, 's': undefined,
}
for (const [text, ms] of Object.entries(durations)) {
  test(`the Go duration "${text}"`, () => assert.is(parseGoDuration(text), ms))
}

const file = {
  TCPTimeout: '10s', IndirectChecks: 3, RetransmitMult: 4, SuspicionMult: 4, SuspicionMaxTimeoutMult: 6,
  PushPullInterval: '30s', ProbeTimeout: '80ms', ProbeInterval: '200ms', DisableTcpPings: true,
  AwarenessMaxMultiplier: 8, GossipNodes: 3, GossipInterval: '50ms', GossipToTheDeadTime: '30s',
  GossipVerifyIncoming: true, GossipVerifyOutgoing: true, EnableCompression: false,
  HandoffQueueDepth: 1024, UDPBufferSize: 1400, QueueCheckInterval: '30s',
}
test('MetalLB\'s file sets every value', () => {
  const { settings, problems, warnings } = parseSettings(JSON.stringify(file))
  assert.equal([problems, warnings], [[], []])
  assert.equal(settings, {
    ...lanSettings, probeTimeoutMs: 80, probeIntervalMs: 200, hasTcpPings: false, gossipIntervalMs: 50,
    isCompressed: false,
  })
})
test('a missing duration or a wrong value is a problem; a missing number a warning', () => {
  const { TCPTimeout: _, GossipNodes: __, ...rest } = file
  const reading = parseSettings(JSON.stringify({ ...rest, ProbeInterval: 5, Extra: 1 }))
  assert.is(reading.settings, undefined)
  assert.equal(reading.problems, ['Lacks "TCPTimeout"', '"ProbeInterval" cannot be 5'])
  assert.equal(reading.warnings, [
    'Lacks "GossipNodes": the LAN profile\'s is used', 'Has "Extra", which means nothing',
  ])
})
for (const text of ['', '[]', 'null', '{"a":']) {
  test(`"${text}" is no such file`, () =>
    assert.equal(parseSettings(text).problems, ['Is not a JSON object']))
}

test('the WAN profile is slower', () => {
  const { probeIntervalMs, suspicionMult, gossipNodes } = wanSettings
  assert.equal([probeIntervalMs, suspicionMult, gossipNodes], [5_000, 6, 4])
})

// Source: the table of MetalLB's settings, and memberlist's own tests.
const suspicions: readonly (readonly [nodes: number, start: number, one: number, two: number])[] = [
  [2, 4_000, 4_000, 4_000], [3, 4_000, 4_000, 4_000], [4, 24_000, 11_381, 4_000],
  [10, 24_000, 11_381, 4_000], [33, 36_432, 17_276, 6_072], [100, 48_000, 22_762, 8_000],
]
for (const [nodes, ...want] of suspicions) {
  test(`how long a suspicion lasts among ${nodes} nodes, with 0, 1 and 2 confirmations`, () => {
    const times = suspicionTimes(lanSettings, nodes)
    assert.equal([0, 1, 2].map((count) => suspicionMs(times, count)), want)
  })
}

test('how often a broadcast is handed out, and how rare exchanges are', () => {
  assert.equal([0, 1, 9, 10, 99, 100].map((count) => retransmitLimit(4, count)), [0, 4, 4, 8, 8, 12])
  assert.equal([1, 32, 33, 64, 65, 128, 129].map((count) => pushPullMs(10, count)),
    [10, 10, 20, 20, 30, 30, 40])
})

const take = (queue: ReturnType<typeof createQueue>, mostBytes: number, limit = 4): string =>
  takeBroadcasts(queue, { overheadBytes: 2, mostBytes, mostCount: 255, limit })
    .messages.map(toByteString).join()

test('the least sent go first, then the longest, then the newest; each as often as the limit', () => {
  const queue = createQueue()
  for (const [key, text] of [['1', 'aa'], ['2', 'bbbb'], ['3', 'cc']] as const) {
    enqueue(queue, { key, message: fromByteString(text) })
  }
  assert.is(take(queue, 10), 'bbbb,cc')
  assert.is(take(queue, 10), 'aa,bbbb')
  assert.is(take(queue, 100, 2), 'cc,aa,bbbb')
  assert.is(take(queue, 100), '')
})

test('a newer broadcast of the same key replaces the older; a flood pushes the most sent out', () => {
  const queue = createQueue()
  enqueue(queue, { key: 'k', message: fromByteString('old'), isLeave: true })
  assert.is(enqueue(queue, { key: 'k', message: fromByteString('new') }), true)
  assert.is(take(queue, 100), 'new')
  for (let i = 0; i < maxBroadcasts; i++) enqueue(queue, { key: `n${i}`, message: fromByteString('x') })
  assert.is(queue.entries.length, maxBroadcasts)
  assert.not.ok(queue.entries.some(({ key }) => key === 'k'))
})

test.run()
