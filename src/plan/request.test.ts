/** What Services ask for in vain: each refusal with its place, and what is no fault of the Service. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { readWorld } from '../config/read.ts'
import type { Refusal } from '../ipam/model.ts'
import { decideAddresses } from './decision.ts'
import { refusedRequests } from './request.ts'

type Values = Readonly<Record<string, unknown>>

const stable = 'metallb.io/'
const old = 'metallb.universe.tf/'
const pool = (name: string, addresses: readonly string[], more: Values = {}, exclude?: string): Values => ({
  apiVersion: 'metallb.io/v1beta1', kind: 'IPAddressPool',
  metadata: { name, annotations: { 'arpeggio.io/exclude': exclude } }, spec: { addresses, ...more },
})
const service = (name: string, annotations: Values, spec: Values = {}, held?: string): Values => ({
  apiVersion: 'v1', kind: 'Service', metadata: { name, annotations },
  spec: { type: 'LoadBalancer', ports: [{ port: 80 }], ...spec },
  status: { loadBalancer: { ingress: held === undefined ? [] : [{ ip: held }] } },
})
const lan = pool('lan', ['192.0.2.0/28'], { avoidBuggyIPs: true }, '192.0.2.9/32')
const wan = pool('wan', ['198.51.100.0/28', '2001:db8::/120'], {
  autoAssign: false, serviceAllocation: { namespaces: ['shop'] },
})

const read = (objects: readonly Values[]) => {
  const text = objects.map((object) => JSON.stringify(object)).join('\n---\n')
  const reading = readWorld([{ file: 'a.yaml', bytes: new TextEncoder().encode(text) }])
  return { reading, found: refusedRequests(reading, '') }
}

const at = (key: string): string => `metadata.annotations["${key}"]`
const ips = (value: string, prefix = stable): Values => ({ [`${prefix}loadBalancerIPs`]: value })
const named = (value: string, prefix = stable): Values => ({ [`${prefix}address-pool`]: value })
const shared = (key: string): Values => ({ ...ips('192.0.2.1'), [`${stable}allow-shared-ip`]: key })
const both = { clusterIPs: ['10.96.0.1', '2001:db8::1'] }

const byLabels = pool('lan', ['192.0.2.0/28'], {
  serviceAllocation: { namespaceSelectors: [{ matchLabels: { team: 'a' } }] },
})
const namespace = (labels: Values): Values => ({
  apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default', labels },
})
const preferred = { ipFamilyPolicy: 'PreferDualStack' }

/** The Service that stands last is refused. */
interface Row {
  readonly reason: Refusal
  readonly it?: string
  readonly path: string
  readonly given: readonly Values[]
  /** Before them; the usual two if it is not there. */
  readonly pools?: readonly Values[]
}
const refused: readonly Row[] = [
  { reason: 'badRequestedAddress', path: at(`${stable}loadBalancerIPs`), given: [service('a', ips('lan'))] },
  { reason: 'badRequestedAddress', it: 'without pools', path: at(`${stable}loadBalancerIPs`), pools: [],
    given: [service('a', ips('192.0.2.300'))] },
  { reason: 'badRequestedAddress', it: 'by the deprecated key', path: at(`${old}loadBalancerIPs`),
    given: [service('a', ips('192.0.2.1,', old))] },
  { reason: 'badRequestedAddress', it: 'by the field', path: 'spec.loadBalancerIP',
    given: [service('a', ips('', stable), { loadBalancerIP: '192.0.2' })] },
  { reason: 'conflictingRequest', path: 'spec.loadBalancerIP',
    given: [service('a', ips('192.0.2.1'), { loadBalancerIP: '192.0.2.1' })] },
  { reason: 'tooManyRequested', path: at(`${stable}loadBalancerIPs`),
    given: [service('a', ips('192.0.2.1,192.0.2.2'))] },
  { reason: 'requestedFamilyMismatch', path: 'spec.loadBalancerIP',
    given: [service('a', {}, { loadBalancerIP: '2001:db8::5', clusterIP: '10.96.0.1' })] },
  { reason: 'requestedFamilyMismatch', it: 'where the cluster has both', path: at(`${stable}loadBalancerIPs`),
    given: [service('a', ips('192.0.2.5'), { ...both, ...preferred })] },
  { reason: 'requestedFamilyMismatch', it: 'by the other family', path: at(`${stable}loadBalancerIPs`),
    given: [service('a', ips('192.0.2.5'), { ...preferred, ipFamilies: ['IPv6'] })] },
  { reason: 'notEnoughClusterIPs', path: 'spec.ipFamilyPolicy',
    given: [service('a', {}, { clusterIP: '10.96.0.1', ipFamilyPolicy: 'RequireDualStack' })] },
  { reason: 'noClusterIP', path: 'spec.clusterIP', given: [service('a', {}, { clusterIP: 'None' })] },
  { reason: 'unknownPool', path: at(`${stable}address-pool`), given: [service('a', named('lam'))] },
  { reason: 'unknownPool', it: 'by the deprecated key', path: at(`${old}address-pool`),
    given: [service('a', named('nowhere', old))] },
  { reason: 'unknownPool', it: 'though an address is kept', path: at(`${stable}address-pool`),
    given: [service('a', named('lam'), {}, '192.0.2.1')] },
  { reason: 'poolNotForService', path: at(`${stable}address-pool`), given: [service('a', named('wan'))] },
  { reason: 'poolNotForService', it: 'by address', path: 'spec.loadBalancerIP',
    given: [service('a', {}, { loadBalancerIP: '198.51.100.1' })] },
  { reason: 'poolNotForService', it: 'by labels of its namespace', path: at(`${stable}address-pool`),
    pools: [byLabels, namespace({ team: 'b' })], given: [service('a', named('lan'))] },
  { reason: 'addressNotInPool', path: at(`${stable}loadBalancerIPs`),
    given: [service('a', ips('203.0.113.1'))] },
  { reason: 'addressesInTwoPools', path: at(`${stable}loadBalancerIPs`),
    given: [service('a', ips('192.0.2.1,2001:db8::1'), both)] },
  { reason: 'addressNotInRequestedPool', path: at(`${stable}address-pool`),
    given: [service('a', { ...ips('198.51.100.1'), ...named('lan') })] },
  { reason: 'addressExcluded', path: at(`${stable}loadBalancerIPs`),
    given: [service('a', ips('192.0.2.9'))] },
  { reason: 'addressExcluded', it: 'avoidBuggyIPs', path: 'spec.loadBalancerIP',
    given: [service('a', {}, { loadBalancerIP: '192.0.2.0' })] },
  { reason: 'addressInUse', path: at(`${stable}loadBalancerIPs`),
    given: [service('a', ips('192.0.2.1')), service('b', ips('192.0.2.1'))] },
  { reason: 'addressInUse', it: 'by a holder', path: at(`${stable}loadBalancerIPs`),
    given: [service('a', {}, {}, '192.0.2.1'), service('b', ips('192.0.2.1'), {}, '192.0.2.2')] },
  { reason: 'sharingKeyMismatch', path: at(`${stable}allow-shared-ip`),
    given: [service('a', shared('dns')), service('b', shared('web'), { ports: [{ port: 81 }] })] },
  { reason: 'sharingKeyMismatch', it: 'by traffic policies', path: at(`${stable}allow-shared-ip`), given: [
    service('a', shared('dns')),
    service('b', shared('dns'), { ports: [{ port: 81 }], externalTrafficPolicy: 'Local' }),
  ] },
  { reason: 'portInUse', path: at(`${stable}allow-shared-ip`),
    given: [service('a', shared('dns')), service('b', shared('dns'))] },
]
for (const { reason, it = 'as it is', path, given, pools = [lan, wan] } of refused) {
  test(`${reason}, ${it}: found where it is asked for, in the words of the plan`, () => {
    const objects = [...pools, ...given]
    const { reading, found } = read(objects)
    const name = `Service/${given.length === 1 ? 'a' : 'b'}`
    assert.equal(found.map((one) => [one.file, one.document, one.object, one.path, one.reason]), [
      ['a.yaml', objects.length, name, path, reason],
    ])
    const { world } = reading
    if (world === undefined) throw new Error('The input has problems')
    const { verdicts } = decideAddresses({ world, loadBalancerClass: '' })
    const last = verdicts.at(-1)
    const said = last?.kind === 'refused' ? last.message : last?.kind === 'kept' ? last.lacking : ''
    assert.is(found[0]?.message, said?.replace(/^kept, though /, ''))
  })
}

const fine: { it: string; given: readonly Values[] }[] = [
  { it: 'nothing is asked for', given: [lan, service('a', {})] },
  { it: 'what is asked for can be had',
    given: [lan, service('a', { ...ips('192.0.2.5'), ...named('lan') })] },
  { it: 'two share', given: [
    lan, service('a', shared('dns')), service('b', shared('dns'), { ports: [{ port: 80, protocol: 'UDP' }] }),
  ] },
  { it: 'the input has no pools', given: [service('a', named('lan')), service('b', ips('192.0.2.1'))] },
  { it: 'the pool is full',
    given: [pool('lan', ['192.0.2.1/32']), service('a', {}), service('b', named('lan'))] },
  { it: 'no pool is automatic',
    given: [pool('lan', ['192.0.2.1/32'], { autoAssign: false }), service('a', {})] },
  { it: 'the type is another', given: [lan, service('a', ips('x'), { type: 'ClusterIP' })] },
  { it: 'the class is another\'s',
    given: [lan, service('a', ips('x'), { loadBalancerClass: 'example.com/x' })] },
  { it: 'the cluster may have one family only',
    given: [lan, service('a', ips('192.0.2.5'), preferred)] },
  { it: 'the cluster may have one family only, by its name', given: [
    lan, service('a', ips('192.0.2.5'), { ...preferred, ipFamilies: ['IPv4'] }),
  ] },
  { it: 'a namespace that is not there may have the labels', given: [
    byLabels, service('a', named('lan')), service('b', ips('192.0.2.5')),
  ] },
  { it: 'a namespace has the labels',
    given: [byLabels, namespace({ team: 'a' }), service('a', named('lan'))] },
  { it: 'a broken pool may be the one', given: [lan, pool('wan', ['x']), service('a', named('wan'))] },
]
for (const { it, given } of fine) {
  test(`nothing is found where ${it}`, () => assert.equal(read(given).found, []))
}

test('what needs no pools to judge is found beside problems, in the order of the input', () => {
  const given = [
    service('b', ips('x')), pool('wan', ['x']), service('a', ips('y')), service('c', named('wan')),
  ]
  assert.equal(read(given).found.map(({ object }) => object), ['Service/b', 'Service/a'])
})

/** The Service is judged beside what is bad only where that cannot make it good. */
const advertisement = (spec: Values): Values =>
  ({ apiVersion: 'metallb.io/v1beta1', kind: 'L2Advertisement', metadata: { name: 'all' }, spec })
const slice: Values = {
  apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata: { name: 's' }, endpoints: 5,
}
const noKind: Values = { metadata: { name: 'nobody knows what' } }
const broken = pool('wan', ['x'])
const bothAsk = [service('a', ips('192.0.2.1')), service('b', ips('192.0.2.1'))]
const beside: readonly (readonly [it: string, bad: Values, given: readonly Values[], want: string])[] = [
  ['an advertisement', advertisement({ interfaces: 5 }),
    [service('a', ips('203.0.113.1'))], 'addressNotInPool'],
  ['an EndpointSlice', slice, [service('a', named('nowhere'))], 'unknownPool'],
  ['another pool, for a pool by name', broken, [service('a', named('nowhere'))], 'unknownPool'],
  ['another pool, for a good one', pool('wan', ['x', '198.51.100.0/28']),
    [service('a', { ...ips('198.51.100.1'), ...named('lan') })], 'addressNotInRequestedPool'],
  ['a pool, which may have the address', broken, [service('a', ips('203.0.113.1'))], ''],
  ['the pool that is asked for', broken, [service('a', named('wan'))], ''],
  ['who knows what, which may be the pool', noKind, [service('a', named('nowhere'))], ''],
  ['who knows what, which may have the address', noKind, [service('a', ips('203.0.113.1'))], ''],
  ['who knows what, for an excluded address', noKind, [service('a', ips('192.0.2.9'))], 'addressExcluded'],
  ['a pool, which may have the excluded address', broken, [service('a', ips('192.0.2.9'))], ''],
  ['another pool, for an excluded address of a good one', broken,
    [service('a', { ...ips('192.0.2.9'), ...named('lan') })], 'addressExcluded'],
  ['who knows what, for two that ask for one address', noKind, bothAsk, 'addressInUse'],
  ['who knows what, for one who asks for what another just gets', noKind,
    [service('a', {}), service('b', ips('192.0.2.1'))], ''],
  ['an advertisement, for the same', advertisement({ interfaces: 5 }),
    [service('a', {}), service('b', ips('192.0.2.1'))], 'addressInUse'],
  ['a Service that asks for the same address', service('c', ips('192.0.2.1'), { ports: 5 }),
    [service('a', ips('192.0.2.1'))], ''],
  ['that Service alone, for another', service('c', {}, { ports: 5 }), bothAsk, 'addressInUse'],
  ['two pools that overlap', pool('more', ['192.0.2.8/29']), [service('a', named('nowhere'))], 'unknownPool'],
]
for (const [it, bad, given, want] of beside) {
  test(`beside ${it}: ${want === '' ? 'nothing is told' : want}`, () => {
    const { reading, found } = read([lan, bad, ...given])
    assert.ok(reading.world === undefined, 'nothing is bad')
    assert.is(found.map(({ reason }) => reason).join(), want)
  })
}

test('a misspelt pool is told with the one that was meant', () => {
  assert.equal(read([lan, service('a', named('lam')), service('b', named('nowhere'))]).found
    .map(({ message }) => message), [
    'unknown pool "lam"; did you mean "lan"? pools are: lan', 'unknown pool "nowhere"; pools are: lan',
  ])
})

test('a Service that is asked again keeps what it has: the next one is judged beside it', () => {
  const kept = service('a', named('lam'), {}, '192.0.2.1')
  const too = service('b', named('lam'), {}, '192.0.2.2')
  const { found } = read([lan, kept, too, service('c', ips('192.0.2.1'))])
  assert.equal(found.map(({ reason }) => reason), ['unknownPool', 'unknownPool', 'addressInUse'])
})

test.run()
