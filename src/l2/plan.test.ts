/** Announcements as tables: who announces what, where, and why others are silent. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { address, service } from '../config/builders.ts'
import type { Advertisement, ClusterNode, Endpoint, Intent } from '../config/model.ts'
import { parsePrefix } from '../net/range.ts'
import type { Holding } from './demand.ts'
import type { LinkState, Member } from './model.ts'
import { type AnnouncementInput, planAnnouncements } from './plan.ts'
import { groupUnits } from './unit.ts'

const ad = (more: Partial<Advertisement> = {}): Advertisement => ({
  name: 'ad', pools: new Set(['lan']), nodeSelectors: [], interfaces: [], serviceSelectors: [],
  preferred: [], ...more,
})

const labelled = (key: string, value: string) => [{ key, operator: 'In', values: [value] }] as const

const node = (name: string, more: Partial<ClusterNode> = {}): ClusterNode => ({
  name, labels: {}, networkUnavailable: false, excluded: false, ...more,
})

const link = (name: string, prefix: string, more: Partial<LinkState> = {}): LinkState => {
  const parsed = parsePrefix(prefix)
  if (parsed === undefined) throw new Error(`Bad test prefix "${prefix}"`)
  return {
    index: 2, name, mac: '02:00:5e:00:53:01', mtuBytes: 1500, isUp: true, hasCarrier: true,
    master: undefined, isLoopback: false, isNoArp: false, isBroadcast: true,
    addresses: [{ address: parsed, prefix: parsed, isTentative: false }], ...more,
  }
}

const holding = (text: string, of: Intent = service('web'), pool = 'lan'): Holding =>
  ({ service: of, address: address(text), text, pool })

const endpoint = (nodeName: string, canServe = true): Endpoint =>
  ({ addresses: [], nodeName, canServe, isReady: canServe, ports: [] })

const members = (...names: string[]): Member[] => names.map((name) => ({ name, links: undefined }))

interface Case {
  readonly it: string
  readonly ads?: readonly Advertisement[]
  readonly given?: Partial<AnnouncementInput>
  readonly want: readonly string[]
}

function run(c: Case): string[] {
  const plan = planAnnouncements({
    config: { pools: [], advertisements: c.ads ?? [ad()], bgpOnlyPools: new Set() },
    nodes: [node('a'), node('b'), node('c')],
    members: members('a', 'b', 'c'),
    endpoints: undefined,
    holdings: [holding('192.168.1.240')],
    ...c.given,
  })
  return [
    ...plan.placed.map((row) => `${row.text} on ${row.node} ${String(row.interfaces)}`),
    ...plan.silent.map((row) => `${row.text} silent ${row.node ?? '*'} ${row.reason}`),
  ]
}

const local = service('web', { trafficPolicy: 'Local' })
const slices = (...list: Endpoint[]) => new Map([['default/web', list]])
const one = { nodes: [node('a')], members: members('a') }
const linked = (...links: LinkState[]) =>
  ({ nodes: [node('a')], members: [{ name: 'a', links }] })
const far = link('eth0', '198.51.100.0/24')
const near = link('eth1', '192.168.1.0/24', { index: 3 })

const cases: readonly Case[] = [
  { it: 'no advertisement selects the pool', ads: [],
    want: ['192.168.1.240 silent * noL2Advertisement'] },
  { it: 'no advertisement selects the Service',
    ads: [ad({ serviceSelectors: [labelled('app', 'x')] })],
    want: ['192.168.1.240 silent * noServiceMatch'] },
  { it: 'service selectors and a sharing key',
    ads: [ad({ serviceSelectors: [labelled('app', 'x')] })],
    given: { holdings: [holding('192.168.1.240', service('web', {
      labels: { app: 'x' }, hasSharingKey: true }))] },
    want: ['192.168.1.240 silent * sharedIPWithServiceSelector'] },
  { it: 'no endpoint can serve', given: { endpoints: slices(endpoint('a', false)) },
    want: ['192.168.1.240 silent * noEndpoints'] },
  { it: 'slices exist, none for this Service', given: { endpoints: new Map() },
    want: ['192.168.1.240 silent * noEndpoints'] },
  { it: 'no speaker and no node', given: { nodes: [], members: [] },
    want: ['192.168.1.240 silent * noNodes'] },
  { it: 'node selectors match no node', ads: [ad({ nodeSelectors: [labelled('edge', 'true')] })],
    want: ['192.168.1.240 silent * noNodeMatch'] },
  { it: 'each node has a reason of its own',
    ads: [ad({ nodeSelectors: [labelled('edge', 'true')] })],
    given: {
      nodes: [node('a'), node('b', { labels: { edge: 'true' }, networkUnavailable: true }),
        node('c', { labels: { edge: 'true' }, excluded: true }), node('d')],
    },
    want: ['192.168.1.240 silent a nodeNotSelected', '192.168.1.240 silent b networkUnavailable',
      '192.168.1.240 silent c nodeExcluded', '192.168.1.240 silent d speakerAbsent'] },
  { it: 'the exclude label is ignored when told so',
    given: { ...one, nodes: [node('a', { excluded: true })], ignoreExcludeLabel: true },
    want: ['192.168.1.240 on a all'] },
  { it: 'policy Local, no endpoint on the only node',
    given: { ...one, holdings: [holding('192.168.1.240', local)], endpoints: slices(endpoint('b')) },
    want: ['192.168.1.240 silent a noLocalEndpoints'] },
  { it: 'policy Local goes where an endpoint is',
    given: { holdings: [holding('192.168.1.240', local)], endpoints: slices(endpoint('b')) },
    want: ['192.168.1.240 on b all'] },
  { it: 'the interface does not exist', ads: [ad({ interfaces: ['eth9'] })], given: linked(near),
    want: ['192.168.1.240 silent a interfaceMissing'] },
  { it: 'the interface is down', given: linked(link('eth1', '192.168.1.0/24', { isUp: false })),
    want: ['192.168.1.240 silent a interfaceDown'] },
  { it: 'an interface without ARP', given: linked(link('eth1', '192.168.1.0/24', { isNoArp: true })),
    want: ['192.168.1.240 silent a interfaceDown'] },
  { it: 'an interface without broadcast',
    given: linked(link('eth1', '192.168.1.0/24', { isBroadcast: false })),
    want: ['192.168.1.240 silent a interfaceDown'] },
  { it: 'a bridge port is not announced on',
    given: linked(link('eth1', '192.168.1.0/24', { master: 7 })),
    want: ['192.168.1.240 silent a interfaceDown'] },
  { it: 'no carrier', given: linked(link('eth1', '192.168.1.0/24', { hasCarrier: false })),
    want: ['192.168.1.240 silent a noCarrier'] },
  { it: 'no socket on the interface',
    given: { nodes: [], members: [{ name: 'a', links: [near], deaf: new Set([3]) }] },
    want: ['192.168.1.240 silent a socketFailed'] },
  { it: 'only the interface whose prefix covers the address', given: linked(far, near),
    want: ['192.168.1.240 on a eth1'] },
  { it: 'no prefix anywhere: all interfaces, all the same', given: linked(far),
    want: ['192.168.1.240 on a eth0'] },
  { it: 'a node without the prefix yields to one that has it', given: {
    nodes: [], members: [{ name: 'c', links: [far] }, { name: 'z', links: [near] }] },
    want: ['192.168.1.240 on z eth1'] },
  { it: 'everywhere: prefixes do not decide between nodes', given: { placement: 'hash',
    everywhere: true, nodes: [],
    members: [{ name: 'a', links: [near] }, { name: 'c', links: [far] }] },
    want: ['192.168.1.240 on c eth0'] },
  { it: 'everywhere: all interfaces, covering or not', given: { ...linked(far, near), everywhere: true },
    want: ['192.168.1.240 on a eth0,eth1'] },
  { it: 'docker0 and veths are left out unless named', given: linked(near,
    link('docker0', '192.168.1.0/24'), link('veth12', '192.168.1.0/24')),
    want: ['192.168.1.240 on a eth1'] },
  { it: 'a veth that is named is used', ads: [ad({ interfaces: ['veth12'] })],
    given: linked(near, link('veth12', '192.168.1.0/24')), want: ['192.168.1.240 on a veth12'] },
  { it: 'interfaces are the union of matching advertisements',
    ads: [ad({ interfaces: ['eth2'] }), ad({ interfaces: ['eth1'] })], given: one,
    want: ['192.168.1.240 on a eth1,eth2'] },
  { it: 'an advertisement without list means all interfaces',
    ads: [ad({ interfaces: ['eth2'] }), ad()], given: one, want: ['192.168.1.240 on a all'] },
  { it: 'hash: MetalLB\'s winner', given: { placement: 'hash' }, want: ['192.168.1.240 on c all'] },
  { it: 'sticky: the first placement is balanced over nodes', given: { holdings: ['240', '241', '242']
    .map((last, i) => holding(`192.168.1.${last}`, service(`s${i}`))) },
    want: ['192.168.1.240 on c all', '192.168.1.241 on a all', '192.168.1.242 on b all'] },
  { it: 'sticky: owners stay and count before newcomers are placed', given: {
    owners: new Map([['192.168.1.241', 'c']]),
    holdings: ['240', '241'].map((last, i) => holding(`192.168.1.${last}`, service(`s${i}`))) },
    want: ['192.168.1.240 on a all', '192.168.1.241 on c all'] },
  { it: 'preferences add up and win', ads: [
    ad({ preferred: [{ weight: 10, selector: labelled('rack', '1') }] }),
    ad({ preferred: [{ weight: 5, selector: [] }, { weight: 6, selector: labelled('rack', '2') }] })],
    given: { nodes: [node('a', { labels: { rack: '2' } }), node('b', { labels: { rack: '1' } }), node('c')] },
    want: ['192.168.1.240 on b all'] },
  { it: 'a preference counts inside the nodes of its own advertisement only', ads: [
    ad({ nodeSelectors: [labelled('rack', '1')],
      preferred: [{ weight: 9, selector: labelled('rack', '2') }] }),
    ad({ preferred: [{ weight: 1, selector: labelled('rack', '1') }] })],
    given: { nodes: [node('a', { labels: { rack: '2' } }), node('b', { labels: { rack: '1' } }), node('c')] },
    want: ['192.168.1.240 on b all'] },
  { it: 'an advertisement that does not match the Service selects no node', ads: [
    ad({ serviceSelectors: [labelled('app', 'x')], nodeSelectors: [labelled('rack', '2')] }),
    ad({ nodeSelectors: [labelled('rack', '1')] })],
    given: { nodes: [node('a', { labels: { rack: '2' } }), node('b', { labels: { rack: '1' } })] },
    want: ['192.168.1.240 on b all'] },
  { it: 'a dual-stack pair has one owner', given: {
    holdings: [holding('192.168.1.240'), holding('2001:db8::1')] },
    want: ['192.168.1.240 on c all', '2001:db8::1 on c all'] },
  { it: 'a shared address is one row with both Services', given: { ...one, holdings: [
    holding('192.168.1.240'), holding('192.168.1.240', service('dns'))] },
    want: ['192.168.1.240 on a all'] },
  { it: 'a sharer without endpoints is silent, though the address is announced for another',
    given: { ...one, holdings: [holding('192.168.1.240'), holding('192.168.1.240', service('dns'))],
      endpoints: slices(endpoint('a')) },
    want: ['192.168.1.240 on a all', '192.168.1.240 silent * noEndpoints'] },
  { it: 'a pair whose advertisements have no node in common: the older address wins', ads: [
    ad({ nodeSelectors: [labelled('kubernetes.io/hostname', 'a')] }),
    ad({ pools: new Set(['six']), nodeSelectors: [labelled('kubernetes.io/hostname', 'b')] })],
    given: {
      nodes: ['a', 'b'].map((name) => node(name, { labels: { 'kubernetes.io/hostname': name } })),
      members: members('a', 'b'),
      holdings: [holding('192.168.1.240'), holding('2001:db8::1', service('web'), 'six')],
    },
    want: ['192.168.1.240 on a all', '2001:db8::1 silent a nodeNotSelected',
      '2001:db8::1 silent b unitElsewhere'] },
]
for (const c of cases) {
  test(`planAnnouncements: ${c.it}`, () => assert.equal(run(c), c.want))
}

test('planAnnouncements: 12 addresses over 3 nodes are 4 each', () => {
  const plan = planAnnouncements({
    config: { pools: [], advertisements: [ad()], bgpOnlyPools: new Set() },
    nodes: [], members: members('a', 'b', 'c'), endpoints: undefined,
    holdings: Array.from({ length: 12 }, (_, i) => holding(`192.0.2.${i}`, service(`s${i}`))),
  })
  const counts = ['a', 'b', 'c'].map((name) => plan.placed.filter((row) => row.node === name).length)
  assert.equal(counts, [4, 4, 4])
})

test('groupUnits: Services and addresses connect, in order of input', () => {
  const [x, y, z] = ['x', 'y', 'z'].map((name) => service(name))
  const holdings = [holding('192.0.2.1', x), holding('192.0.2.9', z), holding('192.0.2.2', y),
    holding('192.0.2.2', x)]
  const units = groupUnits(holdings).map((unit) => unit.map((h) => `${h.service.name} ${h.text}`))
  assert.equal(units, [['x 192.0.2.1', 'y 192.0.2.2', 'x 192.0.2.2'], ['z 192.0.2.9']])
})

test.run()
