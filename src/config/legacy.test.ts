/** The legacy ConfigMap: as a manifest and as bare text, its mistakes, and beside custom resources. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { formatRange } from '../net/range.ts'
import { readWorld } from './read.ts'

const indent = (text: string): string => text.replaceAll(/^/gm, '    ')
const configMap = (text: string, metadata = 'name: config, namespace: metallb-system'): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {${metadata}}\ndata:\n  config: |\n${indent(text)}\n`
const pools = (...rows: readonly string[]): string =>
  `address-pools:\n${rows.map((row) => `- {${row}}`).join('\n')}`
const lan = 'name: lan, protocol: layer2, addresses: [192.0.2.0/28]'
const crd = (name: string, entry: string): string => JSON.stringify({
  apiVersion: 'metallb.io/v1beta1', kind: 'IPAddressPool',
  metadata: { name, namespace: 'metallb-system' }, spec: { addresses: [entry] },
})
const open = JSON.stringify({
  apiVersion: 'metallb.io/v1beta1', kind: 'L2Advertisement',
  metadata: { name: 'all', namespace: 'metallb-system' },
})
const read = (...texts: readonly string[]) => {
  const encoder = new TextEncoder()
  const reading = readWorld(texts.map((text, i) => ({ file: `${i}`, bytes: encoder.encode(text) })))
  const lines = (list: typeof reading.problems) =>
    list.map((p) => `${p.file} ${p.path} ${p.reason}: ${p.message}`)
  return {
    config: reading.config, problems: lines(reading.problems), warnings: lines(reading.warnings),
  }
}

const at = '0 address-pools[0]'
const refused: { it: string; text: string; want: readonly string[] }[] = [
  { it: 'an unknown key at the top', text: 'address-pool: []\naddress-pools: []',
    want: ['0 address-pool UnknownField: Unknown field `address-pool`: did you mean `address-pools`?'] },
  { it: 'pools that are a mapping', text: 'address-pools: {}',
    want: ['0 address-pools BadType: Want a list, found a mapping'] },
  { it: 'a pool that is text', text: 'address-pools: [lan]',
    want: [`${at} BadType: Want a pool with name, protocol and addresses`] },
  { it: 'no name', text: pools('protocol: layer2, addresses: [192.0.2.0/28]'),
    want: [`${at}.name MissingField: A pool needs a name`] },
  { it: 'no addresses', text: pools('name: lan, protocol: layer2'),
    want: [`${at}.addresses MissingField: A pool needs at least one entry, for example ` +
      '192.0.2.10-192.0.2.20'] },
  { it: 'a bad entry', text: pools('name: lan, protocol: layer2, addresses: [192.0.2.0/33]'),
    want: [`${at}.addresses[0] BadAddress: invalid CIDR "192.0.2.0/33"`] },
  { it: 'no protocol', text: pools('name: lan, addresses: [192.0.2.0/28]'),
    want: [`${at}.protocol MissingField: A pool needs a protocol: write \`protocol: layer2\``] },
  { it: 'the protocol of version 0.3',
    text: pools('name: lan, protocol: arp, addresses: [192.0.2.0/28]'),
    want: [`${at}.protocol BadValue: Unknown protocol "arp": write \`layer2\``] },
  { it: 'another protocol', text: pools('name: lan, protocol: ospf, addresses: [192.0.2.0/28]'),
    want: [`${at}.protocol BadValue: Unknown protocol "ospf"; known are layer2, bgp`] },
  { it: 'bgp-advertisements of a layer2 pool', text: pools(`${lan}, bgp-advertisements: []`),
    want: [`${at}.bgp-advertisements BadValue: A layer2 pool takes no bgp-advertisements: remove them`] },
  { it: 'the spelling of custom resources', text: pools(`${lan}, autoAssign: false`),
    want: [`${at}.autoAssign UnknownField: Unknown field \`autoAssign\`: did you mean \`auto-assign\`?`] },
  { it: 'the spelling of before 0.5', text: pools('name: lan, protocol: layer2, cidr: [192.0.2.0/28]'),
    want: [`${at}.cidr UnknownField: \`cidr\` is now \`addresses\``] },
  { it: 'a key that every object seems to have', text: pools(`${lan}, constructor: x`),
    want: [`${at}.constructor UnknownField: Unknown field \`constructor\`: known are name, protocol, ` +
      'addresses, avoid-buggy-ips, auto-assign, bgp-advertisements'] },
  { it: 'a name twice', text: pools(lan, 'name: lan, protocol: layer2, addresses: [192.0.2.16/28]'),
    want: ['0 address-pools[1].name DuplicateName: Pool "lan" is defined twice'] },
  { it: 'pools that overlap',
    text: pools(lan, 'name: wan, protocol: layer2, addresses: [192.0.2.8/29]'),
    want: ['0 address-pools[1].addresses[0] Overlap: CIDR "192.0.2.8/29" in pool "wan" overlaps with ' +
      'already defined CIDR "192.0.2.0/28" of pool "lan" (0)'] },
]
for (const { it, text, want } of refused) {
  test(`legacy: refuses ${it}`, () => {
    assert.equal(read(text).problems, want)
    const inMap = want.map((line) => line.replace(/^0 /, '0 data.config.'))
    assert.equal(read(configMap(text)).problems, inMap, 'the same inside a ConfigMap')
  })
}

const badMaps: { it: string; text: string; want: readonly string[] }[] = [
  { it: 'broken YAML inside', text: configMap('address-pools: ['),
    want: ['0 data.config BadSyntax: Not valid YAML: deficient indentation at line 2, column 1'] },
  { it: 'a key twice inside', text: configMap('peers: []\npeers: []'),
    want: ['0 data.config DuplicateKey: The same key stands twice at line 2, column 1: keep one'] },
  { it: 'text inside that is no mapping', text: configMap('- lan'),
    want: ['0 data.config BadType: Want a mapping with `address-pools`'] },
  { it: 'a mapping where text is wanted', text: configMap('').replace('|', '{address-pools: []}'),
    want: ['0 data.config BadType: Want the legacy configuration as text: write `config: |`'] },
]
for (const { it, text, want } of badMaps) {
  test(`legacy: refuses a ConfigMap with ${it}`, () => assert.equal(read(text).problems, want))
}

test('legacy: a layer2 pool is a pool and an advertisement that names it', () => {
  const text = pools(`${lan}, auto-assign: false, avoid-buggy-ips: true`)
  for (const source of [text, configMap(text)]) {
    const { config, problems, warnings } = read(source)
    assert.equal([problems, warnings], [[], []])
    assert.equal(config.pools.map(({ ranges, ...rest }) => ({ ...rest, ranges: ranges.map(formatRange) })), [{
      name: 'lan', ranges: ['192.0.2.0-192.0.2.15'], excluded: [], autoAssign: false,
      avoidBuggyIPs: true, labels: {}, allocation: undefined,
    }])
    assert.equal(config.advertisements, [{
      name: 'lan', pools: new Set(['lan']), nodeSelectors: [], interfaces: [], serviceSelectors: [],
      preferred: [],
    }])
  }
})

test('legacy: a pool may have any name', () => {
  const { config, problems } = read(pools('name: My Pool_1, protocol: layer2, addresses: [192.0.2.0/28]'))
  assert.equal(problems, [])
  assert.equal(config.pools.map((pool) => pool.name), ['My Pool_1'])
})

test('legacy: an empty configuration is valid', () => {
  const texts = [configMap(''), configMap('# none'), configMap('address-pools: []'), 'address-pools:\n']
  for (const text of texts) {
    assert.equal(read(text).problems, [])
    assert.equal(read(text).config.pools, [])
  }
})

test('legacy: BGP parts are warnings, a bgp pool is announced by nobody', () => {
  const bgp = 'name: wan, protocol: bgp, addresses: [192.0.2.16/28], bgp-advertisements: [{localpref: 1}]'
  const text = `${pools(lan, bgp)}\npeers: [{my-asn: 1}]\nbgp-communities: {a: "1:1"}\nbfd-profiles: []`
  const { config, problems, warnings } = read(text)
  assert.equal(problems, [])
  assert.equal(config.bgpOnlyPools, new Set(['wan']))
  assert.equal(warnings.map((line) => line.split(':')[0]), [
    '0 peers ForeignKind', '0 bfd-profiles ForeignKind', '0 bgp-communities ForeignKind',
    '0  NotAdvertised',
  ])
})

test('legacy: two texts that define one pool are a problem', () => {
  const other = pools('name: lan, protocol: layer2, addresses: [192.0.2.16/28]')
  assert.equal(read(configMap(pools(lan)), other).problems, [
    '1 address-pools[0].name DuplicateName: Pool "lan" is defined twice',
  ])
})

const maps: { it: string; text: string; want: readonly string[] }[] = [
  { it: 'without legacy keys, of another name', text: configMap('a: b', 'name: settings'), want: [] },
  { it: 'of that name elsewhere, without legacy keys',
    text: configMap('a: b', 'name: config, namespace: web'), want: [] },
  { it: 'without the key',
    text: 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config}\n', want: [] },
  { it: 'in a namespace of its own', text: configMap(pools(lan), 'name: metallb, namespace: lb'),
    want: ['lan'] },
  { it: 'without namespace', text: configMap(pools(lan), 'name: config'), want: ['lan'] },
]
for (const { it, text, want } of maps) {
  test(`legacy: a ConfigMap ${it} gives pools [${want}]`, () => {
    const { config, problems, warnings } = read(text)
    assert.equal([problems, warnings], [[], []])
    assert.equal(config.pools.map((pool) => pool.name), want)
  })
}

test('legacy: a ConfigMap outside the release namespace is ignored with a warning', () => {
  const elsewhere = configMap(pools(lan), 'name: config, namespace: web')
  const { config, warnings } = read(crd('a', '198.51.100.0/28'), open, elsewhere)
  assert.equal(config.pools.map((pool) => pool.name), ['a'])
  assert.equal(warnings, ['2 metadata.namespace ForeignNamespace: ConfigMap is ignored: configuration ' +
    'is read from namespace "metallb-system" only'])
})

test('legacy: beside custom resources, pools that overlap or repeat a name are ignored', () => {
  const text = pools(
    lan, 'name: a, protocol: layer2, addresses: [203.0.113.0/28]',
    'name: free, protocol: layer2, addresses: [198.51.100.128/28]',
  )
  const { config, problems, warnings } = read(
    configMap(text), crd('a', '192.0.2.8-192.0.2.20'), crd('b', '198.51.100.0/28'), open,
  )
  assert.equal(problems, [])
  assert.equal(config.pools.map((pool) => pool.name), ['a', 'b', 'free'])
  assert.equal(config.advertisements.map((one) => [one.name, [...one.pools].toSorted()]), [
    ['all', ['a', 'b', 'free']], ['free', ['free']],
  ])
  assert.equal(warnings, [
    '0 data.config.address-pools[0].addresses[0] IgnoredPool: The legacy pool is ignored: CIDR ' +
      '"192.0.2.0/28" in pool "lan" overlaps with already defined CIDR "192.0.2.8-192.0.2.20" of ' +
      'pool "a" (1)',
    '0 data.config.address-pools[1].addresses[0] IgnoredPool: The legacy pool is ignored: there is ' +
      'an IPAddressPool "a"',
  ])
})

const edges: { entry: string; want: readonly string[] }[] = [
  { entry: '192.0.2.0-192.0.2.16', want: ['a'] },
  { entry: '192.0.2.31-192.0.2.40', want: ['a'] },
  { entry: '192.0.2.20-192.0.2.21', want: ['a'] },
  { entry: '192.0.2.0/24', want: ['a'] },
  { entry: '192.0.2.0-192.0.2.15', want: ['a', 'old'] },
  { entry: '192.0.2.32-192.0.2.40', want: ['a', 'old'] },
  { entry: '::c000:210/124', want: ['a', 'old'] },
]
for (const { entry, want } of edges) {
  test(`legacy: ${entry} beside 192.0.2.16/28 gives pools [${want}]`, () => {
    const text = pools(`name: old, protocol: layer2, addresses: ["${entry}"]`)
    assert.equal(read(text, crd('a', '192.0.2.16/28'), open).config.pools.map(({ name }) => name), want)
  })
}

test('legacy: 3,000 pools beside 3,000 custom resources, one of them overlapping', () => {
  const entry = (i: number, host: number): string => `2001:db8:${host}::${i.toString(16)}:0/112`
  const rows = Array.from({ length: 3_000 }, (_, i) =>
    `name: l${i}, protocol: layer2, addresses: ["${entry(i, i === 77 ? 1 : 2)}"]`)
  const crds = Array.from({ length: 3_000 }, (_, i) => crd(`p${i}`, entry(i, 1))).join('\n---\n')
  const { config, problems, warnings } = read(pools(...rows), crds, open)
  assert.equal(problems, [])
  assert.is(config.pools.length, 5_999)
  assert.equal(warnings.map((line) => line.split(':')[0]), ['0 address-pools[77].addresses[0] IgnoredPool'])
})

test.run()
