/** Side by side with MetalLB on the same nodes: both serve their Services, and neither sees the other's. */
import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Child, until } from '../lab/command.ts'
import type { Host } from '../lab/lab.ts'
import { arpeggio } from '../lab/program.ts'
import { type Former, openFormer } from '../membership/former.ts'
import { findPeer } from '../membership/ring.ts'
import { findAssets, testUnless } from './assets.ts'
import {
  advertisement, at, conditionOf, type Fields, ingressOf, listAt, pod, pool, service, slice, textAt,
} from './objects.ts'
import { blockOf, blocksOf, runBlocks } from './readme.ts'
import { openRig, type Rig } from './rig.ts'
import { serverPrograms } from './server.ts'

const assets = await findAssets(serverPrograms)
const peer = await findPeer()
const lack = 'lack' in assets ? assets.lack : 'reason' in peer ? peer.reason : undefined
const check = testUnless(lack, test)
const nodes = ['a', 'b', 'c']
const own = 'arpeggio-system'
const loadBalancerClass = 'arpeggio.io/arpeggio'
const waitMs = 30_000
/** MetalLB's, which nobody but its speakers serves. */
const theirs = ['192.168.1.100', '192.168.1.101', '192.168.1.102', '192.168.1.103']

function electedOf(address: string): string {
  const hash = (node: string): string => createHash('sha256').update(`${node}#${address}`).digest('hex')
  return nodes.toSorted((a, b) => (hash(a) < hash(b) ? -1 : 1))[0] ?? ''
}

/** An object of ours, in the namespace of ours. */
function inOwn(object: Fields): Fields {
  const metadata = at(object, 'metadata')
  return { ...object, metadata: { ...typeof metadata === 'object' ? metadata : {}, namespace: own } }
}

interface Workload {
  readonly role: 'controller' | 'speaker'
  /** Of the Pod, which is made. */
  readonly pod: string
  readonly ip: string
  readonly host: Host
}

/** Starts a role as its manifest in the cluster says: arguments, and what its Pod would have. */
async function start(rig: Rig, { role, pod: name, ip, host }: Workload): Promise<Child> {
  const kind = role === 'speaker' ? 'daemonset' : 'deployment'
  const manifest: unknown = JSON.parse(await rig.kubectl('get', kind, role, '-n', own, '-o', 'json'))
  const container = at(manifest, 'spec', 'template', 'spec', 'containers', 0)
  const folder = join(rig.lab.folder, `beside-${name}`)
  await mkdir(folder)
  await rig.apply(inOwn(pod(name, role, role === 'speaker' ? host.name : undefined)))
  await rig.kubectl('patch', 'pod', name, '-n', own, '--subresource=status', '-p',
    JSON.stringify({ status: { phase: 'Running', podIP: ip } }))
  const token = await rig.kubectl('create', 'token', role, '-n', own, '--duration=1h')
  const files = { token: token.trim(), 'ca.crt': rig.server.ca, namespace: own, ...await secretOf(rig, role) }
  for (const [file, text] of Object.entries(files)) await writeFile(join(folder, file), text)
  const paths: Readonly<Record<string, string>> = {
    'metadata.namespace': own, 'metadata.name': name, 'spec.nodeName': host.name, 'status.podIP': ip,
    'status.hostIP': ip,
  }
  const variables = listAt(container, 'env').map((variable) => {
    const path = textAt(variable, 'valueFrom', 'fieldRef', 'fieldPath')
    const value = path === '' ? textAt(variable, 'value') : paths[path] ?? ''
    return `${textAt(variable, 'name')}=${value === '/etc/ml_secret_key' ? folder : value}`
  })
  const url = new URL(rig.server.url)
  return host.spawn([
    'env', ...variables, `ARPEGGIO_SERVICE_ACCOUNT=${folder}`,
    `KUBERNETES_SERVICE_HOST=${url.hostname}`, `KUBERNETES_SERVICE_PORT=${url.port}`,
    ...arpeggio, ...listAt(container, 'args').map(String),
  ])
}

/** What the kubelet mounts into a speaker: the controller of ours has made it. */
async function secretOf(rig: Rig, role: Workload['role']): Promise<{ readonly secretkey?: string }> {
  if (role === 'controller') return {}
  const secret = await until('the secret is there', () =>
    rig.read(`/api/v1/namespaces/${own}/secrets/memberlist`), waitMs)
  return { secretkey: Buffer.from(textAt(secret, 'data', 'secretkey'), 'base64').toString() }
}

/** MetalLB at work: pool, Services with addresses, and speakers that answer. */
async function openMetalLB(rig: Rig, path: string): Promise<readonly Former[]> {
  await rig.apply(pool('theirs', ['192.168.1.100-192.168.1.109']), advertisement('theirs'),
    ...theirs.map((_, i) => service(`theirs-${i}`)),
    ...theirs.map((_, i) => slice(`theirs-${i}`, nodes.map((node) => ({ node })))))
  for (const [i, ip] of theirs.entries()) {
    await rig.kubectl('patch', 'service', `theirs-${i}`, '--subresource=status', '-p',
      JSON.stringify({ status: { loadBalancer: { ingress: [{ ip }] } } }))
  }
  const former: Former[] = []
  for (const [i, name] of nodes.entries()) {
    await rig.placePod(name, 'lan')
    former.push(await openFormer(rig.lab.host(name), {
      peer: path, name, bind: `192.168.1.${11 + i}`,
      join: nodes.slice(0, i).map((_, j) => `192.168.1.${11 + j}`),
      secret: 'AAECAwQFBgcICQoLDA0ODw', addresses: theirs, slowMs: 0, lingerMs: 0,
    }))
  }
  return former
}

/** Each of MetalLB's addresses: asked three times, answered three times, by its elected node. */
async function assertTheirs(rig: Rig): Promise<void> {
  await Promise.all(theirs.map(async (address) => {
    const { stdout } = await rig.client.exec(
      ['arping', '-b', '-c', '3', '-w', '4', '-I', 'eth0', address], { capMs: waitMs },
    )
    const mac = rig.lab.host(electedOf(address)).mac('eth0')
    const macs = [...stdout.toLowerCase().matchAll(/\[([0-9a-f:]{17})\]/g)].map(([, found]) => found)
    assert.equal(macs, [mac, mac, mac], stdout)
  }))
}

/** What MetalLB has in the cluster, as of now. */
async function versionsOf(rig: Rig): Promise<string> {
  const columns = 'custom-columns=:.kind,:.metadata.name,:.metadata.resourceVersion'
  const services = await rig.kubectl('get', 'services', ...theirs.map((_, i) => `theirs-${i}`), '-o', columns)
  const kinds = 'ipaddresspools,l2advertisements,secrets,servicel2statuses,configurationstates'
  return services + await rig.kubectl('get', kinds, '-n', 'metallb-system', '-o', columns)
}

/** MetalLB's webhook, with nobody behind it: whom it asks about is refused. */
const silentWebhook: readonly Fields[] = [
  { apiVersion: 'v1', kind: 'Service',
    metadata: { name: 'metallb-webhook-service', namespace: 'metallb-system' },
    spec: { ports: [{ port: 443, targetPort: 9443 }] } },
  { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingWebhookConfiguration',
    metadata: { name: 'metallb-webhook-configuration' },
    webhooks: ['ipaddresspool', 'l2advertisement'].map((kind) => ({
      name: `${kind}validationwebhook.metallb.io`, admissionReviewVersions: ['v1'], sideEffects: 'None',
      clientConfig: { service: { name: 'metallb-webhook-service', namespace: 'metallb-system' } },
      failurePolicy: 'Fail',
      rules: [{ apiGroups: ['metallb.io'], apiVersions: ['v1beta1'], resources: [`${kind}s`],
        operations: ['CREATE', 'UPDATE'] }],
    })) },
]

check('kubectl apply -k deploy/overlays/beside-metallb: both work, on the same nodes', async () => {
  if (!('folder' in assets) || !('path' in peer)) return
  await using rig = await openRig({ assets: assets.folder, nodes, idle: ['daemonset-controller'] })
  const former = await openMetalLB(rig, peer.path)
  await assertTheirs(rig)
  const before = await versionsOf(rig)

  const within = ['ip', 'netns', 'exec', rig.lab.host('api').namespace]
  const typed = await blockOf('README.md', 'kubectl apply -k deploy/overlays/beside-metallb')
  await runBlocks(rig.server, assets.folder, [typed], within)
  await rig.apply(...silentWebhook)
  const ours = [inOwn(pool('ours', ['192.168.1.200-192.168.1.209'])), inOwn(advertisement('ours'))]
  const refused = await rig.server.kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(ours[0]) })
  assert.match(refused.stderr, /failed calling webhook "ipaddresspoolvalidationwebhook/)
  const [block, ...others] = await blocksOf('deploy/README.md', 'Side by side')
  assert.equal([block?.includes('kubectl patch'), others.length], [true, 1])
  await runBlocks(rig.server, assets.folder, block === undefined ? [] : [block], within)
  await rig.apply(...ours)
  const controller = await start(rig,
    { role: 'controller', pod: 'controller-1', ip: '198.51.100.1', host: rig.lab.host('api') })
  const speakers = await Promise.all(nodes.map((name, i) => {
    const ip = `192.168.1.${11 + i}`
    return start(rig, { role: 'speaker', pod: `speaker-${i}`, ip, host: rig.lab.host(name) })
  }))
  for (const name of nodes) {
    await until(`our speaker on ${name} is ready`, async () =>
      (await rig.lab.host(name).exec(['curl', '-sf', 'http://127.0.0.1:17482/readyz'])).code === 0, waitMs)
  }

  await rig.apply(service('ours', { loadBalancerClass }), slice('ours', nodes.map((node) => ({ node }))),
    service('nobodys', {}, { 'metallb.io/loadBalancerIPs': '192.168.1.205' }))
  const isAnnounced = (now: unknown): boolean => conditionOf(now) === 'True announced'
  const announced = await rig.serviceWhen('ours', 'is announced', isAnnounced)
  assert.equal(ingressOf(announced), ['192.168.1.200'])
  assert.is((await rig.answers('192.168.1.200', 3)).size, 1)
  await assertTheirs(rig)

  const nobodys = await rig.service('nobodys')
  assert.equal([ingressOf(nobodys), conditionOf(nobodys)], [[], ''])
  assert.is(await versionsOf(rig), before)
  // Nobody plays MetalLB's webhook from here on.
  await rig.kubectl('delete', 'validatingwebhookconfiguration', 'metallb-webhook-configuration')
  // A Service moves over: made again, with its class, its address asked for, from a pool of ours.
  await rig.kubectl('delete', 'service', 'theirs-3')
  await rig.apply(pool('theirs', ['192.168.1.100-192.168.1.102']),
    inOwn(pool('moved', ['192.168.1.104/32'], { autoAssign: false })),
    service('moved', { loadBalancerClass }, { 'metallb.io/loadBalancerIPs': '192.168.1.104' }),
    slice('moved', nodes.map((node) => ({ node }))))
  const moved = await rig.serviceWhen('moved', 'is announced', isAnnounced)
  assert.equal(ingressOf(moved), ['192.168.1.104'])

  // The rings have the same names, and MetalLB's has no word of ours.
  for (const child of former) {
    assert.ok(child.isRunning())
    const ports = [...child.lines.join('\n').matchAll(/"port":(\d+)/g)].map(([, port]) => port)
    assert.equal(new Set(ports), new Set(['7946']))
  }
  assert.ok([controller, ...speakers].every((child) => child.isRunning()))
  const told = [controller, ...speakers].flatMap((child) =>
    child.lines.filter((line) => /"level":"error"|inConflict|strictARP/.test(line)))
  assert.equal(told, [])
})

test.run()
