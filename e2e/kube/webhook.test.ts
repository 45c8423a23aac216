/** The admission webhook as an API server meets it: refused with `check`'s words, rotated, and down. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Result, run, startCapMs, until } from '../lab/command.ts'
import { arpeggio } from '../lab/program.ts'
import { findAssets, testUnless } from './assets.ts'
import {
  advertisement, at, type Fields, ingressOf, listAt, namespace, pool, service, textAt,
} from './objects.ts'
import { openRig, type Rig, type Role, waitMs } from './rig.ts'
import { auditPolicyFor, grantedBy, usageOf } from './rights.ts'
import { serverPrograms } from './server.ts'

const assets = await findAssets(serverPrograms)
const check = testUnless('lack' in assets ? assets.lack : undefined, test)
const component = join(import.meta.dirname, '../../deploy/overlays/webhook/component')
const manifest = join(component, 'webhook.yaml')
const account = `system:serviceaccount:${namespace}:controller`
const secretPath = `/api/v1/namespaces/${namespace}/secrets/metallb-webhook-cert`
const configurationPath =
  '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/metallb-webhook-configuration'
const host = `metallb-webhook-service.${namespace}.svc`
/** Where the controller runs: the API server's host. */
const address = '198.51.100.1'

let rig: Rig
let controller: Role
if ('folder' in assets) {
  rig = await openRig({
    assets: assets.folder, auditPolicy: auditPolicyFor([account]),
    // Nobody routes cluster addresses here: the server goes to endpoints itself.
    flags: ['--enable-aggregator-routing=true'],
  })
  test.after(async () => void await rig[Symbol.asyncDispose]())
}

/** `kubectl apply` of one object, refused or not. */
function apply(object: Fields, ...args: readonly string[]): Promise<Result> {
  return rig.server.kubectl(['apply', '-f', '-', ...args], { stdin: JSON.stringify(object) })
}

async function remove(resource: string, name: string): Promise<Result> {
  return rig.server.kubectl(['delete', resource, name, '-n', namespace])
}

/** The bundles that the API server trusts, one a webhook. */
async function bundles(): Promise<readonly string[]> {
  const found = await rig.read(configurationPath)
  return listAt(found, 'webhooks').map((webhook) =>
    Buffer.from(textAt(webhook, 'clientConfig', 'caBundle'), 'base64').toString())
}

async function certificate(): Promise<string> {
  return Buffer.from(textAt(await rig.read(secretPath), 'data', 'tls.crt'), 'base64').toString()
}

const first = pool('a', ['192.0.2.0/28'])
const crossing = pool('b', ['192.0.2.8-192.0.2.31'])

/** Waits until the API server asks the webhook, and trusts what answers. */
async function whenAsked(): Promise<void> {
  await until('the webhook is asked', async () =>
    (await apply(crossing, '--dry-run=server')).stderr.includes('denied the request'), waitMs)
}

/** Status with which a port of the webhook answers whoever trusts these certificates; '' = none. */
async function ask(port: number, trusted: string): Promise<string> {
  const file = join(rig.lab.folder, 'trusted.pem')
  await writeFile(file, trusted)
  const { code, stdout } = await rig.lab.host('api').exec([
    'curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', '--cacert', file,
    '--resolve', `${host}:${port}:${address}`, `https://${host}:${port}/`,
  ])
  return code === 0 ? stdout : ''
}

async function start(...args: readonly string[]): Promise<void> {
  controller = await rig.startController(...args)
}

async function stop(): Promise<void> {
  assert.is(await controller.child.stop(), 0)
}

check('off: no port, no certificate, and no right is needed', async () => {
  await start()
  await rig.apply(first, advertisement('all'), service('web'))
  await rig.serviceWhen('web', 'has an address', (now) => ingressOf(now).length === 1)
  const { code } = await rig.lab.host('api').exec(['curl', '-sk', `https://${address}:9443/`])
  assert.is(code, 7, 'connection refused')
  assert.is(await rig.read(secretPath), undefined)
  await stop()
})

check('installed, and down: everything passes', async () => {
  await rig.kubectl('apply', '-f', join(component, 'webhook-rbac.yaml'))
  await rig.kubectl('apply', '--server-side', '--field-manager=gitops', '-f', manifest)
  await rig.apply({
    apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice',
    metadata: {
      name: 'webhook', namespace, labels: { 'kubernetes.io/service-name': 'metallb-webhook-service' },
    },
    addressType: 'IPv4', endpoints: [{ addresses: [address], conditions: { ready: true } }],
    ports: [{ name: '', port: 9443, protocol: 'TCP' }],
  })
  const { code, stderr } = await apply(crossing)
  assert.equal([code, stderr], [0, ''])
  assert.is((await remove('ipaddresspools', 'b')).code, 0)
})

check('pools that overlap are refused in the words of check', async () => {
  await start('--webhook-mode=enabled', '--webhook-cert-hours=1')
  await whenAsked()
  const { code, stderr } = await apply(crossing)
  assert.is(code, 1)
  const file = join(rig.lab.folder, 'pools.json')
  await writeFile(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [first, crossing] }))
  const checked = await run([...arpeggio, 'check', '-o', 'json', file], { capMs: startCapMs })
  const message = textAt(JSON.parse(checked.stdout), 'problems', 0, 'message').replace(file, 'cluster')
  assert.match(message, /^CIDR "192\.0\.2\.8-192\.0\.2\.31" in pool "b" overlaps/)
  assert.ok(stderr.includes(
    'admission webhook "ipaddresspoolvalidationwebhook.metallb.io" denied the request: ' +
    `IPAddressPool/${namespace}/b spec.addresses[0]: Overlap: ${message}`), stderr)
  assert.ok(controller.log().some(({ msg, object }) =>
    msg === 'change refused' && object === `IPAddressPool/${namespace}/b`))
  assert.is(await rig.read(`/apis/metallb.io/v1beta1/namespaces/${namespace}/ipaddresspools/b`), undefined)
})

check('two that overlap each other are not both taken, though they come at once', async () => {
  const items = [pool('c', ['198.51.100.0/28']), pool('d', ['198.51.100.0/29'])]
  const { code, stdout, stderr } = await apply({ apiVersion: 'v1', kind: 'List', items })
  assert.equal([code, stdout.trim()], [1, 'ipaddresspool.metallb.io/c created'])
  assert.match(stderr, /"d" overlaps with already defined CIDR "198\.51\.100\.0\/28" of pool "c"/)
  assert.is((await remove('ipaddresspools', 'c')).code, 0)
})

check('what check warns of is a warning', async () => {
  const { code, stderr } = await apply(advertisement('typo', { ipAddressPools: ['lam'] }))
  assert.is(code, 0)
  assert.match(stderr, /^Warning: L2Advertisement\/metallb-system\/typo spec\.ipAddressPools\[0\]: Unknown/)
  assert.is((await remove('l2advertisements', 'typo')).code, 0)
})

check('addresses in use are not dropped, by an edit or by deletion, unless that is meant', async () => {
  const lost = /InUse: Services would lose 192\.0\.2\.0 of Service "default\/web" \(notInPool\); if that is/
  assert.match((await apply(pool('a', ['192.0.2.8/29']))).stderr, lost)
  assert.match((await remove('ipaddresspools', 'a')).stderr, lost)
  assert.equal(ingressOf(await rig.service('web')), ['192.0.2.0'])
  assert.is((await apply(pool('a', ['192.0.2.0/27']))).code, 0, 'it is widened')
  await rig.kubectl('annotate', 'ipaddresspool', 'a', '-n', namespace, 'arpeggio.io/allow-address-loss=true')
  assert.is((await remove('ipaddresspools', 'a')).code, 0)
  await rig.serviceWhen('web', 'is cleared', (now) => ingressOf(now).length === 0)
  await rig.apply(first)
})

check('the old ConfigMap is looked at too, and no other', async () => {
  const map = (name: string, range: string): Fields => ({
    apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace },
    data: { config: `address-pools: [{name: old, protocol: layer2, addresses: [${range}]}]` },
  })
  const { stderr } = await apply(map('config', '203.0.113.0/33'))
  assert.match(stderr, /"configmapvalidationwebhook\.metallb\.io" denied .*203\.0\.113\.0\/33/)
  assert.is((await apply(map('other', '203.0.113.0/33'))).code, 0)
})

check('caBundle belongs to nobody else: applying the manifest again changes nothing', async () => {
  const before = await bundles()
  assert.is(new Set(before).size, 1)
  const diff = await rig.server.kubectl(
    ['diff', '--server-side', '--field-manager=gitops', '-f', manifest])
  assert.equal([diff.code, diff.stdout], [0, ''])
  await rig.kubectl('apply', '--server-side', '--field-manager=gitops', '-f', manifest)
  assert.equal(await bundles(), before)
  await rig.kubectl('apply', '-f', manifest) // as Helm 3 and kubectl patch: what is not named stays
  assert.equal(await bundles(), before)
})

check('somebody empties it: it is filled in again', async () => {
  const wanted = await bundles()
  const webhook = { name: 'ipaddresspoolvalidationwebhook.metallb.io', clientConfig: { caBundle: null } }
  await rig.kubectl('patch', 'validatingwebhookconfiguration', 'metallb-webhook-configuration',
    '-p', JSON.stringify({ webhooks: [webhook] }))
  await until('all are told', async () => String(await bundles()) === String(wanted), waitMs)
})

check('the certificate is replaced in time; the old one is trusted as long as it lasts', async () => {
  const [old, [trusted = '']] = [await certificate(), await bundles()]
  assert.is(trusted, old)
  assert.is(await ask(9443, old), '405')
  await stop()
  // Of this one an hour is left, and a third of a year is wanted.
  await start('--webhook-mode=enabled')
  await until('another is stored', async () => await certificate() !== old, waitMs)
  const fresh = await certificate()
  await until('another is served', async () => await ask(9443, fresh) === '405', waitMs)
  assert.equal(await bundles(), Array(3).fill(`${fresh}${old}`))
  await whenAsked()
})

check('a second replica serves the same, and writes nothing', async () => {
  const version = async (): Promise<unknown> => at(await rig.read(secretPath), 'metadata', 'resourceVersion')
  const before = await version()
  await using _second = await rig.startController('--webhook-mode=enabled', '--pod-name=controller-1',
    '--webhook-port=9444', '--http-port=7473', '--health-probe-port=17473')
  const fresh = await certificate()
  await until('it serves', async () => await ask(9444, fresh) === '405', waitMs)
  assert.is(await version(), before)
})

check('a port that is taken: reviews are not served there, and status and metric say so', async () => {
  const second = await rig.startController('--webhook-mode=enabled', '--pod-name=controller-1',
    '--webhook-port=9443', '--http-port=7473', '--health-probe-port=17473')
  await using _second = second
  const get = async (path: string): Promise<string> =>
    (await rig.lab.host('api').exec(['curl', '-s', `http://127.0.0.1:7473${path}`])).stdout
  await until('it is told', async () =>
    (await get('/status?format=text')).includes('webhookNotServed'), waitMs)
  assert.match(await get('/metrics'), /^arpeggio_findings\{reason="webhookNotServed"\} 1$/m)
})

check('its rights are used, and no others', async () => {
  const roles = await Promise.all([
    rig.read(`/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/roles/controller-webhook`),
    rig.read(`/apis/rbac.authorization.k8s.io/v1/clusterroles/${namespace}:controller-webhook`),
  ])
  const granted = grantedBy(roles)
  assert.is(granted.size, 6)
  const idle = (): readonly string[] =>
    [...granted].filter((right) => !usageOf(rig.server.audit(), account, granted).used.has(right))
  await until('all are used', () => idle().length === 0, waitMs).catch(() => undefined)
  assert.equal([idle(), usageOf(rig.server.audit(), account, granted).denied], [[], []])
})

check('down again: everything passes again', async () => {
  await stop()
  assert.is((await apply(crossing)).code, 0)
  assert.match(await readFile(manifest, 'utf8'), /failurePolicy: Ignore/)
})

test.run()
