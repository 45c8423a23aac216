/** What `arpeggio check` prints: the frozen JSON, the same as YAML, and lines for people. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Reading } from '../config/model.ts'
import { readWorld } from '../config/read.ts'
import { parseDocuments } from '../config/yaml.ts'
import { checkReport, formatCheck, hintOf } from './check.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const object = (kind: string, name: string, spec: unknown, annotations?: unknown) => JSON.stringify({
  apiVersion: 'metallb.io/v1beta1', kind, metadata: { name, namespace: 'metallb-system', annotations }, spec,
})
const reading = (...objects: readonly string[]) =>
  readWorld([{ file: 'a.yaml', bytes: encode(objects.join('\n---\n')) }])
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
for (const [it, of, want] of hints) test(`hintOf: ${it}`, () => assert.is(hintOf(of), want))

test.run()
