/** L2Advertisement objects: every field, which pools they mean, and pools that nobody advertises. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Advertisement } from './model.ts'
import { readWorld } from './read.ts'

const object = (kind: string, name: string, spec: unknown, labels?: unknown) =>
  ({ apiVersion: 'metallb.io/v1beta1', kind, metadata: { name, labels }, spec })
const advertisement = (spec: unknown, name = 'adv') => object('L2Advertisement', name, spec)
const bgp = (spec: unknown) => object('BGPAdvertisement', 'bgp', spec)
const pools = [
  object('IPAddressPool', 'a', { addresses: ['192.0.2.0/28'] }, { tier: 'gold' }),
  object('IPAddressPool', 'b', { addresses: ['192.0.2.16/28'] }, { tier: 'iron' }),
  object('IPAddressPool', 'c', { addresses: ['192.0.2.32/28'] }),
]
const read = (...objects: readonly unknown[]) => {
  const text = [...pools, ...objects].map((each) => JSON.stringify(each)).join('\n---\n')
  const reading = readWorld([{ file: 'a.yaml', bytes: new TextEncoder().encode(text) }])
  const lines = (list: typeof reading.problems) =>
    list.map((p) => `${p.object} ${p.path} ${p.reason}: ${p.message}`)
  return { config: reading.config, problems: lines(reading.problems), warnings: lines(reading.warnings) }
}

const path = 'L2Advertisement/adv spec'
const refused: { it: string; spec: unknown; want: readonly string[] }[] = [
  { it: 'a misspelt field', spec: { ipAddressPool: ['a'] },
    want: [`${path}.ipAddressPool UnknownField: Unknown field \`ipAddressPool\`: ` +
      'did you mean `ipAddressPools`?'] },
  { it: 'a spec that is a list', spec: [], want: [`${path} BadType: Want a mapping, found a list`] },
  { it: 'a field of BGPAdvertisement', spec: { aggregationLength: 32 },
    want: [`${path}.aggregationLength UnknownField: Unknown field \`aggregationLength\`: known are ` +
      'ipAddressPools, ipAddressPoolSelectors, nodeSelectors, interfaces, serviceSelectors, ' +
      'preferredNodeSelectors'] },
  { it: 'a pool name that is no list', spec: { ipAddressPools: 'a' },
    want: [`${path}.ipAddressPools BadType: Want a list, found "a"`] },
  { it: 'a pool twice', spec: { ipAddressPools: ['a', 'a'] },
    want: [`${path}.ipAddressPools[1] DuplicateEntry: "a" stands twice in the list: keep one`] },
  { it: 'a pool selector twice', spec: { ipAddressPoolSelectors: [{}, {}] },
    want: [`${path}.ipAddressPoolSelectors[1] DuplicateEntry: The same selector stands twice in the ` +
      'list: keep one'] },
  { it: 'a node selector twice', spec: { nodeSelectors: [{}, {}] },
    want: [`${path}.nodeSelectors[1] DuplicateEntry: The same selector stands twice in the ` +
      'list: keep one'] },
  { it: 'a service selector twice', spec: { serviceSelectors: [{}, {}] },
    want: [`${path}.serviceSelectors[1] DuplicateEntry: The same selector stands twice in the ` +
      'list: keep one'] },
  { it: 'an interface that is a number', spec: { interfaces: [0] },
    want: [`${path}.interfaces[0] BadType: Want text, found 0; put it in quotes: "0"`] },
  { it: 'an interface twice', spec: { interfaces: ['eth0', 'bond0', 'eth0'] },
    want: [`${path}.interfaces[2] DuplicateEntry: "eth0" stands twice in the list: keep one`] },
  { it: 'weight 0', spec: { preferredNodeSelectors: [{ weight: 0, preference: {} }] },
    want: [`${path}.preferredNodeSelectors[0].weight BadValue: Want a number from 1 to 100, found 0`] },
  { it: 'weight 101', spec: { preferredNodeSelectors: [{ weight: 101, preference: {} }] },
    want: [`${path}.preferredNodeSelectors[0].weight BadValue: Want a number from 1 to 100, found 101`] },
  { it: 'no weight and no preference', spec: { preferredNodeSelectors: [{}] },
    want: [`${path}.preferredNodeSelectors[0].weight MissingField: A preference needs a weight from ` +
      '1 to 100', `${path}.preferredNodeSelectors[0].preference MissingField: A preference needs a ` +
      'selector; {} prefers every node'] },
  { it: 'a bad preference', spec: { preferredNodeSelectors: [
    { weight: 1, preference: { matchExpressions: [{ key: 'a', operator: 'Is' }] } },
  ] }, want: [`${path}.preferredNodeSelectors[0].preference.matchExpressions[0].operator BadSelector: ` +
    'Want one of In, NotIn, Exists, DoesNotExist, found "Is"'] },
]
for (const { it, spec, want } of refused) {
  test(`advertisement: refuses ${it}`, () => assert.equal(read(advertisement(spec)).problems, want))
}

test('advertisement: a misspelt `spec` does not silently mean everything', () => {
  const { problems } = read({ ...advertisement(undefined), sepc: { ipAddressPools: ['a'] } })
  assert.equal(problems, [
    'L2Advertisement/adv sepc UnknownField: Unknown field `sepc`: did you mean `spec`?',
  ])
})

const chosen: { it: string; spec: unknown; want: readonly string[] }[] = [
  { it: 'no spec', spec: undefined, want: ['a', 'b', 'c'] },
  { it: 'an empty spec', spec: {}, want: ['a', 'b', 'c'] },
  { it: 'empty lists', spec: { ipAddressPools: [], ipAddressPoolSelectors: [] }, want: ['a', 'b', 'c'] },
  { it: 'one name', spec: { ipAddressPools: ['b'] }, want: ['b'] },
  { it: 'an unknown name', spec: { ipAddressPools: ['x'] }, want: [] },
  { it: 'a selector', spec: { ipAddressPoolSelectors: [{ matchLabels: { tier: 'gold' } }] }, want: ['a'] },
  { it: 'a selector that matches no pool',
    spec: { ipAddressPoolSelectors: [{ matchLabels: { tier: 'tin' } }] }, want: [] },
  { it: 'the empty selector', spec: { ipAddressPoolSelectors: [{}] }, want: ['a', 'b', 'c'] },
  { it: 'a name and two selectors, each pool once', spec: {
    ipAddressPools: ['c', 'a'],
    ipAddressPoolSelectors: [{ matchLabels: { tier: 'gold' } }, { matchLabels: { tier: 'iron' } }],
  }, want: ['a', 'b', 'c'] },
]
for (const { it, spec, want } of chosen) {
  test(`advertisement: ${it} means pools [${want}]`, () => {
    const { config, problems } = read(advertisement(spec))
    assert.equal(problems, [])
    assert.equal([...config.advertisements[0]?.pools ?? []].toSorted(), want)
  })
}

test('advertisement: every field', () => {
  const gold = { matchLabels: { tier: 'gold' } }
  const want: Advertisement = {
    name: 'adv',
    pools: new Set(['a']),
    nodeSelectors: [[{ key: 'tier', operator: 'In', values: ['gold'] }]],
    interfaces: ['eth0', 'bond0'],
    serviceSelectors: [[{ key: 'tier', operator: 'In', values: ['gold'] }]],
    preferred: [
      { weight: 100, selector: [{ key: 'tier', operator: 'In', values: ['gold'] }] },
      { weight: 1, selector: [] }, { weight: 1, selector: [] },
    ],
  }
  const { config, problems } = read(advertisement({
    ipAddressPools: ['a'], nodeSelectors: [gold], interfaces: ['eth0', 'bond0'],
    serviceSelectors: [gold],
    preferredNodeSelectors: [
      { weight: 100, preference: gold }, { weight: 1, preference: {} }, { weight: 1, preference: {} },
    ],
  }))
  assert.equal(problems, [])
  assert.equal(config.advertisements, [want])
})

test('advertisement: several are sorted by name', () => {
  const { config } = read(advertisement({}, 'z'), advertisement({}, 'm'), advertisement({}, 'a'))
  assert.equal(config.advertisements.map((one) => one.name), ['a', 'm', 'z'])
})

test('advertisement: a name that no pool has is a warning with what was meant', () => {
  const { warnings } = read(advertisement({ ipAddressPools: ['A', 'web'] }), advertisement({}, 'all'))
  assert.equal(warnings, [
    `${path}.ipAddressPools[0] UnknownPool: There is no pool "A"; did you mean "a"?`,
    `${path}.ipAddressPools[1] UnknownPool: There is no pool "web"; pools are a, b, c`,
  ])
})

test('advertisement: the hint names no pools where there are none or many', () => {
  const warningOf = (count: number): string | undefined => {
    const texts = [advertisement({ ipAddressPools: ['lan'] }), ...Array.from({ length: count }, (_, i) =>
      object('IPAddressPool', `pool-${i}`, { addresses: [`2001:db8::${i}:0/112`] }))]
    const bytes = new TextEncoder().encode(texts.map((each) => JSON.stringify(each)).join('\n---\n'))
    return readWorld([{ file: 'a.yaml', bytes }]).warnings[0]?.message
  }
  assert.is(warningOf(0), 'There is no pool "lan"')
  assert.is(warningOf(1), 'There is no pool "lan"; pools are pool-0')
  assert.is(warningOf(6), 'There is no pool "lan"')
})

test('advertisement: a pool that nothing selects is a warning', () => {
  const { warnings, config } = read(advertisement({ ipAddressPools: ['a', 'b'] }))
  assert.equal(warnings, ['IPAddressPool/c  NotAdvertised: No L2Advertisement selects pool "c": ' +
    'its addresses are announced by nobody'])
  assert.equal(config.bgpOnlyPools, new Set())
})

test('advertisement: a pool that only BGP advertises has words of its own', () => {
  const { warnings, config } = read(advertisement({ ipAddressPools: ['a', 'b'] }), bgp({}))
  assert.equal(warnings, [
    'IPAddressPool/c  NotAdvertised: Pool "c" is advertised by BGP only, which this program does not ' +
      'speak: its addresses are assigned and announced by nobody; add an L2Advertisement',
    'BGPAdvertisement/bgp  ForeignKind: BGPAdvertisement is for BGP; this program announces by ARP ' +
      'and NDP only, so it has no effect',
  ])
  assert.equal(config.bgpOnlyPools, new Set(['c']))
})

test('advertisement: pool names of a BGPAdvertisement are looked at, its other fields are not', () => {
  const { problems, config } = read(bgp({ ipAddressPools: ['b'], localPref: 100, peers: ['x'] }))
  assert.equal(problems, [])
  assert.equal(config.bgpOnlyPools, new Set(['b']))
})

test.run()
