/** The definitions in a real API server: it lets in what `check` lets in, and refuses with its words. */
import { globSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { run, runOk } from '../lab/command.ts'
import { arpeggio, type Problem } from '../lab/program.ts'
import { findAssets, testUnless } from './assets.ts'
import { call } from './call.ts'
import { bad, fine, foreign, longest, type Row } from './rows.ts'
import { type KubeServer, openServer, serverPrograms } from './server.ts'

const root = join(import.meta.dirname, '../..')
const guide = globSync(join(import.meta.dirname, 'guide/*.yaml')).toSorted()
const namespace = 'metallb-system'
const scratch = await mkdtemp(join(tmpdir(), 'arpeggio-crds-'))
test.after(() => rm(scratch, { recursive: true }))

test('the definitions are those of the program', async () => {
  assert.is((await run([join(root, 'hack/crds'), '--check'])).stderr, '')
  assert.is((await run([join(root, 'hack/crds'), '--chek'])).code, 2)
})

/** What MetalLB leaves: peers that its webhook converts, in a definition that nobody applied. */
const former = {
  apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition',
  metadata: { name: 'bgppeers.metallb.io' },
  spec: {
    group: 'metallb.io', scope: 'Namespaced',
    names: { kind: 'BGPPeer', listKind: 'BGPPeerList', plural: 'bgppeers', singular: 'bgppeer' },
    conversion: { strategy: 'Webhook', webhook: {
      clientConfig: { service: { namespace, name: 'metallb-webhook-service', path: '/convert' } },
      conversionReviewVersions: ['v1beta1', 'v1beta2'],
    } },
    versions: ['v1beta1', 'v1beta2'].map((name) => ({
      name, served: true, storage: name === 'v1beta2',
      schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
    })),
  },
}

const assets = await findAssets(serverPrograms)
const lack = 'lack' in assets ? assets.lack : undefined
const check = testUnless(lack, test)
const server = 'folder' in assets ? await openCluster(assets.folder) : undefined
test.after(async () => server?.[Symbol.asyncDispose]())

async function openCluster(folder: string): Promise<KubeServer> {
  const opened = await openServer({ assets: folder })
  const crds = join(root, 'deploy/base/crds.yaml')
  await opened.kubectlOk(['create', 'namespace', namespace])
  await opened.kubectlOk(['create', '-f', '-'], { stdin: JSON.stringify(former) })
  await opened.kubectlOk(['apply', '-f', crds])
  await opened.kubectlOk(['wait', '--for=condition=Established', '--timeout=60s', '-f', crds])
  return opened
}

/** The server; there is one in every test that runs. */
function cluster(): KubeServer {
  if (server === undefined) throw new Error('No API server')
  return server
}

check('definitions of MetalLB are replaced in place, its webhook for conversion with them', async () => {
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/bgppeers.metallb.io'
  const { body } = await call(cluster(), 'GET', path)
  assert.equal(at(body, 'spec', 'conversion'), { strategy: 'None' })
})

const plurals: Readonly<Record<string, string>> = {
  IPAddressPool: 'ipaddresspools', L2Advertisement: 'l2advertisements', BGPPeer: 'bgppeers',
  BGPAdvertisement: 'bgpadvertisements', BFDProfile: 'bfdprofiles', Community: 'communities',
  ServiceL2Status: 'servicel2statuses', ServiceBGPStatus: 'servicebgpstatuses',
  ConfigurationState: 'configurationstates',
}

function pathOf(kind: string, rest = '', version = 'v1beta1'): string {
  return `/apis/metallb.io/${version}/namespaces/${namespace}/${plurals[kind] ?? kind}${rest}`
}

const object = (kind: string, name: string, more: object, version = 'v1beta1'): object =>
  ({ apiVersion: `metallb.io/${version}`, kind, metadata: { name, namespace }, ...more })

/** A finding: where, and in which words. */
interface Said {
  readonly path: string
  readonly message: string
}

/** What the API server says of an object that it is only asked about; [] where it would take it. */
async function ask(kind: string, body: unknown): Promise<readonly Said[]> {
  const reply = await call(cluster(), 'POST', pathOf(kind, '?dryRun=All&fieldValidation=Strict'), { body })
  if (reply.status === 201) return []
  const causes = listOf(at(reply.body, 'details', 'causes')).map((cause) =>
    ({ path: String(at(cause, 'field')), message: String(at(cause, 'message')) }))
  return causes.length > 0 ? causes : [{ path: '', message: String(at(reply.body, 'message')) }]
}

function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((part, key) =>
    typeof part === 'object' && part !== null ? Object.entries(part).find(([name]) => name === key)?.[1]
      : undefined, value)
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** What one run of `check` says of each object: overlaps of one with another are no fault of either. */
async function judge(objects: readonly object[]): Promise<readonly (readonly Said[])[]> {
  const files = objects.map((_, i) => join(scratch, `${i}.json`))
  await Promise.all(files.map((file, i) => writeFile(file, JSON.stringify(objects[i]))))
  const { stdout } = await run([...arpeggio, 'check', '-o', 'json', ...files], { capMs: 60_000 })
  const { problems }: { problems: readonly Problem[] } = JSON.parse(stdout)
  return files.map((file) => problems.filter((problem) => problem.file === file &&
    (problem.reason !== 'Overlap' || problem.message.endsWith('of the same pool'))))
}

const described = (rows: readonly Row[]): readonly object[] => rows.map(({ kind, spec }, i) =>
  object(kind, `row-${i}`, spec === undefined ? {} : { spec }))

check('what is bad is refused, with the words of `check` and at the same place', async () => {
  const objects = described(bad)
  const judged = await judge(objects)
  for (const [i, { it, kind, words }] of bad.entries()) {
    const problems = judged[i] ?? []
    assert.ok(problems.length > 0, `check takes ${it}`)
    const said = await ask(kind, objects[i])
    if (words !== undefined) {
      assert.ok(said.some(({ message }) => words.test(message)), `${it}: ${JSON.stringify(said)}`)
      continue
    }
    assert.is(said.length, problems.length, `${it}: ${JSON.stringify(said)}`)
    for (const { path, message } of problems) {
      const isSaid = said.some((one) => one.message.endsWith(`: ${message}`) && path.startsWith(one.path))
      assert.ok(isSaid, `${it}: want ${path}: ${message}, found ${JSON.stringify(said)}`)
    }
  }
})

check('what is good is taken', async () => {
  const objects = described(fine)
  const judged = await judge(objects)
  for (const [i, { it, kind }] of fine.entries()) {
    assert.equal(judged[i], [], it)
    assert.equal(await ask(kind, objects[i]), [], it)
  }
})

check('a thousand entries are taken, within the work that the server grants', async () => {
  const [body = {}] = described([longest])
  assert.equal([await judge([body]), await ask(longest.kind, body)], [[[]], []])
})

check('ranges are ordered as `check` orders them, whatever their addresses', async () => {
  const addresses = Array.from({ length: 300 }, (_, i) => rangeOf(i))
  const body = object('IPAddressPool', 'ordered', { spec: { addresses } })
  const [problems = []] = await judge([body])
  const reversed = problems.filter(({ message }) => message.includes('is after'))
  assert.ok(reversed.length > 50)
  const lines = (list: readonly Said[]): readonly string[] => list.map(({ path }) => path).toSorted()
  assert.equal(lines(await ask('IPAddressPool', body)), lines(reversed))
})

/** Two addresses that share their first bits, more of them each time: a small generator, no chance. */
function rangeOf(seed: number): string {
  const bits = seed % 2 === 0 ? 32 : 128
  const random = (salt: number): number => Math.imul(seed * 8 + salt + 1, 0x9e3779b1) >>> 0
  const words = [0, 1, 2, 3].map((salt) => BigInt(random(salt)))
  const base = words.reduce((sum, word) => sum << 32n | word, 0n) >> BigInt(128 - bits)
  const differing = base ^ (BigInt(random(5)) | 1n << BigInt(seed % bits)) % (1n << BigInt(seed % bits + 1))
  return [base, differing].map((address) => bits === 32
    ? [24n, 16n, 8n, 0n].map((shift) => address >> shift & 255n).join('.')
    : [112n, 96n, 80n, 64n, 48n, 32n, 16n, 0n].map((shift) =>
      (shift === 112n ? 0x2001n : address >> shift & 0xffffn).toString(16)).join(':')).join('-')
}

check('every manifest of the guide is taken', async () => {
  for (const file of guide) {
    if (basename(file) === 'alerts.yaml') continue // a kind of the Prometheus operator
    const { code, stderr } = await cluster().kubectl(['create', '--dry-run=server', '-f', file])
    assert.equal([code, stderr], [0, ''], basename(file))
  }
  const answer = JSON.parse(await runOk([...arpeggio, 'check', '-o', 'json',
    ...guide.filter((file) => basename(file) === 'complete.yaml')]))
  assert.equal([at(answer, 'problems'), at(answer, 'warnings')], [[], []])
})

check('every field that MetalLB knows comes back as it was sent', async () => {
  const own = fine.filter(({ it }) => it.startsWith('every field')).map(({ kind, spec }) =>
    ({ version: 'v1beta1', kind, spec }))
  for (const [i, { version, kind, spec }] of [...own, ...foreign].entries()) {
    const name = `kept-${i}`
    const body = object(kind, name, { spec }, version)
    const sent = await call(cluster(), 'POST', pathOf(kind, '?fieldValidation=Strict', version), { body })
    assert.is(sent.status, 201, kind)
    const { body: found } = await call(cluster(), 'GET', pathOf(kind, `/${name}`, version))
    assert.equal(at(found, 'spec'), spec, kind)
  }
  // Written in the old version, read in the new one.
  const peer = await call(cluster(), 'GET', pathOf('BGPPeer', `/kept-${own.length}`, 'v1beta2'))
  assert.equal(at(peer.body, 'spec'), foreign[0]?.spec)
  const { stderr } = await cluster().kubectl(['get', 'bgppeers.v1beta1.metallb.io', '-n', namespace])
  assert.match(stderr, /v1beta1 is deprecated, please use v1beta2/)
})

const immutable = { node: 'n1', serviceName: 'web', serviceNamespace: 'default' }
const statuses: readonly { readonly kind: string; readonly spec?: unknown; readonly status: unknown }[] = [
  { kind: 'IPAddressPool', spec: { addresses: ['192.0.2.0/28'] }, status: {
    assignedIPv4: 1, assignedIPv6: 0, availableIPv4: 15, availableIPv6: 0,
  } },
  { kind: 'ServiceL2Status', spec: {}, status: { ...immutable, interfaces: [{ name: 'eth0' }] } },
  { kind: 'ServiceBGPStatus', spec: {}, status: { ...immutable, peers: ['p'] } },
  { kind: 'ConfigurationState', status: { result: 'Invalid', errorSummary: 'a\nb', conditions: [{
    type: 'poolReconcilerValid', status: 'False', reason: 'ConfigurationError', message: 'a\nb',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  }] } },
]
for (const { kind, spec, status } of statuses) {
  check(`the status of ${kind} is a part of its own, and is kept as it is written`, async () => {
    const body = object(kind, 'told', { ...(spec === undefined ? {} : { spec }), status })
    assert.is((await call(cluster(), 'POST', pathOf(kind), { body })).status, 201)
    const created = await call(cluster(), 'GET', pathOf(kind, '/told'))
    assert.is(at(created.body, 'status'), undefined) // not by the way of the object itself
    const type = 'application/merge-patch+json'
    const patched = await call(cluster(), 'PATCH', pathOf(kind, '/told/status'), { body: { status }, type })
    assert.is(patched.status, 200)
    const metadata = { labels: { a: 'b' } }
    await call(cluster(), 'PATCH', pathOf(kind, '/told'), { body: { metadata, status: null }, type })
    const { body: found } = await call(cluster(), 'GET', pathOf(kind, '/told'))
    assert.equal([at(found, 'status'), at(found, 'metadata', 'labels')], [status, { a: 'b' }])
  })
}

check('a ServiceL2Status belongs to its node and Service for good', async () => {
  await call(cluster(), 'POST', pathOf('ServiceL2Status'), { body: object('ServiceL2Status', 'fixed', {}) })
  const write = async (status: object): Promise<string> => {
    const type = 'application/merge-patch+json'
    const { body } = await call(cluster(), 'PATCH', pathOf('ServiceL2Status', '/fixed/status'),
      { body: { status }, type })
    return String(at(body, 'message'))
  }
  assert.is(await write(immutable), 'undefined')
  for (const name of Object.keys(immutable)) {
    assert.match(await write({ [name]: 'other' }), /Value is immutable/)
  }
})

// As MetalLB's users know them; what they hold is in the statuses and objects above.
const columns: readonly { readonly resource: string; readonly want: string; readonly wide?: string }[] = [
  { resource: 'ipaddresspools', want: 'NAME AUTO ASSIGN AVOID BUGGY IPS ADDRESSES' },
  { resource: 'l2advertisements', want: 'NAME IPADDRESSPOOLS IPADDRESSPOOL SELECTORS INTERFACES',
    wide: 'NODE SELECTORS' },
  { resource: 'servicel2statuses', want: 'NAME ALLOCATED NODE SERVICE NAME SERVICE NAMESPACE' },
  { resource: 'configurationstates', want: 'NAME RESULT ERRORSUMMARY AGE' },
  { resource: 'bgppeers', want: 'NAME ADDRESS ASN BFD PROFILE MULTI HOPS' },
  { resource: 'bfdprofiles', want: 'NAME PASSIVE MODE TRANSMIT INTERVAL RECEIVE INTERVAL MULTIPLIER' },
  { resource: 'bgpadvertisements', want: 'NAME IPADDRESSPOOLS IPADDRESSPOOL SELECTORS PEERS',
    wide: 'NODE SELECTORS' },
  { resource: 'communities', want: 'NAME AGE' },
  { resource: 'servicebgpstatuses', want: 'NAME NODE SERVICE NAME SERVICE NAMESPACE' },
]
for (const { resource, want, wide } of columns) {
  check(`kubectl get ${resource}`, async () => {
    const header = async (...more: readonly string[]): Promise<string> => {
      const table = await cluster().kubectlOk(['get', resource, '-n', namespace, ...more])
      return (table.split('\n')[0] ?? '').trim().replace(/ +/g, ' ')
    }
    assert.is(await header(), want)
    assert.is(await header('-o', 'wide'), wide === undefined ? want : `${want} ${wide}`)
  })
}

check('defaults are filled in, so that columns show them', async () => {
  const body = object('IPAddressPool', 'first', { spec: { addresses: ['192.0.2.1-192.0.2.9'] } })
  await call(cluster(), 'POST', pathOf('IPAddressPool'), { body })
  const row = await cluster().kubectlOk(['get', 'ipaddresspools', 'first', '-n', namespace, '--no-headers'])
  assert.is(row.trim().replace(/ +/g, ' '), 'first true false ["192.0.2.1-192.0.2.9"]')
})

test.run()
