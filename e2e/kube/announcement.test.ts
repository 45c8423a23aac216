/** Announcement as the LAN and the API see it: one node a Service, MetalLB's, with its words. */
import { createHash } from 'node:crypto'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { until } from '../lab/command.ts'
import type { Capture } from '../lab/capture.ts'
import { findAssets, testUnless } from './assets.ts'
import {
  advertisement, at, conditionOf, type EndpointPlan, type Fields, ingressOf, listAt, namespace, pool,
  service, slice, textAt,
} from './objects.ts'
import { openRig, type Rig, type Role, waitMs } from './rig.ts'
import { serverPrograms } from './server.ts'

const assets = await findAssets(serverPrograms)
const check = testUnless('lack' in assets ? assets.lack : undefined, test)
const nodes = ['a', 'b', 'c']
const everywhere: readonly EndpointPlan[] = nodes.map((node) => ({ node }))
const statuses = `/apis/metallb.io/v1beta1/namespaces/${namespace}/servicel2statuses`

let rig: Rig
let capture: Capture
const speakers = new Map<string, Role>()
if ('folder' in assets) {
  rig = await openRig({ assets: assets.folder, nodes })
  test.after(async () => void await rig[Symbol.asyncDispose]())
  capture = await rig.lab.capture('lan', 'arp or icmp6')
  await Promise.all([
    rig.startController(),
    ...nodes.map(async (name) => void speakers.set(name, await startSpeaker(name))),
  ])
  // Before all have met, whoever sees a Service first may take it.
  for (const [name, role] of speakers) {
    await until(`${name} has met the others`, async () => {
      const status: unknown = JSON.parse(await role.page('/status?format=json'))
      const members = listAt(status, 'ownership', 'members')
      return at(status, 'ownership', 'isStarting') === false && members.length === 3
    }, waitMs)
  }
  await rig.apply(
    pool('lan', ['192.168.1.240-192.168.1.250', '2001:db8:1::f0-2001:db8:1::ff']), advertisement('lan'),
  )
}

/** A speaker that elects as MetalLB does. */
function startSpeaker(name: string): Promise<Role> {
  return rig.startSpeaker(name, '--placement', 'hash')
}

/** MetalLB's order, stated apart from the program: SHA-256 of `NODE#ADDRESS`, ascending. */
function orderFor(address: string, candidates: readonly string[] = nodes): readonly string[] {
  const hash = (node: string): string => createHash('sha256').update(`${node}#${address}`).digest('hex')
  return candidates.toSorted((a, b) => (hash(a) < hash(b) ? -1 : 1))
}

function nodeOf(mac: string): string {
  return nodes.find((name) => rig.lab.host(name).mac('eth0') === mac) ?? mac
}

/** Who answers for an address when the client asks twice by broadcast. */
async function answerers(address: string): Promise<string> {
  return [...await rig.answers(address, 2)].map(nodeOf).toSorted().join(' ')
}

async function answeredBy(address: string, want: string): Promise<void> {
  await until(`${address} is answered by "${want}"`, async () => await answerers(address) === want, waitMs)
}

/** Nodes that asserted an address in frames after the first `from`: replies and announcements. */
function voices(address: string, from = 0): readonly string[] {
  const escaped = address.replaceAll('.', '\\.')
  const pattern = new RegExp(
    `Reply ${escaped} is-at |who-has ${escaped} .*tell ${escaped}[,) ]|tgt is ${escaped}[,) ]`,
  )
  const frames = capture.frames().slice(from).filter((line) => pattern.test(line))
  const senders = frames.map((line) => nodeOf(/^\S+ (?:\S+ )?([0-9a-f:]{17}) >/.exec(line)?.[1] ?? line))
  return [...new Set(senders)].toSorted()
}

/** Whom the conditions and status objects name for a Service. */
async function assignedTo(name: string): Promise<string> {
  const list = await rig.read(statuses)
  return listAt(list, 'items').filter((one) => textAt(one, 'status', 'serviceName') === name)
    .map((one) => textAt(one, 'status', 'node')).join(' ')
}

async function assigned(name: string, node: string): Promise<void> {
  await until(`the status object of ${name} names "${node}"`, async () =>
    await assignedTo(name) === node, waitMs)
}

/** Events of a Service, once one of them fits: a speaker tells news after it has filled its status object. */
async function eventsWith(name: string, pattern: RegExp): Promise<readonly string[]> {
  return until(`an event of ${name} fits ${pattern}`, async () => {
    const events = await rig.events(name)
    return events.some((text) => pattern.test(text)) ? events : undefined
  }, waitMs)
}

async function isAnnounced(name: string): Promise<unknown> {
  return rig.serviceWhen(name, 'is announced', (now) => conditionOf(now) === 'True announced')
}

function roleOf(node: string): Role {
  const role = speakers.get(node)
  if (role === undefined) throw new Error(`No speaker runs on "${node}"`)
  return role
}

/** The line of a node's log about an address, once it is there; for this reason, where one is given. */
async function line(
  node: string, event: string, ip: string, more: { from?: number; reason?: string } = {},
): Promise<Fields> {
  const { from = 0, reason } = more
  return until(`${node} logs ${event} of ${ip} ${reason ?? ''}`, () =>
    roleOf(node).log().slice(from).find((one) => one['event'] === event && one['ip'] === ip &&
      (reason === undefined || one['reason'] === reason)), waitMs)
}

/**
 * Whether all nodes ran all the time: on a machine that lets one wait for longer than its right to
 * answer lasts (300 ms), an address moves, as it should, and its history is another.
 */
const told = new Set<string>()
function isCalm(): boolean {
  const stalled = [...speakers].filter(([, role]) => role.log().some((one) =>
    one['reason'] === 'expired' || one['reason'] === 'ownerSilent'))
  const fresh = stalled.filter(([name]) => !told.has(name))
  for (const [name] of fresh) console.log(`stalled: ${name}; exact histories are not judged any more`)
  for (const [name] of fresh) told.add(name)
  return stalled.length === 0
}

check('each address is answered by exactly one node: the one that MetalLB elects', async () => {
  const names = Array.from({ length: 6 }, (_, i) => `web-${i}`)
  await rig.apply(...names.flatMap((name) => [service(name), slice(name, everywhere)]))
  const owners = new Set<string>()
  for (const name of names) {
    const [address = ''] = ingressOf(await isAnnounced(name))
    const [owner = ''] = orderFor(address)
    await assigned(name, owner)
    await answeredBy(address, owner)
    owners.add(owner)
  }
  assert.ok(owners.size > 1, 'the addresses of this test fall to several nodes')
  await capture.settle()
  for (let n = 240; n < 246; n += 1) {
    const address = `192.168.1.${n}`
    if (isCalm()) assert.equal(voices(address), orderFor(address).slice(0, 1), address)
  }
})

check('the node tells by event, status object, metric and log', async () => {
  const address = '192.168.1.240'
  const [owner = '', ...others] = orderFor(address)
  assert.is(owner, 'c') // the worked example of MetalLB's hash
  const events = await eventsWith('web-0',
    /^Normal nodeAssigned metallb-speaker ×\d+ announcing from node "c" with protocol "layer2"/)
  const told = events.filter((text) => text.includes('metallb-speaker'))
  if (isCalm()) assert.equal([told.length, told.join().includes('×1')], [1, true])
  const list = await rig.read(`${statuses}?labelSelector=metallb.io/service-name%3Dweb-0`)
  const [status, ...more] = listAt(list, 'items')
  assert.equal(more, [])
  assert.equal(at(status, 'metadata', 'labels'), {
    'metallb.io/node': 'c', 'metallb.io/service-name': 'web-0', 'metallb.io/service-namespace': 'default',
  })
  assert.match(textAt(status, 'metadata', 'name'), /^l2-\w{5}$/)
  assert.is(textAt(status, 'metadata', 'ownerReferences', 0, 'name'), 'speaker-c')
  assert.equal(at(status, 'status'), {
    node: 'c', serviceName: 'web-0', serviceNamespace: 'default', interfaces: [{ name: 'eth0' }],
  })
  const labels = `ip="${address}",node="c",protocol="layer2",service="default/web-0"`
  const metrics = await roleOf(owner).metrics()
  assert.is(metrics.get(`metallb_speaker_announced{${labels}}`), 1)
  for (const name of ['requests_received', 'responses_sent', 'gratuitous_sent']) {
    assert.ok((metrics.get(`metallb_layer2_${name}{ip="${address}"}`) ?? 0) > 0, name)
  }
  assert.is(metrics.get('metallb_k8s_client_config_loaded_bool'), 1)
  for (const other of isCalm() ? others : []) {
    const silent = await roleOf(other).page('/metrics')
    assert.not.match(silent, address)
  }
  const state = await rig.read(statuses.replace('servicel2statuses', 'configurationstates/speaker-c'))
  assert.equal([at(state, 'metadata', 'labels'), textAt(state, 'status', 'result')], [
    { 'metallb.io/component-type': 'speaker', 'metallb.io/node-name': 'c' }, 'Valid',
  ])
  const lines = roleOf(owner).child.lines.filter((text) => text.includes(address))
  assert.ok(lines.length > 0)
  const unusual = lines.filter((text) => !/leader|announce|withdraw|elected/.test(text))
  // One that stalled says besides that it fell silent, and what came of it.
  const ofStall = /"event":"(silenced|resumed|released|postponed)"/
  assert.equal(isCalm() ? unusual : unusual.filter((text) => !ofStall.test(text)), [])
  assert.is((await line(owner, 'serviceAnnounced', address))['level'], 'info')
})

check('a pair of families is answered over ARP and NDP by one node, that of its first address', async () => {
  await rig.apply(service('pair', { ipFamilyPolicy: 'RequireDualStack' }), slice('pair', everywhere))
  const [four = '', six = ''] = ingressOf(await isAnnounced('pair'))
  const [owner = ''] = orderFor(four)
  await answeredBy(four, owner)
  const found = await rig.client.execOk(['ndisc6', '-m', '-w', '1000', '-r', '1', six, 'eth0'])
  const macs = [...found.toLowerCase().matchAll(/link-layer address: ([0-9a-f:]{17})/g)]
  assert.equal(macs.map(([, mac = '']) => nodeOf(mac)), [owner])
  await capture.settle()
  if (!isCalm()) return
  assert.equal(voices(six), [owner])
  const told = (await eventsWith('pair', /nodeAssigned/)).filter((text) => text.includes('nodeAssigned'))
  assert.match(told.join(), /^Normal nodeAssigned metallb-speaker ×1 [^,]+$/)
})

interface EndpointCase {
  readonly it: string
  readonly endpoints: readonly EndpointPlan[]
  readonly isAnnounced: boolean
}

const endpointCases: readonly EndpointCase[] = [
  { it: 'not ready', endpoints: [{ node: 'a', ready: false }], isAnnounced: false },
  { it: 'terminating, but serving', isAnnounced: true,
    endpoints: [{ node: 'a', ready: false, serving: true, terminating: true }] },
  { it: 'terminating', isAnnounced: false,
    endpoints: [{ node: 'a', ready: false, serving: false, terminating: true }] },
  { it: 'no condition at all counts as ready', endpoints: [{ node: 'b' }], isAnnounced: true },
  { it: 'none', endpoints: [], isAnnounced: false },
  { it: 'one of two is ready', isAnnounced: true,
    endpoints: [{ node: 'a', ready: false }, { node: 'b', ready: true }] },
]

check('endpoints decide: serving counts, terminating does not matter', async () => {
  const address = '192.168.1.241'
  const [owner = ''] = orderFor(address)
  for (const { it, endpoints, isAnnounced: want } of endpointCases) {
    await rig.apply(slice('web-1', endpoints))
    await rig.serviceWhen('web-1', it, (now) =>
      conditionOf(now) === (want ? 'True announced' : 'False noEndpoints'))
    await answeredBy(address, want ? owner : '')
  }
  await line(owner, 'serviceWithdrawn', address, { reason: 'noEndpoints' })
  await rig.apply(slice('web-1', everywhere))
  await answeredBy(address, owner)
})

check('externalTrafficPolicy Local: only nodes with an endpoint that serves', async () => {
  await rig.apply(service('local', { externalTrafficPolicy: 'Local' }), slice('local', [{ node: 'a' }]))
  const [address = ''] = ingressOf(await isAnnounced('local'))
  await answeredBy(address, 'a')
  await rig.apply(slice('local', [{ node: 'a', ready: false }, { node: 'b' }, { node: 'c' }]))
  await answeredBy(address, orderFor(address, ['b', 'c'])[0] ?? '')
  await line('a', 'serviceWithdrawn', address, { reason: 'notOwner' })
  await rig.kubectl('patch', 'service', 'local', '-p', '{"spec":{"externalTrafficPolicy":"Cluster"}}')
  await answeredBy(address, orderFor(address)[0] ?? '')
  await rig.kubectl('delete', 'service', 'local')
  await answeredBy(address, '')
})

const unavailable = (status: string): string => JSON.stringify({ status: { conditions: [
  { type: 'NetworkUnavailable', status, reason: 'Suite', message: 'made by hand' },
] } })

check('the next in MetalLB\'s order takes over from an excluded node, and one without network', async () => {
  const address = '192.168.1.240'
  const [first = '', second = '', third = ''] = orderFor(address)
  const label = 'node.kubernetes.io/exclude-from-external-load-balancers'
  await rig.kubectl('label', 'node', first, `${label}=false`) // any value counts
  await answeredBy(address, second)
  await rig.kubectl('patch', 'node', second, '--subresource=status', '-p', unavailable('True'))
  await answeredBy(address, third)
  await assigned('web-0', third)
  await rig.kubectl('patch', 'node', second, '--subresource=status', '-p', unavailable('False'))
  await answeredBy(address, second)
  await rig.kubectl('label', 'node', first, `${label}-`)
  await answeredBy(address, first)
  const events = roleOf(first).log().filter(({ msg }) => msg === 'node event - forcing sync')
  assert.equal(events.map((one) => one['node']), [first, second, second, first])
  await assigned('web-0', first)
  await eventsWith('web-0',
    new RegExp(`nodeAssigned .*×(?!1 )\\d+ announcing from node "${first}" with protocol "layer2"`))
})

check('node selectors and interfaces of an advertisement', async () => {
  const address = '192.168.1.240'
  const [first = '', second = ''] = orderFor(address)
  const onlySecond = [{ matchLabels: { 'kubernetes.io/hostname': second } }]
  await rig.kubectl('label', 'node', second, `kubernetes.io/hostname=${second}`)
  await rig.apply(advertisement('lan', { nodeSelectors: onlySecond }))
  await answeredBy(address, second)
  await rig.apply(advertisement('lan', { interfaces: ['eth1'] }))
  await until('it is announced on eth1 only', async () =>
    JSON.stringify(await rig.read(statuses)).includes('"interfaces":[{"name":"eth1"}]'), waitMs)
  await answeredBy(address, '')
  await rig.apply(advertisement('lan', { interfaces: ['nope'] }))
  const failure = await until('somebody tells', async () => {
    const found = (await rig.events('web-0')).filter((text) => text.includes('announceFailed'))
    return found.length > 0 && found
  }, waitMs)
  assert.equal(failure, [
    'Warning announceFailed metallb-speaker ×1 the interfaces specified by LB IP "192.168.1.240" ' +
    `doesn't exist in assigned node "${first}" with protocol "layer2"`,
  ])
  await answeredBy(address, '')
  await assigned('web-0', '')
  await rig.apply(advertisement('lan'))
  await answeredBy(address, first)
})

check('an address outside every connected prefix is announced everywhere, with a warning', async () => {
  await rig.apply(pool('far', ['203.0.113.240/32'], { autoAssign: false }))
  await rig.apply(service('far', {}, { 'metallb.io/address-pool': 'far' }), slice('far', everywhere))
  await isAnnounced('far')
  const [owner = ''] = orderFor('203.0.113.240')
  await assigned('far', owner)
  const warning = roleOf(owner).log().find(({ msg }) => msg === 'no prefix covers the address')
  assert.equal([warning?.['level'], warning?.['reason']], ['warn', 'noPrefix'])
  const page = await roleOf(owner).page('/status')
  assert.match(page, 'No interface has a connected prefix that covers 203.0.113.240')
  await rig.kubectl('delete', 'service', 'far')
  await assigned('far', '')
})

check('who joins a shared address is told of, and one that leaves takes nothing with it', async () => {
  const shared = { 'metallb.io/allow-shared-ip': 'k', 'metallb.io/loadBalancerIPs': '192.168.1.250' }
  const [owner = ''] = orderFor('192.168.1.250')
  await rig.apply(service('one', {}, shared), slice('one', everywhere))
  await isAnnounced('one')
  await rig.apply(service('two', { ports: [{ port: 81 }] }, shared), slice('two', everywhere))
  await isAnnounced('two')
  await eventsWith('two', new RegExp(`announcing from node "${owner}"`))
  await assigned('two', owner)
  await rig.kubectl('delete', 'service', 'one')
  await assigned('one', '')
  await answeredBy('192.168.1.250', owner)
})

check('with its Service goes everything that was said of it', async () => {
  const address = '192.168.1.250'
  const [owner = ''] = orderFor(address)
  const before = roleOf(owner).log().length
  await rig.kubectl('delete', 'service', 'two')
  await line(owner, 'serviceWithdrawn', address, { from: before, reason: 'serviceDeleted' })
  await answeredBy(address, '')
  await assigned('two', '')
  assert.not.match(await roleOf(owner).page('/metrics'), 'service="default/two"')
})

check('SIGTERM hands over before the end; back again, it is elected again', async () => {
  const address = '192.168.1.240'
  const [first = '', second = ''] = orderFor(address)
  const role = roleOf(first)
  assert.is(await role.child.stop(), 0)
  const last = role.log().filter(({ msg }) => msg === 'withdrawing service announcement')
  assert.ok(last.some((one) => one['ip'] === address && one['reason'] === 'stopping'))
  assert.is(role.log().at(-1)?.['msg'], 'speaker stopped')
  await answeredBy(address, second)
  await rig.kubectl('delete', 'pod', `speaker-${first}`, '-n', namespace, '--wait=false')
  await assigned('web-0', second)
  speakers.set(first, await startSpeaker(first))
  await answeredBy(address, first)
  await assigned('web-0', first)
})

check('the rights of deploy/base were enough: no write was refused, no watch failed, no turn either', () => {
  for (const [name, role] of speakers) {
    const wrong = role.log().filter(({ msg, level }) =>
      level === 'error' || msg === 'watch failed, trying again')
    assert.equal(wrong, [], name)
  }
})

test.run()
