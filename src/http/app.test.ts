/** The HTTP endpoint in memory: probes, forms of the status, read-only, escaping. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createApp } from './app.ts'
import type { UnitView } from '../ownership/view.ts'
import type { StatusDocument } from './status.ts'

const status: StatusDocument = {
  program: 'arpeggio', version: '0.0.0', role: 'standalone', node: 'n<1>',
  startedAt: '2026-01-02T03:04:05.000Z',
  config: {
    ok: false, loadedAt: '2026-01-02T03:04:05.000Z', warnings: [],
    problems: [{ file: 'a.yaml', document: 2, object: 'IPAddressPool/x', path: 'spec.addresses[0]',
      reason: 'BadAddress', message: 'invalid CIDR "<script>"' }],
  },
  services: [
    { namespace: 'default', name: 'web', verdict: 'kept', reason: '', message: '', pool: 'lan',
      addresses: ['192.0.2.1'], silent: [],
      announcements: [{ address: '192.0.2.1', node: 'n<1>', interfaces: ['eth0'] }] },
    { namespace: 'default', name: 'no', verdict: 'refused', reason: 'poolExhausted',
      message: 'no available IPs', pool: null, addresses: [], silent: [], announcements: [] },
  ],
  announcements: [{ address: '192.0.2.1', services: ['default/web'], node: 'n<1>',
    interfaces: ['eth0'], since: '2026-01-02T03:04:05.000Z', requests: 3, replies: 2, gratuitous: 1 }],
  links: [{ name: 'eth0', index: 2, mac: '02:00:5e:00:53:01', up: true, carrier: true, usable: true,
    addresses: ['192.0.2.10/24'] }],
  drops: { notAnnounced: 4 }, responder: 'socket',
  forwarding: { state: 'failed', findings: [{ reason: 'rulesNotLoaded', message: 'no nft' }] },
  findings: [],
}

const ask = async (path: string, init: RequestInit = {}, notReady?: string, shown = status) => {
  const app = createApp({
    notReady: () => notReady,
    status: () => shown,
    metrics: { contentType: 'text/plain; version=0.0.4', text: () => Promise.resolve('m 1\n') },
  })
  const response = await app.fetch(new Request(`http://n${path}`, init))
  const type = response.headers.get('content-type') ?? ''
  return { code: response.status, type, text: await response.text() }
}

test('probes: healthy always, ready only without a reason', async () => {
  assert.equal((await ask('/healthz', {}, 'not yet')).code, 200)
  assert.equal((await ask('/readyz')).code, 200)
  const waiting = await ask('/readyz', {}, 'configuration not read yet')
  assert.equal([waiting.code, waiting.text], [503, 'configuration not read yet\n'])
})

test('metrics keep their content type', async () => {
  const { code, type, text } = await ask('/metrics')
  assert.equal([code, type, text], [200, 'text/plain; version=0.0.4', 'm 1\n'])
})

const forms: readonly { it: string; path?: string; headers: Record<string, string>; want: string }[] = [
  { it: 'curl gets text', headers: { 'user-agent': 'curl/8.0', accept: '*/*' }, want: 'text/plain' },
  { it: 'wget gets text', headers: { 'user-agent': 'Wget/1.21', accept: '*/*' }, want: 'text/plain' },
  { it: 'a browser gets HTML', headers: { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' },
    want: 'text/html' },
  { it: 'JSON on request', headers: { 'user-agent': 'curl/8.0', accept: 'application/json' },
    want: 'application/json' },
  { it: 'anybody else gets JSON', headers: {}, want: 'application/json' },
  { it: 'the query wins', path: '/status?format=text', headers: { accept: 'text/html' },
    want: 'text/plain' },
]
for (const { it, path, headers, want } of forms) {
  test(`status: ${it}`, async () => {
    const { code, type } = await ask(path ?? '/status', { headers })
    assert.is(code, 200)
    assert.ok(type.startsWith(want), type)
  })
}

for (const format of ['xml', 'JSON', '', 'yaml&format=json']) {
  test(`status: format=${format} is refused, whoever asks, with what there is`, async () => {
    for (const { headers } of forms) {
      const { code, type, text } = await ask(`/status?format=${format}`, { headers })
      assert.equal([code, text], [400, 'unknown format: ask for format=json, format=text or format=html\n'])
      assert.ok(type.startsWith('text/plain'), type)
    }
  })
}

test('status as JSON is the document', async () => {
  assert.equal(JSON.parse((await ask('/status')).text), status)
})

test('the state for who debugs is the same document, whoever asks', async () => {
  for (const { headers } of forms) {
    const { code, type, text } = await ask('/debug/state', { headers })
    assert.equal([code, type, JSON.parse(text)], [200, 'application/json', status])
  }
})

test('status as text names problems, refusals and findings', async () => {
  const { text } = await ask('/status?format=text')
  for (const words of ['CONFIGURATION REFUSED: 1 problem; the last good one is in force',
    'a.yaml:2 IPAddressPool/x spec.addresses[0]',
    'rulesNotLoaded: no nft', 'no available IPs', '192.0.2.1']) {
    assert.ok(text.includes(words), words)
  }
})

const together: StatusDocument = {
  ...status,
  members: [
    { name: 'n<1>', address: '192.0.2.10', state: 'alive', capable: true },
    { name: 'other', address: '192.0.2.11', state: 'dead', capable: true },
    { name: 'old', address: '192.0.2.12', state: 'alive', capable: false },
    { name: 'idle', address: '192.0.2.13', state: 'alive', capable: true },
  ],
  group: {
    id: 'g', version: '2.7', members: ['n<1>', 'other'], options: null,
    size: 2, heard: 1, needed: 2, missing: ['other'],
    allocator: null, standstill: 'minority',
  },
  ownership: {
    placement: 'sticky', isMixed: true, isStarting: true, isAlone: false, fenceInMs: 200, monitors: ['old'],
    members: [
      { name: 'n<1>', isAlive: true, isCapable: true, owned: 2, beatAgoMs: undefined, wire: undefined },
      { name: 'other', isAlive: false, isCapable: true, owned: 0, beatAgoMs: 3_700_000, wire: 'answers' },
      { name: 'idle', isAlive: true, isCapable: true, owned: 0, beatAgoMs: 10_000, wire: undefined },
    ],
    units: [
      unit('192.0.2.1', { owner: 'n<1>', why: 'ownerSilent', isOurs: true, interfaces: ['eth0'] }),
      unit('192.0.2.2', { owner: 'n<1>', isOurs: true, silence: 'contested' }),
      unit('192.0.2.3', { conflict: { mac: '02:00:5e:00:53:09', text: '192.0.2.3' } }),
      unit('192.0.2.4', { claim: 'segmentUnheard', sinceMs: 86_400_000 * 2 }),
      unit('192.0.2.5', { owner: 'other', ownerState: 'dead', claim: 'waiting' }),
      unit('192.0.2.6', { owner: 'other', ownerState: 'dead', formerVoice: voiceFor('192.0.2.6') }),
      unit('192.0.2.7', { owner: 'other', ownerState: 'gone', formerVoice: voiceFor('192.0.2.7') }),
      unit('192.0.2.8', { owner: 'idle', ownerState: 'live' }),
    ],
    legs: [
      { name: 'eth0', heardAgoMs: 5, answeredAgoMs: undefined, isDeaf: true, twin: undefined },
      { name: 'eth1', heardAgoMs: 5_000, answeredAgoMs: 65_000, isDeaf: false, twin: 'eth0' },
    ],
    moves: Array.from({ length: 25 }, (_, i) => ({
      agoMs: 60_000 - i, unit: '192.0.2.1', kind: i % 2 === 0 ? 'claimed' : 'released',
      cause: i % 2 === 0 ? 'ownerSilent' : 'handOver', from: 'other', to: 'new',
      darkMs: i === 24 ? 307 : i === 23 ? 9_000 : undefined,
    })),
    pauses: [
      { agoMs: 50_000, unit: '192.0.2.2', kind: 'silenced', cause: 'expired', lastedMs: undefined },
      { agoMs: 49_000, unit: '192.0.2.2', kind: 'resumed', cause: 'conflict', lastedMs: 1_234 },
    ],
    counts: { sent: 1, received: 2, malformed: 0 },
  },
}

function voiceFor(text: string): NonNullable<UnitView['formerVoice']> {
  return { node: 'other', mac: '02:00:5e:00:53:0b', text }
}

function unit(text: string, rest: Partial<UnitView>): UnitView {
  return {
    unit: text, addresses: [text], owner: undefined, ownerState: undefined, formerVoice: undefined,
    sinceMs: 12_000, why: undefined, term: 1, isOurs: false,
    silence: undefined, conflict: undefined, interfaces: [], claim: undefined, ...rest,
  }
}

test('so many members live as the table below has alive, whatever the group has heard yet', async () => {
  const { group, members = [] } = together
  assert.ok(group)
  const back = members.map((each) => each.name === 'other' ? { ...each, state: 'alive' } : each)
  const { text } = await ask('/status?format=text', {}, undefined, { ...together, members: back })
  assert.match(text, /^2 of 2 members live, nobody/m)
  const early = { ...together, group: { ...group, members: [] } }
  assert.match((await ask('/status?format=text', {}, undefined, early)).text, /^1 of 2 members live, nobody/m)
})

test('a host that has others tells of members, owners, hearing and moves', async () => {
  const { text } = await ask('/status?format=text', {}, undefined, together)
  const has = (pattern: RegExp): void => assert.match(text, pattern)
  has(/^1 of 2 members live, nobody allocates, ledger 2\.7, placement sticky \(a member speaks no beats\)/m)
  has(/watched by old, starting: waiting for members$/m)
  has(/^n<1> +192\.0\.2\.10 +alive +beats +2 +this host$/m)
  has(/^other +192\.0\.2\.11 +dead, answers on the wire +beats +0 +1 h 1 min ago$/m)
  has(/^old +192\.0\.2\.12 +alive +gossip only +0 +-$/m)
  has(/^idle +192\.0\.2\.13 +alive +beats +0 +owns nothing$/m)
  has(/^192\.0\.2\.1 +n<1> +12 s +ownerSilent +eth0 +answers$/m)
  has(/^192\.0\.2\.2 +n<1> .* silent: contested$/m)
  has(/^192\.0\.2\.3 +nobody .* inConflict: 02:00:5e:00:53:09 answers for 192\.0\.2\.3$/m)
  has(/^192\.0\.2\.4 +nobody +2 d .* claim: segmentUnheard$/m)
  has(/^192\.0\.2\.5 +other\? .* dead by gossip; claim: waiting$/m)
  has(/^192\.0\.2\.6 +other\? .* dead by gossip, and answers on the wire$/m)
  has(/^192\.0\.2\.7 +nobody .* inConflict: 02:.*:0b of other, which is no member any more, answers for 192/m)
  has(/^192\.0\.2\.8 +idle +12 s +- +- +-$/m)
  has(/^eth0 +5 ms ago +never +deaf: silent here until it hears a host$/m)
  has(/^eth1 +5 s ago +1 min 5 s ago +same segment as eth0, which answers$/m)
  has(/^59 s ago +192\.0\.2\.1 +came from other +ownerSilent +307 ms$/m)
  has(/^59 s ago +192\.0\.2\.1 +went to new +handOver +-$/m)
  assert.not.match(text, /went to new +handOver +\d/)
  has(/^WHEN .*DARK\n49 s ago +192\.0\.2\.2 +answers again +conflict +1 s\n50 s ago /m)
  has(/^50 s ago +192\.0\.2\.2 +fell silent +expired +-$/m)
  has(/^7 older rows: ask for JSON$/m)
})

test('a node whose interfaces are not known here stands alone on the page', async () => {
  const services = status.services.map((row) => ({
    ...row, announcements: row.announcements.map((each) => ({ ...each, interfaces: [] })),
  }))
  const { text } = await ask('/status?format=html', {}, undefined, { ...status, services })
  assert.match(text, /<td class="mono">n&lt;1&gt;<\/td>/)
  assert.not.match(text, /\(\)/)
})

const states: readonly { it: string; shown: StatusDocument; text: RegExp; page: RegExp }[] = [
  { it: 'in force', shown: { ...status, config: { ...status.config, ok: true, problems: [] } },
    text: /, configuration in force since 2026/, page: />Configuration in force<.* since 2026/ },
  { it: 'refused, with an older one', shown: status,
    text: /, CONFIGURATION REFUSED: 1 problem; the last good one is in force$/m,
    page: />Configuration refused<.*; the last good one is in force\./ },
  { it: 'refused, and no older one',
    shown: { ...status, config: { ...status.config, loadedAt: null } },
    text: /, CONFIGURATION REFUSED: 1 problem; none is in force$/m,
    page: />Configuration refused<.*; none is in force\./ },
  { it: 'not read yet',
    shown: { ...status, config: { ...status.config, loadedAt: null, problems: [] } },
    text: /, configuration not read yet$/m, page: /\. *\n?Configuration not read yet\./ },
  { it: 'not agreed yet',
    shown: {
      ...together, config: { ...status.config, loadedAt: null, problems: [] },
      group: { id: null, version: null, members: [], options: null, size: 3, heard: 1, needed: 2,
        missing: ['192.0.2.11', '192.0.2.12'], allocator: null, standstill: 'minority' },
    },
    text: /, NO CONFIGURATION IN FORCE: the hosts of [^]*^1 of 3 members live, nobody allocates, nothing/m,
    page: />No configuration in force<.*: the hosts of [^]*1 of 3 members live, nobody allocates, / },
]
for (const { it, shown, text, page } of states) {
  test(`status: the configuration is ${it}`, async () => {
    assert.match((await ask('/status?format=text', {}, undefined, shown)).text, text)
    assert.match((await ask('/status?format=html', {}, undefined, shown)).text, page)
  })
}

test('a host that is alone has none of these tables', async () => {
  const { text } = await ask('/status?format=text')
  assert.not.match(text, /MEMBER|CAUSE|members live/)
})

test('the page shows the same tables', async () => {
  const { text } = await ask('/status?format=html', {}, undefined, together)
  for (const title of ['Ownership', 'Members', 'Owners', 'Hearing', 'Moves and pauses']) {
    assert.ok(text.includes(`<h2>${title}</h2>`), title)
  }
  for (const words of ['nobody allocates', 'came from other', '307 ms', 'deaf: silent here',
    'Last beat here']) {
    assert.ok(text.includes(words), words)
  }
})

test('status as a page escapes what comes from files', async () => {
  const { text } = await ask('/status?format=html')
  assert.ok(text.includes('invalid CIDR &quot;&lt;script&gt;&quot;'))
  assert.not.ok(text.includes('<script>'))
  assert.ok(text.includes('Arpeggio on n&lt;1&gt;'))
})

test('nothing can be changed', async () => {
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
    assert.is((await ask('/status', { method })).code, 405)
  }
})

test('an unknown path lists the known ones', async () => {
  const { code, text } = await ask('/x')
  assert.is(code, 404)
  assert.match(text, /\/healthz \/readyz \/metrics \/status/)
})

test.run()
