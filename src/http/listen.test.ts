/** The site on a real port: probes beside the application, and what becomes of a failure. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openListener } from './listen.ts'
import type { Site } from './probes.ts'

const site: Site = {
  notReady: () => 'configuration not read yet',
  status: () => {
    throw new Error('no status in this test')
  },
  metrics: { contentType: 'text/plain; version=0.0.4', text: () => Promise.resolve('m 1\n') },
}

const rows: readonly { path: string; method?: string; want: readonly [number, string, string] }[] = [
  { path: '/healthz', want: [200, 'text/plain; charset=UTF-8', 'ok\n'] },
  { path: '/healthz', method: 'HEAD', want: [200, 'text/plain; charset=UTF-8', ''] },
  { path: '/readyz', want: [503, 'text/plain; charset=UTF-8', 'configuration not read yet\n'] },
  { path: '/metrics', want: [200, 'text/plain; version=0.0.4', 'm 1\n'] },
  // Whatever else is asked, the application answers the same.
  { path: '/metrics?x=1', want: [200, 'text/plain; version=0.0.4', 'm 1\n'] },
  { path: '/healthz', method: 'POST', want: [405, 'text/plain; charset=UTF-8', 'read-only\n'] },
  { path: '/none', want: [404, 'text/plain; charset=UTF-8',
    'not found: /healthz /readyz /metrics /status /debug/state\n'] },
]

test('probes and the application answer on one port, alike', async () => {
  await using listener = await openListener({ site, host: '127.0.0.1', port: 0 })
  for (const { path, method = 'GET', want } of rows) {
    const response = await fetch(`http://127.0.0.1:${listener.port}${path}`, { method })
    const type = response.headers.get('content-type') ?? ''
    assert.equal([response.status, type, await response.text()], want, `${method} ${path}`)
    if (response.status !== 405) assert.is(response.headers.get('cache-control'), 'no-store', path)
  }
})

test('metrics that fail are a failure of the server, and end nothing else', async () => {
  const metrics = { contentType: '', text: () => Promise.reject(new Error('a gauge failed')) }
  await using listener = await openListener({ site: { ...site, metrics }, host: '127.0.0.1', port: 0 })
  const url = `http://127.0.0.1:${listener.port}`
  assert.is((await fetch(`${url}/metrics`)).status, 500)
  assert.is((await fetch(`${url}/healthz`)).status, 200)
})

test('a port that is taken is named', async () => {
  await using listener = await openListener({ site, host: '127.0.0.1', port: 0 })
  const error = await openListener({ site, host: '127.0.0.1', port: listener.port }).then(() => '', String)
  assert.match(error, /Cannot listen on "127\.0\.0\.1" port \d+: another program uses it; .* --http-port$/)
  const probes = { site, host: '127.0.0.1', port: listener.port, flag: '--health-probe-port' } as const
  assert.match(await openListener(probes).then(() => '', String), /choose one with --health-probe-port$/)
})

test.run()
