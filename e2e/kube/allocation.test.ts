/** Allocation as users of the API see it: addresses, events in MetalLB's words, statuses, metrics. */
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { until } from '../lab/command.ts'
import { findAssets, testUnless } from './assets.ts'
import {
  at, conditionOf, type Fields, ingressOf, listAt, namespace, pool, service, textAt,
} from './objects.ts'
import { openRig, type Rig, type Role, waitMs } from './rig.ts'
import { serverPrograms } from './server.ts'

const assets = await findAssets(serverPrograms)
const check = testUnless('lack' in assets ? assets.lack : undefined, test)
const guide = join(import.meta.dirname, '../lab/guide')
const group = `/apis/metallb.io/v1beta1/namespaces/${namespace}`

let rig: Rig
let controller: Role
if ('folder' in assets) {
  rig = await openRig({ assets: assets.folder })
  controller = await rig.startController()
  test.after(async () => void await rig[Symbol.asyncDispose]())
}

const hasAddresses = (...want: string[]) => (of: unknown): boolean => String(ingressOf(of)) === String(want)
const poolOf = (of: unknown): string =>
  textAt(of, 'metadata', 'annotations', 'metallb.io/ip-allocated-from-pool')

/** Status counters of a pool: assigned and available IPv4, assigned and available IPv6. */
const counters = (of: unknown): string =>
  ['assignedIPv4', 'availableIPv4', 'assignedIPv6', 'availableIPv6']
    .map((name) => String(at(of, 'status', name))).join(' ')

async function countersAre(name: string, want: string): Promise<void> {
  await until(`pool ${name} counts ${want}`, async () =>
    counters(await rig.read(`${group}/ipaddresspools/${name}`)) === want, waitMs)
}

/** Events with this reason, once there are any. */
async function eventsWith(name: string, reason: string): Promise<readonly string[]> {
  return until(`${name} has an event ${reason}`, async () => {
    const found = (await rig.events(name)).filter((line) => line.split(' ')[1] === reason)
    return found.length > 0 && found
  }, waitMs)
}

/** Everything that was due when this is called has been written when it returns. */
async function settle(name: string): Promise<void> {
  await rig.apply(service(name, {}, { 'metallb.io/address-pool': 'settling' }))
  await rig.serviceWhen(name, 'is written', (now) => conditionOf(now) !== '')
  await rig.kubectl('delete', 'service', name)
}

check('the guide\'s configuration gives its three Services their addresses', async () => {
  await rig.applyFile(join(guide, 'config.yaml'))
  await rig.applyFile(join(guide, 'services.yaml'))
  const want = [
    ['nginx-lb', '192.168.1.240', 'primary-pool'], ['nginx-specific-ip', '192.168.1.245', 'primary-pool'],
    ['priority-service', '192.168.1.200', 'priority-pool'],
  ] as const
  for (const [name, address, from] of want) {
    const found = await rig.serviceWhen(name, `has ${address}`, hasAddresses(address))
    assert.is(poolOf(found), from)
    assert.equal(at(found, 'status', 'loadBalancer', 'ingress'), [{ ip: address, ipMode: 'VIP' }])
    assert.equal(await eventsWith(name, 'IPAllocated'),
      [`Normal IPAllocated metallb-controller ×1 Assigned IP ["${address}"]`])
  }
  assert.match(await rig.kubectl('get', 'service', 'nginx-lb'), /LoadBalancer +\S+ +192\.168\.1\.240 +80:/)
  assert.equal(await eventsWith('priority-service', 'deprecatedAnnotation'), [
    'Warning deprecatedAnnotation metallb-controller ×1 Service uses deprecated annotation ' +
    'metallb.universe.tf/address-pool',
  ])
  const line = controller.log().find((one) => one['msg'] === 'IP address assigned by controller')
  assert.equal([line?.['event'], line?.['ips']], ['ipAllocated', ['192.168.1.240']])
})

check('pools count in their status and in metrics, and an edit of the status is undone', async () => {
  await countersAre('primary-pool', '2 13 0 0') // .255 is not usable: avoidBuggyIPs
  await countersAre('priority-pool', '1 4 0 0')
  await rig.kubectl('patch', 'ipaddresspool', 'priority-pool', '-n', namespace, '--subresource=status',
    '--type=merge', '-p', '{"status":{"assignedIPv4":77}}')
  await countersAre('priority-pool', '1 4 0 0')
  const metrics = await controller.metrics()
  const series = (name: string): unknown => metrics.get(`metallb_allocator_${name}{pool="primary-pool"}`)
  assert.equal([
    series('addresses_total'), series('addresses_in_use_total'), series('ipv4_addresses_total'),
    series('ipv4_addresses_in_use_total'), series('ipv6_addresses_total'),
    series('ipv6_addresses_in_use_total'),
  ], [15, 2, 15, 2, 0, 0])
  assert.is(metrics.get('metallb_k8s_client_config_loaded_bool'), 1)
  assert.is(metrics.get('metallb_k8s_client_config_stale_bool'), 0)
})

check('its ConfigurationState is as MetalLB writes it, and comes back when deleted', async () => {
  const path = `${group}/configurationstates/controller`
  const isComplete = (now: unknown): boolean => textAt(now, 'status', 'result') === 'Valid'
  const first = await until('it is there', async () => {
    const now = await rig.read(path)
    return isComplete(now) && now
  }, waitMs)
  assert.equal(at(first, 'metadata', 'labels'), { 'metallb.io/component-type': 'controller' })
  assert.is(textAt(first, 'metadata', 'ownerReferences', 0, 'name'), 'controller-0')
  const writers = listAt(first, 'metadata', 'managedFields')
    .filter((one) => textAt(one, 'subresource') === 'status').map((one) => textAt(one, 'manager'))
  assert.equal(writers, ['poolReconciler'])
  const [condition] = listAt(first, 'status', 'conditions')
  assert.equal(['type', 'status', 'reason'].map((name) => textAt(condition, name)),
    ['poolReconcilerValid', 'True', 'Reconciled'])
  await rig.kubectl('delete', 'configurationstate', 'controller', '-n', namespace)
  await until('it is there again', async () => {
    const now = await rig.read(path)
    return isComplete(now) && textAt(now, 'metadata', 'uid') !== textAt(first, 'metadata', 'uid')
  }, waitMs)
})

check('the speakers\' secret is made once, and the Deployment owns it', async () => {
  const secret = await rig.read(`/api/v1/namespaces/${namespace}/secrets/memberlist`)
  const key = Buffer.from(textAt(secret, 'data', 'secretkey'), 'base64').toString()
  assert.is(Buffer.from(key, 'base64').length, 16)
  assert.is(textAt(secret, 'metadata', 'ownerReferences', 0, 'kind'), 'Deployment')
  for (const path of ['/debug/state', '/status?format=text', '/status?format=html', '/metrics']) {
    const page = await controller.page(path)
    assert.ok(page.length > 100 && !page.includes(key), `${path} has the key`)
  }
})

interface Refusal {
  readonly name: string
  readonly annotations?: Readonly<Record<string, string>>
  readonly spec?: Fields
  readonly reason: string
  readonly event: RegExp
}

const ask = (value: string): Readonly<Record<string, string>> => ({ 'metallb.io/loadBalancerIPs': value })
const refusals: readonly Refusal[] = [
  { name: 'nowhere', annotations: { 'metallb.io/address-pool': 'nowhere' }, reason: 'unknownPool',
    event: /^Warning AllocationFailed metallb-controller ×1 Failed to allocate IP for "default\/nowhere": / },
  { name: 'outside', annotations: ask('192.168.1.99'), reason: 'addressNotInPool',
    event: /^Warning AllocationFailed .*192\.168\.1\.99/ },
  { name: 'taken', annotations: ask('192.168.1.240'), reason: 'addressInUse',
    event: /^Warning AllocationFailed .*default\/nginx-lb/ },
  { name: 'buggy', annotations: ask('192.168.1.255'), reason: 'addressExcluded',
    event: /^Warning AllocationFailed .*192\.168\.1\.255/ },
  { name: 'unreadable', annotations: ask('192.168.1'), reason: 'badRequestedAddress',
    event: /^Warning LoadBalancerFailed .* invalid requested loadbalancer IPs: / },
  { name: 'twice', annotations: ask('192.168.1.241'), spec: { loadBalancerIP: '192.168.1.242' },
    reason: 'conflictingRequest',
    event: /^Warning LoadBalancerFailed .* invalid requested loadbalancer IPs: / },
  { name: 'other-pool', annotations: { ...ask('192.168.1.241'), 'metallb.io/address-pool': 'priority-pool' },
    reason: 'addressNotInRequestedPool', event: /^Warning AllocationFailed .*priority-pool/ },
  { name: 'six', spec: { ipFamilies: ['IPv6'] }, reason: 'poolExhausted',
    event: /^Warning AllocationFailed .*no available IPs/ },
]

check('a refusal is told once: the reason in event, condition, log and metric', async () => {
  await rig.apply(pool('settling', ['192.168.1.230/32'], { autoAssign: false }))
  await rig.apply(...refusals.map(({ name, spec, annotations }) => service(name, spec, annotations)))
  for (const { name, reason } of refusals) {
    const now = await rig.serviceWhen(name, reason, (one) => conditionOf(one) === `False ${reason}`)
    assert.equal(ingressOf(now), [])
    const line = controller.log().find((one) => one['event'] === 'allocationFailed' &&
      one['service'] === `default/${name}`)
    assert.equal([line?.['level'], line?.['reason']], ['warn', reason])
  }
  const metrics = await controller.metrics()
  for (const { reason } of refusals) {
    assert.is(metrics.get(`arpeggio_services_not_announced{reason="${reason}"}`), 1, reason)
  }
  // Turns go on, and nothing is told again.
  await settle('settle-1')
  for (const { name, event } of refusals) {
    const found = await rig.events(name)
    assert.is(found.length, 1, `${name}: ${found.join('\n')}`)
    assert.match(found.join(), event)
    assert.match(found.join(), / ×1 /)
    const lines = controller.log().filter((one) => one['event'] === 'allocationFailed' &&
      one['service'] === `default/${name}`)
    assert.is(lines.length, 1, `${name}: ${JSON.stringify(lines)}`)
  }
  await rig.kubectl('delete', 'service', ...refusals.map(({ name }) => name))
})

check('an address is shared where both allow it and ports differ', async () => {
  const shared = { 'metallb.io/allow-shared-ip': 'dns', 'metallb.io/loadBalancerIPs': '192.168.1.250' }
  const ports = (protocol: string): Fields => ({ ports: [{ name: 'dns', port: 53, protocol }] })
  await rig.apply(service('dns-tcp', ports('TCP'), shared), service('dns-udp', ports('UDP'), shared))
  for (const name of ['dns-tcp', 'dns-udp']) {
    await rig.serviceWhen(name, 'shares', hasAddresses('192.168.1.250'))
  }
  await countersAre('primary-pool', '3 12 0 0')
  await rig.apply(service('dns-late', ports('UDP'), shared))
  await rig.serviceWhen('dns-late', 'is refused', (now) => conditionOf(now) === 'False portInUse')
  await rig.kubectl('delete', 'service', 'dns-tcp', 'dns-udp')
  await rig.serviceWhen('dns-late', 'has what was freed', hasAddresses('192.168.1.250'))
  await rig.kubectl('delete', 'service', 'dns-late')
})

check('a pair of families comes from one pool; a preferred second family may be lacking', async () => {
  await rig.apply(pool('dual', ['192.168.1.221-192.168.1.222', '2001:db8:1::1-2001:db8:1::2'],
    { autoAssign: false }))
  const from = (name: string): Readonly<Record<string, string>> => ({ 'metallb.io/address-pool': name })
  await rig.apply(
    service('pair', { ipFamilyPolicy: 'RequireDualStack' }, from('dual')),
    service('half', { ipFamilyPolicy: 'PreferDualStack' }, from('priority-pool')),
  )
  await rig.serviceWhen('pair', 'has both', hasAddresses('192.168.1.221', '2001:db8:1::1'))
  assert.equal(await eventsWith('pair', 'IPAllocated'), [
    'Normal IPAllocated metallb-controller ×1 Assigned IP ["192.168.1.221" "2001:db8:1::1"]',
  ])
  await countersAre('dual', '1 1 1 1')
  await rig.serviceWhen('half', 'has one', hasAddresses('192.168.1.201'))
  const [lacking] = await eventsWith('half', 'AdditionalAssignFailed')
  assert.match(lacking ?? '', /^Normal AdditionalAssignFailed \S+ ×1 cannot assign additional IP in Pref/)
  await rig.kubectl('patch', 'ipaddresspool', 'priority-pool', '-n', namespace, '--type=merge', '-p',
    JSON.stringify({ spec: { addresses: ['192.168.1.200-192.168.1.204', '2001:db8:1::c8/128'] } }))
  await rig.serviceWhen('half', 'is completed', hasAddresses('192.168.1.201', '2001:db8:1::c8'))
  await until('the second is told', async () =>
    (await rig.events('half')).includes(
      'Normal IPAllocated metallb-controller ×1 Assigned additional IP "2001:db8:1::c8"',
    ), waitMs)
  await rig.kubectl('delete', 'service', 'pair', 'half')
})

check('a Service of another class is left alone', async () => {
  await rig.apply(service('foreign', { loadBalancerClass: 'example.org/other' }))
  await settle('settle-2')
  assert.equal([ingressOf(await rig.service('foreign')), await rig.events('foreign')], [[], []])
  await rig.kubectl('delete', 'service', 'foreign')
})

check('whoever waits gets what is released: by deletion, and by another type', async () => {
  await rig.apply(pool('tiny', ['192.168.1.229/32'], { autoAssign: false }))
  const tiny = { 'metallb.io/address-pool': 'tiny' }
  const holds = hasAddresses('192.168.1.229')
  const waits = (now: unknown): boolean => conditionOf(now) === 'False poolExhausted'
  await rig.apply(service('first', {}, tiny))
  await rig.serviceWhen('first', 'holds', holds)
  await rig.apply(service('second', {}, tiny), service('third', {}, tiny))
  await rig.serviceWhen('second', 'waits', waits)
  await rig.serviceWhen('third', 'waits', waits)
  await rig.kubectl('patch', 'service', 'first', '-p', '{"spec":{"type":"ClusterIP"}}')
  await rig.serviceWhen('first', 'keeps nothing of ours', (now) =>
    ingressOf(now).length === 0 && poolOf(now) === '' && conditionOf(now) === '')
  await rig.serviceWhen('second', 'holds', holds)
  await rig.kubectl('delete', 'service', 'second')
  await rig.serviceWhen('third', 'holds', holds)
  assert.equal((await eventsWith('third', 'AllocationFailed')).length, 1)
  await rig.kubectl('delete', 'service', 'first', 'third')
})

check('a pool for namespaces with a label is used once the namespace has it', async () => {
  await rig.apply(pool('team', ['192.168.1.225/32'], {
    serviceAllocation: { priority: 1, namespaceSelectors: [{ matchLabels: { team: 'blue' } }] },
  }))
  await rig.apply(service('blue', {}, { 'metallb.io/address-pool': 'team' }))
  await rig.serviceWhen('blue', 'is refused', (now) => conditionOf(now) === 'False poolNotForService')
  await rig.kubectl('label', 'namespace', 'default', 'team=blue')
  await rig.serviceWhen('blue', 'is served', hasAddresses('192.168.1.225'))
  await rig.kubectl('label', 'namespace', 'default', 'team-')
  await rig.serviceWhen('blue', 'loses it', (now) =>
    ingressOf(now).length === 0 && conditionOf(now) === 'False poolNotForService')
  assert.equal((await eventsWith('blue', 'ClearAssignment')).length, 1)
  await rig.kubectl('delete', 'service', 'blue')
})

check('a change of the requested address moves the Service, with its events', async () => {
  await rig.apply(service('mover', {}, ask('192.168.1.246')))
  await rig.serviceWhen('mover', 'has one', hasAddresses('192.168.1.246'))
  await rig.apply(service('mover', {}, ask('192.168.1.247')))
  await rig.serviceWhen('mover', 'has the other', hasAddresses('192.168.1.247'))
  await until('it is told', async () => (await eventsWith('mover', 'IPAllocated')).length === 2, waitMs)
  await rig.kubectl('delete', 'service', 'mover')
})

check('a restart changes nothing, and writes nothing; what changed meanwhile is noticed', async () => {
  await rig.apply(service('left'))
  await rig.serviceWhen('left', 'is written', (now) => poolOf(now) !== '' && conditionOf(now) !== '')
  const names = ['nginx-lb', 'nginx-specific-ip', 'priority-service']
  await Promise.all(names.map((name) =>
    rig.serviceWhen(name, 'is written', (now) => conditionOf(now) === 'False noEndpoints')))
  const versions = (): Promise<unknown[]> => Promise.all(names.map(async (name) =>
    at(await rig.service(name), 'metadata', 'resourceVersion')))
  const secret = (): Promise<unknown> => rig.read(`/api/v1/namespaces/${namespace}/secrets/memberlist`)
  const before = [await versions(), await secret()]
  assert.is(await controller.child.stop(), 0)
  await rig.kubectl('patch', 'service', 'left', '-p', '{"spec":{"type":"ClusterIP"}}')
  controller = await rig.startController()
  await settle('settle-3')
  assert.equal([await versions(), await secret()], before)
  await rig.serviceWhen('left', 'has nothing of ours', (now) =>
    ingressOf(now).length === 0 && poolOf(now) === '' && conditionOf(now) === '')
})

check('with --lb-class only that class is served, and a change of type releases its address', async () => {
  assert.is(await controller.child.stop(), 0)
  const mine = { loadBalancerClass: 'example.org/mine' }
  const said = { status: { conditions: [{
    type: 'arpeggio.io/Announced', status: 'False', reason: 'said', message: 'by another controller',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  }] } }
  const before = await rig.service('nginx-lb')
  await rig.kubectl('patch', 'service', 'nginx-lb', '--subresource=status', '-p', JSON.stringify(said))
  controller = await rig.startController('--lb-class=example.org/mine')
  await rig.apply(service('classed', mine))
  const has = await rig.serviceWhen('classed', 'has an address', (now) => ingressOf(now).length === 1)
  assert.is(poolOf(has), 'primary-pool')
  await rig.serviceWhen('classed', 'is written', (now) => conditionOf(now) === 'False noEndpoints')
  const other = await rig.service('nginx-lb')
  assert.equal([conditionOf(other), ingressOf(other)], ['False said', ingressOf(before)])
  const release = { spec: { type: 'ClusterIP', loadBalancerClass: null } }
  await rig.kubectl('patch', 'service', 'classed', '-p', JSON.stringify(release))
  await rig.serviceWhen('classed', 'keeps nothing of ours', (now) =>
    ingressOf(now).length === 0 && poolOf(now) === '' && conditionOf(now) === '')
})

check('the rights of deploy/base were enough: no write was refused, no watch failed, no turn either', () => {
  const wrong = controller.log().filter(({ msg, level }) =>
    level === 'error' || msg === 'watch failed, trying again')
  assert.equal(wrong, [])
})

test.run()
