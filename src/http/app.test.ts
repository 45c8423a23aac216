/** The HTTP endpoint in memory: probes, forms of the status, read-only, escaping. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createApp } from './app.ts'
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

const ask = async (path: string, init: RequestInit = {}, notReady?: string) => {
  const app = createApp({
    notReady: () => notReady,
    status: () => status,
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

test('status as JSON is the document', async () => {
  assert.equal(JSON.parse((await ask('/status')).text), status)
})

test('status as text names problems, refusals and findings', async () => {
  const { text } = await ask('/status?format=text')
  for (const words of ['CONFIGURATION REFUSED: 1 problems', 'a.yaml:2 IPAddressPool/x spec.addresses[0]',
    'rulesNotLoaded: no nft', 'no available IPs', '192.0.2.1']) {
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
