/** What a Service asks for: annotations, fields, families, refusals, and mistakes in fields we read. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { formatAddress } from '../net/address.ts'
import type { Intent } from './model.ts'
import { readWorld } from './read.ts'

interface Given {
  readonly spec?: object
  readonly metadata?: object
  readonly status?: object
}
const read = ({ spec, metadata, status }: Given) => {
  const object = {
    apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', ...metadata }, status,
    spec: { type: 'LoadBalancer', clusterIP: '10.96.0.1', ports: [{ port: 80 }], ...spec },
  }
  const bytes = new TextEncoder().encode(JSON.stringify(object))
  const { world, problems } = readWorld([{ file: 'a.json', bytes }])
  return { intent: world?.services[0], problems: problems.map((p) => `${p.path} ${p.reason}: ${p.message}`) }
}
const good = (given: Given): Intent => {
  const { intent, problems } = read(given)
  assert.equal(problems, [])
  if (intent === undefined) throw new Error('No Service')
  return intent
}
const annotated = (annotations: Readonly<Record<string, string>>, spec: object = {}): Given =>
  ({ metadata: { annotations }, spec })
const stable = 'metallb.io/'
const old = 'metallb.universe.tf/'
const both = { clusterIPs: ['10.96.0.1', '2001:db8::1'], clusterIP: '10.96.0.1' }

const malformed: { it: string; given: Given; want: string }[] = [
  { it: 'a port that is text', given: { spec: { ports: [{ port: '80' }] } },
    want: 'spec.ports[0].port BadValue: Want a port from 1 to 65535, found "80"' },
  { it: 'no port', given: { spec: { ports: [{ port: 80 }, { protocol: 'UDP' }] } },
    want: 'spec.ports[1].port BadValue: Want a port from 1 to 65535, found nothing' },
  { it: 'port 65536', given: { spec: { ports: [{ port: 65_536 }] } },
    want: 'spec.ports[0].port BadValue: Want a port from 1 to 65535, found 65536' },
  { it: 'ports that are no list', given: { spec: { ports: {} } },
    want: 'spec.ports BadType: Want a list, found a mapping' },
  { it: 'a protocol in lower case', given: { spec: { ports: [{ port: 80, protocol: 'tcp' }] } },
    want: 'spec.ports[0].protocol BadValue: Want one of TCP, UDP, SCTP, found "tcp"; did you mean "TCP"?' },
  { it: 'an unknown type', given: { spec: { type: 'LoadBalancers' } },
    want: 'spec.type BadValue: Want one of ClusterIP, NodePort, LoadBalancer, ExternalName, found ' +
      '"LoadBalancers"; did you mean "LoadBalancer"?' },
  { it: 'an unknown traffic policy', given: { spec: { externalTrafficPolicy: 'local' } },
    want: 'spec.externalTrafficPolicy BadValue: Want one of Cluster, Local, found "local"; ' +
      'did you mean "Local"?' },
  { it: 'an unknown family policy', given: { spec: { ipFamilyPolicy: 'DualStack' } },
    want: 'spec.ipFamilyPolicy BadValue: Want one of SingleStack, PreferDualStack, RequireDualStack, ' +
      'found "DualStack"' },
  { it: 'an annotation that is a number',
    given: { metadata: { annotations: { [`${stable}address-pool`]: 5 } } },
    want: 'metadata.annotations["metallb.io/address-pool"] BadType: Want text, found 5; ' +
      'put it in quotes: "5"' },
  { it: 'a label that is a boolean', given: { metadata: { labels: { a: true } } },
    want: 'metadata.labels["a"] BadType: Want text, found true; put it in quotes: "true"' },
  { it: 'clusterIPs that are text', given: { spec: { clusterIPs: '10.96.0.1' } },
    want: 'spec.clusterIPs BadType: Want a list, found "10.96.0.1"' },
  { it: 'a loadBalancerIP that is a number', given: { spec: { loadBalancerIP: 192.02 } },
    want: 'spec.loadBalancerIP BadType: Want text, found 192.02; put it in quotes: "192.02"' },
  { it: 'a class that is a mapping', given: { spec: { loadBalancerClass: {} } },
    want: 'spec.loadBalancerClass BadType: Want text, found a mapping' },
]
for (const { it, given, want } of malformed) {
  test(`intent: a Service with ${it} is a problem`, () => assert.equal(read(given).problems, [want]))
}

const ips = (value: string, spec: object = {}): Given =>
  annotated({ [`${stable}loadBalancerIPs`]: value }, spec)
const refused: { it: string; given: Given; want: string }[] = [
  { it: 'headless', given: { spec: { clusterIP: 'None' } },
    want: 'noClusterIP: a headless Service (clusterIP: None) gets no load balancer address' },
  { it: 'headless, as the API server writes it',
    given: { spec: { clusterIP: 'None', clusterIPs: ['None'] } },
    want: 'noClusterIP: a headless Service (clusterIP: None) gets no load balancer address' },
  { it: 'dual stack required with one cluster address',
    given: { spec: { ipFamilyPolicy: 'RequireDualStack' } },
    want: 'notEnoughClusterIPs: Service requires dual stack but has one cluster address only' },
  { it: 'annotation and field', given: ips('192.0.2.1', { loadBalancerIP: '192.0.2.1' }),
    want: 'conflictingRequest: service can not have both metallb.io/loadBalancerIPs and ' +
      'spec.loadBalancerIP' },
  { it: 'a bad address', given: ips('192.0.2.300'),
    want: 'badRequestedAddress: invalid metallb.io/loadBalancerIPs: "192.0.2.300"' },
  { it: 'leading zeros', given: ips('192.0.2.01'),
    want: 'badRequestedAddress: invalid metallb.io/loadBalancerIPs: "192.0.2.01"' },
  { it: 'a byte order mark, which is no blank', given: ips('\ufeff192.0.2.1'),
    want: 'badRequestedAddress: invalid metallb.io/loadBalancerIPs: "\ufeff192.0.2.1"' },
  { it: 'one bad of two', given: ips('192.0.2.1,'),
    want: 'badRequestedAddress: invalid metallb.io/loadBalancerIPs: "192.0.2.1,"' },
  { it: 'a network', given: ips('192.0.2.0/24'),
    want: 'badRequestedAddress: invalid metallb.io/loadBalancerIPs: "192.0.2.0/24"' },
  { it: 'a bad field', given: { spec: { loadBalancerIP: ' 192.0.2.1' } },
    want: 'badRequestedAddress: invalid spec.loadBalancerIP " 192.0.2.1"' },
  { it: 'two addresses in the field', given: { spec: { loadBalancerIP: '192.0.2.1,2001:db8::1' } },
    want: 'badRequestedAddress: invalid spec.loadBalancerIP "192.0.2.1,2001:db8::1"' },
  { it: 'two of one family', given: ips('192.0.2.1,192.0.2.2'),
    want: 'tooManyRequested: at most one address of each family: ["192.0.2.1" "192.0.2.2"]' },
  { it: 'three', given: ips('192.0.2.1,2001:db8::1,192.0.2.2', both),
    want: 'tooManyRequested: at most one address of each family: ["192.0.2.1" "2001:db8::1" "192.0.2.2"]' },
  { it: 'the other family', given: ips('2001:db8::5'),
    want: 'requestedFamilyMismatch: requested loadBalancer IP(s) ["2001:db8::5"] does not match the ' +
      'ipFamily of the service, which is ipv4' },
  { it: 'one address for two families', given: ips('192.0.2.1', both),
    want: 'requestedFamilyMismatch: requested loadBalancer IP(s) ["192.0.2.1"] does not match the ' +
      'ipFamily of the service, which is ipv4 and ipv6' },
  { it: 'two addresses for one family', given: ips('192.0.2.1,2001:db8::5'),
    want: 'requestedFamilyMismatch: requested loadBalancer IP(s) ["192.0.2.1" "2001:db8::5"] does not ' +
      'match the ipFamily of the service, which is ipv4' },
]
for (const { it, given, want } of refused) {
  test(`intent: refused: ${it}`, () => {
    const { refusal } = good(given)
    assert.is(`${refusal?.reason}: ${refusal?.message}`, want)
  })
}

const requests: { it: string; given: Given; want: readonly string[] }[] = [
  { it: 'nothing', given: {}, want: [] },
  { it: 'an empty annotation', given: ips(''), want: [] },
  { it: 'the stable annotation', given: ips('192.0.2.1'), want: ['192.0.2.1'] },
  { it: 'the deprecated annotation', given: annotated({ [`${old}loadBalancerIPs`]: '192.0.2.1' }),
    want: ['192.0.2.1'] },
  { it: 'both prefixes: the stable one wins',
    given: annotated({ [`${old}loadBalancerIPs`]: '192.0.2.1', [`${stable}loadBalancerIPs`]: '192.0.2.2' }),
    want: ['192.0.2.2'] },
  { it: 'both prefixes: the stable one wins even when empty',
    given: annotated({ [`${old}loadBalancerIPs`]: '192.0.2.1', [`${stable}loadBalancerIPs`]: '' }),
    want: [] },
  { it: 'the field', given: { spec: { loadBalancerIP: '192.0.2.1' } }, want: ['192.0.2.1'] },
  { it: 'two families in the user\'s order, blanks around',
    given: ips(' 2001:DB8::5 , 192.0.2.1', both),
    want: ['2001:db8::5', '192.0.2.1'] },
]
for (const { it, given, want } of requests) {
  test(`intent: requests [${want}]: ${it}`, () => {
    const { requested, refusal } = good(given)
    assert.is(refusal, undefined)
    assert.equal(requested.map(formatAddress), want)
  })
}

const unset = { clusterIP: undefined }
const families: { it: string; given: Given; want: string }[] = [
  { it: 'clusterIP', given: { spec: { clusterIP: '2001:db8::1' } }, want: 'ipv6' },
  { it: 'clusterIPs before clusterIP', given: { spec: { clusterIPs: ['2001:db8::1', '10.96.0.1'] } },
    want: 'ipv6 ipv4' },
  { it: 'one cluster address, dual preferred', given: { spec: { ipFamilyPolicy: 'PreferDualStack' } },
    want: 'ipv4' },
  { it: 'no cluster address: ipFamilies',
    given: { spec: { ...unset, ipFamilies: ['IPv6'] } }, want: 'ipv6' },
  { it: 'no cluster address: both ipFamilies',
    given: { spec: { ...unset, ipFamilies: ['IPv6', 'IPv4'] } },
    want: 'ipv6 ipv4' },
  { it: 'no cluster address: those requested', given: ips('2001:db8::5', unset), want: 'ipv6' },
  { it: 'no cluster address, nothing said', given: { spec: unset }, want: 'ipv4' },
  { it: 'an empty clusterIP', given: { spec: { clusterIP: '', clusterIPs: [] } }, want: 'ipv4' },
  { it: 'dual preferred',
    given: { spec: { ...unset, ipFamilyPolicy: 'PreferDualStack' } }, want: 'ipv4 ipv6' },
  { it: 'dual required, IPv6 primary', want: 'ipv6 ipv4',
    given: { spec: { ...unset, ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv6'] } } },
]
for (const { it, given, want } of families) {
  test(`intent: families ${want}: ${it}`, () => {
    const intent = good(given)
    assert.is(intent.refusal, undefined)
    assert.is(intent.families.join(' '), want)
  })
}

test('intent: pool and sharing key by both prefixes, an empty stable key clears', () => {
  for (const prefix of [stable, old]) {
    const intent = good(annotated({
      [`${prefix}address-pool`]: 'lan', [`${prefix}allow-shared-ip`]: 'dns',
      [`${prefix}ip-allocated-from-pool`]: 'lan',
    }))
    assert.equal([intent.requestedPool, intent.sharingKey, intent.allocatedFromPool], ['lan', 'dns', 'lan'])
  }
  const empty = good(annotated({
    [`${stable}address-pool`]: '', [`${old}address-pool`]: 'lan',
    [`${stable}allow-shared-ip`]: '', [`${old}allow-shared-ip`]: 'dns',
  }))
  assert.equal([empty.requestedPool, empty.sharingKey, empty.hasSharingKey], [undefined, '', true])
  assert.equal([good({}).sharingKey, good({}).hasSharingKey], ['', false])
})

const backends: { it: string; spec: object; want: string }[] = [
  { it: 'Cluster, whatever the selector', spec: { selector: { app: 'web' } }, want: '' },
  { it: 'Local: the selector sorted by key', want: 'Local app=web,tier=gold',
    spec: { externalTrafficPolicy: 'Local', selector: { tier: 'gold', app: 'web' } } },
  { it: 'Local without selector', spec: { externalTrafficPolicy: 'Local' }, want: 'Local ' },
]
for (const { it, spec, want } of backends) {
  test(`intent: backend key "${want}": ${it}`, () => assert.is(good({ spec }).backendKey, want))
}

test('intent: ports with their defaults', () => {
  const { ports } = good({ spec: { ports: [
    { port: 53, protocol: 'UDP', name: 'dns', targetPort: 'dns', nodePort: 30_053 },
    { port: 443, targetPort: 8443 },
    { port: 9, protocol: 'SCTP' },
  ] } })
  assert.equal(ports, [
    { name: 'dns', protocol: 'UDP', port: 53, targetPort: 'dns', nodePort: 30_053 },
    { name: '', protocol: 'TCP', port: 443, targetPort: 8443, nodePort: undefined },
    { name: '', protocol: 'SCTP', port: 9, targetPort: undefined, nodePort: undefined },
  ])
})

test('intent: held addresses in their order; host names, repetitions and foreign text left out', () => {
  const ingress = [
    { ip: '2001:db8::5', ipMode: 'VIP' }, { hostname: 'web.example' }, { ip: '192.0.2.1' }, { ip: 'x' },
    { ip: '192.0.2.1' }, null, { ip: 5 }, { ip: '192.0.2.9' },
  ]
  const { held } = good({ status: { loadBalancer: { ingress } } })
  assert.equal(held.map(formatAddress), ['2001:db8::5', '192.0.2.1', '192.0.2.9'])
  assert.equal(good({ status: { loadBalancer: {} } }).held, [])
  assert.equal(good({ status: { loadBalancer: { ingress: 'x' } } }).held, [])
})

test('intent: identity, age, class, type', () => {
  const metadata = {
    namespace: 'shop', uid: 'u-1', labels: { app: 'web' }, creationTimestamp: '2026-01-01T00:00:01Z',
  }
  const { key, namespace, name, uid, labels, createdAtMs } = good({ metadata })
  assert.equal({ key, namespace, name, uid, labels, createdAtMs }, {
    key: 'shop/web', namespace: 'shop', name: 'web', uid: 'u-1', labels: { app: 'web' },
    createdAtMs: 1_767_225_601_000,
  })
  const plain = good({ spec: { type: undefined, loadBalancerClass: 'example.com/a' } })
  assert.equal([plain.key, plain.uid, plain.createdAtMs], ['default/web', undefined, undefined])
  assert.equal([plain.isLoadBalancer, plain.loadBalancerClass], [false, 'example.com/a'])
  for (const type of ['ClusterIP', 'NodePort', 'ExternalName']) {
    assert.not(good({ spec: { type } }).isLoadBalancer)
  }
})

test.run()
