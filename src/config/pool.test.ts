/** IPAddressPool objects: every field, every way to get it wrong, and overlaps. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { formatRange } from '../net/range.ts'
import type { Pool } from './model.ts'
import { readWorld } from './read.ts'

interface Extra {
  readonly labels?: unknown
  readonly annotations?: unknown
}
const pool = (name: string, spec: unknown, extra: Extra = {}) => ({
  apiVersion: 'metallb.io/v1beta1', kind: 'IPAddressPool', spec,
  metadata: { name, namespace: 'metallb-system', ...extra },
})
const namespace = (name: string, labels: unknown) =>
  ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } })
const read = (...objects: readonly unknown[]) => {
  const text = objects.map((object) => JSON.stringify(object)).join('\n---\n')
  const { config, problems, world } = readWorld([{ file: 'a.yaml', bytes: new TextEncoder().encode(text) }])
  assert.is(world === undefined, problems.length > 0)
  return { config, problems: problems.map((p) => `${p.document} ${p.path} ${p.reason}: ${p.message}`) }
}
const first = (...objects: readonly unknown[]): Pool => {
  const { config, problems } = read(...objects)
  assert.equal(problems, [])
  const [found] = config.pools
  if (found === undefined) throw new Error('No pool')
  return found
}
const good = ['192.0.2.0/28']
const allocation = (serviceAllocation: unknown) => ({ addresses: good, serviceAllocation })

const refused: { it: string; spec: unknown; want: readonly string[] }[] = [
  { it: 'no spec', spec: undefined, want: ['1 spec.addresses MissingField: A pool needs at least ' +
    'one entry, for example 192.0.2.10-192.0.2.20'] },
  { it: 'spec that is text', spec: 'x', want: ['1 spec BadType: Want a mapping, found "x"',
    '1 spec.addresses MissingField: A pool needs at least one entry, for example 192.0.2.10-192.0.2.20'] },
  { it: 'no addresses', spec: { addresses: [] }, want: ['1 spec.addresses MissingField: A pool needs ' +
    'at least one entry, for example 192.0.2.10-192.0.2.20'] },
  { it: 'addresses that are text', spec: { addresses: '192.0.2.0/28' },
    want: ['1 spec.addresses BadType: Want a list, found "192.0.2.0/28"'] },
  { it: 'an entry that is a number', spec: { addresses: [10.1] },
    want: ['1 spec.addresses[0] BadType: Want text, found 10.1; put it in quotes: "10.1"'] },
  { it: 'a single address', spec: { addresses: ['192.0.2.1'] },
    want: ['1 spec.addresses[0] BadAddress: invalid CIDR "192.0.2.1"; ' +
      'a single address is written "192.0.2.1/32"'] },
  { it: 'a single IPv6 address', spec: { addresses: ['2001:db8::1'] },
    want: ['1 spec.addresses[0] BadAddress: invalid CIDR "2001:db8::1"; ' +
      'a single address is written "2001:db8::1/128"'] },
  { it: 'every bad entry, not the first only', spec: { addresses: ['192.0.2.9-192.0.2.1', 'x'] },
    want: ['1 spec.addresses[0] BadAddress: invalid IP range "192.0.2.9-192.0.2.1": ' +
      'start IP "192.0.2.9" is after the end IP "192.0.2.1"',
    '1 spec.addresses[1] BadAddress: invalid CIDR "x"'] },
  { it: 'an entry of more characters than two addresses have', spec: { addresses: ['1'.repeat(89)] },
    want: ['1 spec.addresses[0] BadValue: Want at most 88 characters, found 89'] },
  { it: 'more entries than an object may have',
    spec: { addresses: Array.from({ length: 1_001 }, (_, i) => `2001:db8::${i.toString(16)}/128`) },
    want: ['1 spec.addresses TooLarge: Want at most 1000 items, found 1001'] },
  { it: 'mixed families', spec: { addresses: ['192.0.2.1-2001:db8::1'] },
    want: ['1 spec.addresses[0] BadAddress: invalid IP range "192.0.2.1-2001:db8::1": ' +
      'start and end are of different families'] },
  { it: 'a misspelt field', spec: { addresses: good, autoasign: false },
    want: ['1 spec.autoasign UnknownField: Unknown field `autoasign`: did you mean `autoAssign`?'] },
  { it: 'a field of the legacy format', spec: { addresses: good, protocol: 'layer2' },
    want: ['1 spec.protocol UnknownField: Unknown field `protocol`: known are addresses, autoAssign, ' +
      'avoidBuggyIPs, serviceAllocation'] },
  { it: 'text where a boolean is wanted', spec: { addresses: good, autoAssign: 'false' },
    want: ['1 spec.autoAssign BadType: Want true or false, found "false"'] },
  { it: 'a number where a boolean is wanted', spec: { addresses: good, avoidBuggyIPs: 1 },
    want: ['1 spec.avoidBuggyIPs BadType: Want true or false, found 1'] },
  { it: 'a negative priority', spec: allocation({ priority: -1 }),
    want: ['1 spec.serviceAllocation.priority BadValue: Want a number from 0 to 2147483647, found -1'] },
  { it: 'a priority with a fraction', spec: allocation({ priority: 1.5 }),
    want: ['1 spec.serviceAllocation.priority BadType: Want a whole number, found 1.5'] },
  { it: 'a misspelt field of serviceAllocation', spec: allocation({ namespace: ['a'] }),
    want: ['1 spec.serviceAllocation.namespace UnknownField: Unknown field `namespace`: ' +
      'did you mean `namespaces`?'] },
  { it: 'a namespace twice', spec: allocation({ namespaces: ['a', 'b', 'a'] }),
    want: ['1 spec.serviceAllocation.namespaces[2] DuplicateEntry: "a" stands twice in the list: keep one'] },
  { it: 'a namespace selector twice', spec: allocation({ namespaceSelectors: [{}, {}] }),
    want: ['1 spec.serviceAllocation.namespaceSelectors[1] DuplicateEntry: ' +
      'The same selector stands twice in the list: keep one'] },
  { it: 'a bad service selector', spec: allocation({ serviceSelectors: [{ matchLabels: { 'a b': 'c' } }] }),
    want: ['1 spec.serviceAllocation.serviceSelectors[0].matchLabels["a b"] BadSelector: ' +
      '"a b" is not a label key'] },
  { it: 'the same entry twice', spec: { addresses: [...good, ...good] },
    want: ['1 spec.addresses[1] Overlap: CIDR "192.0.2.0/28" in pool "p" overlaps with already ' +
      'defined CIDR "192.0.2.0/28" of the same pool'] },
  { it: 'a mapped entry over a plain one', spec: { addresses: [...good, '::ffff:192.0.2.0/126'] },
    want: ['1 spec.addresses[1] Overlap: CIDR "::ffff:192.0.2.0/126" in pool "p" overlaps with ' +
      'already defined CIDR "192.0.2.0/28" of the same pool'] },
]
for (const { it, spec, want } of refused) {
  test(`pool: refuses ${it}`, () => assert.equal(read(pool('p', spec)).problems, want))
}

test('pool: overlaps between pools name both, their entries and the file', () => {
  const { problems } = read(
    pool('b', { addresses: ['198.51.100.0/24', '192.0.2.8-192.0.2.40'] }),
    pool('a', { addresses: ['192.0.2.0/28', '192.0.2.16-192.0.2.17'] }),
  )
  const about = (document: number, entry: number, text: string) =>
    `${document} spec.addresses[${entry}] Overlap: CIDR "${text}" in pool "a" overlaps with already ` +
    'defined CIDR "192.0.2.8-192.0.2.40" of pool "b" (a.yaml)'
  assert.equal(problems, [about(2, 0, '192.0.2.0/28'), about(2, 1, '192.0.2.16-192.0.2.17')])
})

test('pool: a wide range is found to overlap each of the narrow ones in it', () => {
  const addresses = ['192.0.2.8/30', '192.0.2.0/26', '192.0.2.32/30', '192.0.2.63-192.0.2.64']
  const { problems } = read(pool('p', { addresses }))
  assert.equal(problems.map((problem) => problem.split(':')[0]), [
    '1 spec.addresses[1] Overlap', '1 spec.addresses[2] Overlap', '1 spec.addresses[3] Overlap',
  ])
})

test('pool: IPv6 ranges of small value overlap each other behind IPv4 ones', () => {
  const addresses = ['192.0.2.0/28', '::10-::1f', '::18/128']
  const { problems } = read(pool('p', { addresses }))
  assert.equal(problems.map((problem) => problem.split(':')[0]), ['1 spec.addresses[2] Overlap'])
})

test('pool: adjacent ranges and equal bits of the other family do not overlap', () => {
  const addresses = ['192.0.2.0/25', '192.0.2.128-192.0.2.255', '::c000:200/120']
  assert.equal(first(pool('p', { addresses })).ranges.map(formatRange), [
    '192.0.2.0-192.0.2.127', '192.0.2.128-192.0.2.255', '::c000:200-::c000:2ff',
  ])
})

test('pool: defaults', () => {
  assert.equal(first(pool('p', { addresses: ['192.0.2.77/28', '2001:db8::/120'] })), {
    name: 'p',
    ranges: [
      { family: 'ipv4', first: 0xc0000240n, last: 0xc000024fn },
      { family: 'ipv6', first: 0x20010db8n << 96n, last: (0x20010db8n << 96n) + 255n },
    ],
    excluded: [], autoAssign: true, avoidBuggyIPs: false, labels: {}, allocation: undefined,
  })
})

test('pool: every field', () => {
  const spec = {
    addresses: good, autoAssign: false, avoidBuggyIPs: true,
    serviceAllocation: {
      priority: 50, namespaces: ['a'], namespaceSelectors: [{ matchLabels: { tier: 'gold' } }],
      serviceSelectors: [{ matchExpressions: [{ key: 'app', operator: 'In', values: ['x', 'w'] }] }],
    },
  }
  const { labels, autoAssign, avoidBuggyIPs, allocation: found } = first(
    pool('p', spec, { labels: { purpose: 'web' } }),
    namespace('b', { tier: 'gold' }), namespace('c', { tier: 'iron' }), namespace('d', undefined),
  )
  assert.equal({ labels, autoAssign, avoidBuggyIPs }, {
    labels: { purpose: 'web' }, autoAssign: false, avoidBuggyIPs: true,
  })
  assert.equal(found, {
    priority: 50, namespaces: new Set(['a', 'b']),
    serviceSelectors: [[{ key: 'app', operator: 'In', values: ['w', 'x'] }]],
  })
})

test('pool: an empty serviceAllocation pins the pool to everyone', () => {
  assert.equal(first(pool('p', allocation({}))).allocation, {
    priority: 0, namespaces: undefined, serviceSelectors: [],
  })
})

test('pool: namespaces carry their name as label, those that only Services show too', () => {
  const values = ['default', 'shop', 'web']
  const key = 'kubernetes.io/metadata.name'
  const selectors = { namespaceSelectors: [{ matchExpressions: [{ key, operator: 'In', values }] }] }
  const found = first(
    pool('p', allocation(selectors)), namespace('web', { tier: 'gold' }),
    { apiVersion: 'v1', kind: 'Service', metadata: { name: 's', namespace: 'shop' } },
    { apiVersion: 'v1', kind: 'Service', metadata: { name: 's' } },
  )
  assert.equal([...found.allocation?.namespaces ?? []].toSorted(), values)
})

test('pool: namespace selectors that match nothing restrict to nothing', () => {
  const selectors = { namespaceSelectors: [{ matchLabels: { tier: 'gold' } }] }
  assert.equal(first(pool('p', allocation(selectors))).allocation?.namespaces, new Set())
})

const exclude = (text: unknown) =>
  pool('p', { addresses: good }, { annotations: { 'arpeggio.io/exclude': text } })

test('pool: arpeggio.io/exclude takes ranges, networks and single addresses', () => {
  const { excluded } = first(exclude('192.0.2.3, 192.0.2.5-192.0.2.6 ,192.0.2.8/31,'))
  assert.equal(excluded.map(formatRange), [
    '192.0.2.3-192.0.2.3', '192.0.2.5-192.0.2.6', '192.0.2.8-192.0.2.9',
  ])
  assert.equal(first(exclude('')).excluded, [])
})

test('pool: a bad arpeggio.io/exclude is a problem of the annotation', () => {
  const path = '1 metadata.annotations["arpeggio.io/exclude"]'
  assert.equal(read(exclude('192.0.2.300, x')).problems, [
    `${path} BadAddress: invalid CIDR "192.0.2.300"`, `${path} BadAddress: invalid CIDR "x"`,
  ])
  assert.equal(read(exclude(5)).problems, [`${path} BadType: Want text, found 5; put it in quotes: "5"`])
})

test('pool: 5,000 pools of two ranges each, one overlap found among them', () => {
  const pools = Array.from({ length: 5_000 }, (_, i) => {
    const net = `2001:db8::${i.toString(16)}`
    const end = i === 77 ? '2001:db8::4e:0' : `${net}:f`
    return pool(`p${i}`, { addresses: [`${net}:0/126`, `${net}:4-${end}`] })
  })
  const { problems } = read(...pools)
  assert.equal(problems.map((problem) => problem.split(' ').slice(0, 3).join(' ')), [
    '79 spec.addresses[0] Overlap:',
  ])
})

test.run()
