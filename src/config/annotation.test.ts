/** Annotations of our groups that are ignored: misspelt, misplaced, overruled; and those that are not. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { readWorld } from './read.ts'

type Values = Readonly<Record<string, string>>

const manifests = {
  Service: { apiVersion: 'v1', kind: 'Service', spec: { type: 'LoadBalancer' } },
  IPAddressPool: {
    apiVersion: 'metallb.io/v1beta1', kind: 'IPAddressPool', spec: { addresses: ['192.0.2.0/28'] },
    status: { assignedIPv4: 1, assignedIPv6: 0, availableIPv4: 15, availableIPv6: 0 },
  },
  L2Advertisement: { apiVersion: 'metallb.io/v1beta1', kind: 'L2Advertisement', spec: {} },
  ServiceL2Status: { apiVersion: 'metallb.io/v1beta1', kind: 'ServiceL2Status', status: {} },
  Node: { apiVersion: 'v1', kind: 'Node' },
}
type Kind = keyof typeof manifests

/** Warnings as `key: reason: message`; of an object that has nothing else to warn of. */
function warn(kind: Kind, annotations: Values): readonly string[] {
  const open = { ...manifests.L2Advertisement, metadata: { name: 'open' } }
  const texts = [{ ...manifests[kind], metadata: { name: 'a', annotations } }, open]
  const bytes = new TextEncoder().encode(texts.map((one) => JSON.stringify(one)).join('\n---\n'))
  const { problems, warnings } = readWorld([{ file: 'a.yaml', bytes }])
  assert.equal(problems, [])
  return warnings.map(({ path, reason, message, document }) => {
    assert.is(document, 1)
    return `${path.replace(/^metadata\.annotations\["(.*)"\]$/, '$1')}: ${reason}: ${message}`
  })
}

const ignored = (key: string, hint: string): string =>
  `${key}: UnknownAnnotation: Annotation \`${key}\` is ignored: ${hint}`
const meant = (key: string, of: string): string => ignored(key, `did you mean \`${of}\`?`)
const overruled = (name: string, old: string, stable: string): string =>
  `metallb.universe.tf/${name}: IgnoredAnnotation: ${old} is ignored: \`metallb.io/${name}\` says ${stable}`
const ofServices = 'known here are metallb.io/loadBalancerIPs, metallb.io/address-pool, ' +
  'metallb.io/allow-shared-ip, metallb.io/ip-allocated-from-pool'
const onlyPools = 'it is read from IPAddressPools and the older ConfigMap only'
const onlyServices = 'it is read from Services only'

const rows: { it: string; kind?: Kind; given: Values; want: readonly string[] }[] = [
  { it: 'a letter is missing', given: { 'metallb.io/loadBalancerIP': '192.0.2.1' },
    want: [meant('metallb.io/loadBalancerIP', 'metallb.io/loadBalancerIPs')] },
  { it: 'a letter too many', given: { 'metallb.io/address-pools': 'lan' },
    want: [meant('metallb.io/address-pools', 'metallb.io/address-pool')] },
  { it: 'another case', given: { 'metallb.universe.tf/loadbalancerips': '192.0.2.1' },
    want: [meant('metallb.universe.tf/loadbalancerips', 'metallb.universe.tf/loadBalancerIPs')] },
  { it: 'another spelling', given: { 'metallb.io/allowSharedIp': 'dns' },
    want: [meant('metallb.io/allowSharedIp', 'metallb.io/allow-shared-ip')] },
  { it: 'nothing is near', given: { 'metallb.io/pool': 'lan', 'arpeggio.io/pool': 'lan' },
    want: [ignored('metallb.io/pool', ofServices), ignored('arpeggio.io/pool', ofServices)] },
  { it: 'the group is misspelt', given: { 'metalb.io/address-pool': 'lan' },
    want: [meant('metalb.io/address-pool', 'metallb.io/address-pool')] },
  { it: 'the deprecated group is misspelt', given: { 'metallb.universe.tv/address-pool': 'lan' },
    want: [meant('metallb.universe.tv/address-pool', 'metallb.universe.tf/address-pool')] },
  { it: 'another program\'s group', want: [], given: {
    'example.com/address-pool': 'x', 'kube-vip.io/loadbalancerIPs': 'x', 'io.cilium/lb-ipam-ips': 'x',
    'kubectl.kubernetes.io/last-applied-configuration': '{}',
    'my.metallb.io/address-pools': 'x', 'metallb.io': 'x', 'description': 'metallb.io/address-pools',
  } },
  { it: 'as MetalLB 0.16 leaves a Service', want: [], given: {
    'metallb.io/ip-allocated-from-pool': 'lan', 'metallb.io/address-pool': 'lan',
  } },
  { it: 'as an upgrade from MetalLB 0.14 leaves one', want: [], given: {
    'metallb.universe.tf/ip-allocated-from-pool': 'old', 'metallb.io/ip-allocated-from-pool': 'lan',
  } },
  { it: 'both prefixes say the same', want: [], given: {
    'metallb.universe.tf/allow-shared-ip': 'dns', 'metallb.io/allow-shared-ip': 'dns',
  } },
  { it: 'the prefixes differ', given: {
    'metallb.io/loadBalancerIPs': '192.0.2.1', 'metallb.universe.tf/loadBalancerIPs': '192.0.2.2',
    'metallb.universe.tf/address-pool': 'old', 'metallb.io/address-pool': 'lan',
  }, want: [
    overruled('loadBalancerIPs', '"192.0.2.2"', '"192.0.2.1"'), overruled('address-pool', '"old"', '"lan"'),
  ] },
  { it: 'the stable one is empty and wins', given: {
    'metallb.io/allow-shared-ip': '', 'metallb.universe.tf/allow-shared-ip': 'dns',
  }, want: [overruled('allow-shared-ip', '"dns"', '""')] },
  { it: 'a pool\'s own', kind: 'IPAddressPool', want: [], given: {
    'arpeggio.io/exclude': '192.0.2.3/32', 'arpeggio.io/allow-address-loss': 'true', 'description': 'x',
  } },
  { it: 'a pool\'s, misspelt', kind: 'IPAddressPool', given: { 'arpeggio.io/excludes': '192.0.2.3/32' },
    want: [meant('arpeggio.io/excludes', 'arpeggio.io/exclude')] },
  { it: 'a Service\'s on a pool', kind: 'IPAddressPool', given: { 'metallb.io/address-pool': 'lan' },
    want: [ignored('metallb.io/address-pool', onlyServices)] },
  { it: 'a pool\'s on a Service', given: { 'arpeggio.io/exclude': '192.0.2.3/32' },
    want: [ignored('arpeggio.io/exclude', 'it is read from IPAddressPools only')] },
  { it: 'the configuration\'s on a Service', given: { 'arpeggio.io/allow-address-loss': 'true' },
    want: [ignored('arpeggio.io/allow-address-loss', onlyPools)] },
  { it: 'a pool\'s, and one that nobody knows', kind: 'L2Advertisement',
    given: {
      'arpeggio.io/allow-address-loss': 'true', 'arpeggio.io/exclude': '192.0.2.3/32',
      'arpeggio.io/interfaces': 'eth0', 'description': 'x',
    },
    want: [
      ignored('arpeggio.io/allow-address-loss', onlyPools),
      ignored('arpeggio.io/exclude', 'it is read from IPAddressPools only'),
      ignored('arpeggio.io/interfaces', 'none means anything here'),
    ] },
  { it: 'objects that MetalLB writes', kind: 'ServiceL2Status', given: { 'metallb.io/x': 'x' }, want: [] },
  { it: 'objects that others write', kind: 'Node', given: { 'metallb.io/whatever': 'x' }, want: [] },
]
for (const { it, kind = 'Service', given, want } of rows) {
  test(`annotations of ${kind}: ${it}`, () => assert.equal(warn(kind, given), want))
}

test('annotations that are no mapping are told once, by who reads them', () => {
  const text = JSON.stringify({ ...manifests.Service, metadata: { name: 'a', annotations: ['x'] } })
  const { problems, warnings } = readWorld([{ file: 'a', bytes: new TextEncoder().encode(text) }])
  assert.equal([problems.map(({ path }) => path), warnings], [['metadata.annotations'], []])
})

test.run()
