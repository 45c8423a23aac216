/** What `arpeggio check` prints: the frozen JSON, the same as YAML, and lines for people. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Reading } from '../config/model.ts'
import { readWorld } from '../config/read.ts'
import { parseDocuments } from '../config/yaml.ts'
import { checkReport, runCheck } from './check.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const object = (kind: string, name: string, spec: unknown, annotations?: unknown) => JSON.stringify({
  apiVersion: 'metallb.io/v1beta1', kind, metadata: { name, namespace: 'metallb-system', annotations }, spec,
})
const reading = (...objects: readonly string[]) =>
  readWorld([{ file: 'a.yaml', bytes: encode(objects.join('\n---\n')) }])
const check = (of: Reading, output: 'table' | 'json' | 'yaml' = 'table', loadBalancerClass = '') =>
  runCheck(of, { output, loadBalancerClass, namespace: undefined, paths: ['a.yaml'] })
const formatCheck = (of: Reading, output: 'table' | 'json' | 'yaml') => check(of, output).stdout
const open = object('L2Advertisement', 'all', {})

const bad = reading(
  object('IPAddressPool', 'p', { addresses: ['192.0.2.1', '192.0.2.16/28'] }), '{}\n',
)
const warned = reading(object('IPAddressPool', 'p', { addresses: ['192.0.2.0/28', '2001:db8::/64'] }))
const good = reading(
  object('IPAddressPool', 'wan', {
    addresses: ['192.0.2.0/24', '198.51.100.7-198.51.100.9'], avoidBuggyIPs: true,
  }, { 'arpeggio.io/exclude': '192.0.2.10-192.0.2.19, 198.51.100.8' }),
  object('IPAddressPool', 'lan', { addresses: ['2001:db8::/64'] }), open,
)
const problems = [
  {
    file: 'a.yaml', document: 1, object: 'IPAddressPool/metallb-system/p', path: 'spec.addresses[0]',
    reason: 'BadAddress',
    message: 'invalid CIDR "192.0.2.1"; a single address is written "192.0.2.1/32"',
  },
  {
    file: 'a.yaml', document: 2, object: '', path: 'kind', reason: 'MissingField',
    message: 'A Kubernetes object needs `kind`',
  },
  {
    file: 'a.yaml', document: 2, object: '', path: 'apiVersion', reason: 'MissingField',
    message: 'A Kubernetes object needs `apiVersion`',
  },
]
const unadvertised = {
  file: 'a.yaml', document: 1, object: 'IPAddressPool/metallb-system/p', path: '',
  reason: 'NotAdvertised',
  message: 'No L2Advertisement selects pool "p": its addresses are announced by nobody',
}

test('formatCheck: JSON of problems, with the pools as far as they could be read', () => {
  const json: unknown = JSON.parse(formatCheck(bad, 'json'))
  assert.equal(json, {
    ok: false, problems, warnings: [unadvertised],
    pools: [{ name: 'p', ranges: ['192.0.2.16-192.0.2.31'], addresses: '16' }],
  })
})

test('formatCheck: warnings leave it ok; counts are text, since a /64 exceeds 2⁵³', () => {
  const json: unknown = JSON.parse(formatCheck(warned, 'json'))
  assert.equal(json, {
    ok: true, problems: [], warnings: [unadvertised], pools: [{
      name: 'p', addresses: '18446744073709551632',
      ranges: ['192.0.2.0-192.0.2.15', '2001:db8::-2001:db8::ffff:ffff:ffff:ffff'],
    }],
  })
})

test('formatCheck: the keys stand in the order that the format shows', () => {
  assert.equal(Object.keys(checkReport(bad)), ['ok', 'problems', 'warnings', 'pools'])
  assert.equal(Object.keys(checkReport(bad).problems[0] ?? {}), [
    'file', 'document', 'object', 'path', 'reason', 'message',
  ])
  assert.equal(Object.keys(checkReport(bad).pools[0] ?? {}), ['name', 'ranges', 'addresses'])
})

test('formatCheck: counts subtract excluded addresses and those avoidBuggyIPs spares', () => {
  assert.equal(checkReport(good).pools.map(({ name, addresses }) => [name, addresses]), [
    ['lan', '18446744073709551616'], ['wan', String(256 - 2 - 10 + 3 - 1)],
  ])
})

test('formatCheck: YAML says the same as JSON', () => {
  for (const each of [bad, warned, good, reading('')]) {
    const { documents } = parseDocuments({ file: '', bytes: encode(formatCheck(each, 'yaml')) })
    assert.equal(documents[0]?.value, JSON.parse(formatCheck(each, 'json')))
  }
})

test('formatCheck: text names file, document, object, path and reason, and counts last', () => {
  assert.equal(formatCheck(bad, 'table').split('\n'), [
    'a.yaml:1 IPAddressPool/metallb-system/p spec.addresses[0]: BadAddress: invalid CIDR "192.0.2.1"; ' +
      'a single address is written "192.0.2.1/32"',
    'a.yaml:2 kind: MissingField: A Kubernetes object needs `kind`',
    'a.yaml:2 apiVersion: MissingField: A Kubernetes object needs `apiVersion`',
    'warning: a.yaml:1 IPAddressPool/metallb-system/p: NotAdvertised: No L2Advertisement selects pool ' +
      '"p": its addresses are announced by nobody',
    'POOL   ADDRESSES   RANGES',
    'p      16          192.0.2.16-192.0.2.31',
    '3 problems',
  ])
  assert.is(formatCheck(reading('{}'), 'table').split('\n').at(-1), '2 problems')
  assert.is(formatCheck(reading('- a'), 'table').split('\n').at(-1), '1 problem')
})

test('formatCheck: text of a good configuration ends with ok, also of an empty one', () => {
  assert.equal(formatCheck(good, 'table').split('\n'), [
    'POOL   ADDRESSES              RANGES',
    'lan    18446744073709551616   2001:db8::-2001:db8::ffff:ffff:ffff:ffff',
    'wan    246                    192.0.2.0-192.0.2.255 198.51.100.7-198.51.100.9',
    'ok',
  ])
  assert.is(formatCheck(reading(''), 'table'), 'ok')
})

const service = 'apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 80}]}\n'
const hints: readonly (readonly [it: string, of: Reading, want: string])[] = [
  ['nothing', reading(''), 'Nothing to check: found no pool, advertisement or Service'],
  ['what is nobody\'s business', reading('apiVersion: v1\nkind: Widget\nmetadata: {name: a}\n'),
    'Nothing to check: found no pool, advertisement or Service'],
  ['a Service', reading(service), ''],
  ['pools', good, ''],
  ['a problem', reading('- a'), ''],
]
for (const [it, of, want] of hints) {
  test(`check: what is said beside ${it}`, () => assert.is(check(of).stderr, want))
}

const asking = 'apiVersion: v1\nkind: Service\n' +
  'metadata: {name: a, annotations: {metallb.io/loadBalancerIPs: x}}\n' +
  'spec: {type: LoadBalancer, loadBalancerClass: CLASS}\n'
const ours = reading(asking.replace('CLASS', '""'))
const others = reading(asking.replace('CLASS', 'example.com/x'))
const codes: readonly (readonly [it: string, of: Reading, loadBalancerClass: string, want: 0 | 1])[] = [
  ['a good input', good, '', 0],
  ['an empty one', reading(''), '', 0],
  ['a warning', warned, '', 0],
  ['problems', bad, '', 1],
  ['a Service that asks for what is no address', ours, '', 1],
  ['another class\'s Service that does', others, '', 0],
  ['the same for that class', others, 'example.com/x', 1],
  ['a Service without class, for that class', ours, 'example.com/x', 0],
]
for (const [it, of, loadBalancerClass, want] of codes) {
  test(`check: exit code ${want} for ${it}`, () => {
    const { exitCode, stdout } = check(of, 'json', loadBalancerClass)
    assert.equal([exitCode, JSON.parse(stdout).ok], [want, want === 0])
  })
}

test('check: what a Service asks for in vain is a problem, with its place and the words of plan', () => {
  assert.equal(check(ours).stdout.split('\n'), [
    'a.yaml:1 Service/a metadata.annotations["metallb.io/loadBalancerIPs"]: badRequestedAddress: ' +
      'invalid metallb.io/loadBalancerIPs: "x"',
    '1 problem',
  ])
  assert.equal(Object.keys(checkReport(ours).problems[0] ?? {}), [
    'file', 'document', 'object', 'path', 'reason', 'message',
  ])
})

const slices = (...lines: readonly string[]): Reading => reading(service, ...lines.map((line, i) => `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: s${i}${line}]`))
const labelled = (name: string, more = ''): string =>
  `, labels: {kubernetes.io/service-name: ${name}}}\nendpoints: [{addresses: [192.0.2.1]}${more}`
const orphans: readonly (readonly [it: string, of: Reading, want: readonly string[]])[] = [
  ['of a Service of the input', slices(labelled('a')), []],
  ['of no Service of the input', slices(labelled('b')), [
    'a.yaml:2 EndpointSlice/s0 metadata.labels["kubernetes.io/service-name"]: UnknownService: There is no ' +
      'Service "default/b" in the input, so these endpoints serve nobody; did you mean "default/a"?']],
  ['of nobody', slices('}\nendpoints: ['), [
    'a.yaml:2 EndpointSlice/s0 metadata.labels: UnknownService: Without the label ' +
      'kubernetes.io/service-name these endpoints serve nobody']],
  ['with endpoints on loopback', slices(labelled('a', ', {addresses: [127.0.0.1, "::1"]}')),
    ['127.0.0.1', '::1'].map((text, n) =>
      `a.yaml:2 EndpointSlice/s0 endpoints[1].addresses[${n}]: LoopbackEndpoint: ${text} is a ` +
      'loopback address: nothing can be forwarded to it, and Kubernetes refuses it; write the address ' +
      'that the host has on its LAN, or a container\'s')],
]
for (const [it, of, want] of orphans) {
  test(`check: an EndpointSlice ${it}`, () => {
    assert.equal(check(of).stdout.split('\n'), [...want.map((line) => `warning: ${line}`), 'ok'])
  })
}

test('check: where no Service is in the input, EndpointSlices miss none', () => {
  assert.equal(checkReport(reading(`
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: s, labels: {kubernetes.io/service-name: a}}`)).warnings, [])
})

/** As published, one file a step. */
const guide = join(import.meta.dirname, '../../e2e/kube/guide')
const published = readdirSync(guide).filter((name) => name.endsWith('.yaml'))
const together = ['complete', 'automatic', 'specific-address', 'specific-pool'].map((name) => `${name}.yaml`)
for (const names of [...published.map((name) => [name]), together]) {
  test(`check: the guide's ${names.join(', ')}: no problem, and no annotation of it is ignored`, () => {
    const { problems, warnings } = checkReport(readWorld(names.map((name) =>
      ({ file: name, bytes: readFileSync(join(guide, name)) }))))
    const foreign = warnings.filter(({ reason }) => !['NotAdvertised', 'UnknownPool'].includes(reason))
    assert.equal([problems, foreign], [[], []])
  })
}

test.run()
