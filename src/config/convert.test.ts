/** Legacy configuration to manifests: what is refused, reported, renamed, and that nothing is lost. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { convertLegacy, formatName } from './convert.ts'
import type { Problem, Source } from './model.ts'
import { type ReadOptions, readWorld } from './read.ts'

const source = (text: string): Source => ({ file: 'a.yaml', bytes: new TextEncoder().encode(text) })
const configMap = (text: string, metadata = 'name: config, namespace: metallb-system'): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {${metadata}}\ndata:\n  config: |\n` +
  text.replaceAll(/^/gm, '    ')
const pools = (...rows: readonly string[]): string =>
  `address-pools:\n${rows.map((row) => `- {${row}}`).join('\n')}\n`
const lan = 'name: lan, protocol: layer2, addresses: [192.0.2.240-192.0.2.250]'
const convert = (text: string, options: ReadOptions = {}) => {
  const { manifests, problems, warnings } = convertLegacy([source(text)], options)
  const lines = (list: readonly Problem[]) => list.map((p) => `${p.path} ${p.reason}: ${p.message}`)
  return { manifests, problems: lines(problems), warnings: lines(warnings) }
}

const named = (name: string) => `name: "${name}", protocol: layer2, addresses: [198.51.100.0/28]`
const refused: { it: string; text: string; want: readonly string[] }[] = [
  { it: 'nothing', text: '', want: [' NotAnObject: Found no legacy configuration: want a ConfigMap ' +
    'with the key `config`, or its text'] },
  { it: 'a Service', text: 'apiVersion: v1\nkind: Service\nmetadata: {name: a}', want: [' NotAnObject: ' +
    'Found no legacy configuration: want a ConfigMap with the key `config`, or its text'] },
  { it: 'a ConfigMap without the key', text: 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config}',
    want: ['data.config MissingField: The ConfigMap holds no configuration: want `address-pools` in ' +
      'its key `config`'] },
  { it: 'an empty text in a ConfigMap', text: configMap('# none'),
    want: ['data.config MissingField: The ConfigMap holds no configuration: want `address-pools` in ' +
      'its key `config`'] },
  { it: 'broken YAML', text: 'address-pools: [', want: [' BadSyntax: Not valid YAML: unexpected ' +
    'end of the stream within a flow collection at line 1, column 17'] },
  { it: 'an unknown protocol', text: pools('name: lan, protocol: l2, addresses: [192.0.2.0/28]'),
    want: ['address-pools[0].protocol BadValue: Unknown protocol "l2": write `layer2`'] },
  { it: 'no protocol', text: pools('name: lan, addresses: [192.0.2.0/28]'),
    want: ['address-pools[0].protocol MissingField: A pool needs a protocol: write `protocol: layer2`'] },
  { it: 'an unknown key', text: pools(`${lan}, autoassign: true`),
    want: ['address-pools[0].autoassign UnknownField: Unknown field `autoassign`: did you mean ' +
      '`auto-assign`?'] },
  { it: 'pools that overlap', text: pools(lan, 'name: b, protocol: layer2, addresses: [192.0.2.250/32]'),
    want: ['address-pools[1].addresses[0] Overlap: CIDR "192.0.2.250/32" in pool "b" overlaps with ' +
      'already defined CIDR "192.0.2.240-192.0.2.250" of pool "lan" (a.yaml)'] },
  { it: 'a name without letters', text: pools(named('123')),
    want: ['address-pools[0].name BadValue: "123" has no letter to make an object\'s name of'] },
  { it: 'names that become equal', text: pools(lan, named('Lan')),
    want: ['address-pools[1].name DuplicateName: Pools "lan" and "Lan" would both be called "lan": ' +
      'rename one'] },
]
for (const { it, text, want } of refused) {
  test(`convertLegacy: refuses ${it}`, () => {
    const { manifests, problems } = convert(text)
    assert.equal(manifests, [])
    assert.equal(problems, want)
  })
}

test('convertLegacy: the worked example, as manifest and as bare text', () => {
  const text = pools(`${lan}, auto-assign: false`)
  const metadata = (name: string) => ({ name, namespace: 'metallb-system' })
  for (const each of [text, configMap(text)]) {
    const { manifests, warnings } = convert(each)
    assert.equal(warnings, [])
    assert.equal(manifests, [
      { apiVersion: 'metallb.io/v1beta1', kind: 'IPAddressPool', metadata: metadata('lan'),
        spec: { addresses: ['192.0.2.240-192.0.2.250'], autoAssign: false } },
      { apiVersion: 'metallb.io/v1beta1', kind: 'L2Advertisement', metadata: metadata('l2advertisement1'),
        spec: { ipAddressPools: ['lan'] } },
    ])
  }
})

const targets: { it: string; text: string; options?: ReadOptions; want: string }[] = [
  { it: 'the ConfigMap\'s', text: configMap(pools(lan), 'name: metallb, namespace: lb'), want: 'lb' },
  { it: 'the default of a ConfigMap', text: configMap(pools(lan), 'name: config'), want: 'metallb-system' },
  { it: 'the default of bare text', text: pools(lan), want: 'metallb-system' },
  { it: 'the one asked for', text: configMap(pools(lan)), options: { namespace: 'lb' }, want: 'lb' },
]
for (const { it, text, options, want } of targets) {
  test(`convertLegacy: namespace ${want}: ${it}`, () => {
    const { manifests } = convert(text, options)
    assert.equal(manifests.map(({ metadata }) => metadata.namespace), [want, want])
  })
}

test('convertLegacy: what it writes means what it read', () => {
  const text = pools(
    `${lan}, avoid-buggy-ips: true`,
    'name: b, protocol: layer2, addresses: ["2001:db8::/64", 198.51.100.7/24]',
    'name: c, protocol: layer2, addresses: [192.0.2.0/28], auto-assign: true, avoid-buggy-ips: false',
  )
  const { manifests } = convert(text)
  const written = readWorld([source(manifests.map((each) => JSON.stringify(each)).join('\n---\n'))])
  const read = readWorld([source(text)])
  assert.equal([written.problems, written.warnings], [[], []])
  assert.equal(written.config.pools, read.config.pools)
  const plain = ({ config }: typeof read) => config.advertisements
    .map(({ name: _, pools: of, ...rest }) => ({ of: [...of].join(), ...rest }))
    .toSorted((a, b) => a.of < b.of ? -1 : 1)
  assert.equal(plain(written), plain(read))
  assert.is(plain(written).length, 3)
  assert.equal(manifests[0]?.spec, { addresses: ['192.0.2.240-192.0.2.250'], avoidBuggyIPs: true })
  assert.equal(manifests[2]?.spec, { addresses: ['192.0.2.0/28'], autoAssign: true, avoidBuggyIPs: false })
})

test('convertLegacy: BGP parts and other objects are reported, a bgp pool stays a pool', () => {
  const bgp = 'name: wan, protocol: bgp, addresses: [198.51.100.0/28], bgp-advertisements: [{localpref: 1}]'
  const text = `${pools(lan, bgp)}peers: [{my-asn: 1}]\n---\n` +
    'apiVersion: v1\nkind: Namespace\nmetadata: {name: metallb-system}\n'
  const { manifests, problems, warnings } = convert(text)
  assert.equal(problems, [])
  assert.equal(manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`), [
    'IPAddressPool lan', 'IPAddressPool wan', 'L2Advertisement l2advertisement1',
  ])
  assert.equal(warnings, [
    ' ForeignKind: Namespace is no legacy configuration: it is left out of the output',
    'peers ForeignKind: `peers` is for BGP, which this program does not speak: it has no effect',
    'address-pools[1].protocol NotAdvertised: Pool "wan" was advertised by BGP, which this program ' +
      'does not speak: it is written without an advertisement',
  ])
})

test('convertLegacy: a name that no object can have is changed, and said so', () => {
  const { manifests, warnings } = convert(pools(named('Home_LAN')))
  assert.equal(manifests.map(({ spec, metadata }) => [metadata.name, spec['ipAddressPools']]), [
    ['home-lan', undefined], ['l2advertisement1', ['home-lan']],
  ])
  assert.equal(warnings, ['address-pools[0].name Renamed: Pool "Home_LAN" is now "home-lan": change the ' +
    'annotation address-pool of Services that name it'])
})

const names: { name: string; want: string | undefined; why: string }[] = [
  { name: '', want: undefined, why: 'nothing' },
  { name: '42-_.', want: undefined, why: 'no letter' },
  { name: 'default', want: 'default', why: 'kept' },
  { name: 'a', want: 'a', why: 'one letter' },
  { name: 'x'.repeat(63), want: 'x'.repeat(63), why: '63 letters are kept' },
  { name: 'x'.repeat(64), want: 'x'.repeat(63), why: '64 are cut' },
  { name: 'My_Pool', want: 'my-pool', why: 'lower case, dashes' },
  { name: '1st-pool', want: 'st-pool', why: 'starts at the first letter' },
  { name: '-A', want: 'a', why: 'starts at the first letter' },
  { name: 'lan.office', want: 'lan.office', why: 'a dot is fine inside' },
  { name: 'pool-', want: 'pool', why: 'a dash at the end is not' },
  { name: 'my pool.', want: 'my-pool', why: 'neither are blanks and dots at the end' },
  { name: 'büro', want: 'b-ro', why: 'nor other letters' },
]
for (const { name, want, why } of names) {
  test(`formatName: "${name.slice(0, 12)}": ${why}`, () => assert.is(formatName(name), want))
}

test.run()
