/** The webhook without an API server: what it writes, serves and answers, and what it says when it cannot. */
import { request } from 'node:https'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { config, held, pool, service } from '../config/builders.ts'
import type { Fields } from '../config/fields.ts'
import type { Api, Call, Reply } from '../kube/api.ts'
import type { Job, Writer } from '../kube/writer.ts'
import { createLog } from '../log.ts'
import { type KeyPair, makeCertificate } from './certificate.ts'
import { openReviewServer } from './server.ts'
import { openWebhook, type Webhook } from './webhook.ts'

const namespace = 'metallb-system'
const host = `hook.${namespace}.svc`
const day = 86_400_000
const start = Date.parse('2026-01-01T00:00:00Z')
const end = Date.parse('2099-01-01T00:00:00Z')
const pair = makeCertificate({ host, notBefore: new Date(0), notAfter: new Date(end) })

interface World extends AsyncDisposable {
  readonly webhook: Webhook
  readonly port: number
  /** Wall clock. */
  nowMs: number
  isReady: boolean
  /** Pools that the API server has. */
  pools: readonly Fields[]
  /** Calls of the writes that were put, as `METHOD PATH`, with what they ask. */
  readonly written: Call[]
  /** What the server answers to a write. */
  status: number
  /** `MSG` of the log's lines. */
  readonly lines: string[]
}

const answer = (status: number, value: unknown): Reply => ({ status, value, retryAfterMs: undefined })
const encode = (text: string): string => Buffer.from(text).toString('base64')
const stored = ({ certificate, key }: KeyPair): unknown => ({
  metadata: { name: 'cert', namespace, resourceVersion: '7' },
  data: { 'tls.crt': encode(certificate), 'tls.key': encode(key), 'ca.crt': encode(certificate) },
})
const configuration = {
  metadata: { name: 'metallb-webhook-configuration', resourceVersion: '8' },
  webhooks: [{ name: 'pools', clientConfig: { service: { name: 'hook', namespace } } }],
}

/** What an API server with these objects answers; its watches stay silent. */
function apiOf(world: () => World, secrets: readonly unknown[], configurations: readonly unknown[]): Api {
  const list = (items: readonly unknown[]): Reply =>
    answer(200, { metadata: { resourceVersion: '10' }, items })
  return {
    call: async ({ path }) => {
      if (path.includes('/secrets')) return list(secrets)
      if (path.includes('validatingwebhookconfigurations')) return list(configurations)
      if (path.endsWith('/ipaddresspools')) return list(world().pools)
      return answer(200, { major: '1', minor: '34' })
    },
    watch: ({ signal }) => new Promise((_, reject) =>
      signal.addEventListener('abort', () => reject(new Error('ended')))),
    [Symbol.dispose]: () => undefined,
  }
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  await using server = await openReviewServer({ port: 0, pair, answer: async () => 200 })
  return server.port
}

interface Given {
  readonly secrets?: readonly unknown[]
  readonly configurations?: readonly unknown[]
  readonly port?: number
}

async function open({ secrets = [], configurations = [], port }: Given = {}): Promise<World> {
  const lines: string[] = []
  const written: Call[] = []
  const put = ({ make, settled }: Job): void => {
    const call = make()
    if (call === undefined) return
    written.push(call)
    settled?.(answer(world.status, undefined))
  }
  const writer: Writer = {
    put, clear: () => undefined, pending: 0, idle: async () => undefined, trouble: undefined,
    [Symbol.asyncDispose]: async () => undefined,
  }
  const log = createLog({
    level: 'info', write: (line) => void lines.push(JSON.parse(line).msg), wall: () => new Date(0),
  })
  const chosen = port ?? await freePort()
  let changes = 0
  const webhook = openWebhook({
    api: apiOf(() => world, secrets, configurations), log, writer, namespace, port: chosen,
    secret: 'cert', service: 'hook', validityMs: 90 * day, owners: [{ uid: 'u' }], loadBalancerClass: '',
    wall: () => new Date(world.nowMs), isReady: () => world.isReady, configObjects: () => [],
    inForce: () => config(pool('lan', '192.0.2.0/28')),
    services: () => [service('web', { held: held('192.0.2.1'), allocatedFromPool: 'lan' })],
    onChange: () => void (changes += 1),
  })
  const world: World = {
    webhook, port: chosen, nowMs: start, isReady: true, pools: [], written, status: 200, lines,
    [Symbol.asyncDispose]: () => webhook[Symbol.asyncDispose](),
  }
  while (changes < 2) await new Promise((resolve) => setImmediate(resolve)) // both lists are there
  return world
}

/** Turns until the port is open, or cannot be. */
async function untilServed({ webhook }: World): Promise<void> {
  const begun = webhook.trouble
  for (webhook.turn(false); webhook.trouble === begun;) await new Promise((resolve) => setImmediate(resolve))
}

const lan = (addresses: readonly string[], name = 'lan'): Fields => ({
  apiVersion: 'metallb.io/v1beta1', kind: 'IPAddressPool', metadata: { name, namespace }, spec: { addresses },
})

function review(more: Fields): Fields {
  return {
    request: {
      uid: 'u1', kind: { group: 'metallb.io', version: 'v1beta1', kind: 'IPAddressPool' }, namespace,
      name: 'lan', userInfo: { username: 'admin' }, operation: 'CREATE', ...more,
    },
  }
}

/** What the port answers: the status, then the verdict and its words. */
function ask({ port }: World, body: unknown): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, servername: host, ca: pair.certificate, method: 'POST' }
    const sent = request({ ...options, agent: false }, (reply) => {
      let text = ''
      reply.on('data', (chunk: Buffer) => void (text += chunk.toString()))
      reply.on('end', () => {
        const { allowed, status } = text === '' ? {} : JSON.parse(text).response
        resolve([reply.statusCode, allowed ?? '', status?.message ?? ''].join(' ').trim())
      })
    })
    sent.on('error', reject)
    sent.end(JSON.stringify(body))
  })
}

test('nothing is stored, and this one leads: a certificate is stored', async () => {
  await using world = await open()
  assert.is(world.webhook.trouble, 'there is no certificate yet')
  world.webhook.turn(true)
  assert.equal(world.written.map(({ method, path }) => `${method} ${path}`), [
    `POST /api/v1/namespaces/${namespace}/secrets?fieldManager=arpeggio-controller`,
  ])
  world.webhook.turn(true)
  assert.is(world.written.length, 1, 'the watch has not shown it yet')
})

test('another leads: nothing is written', async () => {
  await using world = await open({ configurations: [configuration] })
  world.webhook.turn(false)
  assert.equal([world.written, world.webhook.trouble], [[], 'there is no certificate yet'])
})

test('who asks is told first whom to trust', async () => {
  await using world = await open({ configurations: [configuration] })
  world.webhook.turn(true)
  assert.equal(world.written.map(({ method }) => method), ['PATCH'])
})

test('a write that was refused is made again', async () => {
  await using world = await open()
  world.status = 409
  world.webhook.turn(true)
  world.nowMs += day
  world.webhook.turn(true)
  assert.is(world.written.length, 2)
})

test('what is stored is served by everybody, and told once', async () => {
  await using world = await open({ secrets: [stored(pair)] })
  await untilServed(world)
  world.webhook.turn(false)
  assert.equal([world.webhook.trouble, world.lines], [undefined, ['webhook certificate in use']])
})

test('the certificate ends and nobody leads: that is said', async () => {
  await using world = await open({ secrets: [stored(pair)] })
  await untilServed(world)
  world.nowMs = end
  world.webhook.turn(false)
  assert.is(world.webhook.trouble,
    'the certificate ended at 2099-01-01T00:00:00.000Z, and who leads has stored no other')
})

test('the port is taken: that is said, once in the log', async () => {
  await using other = await openReviewServer({ port: 0, pair, answer: async () => 200 })
  await using world = await open({ secrets: [stored(pair)], port: other.port })
  await untilServed(world)
  assert.match(world.webhook.trouble ?? '', /^Cannot listen on port \d+: .*EADDRINUSE/)
  assert.equal(world.lines, ['webhook not served'])
})

const moving = { object: lan(['192.0.2.32/28']), oldObject: lan(['192.0.2.0/28']), operation: 'UPDATE' }
const collector = { username: 'system:serviceaccount:kube-system:namespace-controller' }
const map = {
  kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'other', namespace }, data: { config: '{' },
}

const rows: readonly { readonly it: string; readonly body: unknown; readonly want: RegExp }[] = [
  { it: 'what is no review', body: {}, want: /^400$/ },
  { it: 'a good pool', body: review({ name: 'b', object: lan(['198.51.100.0/28'], 'b') }),
    want: /^200 true$/ },
  { it: 'one that overlaps with what the API server has', want: /^200 false .*lan.*$/,
    body: review({ name: 'b', object: lan(['192.0.2.8-192.0.2.31'], 'b') }) },
  { it: 'an edit that takes an address from a Service', body: review(moving),
    want: /^200 false .*default\/web/ },
  { it: 'a deletion by who empties namespaces', want: /^200 true$/,
    body: review({
      operation: 'DELETE', object: null, oldObject: lan(['192.0.2.0/28']), userInfo: collector,
    }) },
  { it: 'a ConfigMap of somebody else\'s', want: /^200 true$/,
    body: review({ kind: { group: '', version: 'v1', kind: 'ConfigMap' }, name: 'other', object: map }) },
]
for (const { it, body, want } of rows) {
  test(`asked: ${it}`, async () => {
    await using world = await open({ secrets: [stored(pair)] })
    world.pools = [lan(['192.0.2.0/28'])]
    await untilServed(world)
    assert.match(await ask(world, body), want)
    world.isReady = false
    assert.match(await ask(world, body), want.source === '^400$' ? want : /^503$/, 'not everything is known')
  })
}

test.run()
