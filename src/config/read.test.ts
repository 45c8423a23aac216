/** From texts to one world: kinds, lists, namespaces, repetitions, order, and that nothing is lost. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Problem } from './model.ts'
import { type ReadOptions, readWorld } from './read.ts'

const read = (texts: readonly string[], options: ReadOptions = {}) => {
  const encoder = new TextEncoder()
  const sources = texts.map((text, i) => ({ file: `${i}.yaml`, bytes: encoder.encode(text) }))
  const reading = readWorld(sources, options)
  const lines = (list: readonly Problem[]) =>
    list.map((p) => `${p.file}:${p.document} ${p.object} ${p.path} ${p.reason}: ${p.message}`)
  return { ...reading, problems: lines(reading.problems), warnings: lines(reading.warnings) }
}
const metallb = (kind: string, metadata: unknown, spec: unknown = {}, apiVersion = 'metallb.io/v1beta1') =>
  JSON.stringify({ apiVersion, kind, metadata, spec })
const pool = (name: string, namespace?: string, entry = '192.0.2.0/28') =>
  metallb('IPAddressPool', { name, namespace }, { addresses: [entry] })
const open = (namespace?: string) => metallb('L2Advertisement', { name: 'all', namespace })
const service = (name: string, more: object = {}) =>
  JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name }, ...more })

const refused: { it: string; text: string; want: string }[] = [
  { it: 'a document that is text',
    text: 'hello', want: '0.yaml:1   NotAnObject: Want a Kubernetes object, found "hello"' },
  { it: 'a document that is a list',
    text: '- a', want: '0.yaml:1   NotAnObject: Want a Kubernetes object, found a list' },
  { it: 'no kind',
    text: 'apiVersion: v1', want: '0.yaml:1  kind MissingField: A Kubernetes object needs `kind`' },
  { it: 'no apiVersion', text: 'kind: Service\nmetadata: {name: a}',
    want: '0.yaml:1  apiVersion MissingField: A Kubernetes object needs `apiVersion`' },
  { it: 'an empty kind', text: 'kind: ""\napiVersion: v1',
    want: '0.yaml:1  kind MissingField: A Kubernetes object needs `kind`' },
  { it: 'legacy keys in an object', text: 'kind: ConfigMap\naddress-pools: []',
    want: '0.yaml:1  apiVersion MissingField: A Kubernetes object needs `apiVersion`' },
  { it: 'a kind that is a number', text: 'kind: 1\napiVersion: v1',
    want: '0.yaml:1  kind BadType: Want text, found 1; put it in quotes: "1"' },
  { it: 'no metadata', text: 'kind: Service\napiVersion: v1',
    want: '0.yaml:1 Service metadata.name MissingField: Service needs a name' },
  { it: 'metadata without name', text: metallb('L2Advertisement', { namespace: 'metallb-system' }),
    want: '0.yaml:1 L2Advertisement/metallb-system metadata.name MissingField: L2Advertisement ' +
      'needs a name' },
  { it: 'a removed kind', text: metallb('AddressPool', { name: 'a' }),
    want: '0.yaml:1 AddressPool/a kind UnknownKind: AddressPool was removed in MetalLB 0.14: write an ' +
      'IPAddressPool and an L2Advertisement' },
  { it: 'a misspelt kind', text: metallb('IpAddressPools', { name: 'a' }),
    want: '0.yaml:1 IpAddressPools/a kind UnknownKind: There is no metallb.io kind "IpAddressPools": ' +
      'did you mean IPAddressPool?' },
  { it: 'a kind that every object seems to have', text: metallb('constructor', { name: 'a' }),
    want: '0.yaml:1 constructor/a kind UnknownKind: There is no metallb.io kind "constructor": known are ' +
      'IPAddressPool, L2Advertisement, BGPAdvertisement, BGPPeer, BFDProfile, Community, ' +
      'ServiceL2Status, ServiceBGPStatus, ConfigurationState' },
  { it: 'a version that was never served',
    text: metallb('IPAddressPool', { name: 'a' }, {}, 'metallb.io/v1'),
    want: '0.yaml:1 IPAddressPool/a apiVersion UnsupportedVersion: IPAddressPool is served as ' +
      'metallb.io/v1beta1, found "metallb.io/v1"' },
  { it: 'an unknown field beside spec', text: pool('a').replace('"spec"', '"specs"'),
    want: '0.yaml:1 IPAddressPool/a specs UnknownField: Unknown field `specs`: did you mean `spec`?' },
]
for (const { it, text, want } of refused) {
  test(`readWorld: refuses ${it}`, () => {
    const { world, problems } = read([text])
    assert.is(world, undefined)
    assert.is(problems[0], want)
  })
}

test('readWorld: every problem of every file is there, in the order of files and documents', () => {
  const { problems, config } = read([
    `${pool('a', undefined, '192.0.2.1')}\n---\nx: [\n---\n${pool('b', undefined, '198.51.100.0/33')}`,
    'a: 1\na: 2', pool('good'), service('s', { spec: { ports: [{ port: 0 }] } }),
  ])
  assert.equal(problems.map((line) => line.split(': ')[0]), [
    '0.yaml:1 IPAddressPool/a spec.addresses[0] BadAddress', '0.yaml:2   BadSyntax',
    '0.yaml:3 IPAddressPool/b spec.addresses[0] BadAddress', '1.yaml:1   DuplicateKey',
    '3.yaml:1 Service/s spec.ports[0].port BadValue',
  ])
  assert.ok(config.pools.some(({ name }) => name === 'good'))
})

const accepted: { it: string; text: string }[] = [
  { it: 'nothing', text: '' },
  { it: 'documents without content', text: '---\n# one\n---\n---\n' },
  { it: 'a List without items', text: 'apiVersion: v1\nkind: List\nitems:\n' },
  { it: 'items of an object that is no List', text: 'apiVersion: a/v1\nkind: Basket\nitems: [5]' },
  { it: 'kinds of other groups',
    text: JSON.stringify({ apiVersion: 'apps/v1', kind: 'Deployment', spec: 5 }) },
  { it: 'the same kind name in another group',
    text: JSON.stringify({ apiVersion: 'example.com/v1', kind: 'Service' }) },
  { it: 'status objects', text: ['ServiceL2Status', 'ConfigurationState', 'ServiceBGPStatus']
    .map((kind) => metallb(kind, { name: 'a' })).join('\n---\n') },
  { it: 'unknown metadata and unknown fields of core kinds',
    text: service('a', { spec: { typ: 1, sessionAffinity: 'None' }, extra: {} }) },
  { it: 'metadata of a live object', text: metallb('IPAddressPool', {
    name: 'a', generation: 3, managedFields: [{}], creationTimestamp: '2026-01-01T00:00:00Z',
  }, { addresses: ['192.0.2.0/28'] }) + `\n---\n${open()}` },
]
for (const { it, text } of accepted) {
  test(`readWorld: says nothing about ${it}`, () => {
    const { problems, warnings } = read([text])
    assert.equal([problems, warnings], [[], []])
  })
}

test('readWorld: each BGP kind is one warning, v1beta2 peers included', () => {
  const objects = [
    metallb('BGPPeer', { name: 'p1' }, { anything: 1 }), metallb('BFDProfile', { name: 'b' }),
    metallb('BGPPeer', { name: 'p2' }, {}, 'metallb.io/v1beta2'), metallb('Community', { name: 'c' }),
    metallb('BGPAdvertisement', { name: 'a' }),
  ]
  const { problems, warnings } = read([objects.join('\n---\n')])
  assert.equal(problems, [])
  const message = (kind: string) =>
    `${kind} is for BGP; this program announces by ARP and NDP only, so it has no effect`
  assert.equal(warnings, ['BGPPeer/p1', 'BFDProfile/b', 'BGPPeer/p2', 'Community/c', 'BGPAdvertisement/a']
    .map((object, i) => `0.yaml:${i + 1} ${object}  ForeignKind: ${message(object.split('/')[0] ?? '')}`))
})

test('readWorld: items of Lists are objects, and say where they stand', () => {
  const list = (kind: string, items: readonly string[]) =>
    `{"apiVersion": "v1", "kind": "${kind}", "items": [${items.join(', ')}]}`
  const { config, problems } = read([
    list('List', [pool('a'), open(), '5', list('IPAddressPoolList', [pool('b', undefined, '192.0.2.99')])]),
  ])
  assert.equal(config.pools.map(({ name }) => name), ['a', 'b'])
  assert.equal(problems.map((line) => line.split(': ')[0]), [
    '0.yaml:1  items[2] NotAnObject',
    '0.yaml:1 IPAddressPool/b items[3].items[0].spec.addresses[0] BadAddress',
  ])
})

const namespaces: {
  it: string; texts: readonly string[]; options?: ReadOptions; want: readonly string[]; ignored: number
}[] = [
  { it: 'given', texts: [pool('a', 'lb'), pool('b', 'metallb-system', '192.0.2.16/28')],
    options: { namespace: 'lb' }, want: ['a'], ignored: 1 },
  { it: 'given, objects without namespace belong to it', texts: [pool('a'), pool('b', 'x', '192.0.2.16/28')],
    options: { namespace: 'lb' }, want: ['a'], ignored: 1 },
  { it: 'metallb-system, if any object is there',
    texts: [pool('a', 'lb'), pool('b', 'metallb-system', '192.0.2.16/28')], want: ['b'], ignored: 1 },
  { it: 'the one they share', texts: [pool('a', 'lb'), pool('b', 'lb', '192.0.2.16/28')],
    want: ['a', 'b'], ignored: 0 },
  { it: 'metallb-system, if they share none',
    texts: [pool('a', 'lb'), pool('b', 'web', '192.0.2.16/28'), pool('c', undefined, '192.0.2.32/28')],
    want: ['c'], ignored: 2 },
]
for (const { it, texts, options, want, ignored } of namespaces) {
  test(`readWorld: release namespace: ${it}`, () => {
    const { config, warnings, problems } = read(texts, options)
    assert.equal(problems, [])
    assert.equal(config.pools.map(({ name }) => name), want)
    const foreign = warnings.filter((line) => line.includes(' metadata.namespace ForeignNamespace: '))
    assert.is(foreign.length, ignored)
  })
}

test('readWorld: an object outside the release namespace is not read at all', () => {
  const { problems, warnings } = read([open('metallb-system'), pool('a', 'web', 'nonsense')])
  assert.equal(problems, [])
  assert.equal(warnings, ['1.yaml:1 IPAddressPool/web/a metadata.namespace ForeignNamespace: ' +
    'IPAddressPool is ignored: configuration is read from namespace "metallb-system" only'])
})

test('readWorld: identical copies are one object, whatever the order of their keys', () => {
  const copy = 'spec: {addresses: [192.0.2.0/28]}\nmetadata: {namespace: metallb-system, name: a}\n' +
    'kind: IPAddressPool\napiVersion: metallb.io/v1beta1\n'
  const { config, problems } = read([pool('a', 'metallb-system'), copy, open()])
  assert.equal(problems, [])
  assert.is(config.pools.length, 1)
})

test('readWorld: different objects of one name are a problem that names both files', () => {
  const { problems } = read([
    pool('a', 'metallb-system'), `${open()}\n---\n${pool('a', undefined, '192.0.2.16/28')}`,
    service('s', { spec: { type: 'LoadBalancer' } }),
    JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name: 's', namespace: 'default' } }),
  ])
  assert.equal(problems, [
    '1.yaml:2 IPAddressPool/a metadata.name DuplicateName: IPAddressPool/a is defined differently in ' +
      '0.yaml, document 1: keep one',
    '3.yaml:1 Service/default/s metadata.name DuplicateName: Service/default/s is defined differently in ' +
      '2.yaml, document 1: keep one',
  ])
})

const differing: { it: string; one: unknown; other: unknown }[] = [
  { it: 'an item more', one: ['192.0.2.0/28'], other: ['192.0.2.0/28', '192.0.2.16/28'] },
  { it: 'another item', one: ['192.0.2.0/28'], other: ['192.0.2.16/28'] },
  { it: 'a list and a mapping', one: ['192.0.2.0/28'], other: { 0: '192.0.2.0/28' } },
  { it: 'a mapping and a list', one: { 0: '192.0.2.0/28' }, other: ['192.0.2.0/28'] },
  { it: 'nothing and a mapping', one: null, other: {} },
  { it: 'text and a mapping', one: '192.0.2.0/28', other: {} },
  { it: 'a key more', one: {}, other: { a: 1 } },
  { it: 'another key', one: { toString: 1 }, other: { a: 1 } },
]
for (const { it, one, other } of differing) {
  test(`readWorld: objects of one name differ by ${it}`, () => {
    const texts = [one, other].map((addresses) => metallb('IPAddressPool', { name: 'a' }, { addresses }))
    assert.ok(read(texts).problems.some((line) => line.includes(' DuplicateName: ')))
  })
}

test('readWorld: Services keep their place in the input and are sorted by key', () => {
  const named = (namespace: string, name: string) =>
    JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name, namespace } })
  const { world } = read([`${named('b', 'x')}\n---\n${named('a', 'z')}`, named('a', 'y')])
  assert.equal(world?.services.map(({ key, order }) => [key, order]), [['a/y', 2], ['a/z', 1], ['b/x', 0]])
})

test('readWorld: the order of sources changes no configuration', () => {
  const other = metallb('L2Advertisement', { name: 'b' })
  const texts = [pool('b', undefined, '192.0.2.16/28'), pool('a'), open(), other]
  assert.equal(read(texts.toReversed()).config, read(texts).config)
})

test('readWorld: 10,000 documents', () => {
  const spec = 'spec:\n  type: LoadBalancer\n  ports:\n  - port: 80\n'
  const services = Array.from({ length: 9_998 }, (_, i) =>
    `apiVersion: v1\nkind: Service\nmetadata:\n  name: s${i}\n${spec}`)
  const { world, problems, warnings } = read([[pool('a'), open(), ...services].join('\n---\n')])
  assert.equal([problems, warnings], [[], []])
  assert.is(world?.services.length, 9_998)
})

test.run()
