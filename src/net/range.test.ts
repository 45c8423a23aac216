/** Pool entries: every row of what MetalLB accepts and refuses, and range arithmetic. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { formatAddress, parseAddress } from './address.ts'
import type { Range } from './model.ts'
import {
  formatPrefix, formatRange, parsePrefix, parseRange, prefixContains, prefixOf, prefixRange,
  rangeContains, rangePrefixes, rangeSize, rangesOverlap, trimBlanks,
} from './range.ts'

const rows: { entry: string; want: string; why?: string }[] = [
  { entry: '10.0.0.1', want: 'invalid CIDR "10.0.0.1"' },
  { entry: ' 10.0.0.0/24', want: 'invalid CIDR " 10.0.0.0/24"' },
  { entry: '10.0.0.0/24 ', want: 'invalid CIDR "10.0.0.0/24 "' },
  { entry: '010.0.0.0/8', want: 'invalid CIDR "010.0.0.0/8"' },
  { entry: '10.0.0.0/33', want: 'invalid CIDR "10.0.0.0/33"' },
  { entry: '::/129', want: 'invalid CIDR "::/129"' },
  { entry: 'fe80::1%eth0/64', want: 'invalid CIDR "fe80::1%eth0/64"' },
  { entry: '10.0.0.0/', want: 'invalid CIDR "10.0.0.0/"' },
  { entry: '', want: 'invalid CIDR ""' },
  { entry: '10.0.0.0/-1', want: 'invalid IP range "10.0.0.0/-1": invalid start IP "10.0.0.0/"' },
  { entry: '192.0.2.1-x', want: 'invalid IP range "192.0.2.1-x": invalid end IP "x"' },
  { entry: '192.0.2.1-192.0.2.2-192.0.2.3',
    want: 'invalid IP range "192.0.2.1-192.0.2.2-192.0.2.3": invalid end IP "192.0.2.2-192.0.2.3"' },
  { entry: '192.0.2.9-192.0.2.1',
    want: 'invalid IP range "192.0.2.9-192.0.2.1": start IP "192.0.2.9" is after the end IP "192.0.2.1"' },
  { entry: '192.0.2.4-2001:db8::1', why: 'mixed families, empty upstream',
    want: 'invalid IP range "192.0.2.4-2001:db8::1": start and end are of different families' },
  { entry: '::ffff:255.255.255.255-::1:0:0:0', why: 'starts on a mapped address',
    want: 'invalid IP range "::ffff:255.255.255.255-::1:0:0:0": start and end are of different families' },
  { entry: '::1-192.0.2.4', why: 'mixed families, empty upstream',
    want: 'invalid IP range "::1-192.0.2.4": start and end are of different families' },
  { entry: '2001:db8::1-192.0.2.4', why: 'mixed families, reversed upstream',
    want: 'invalid IP range "2001:db8::1-192.0.2.4": start and end are of different families' },
  { entry: '192.0.2.01-192.0.2.9',
    want: 'invalid IP range "192.0.2.01-192.0.2.9": invalid start IP "192.0.2.01"' },
  { entry: '192.0.2.0/24-192.0.2.9',
    want: 'invalid IP range "192.0.2.0/24-192.0.2.9": invalid start IP "192.0.2.0/24"' },
  { entry: 'fe80::1%eth0-fe80::2',
    want: 'invalid IP range "fe80::1%eth0-fe80::2": invalid start IP "fe80::1%eth0"' },
  { entry: '192.0.2.1-', want: 'invalid IP range "192.0.2.1-": invalid end IP ""' },
  { entry: '-', want: 'invalid IP range "-": invalid start IP ""' },
  { entry: '::/-1', want: 'invalid IP range "::/-1": invalid start IP "::/"' },
  { entry: '::1-::1:0:0:0', why: 'the mapped block lies inside',
    want: 'invalid IP range "::1-::1:0:0:0": it contains IPv4-mapped addresses; write them as IPv4' },
  { entry: '192.168.10.0/24', want: '192.168.10.0-192.168.10.255' },
  { entry: '192.168.1.245/28', want: '192.168.1.240-192.168.1.255' },
  { entry: '192.168.10.100/24', want: '192.168.10.0-192.168.10.255' },
  { entry: '10.0.0.0/08', want: '10.0.0.0-10.255.255.255' },
  { entry: '192.0.2.1/032', want: '192.0.2.1-192.0.2.1' },
  { entry: '192.0.2.4/31', want: '192.0.2.4-192.0.2.5' },
  { entry: '0.0.0.0/0', want: '0.0.0.0-255.255.255.255' },
  { entry: '2001:db8::7/128', want: '2001:db8::7-2001:db8::7' },
  { entry: '192.0.2.9/32', want: '192.0.2.9-192.0.2.9' },
  { entry: '::/0', want: '::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff' },
  { entry: '2001:DB8::/127', want: '2001:db8::-2001:db8::1' },
  { entry: '2001:db8::/127', want: '2001:db8::-2001:db8::1' },
  { entry: '::ffff:10.0.0.0/120', want: '10.0.0.0-10.0.0.255' },
  { entry: '192.168.1.240-192.168.1.250', want: '192.168.1.240-192.168.1.250' },
  { entry: '192.0.2.1 - 192.0.2.3', want: '192.0.2.1-192.0.2.3' },
  { entry: '\u00a0192.0.2.1\u0085-\u3000192.0.2.3\v', want: '192.0.2.1-192.0.2.3' },
  { entry: '\ufeff192.0.2.1-192.0.2.3', why: 'a byte order mark is no blank',
    want: 'invalid IP range "\ufeff192.0.2.1-192.0.2.3": invalid start IP "\ufeff192.0.2.1"' },
  { entry: '192.0.2.10-192.0.2.10', want: '192.0.2.10-192.0.2.10' },
  { entry: '2001:db8::-2001:db8::ff', want: '2001:db8::-2001:db8::ff' },
  { entry: '::ffff:192.0.2.4-::ffff:192.0.2.9', want: '192.0.2.4-192.0.2.9' },
]
for (const { entry, want, why } of rows) {
  test(`parseRange: "${entry}"${why === undefined ? '' : `, ${why}`}`, () => {
    const parsed = parseRange(entry)
    assert.is('range' in parsed ? formatRange(parsed.range) : parsed.message, want)
  })
}

test('trimBlanks: what Go calls a blank, and no more', () => {
  assert.is(trimBlanks('\u0085\u2009 a b\v\f'), 'a b')
  assert.is(trimBlanks('\u200ba\ufeff'), '\u200ba\ufeff')
})

const range = (entry: string): Range => {
  const parsed = parseRange(entry)
  if ('message' in parsed) throw new Error(parsed.message)
  return parsed.range
}
const address = (text: string) => {
  const parsed = parseAddress(text)
  if (parsed === undefined) throw new Error(`Bad test address "${text}"`)
  return parsed
}

const split = [
  { entry: '192.168.1.240-192.168.1.250',
    want: ['192.168.1.240/29', '192.168.1.248/31', '192.168.1.250/32'] },
  { entry: '0.0.0.0-255.255.255.255', want: ['0.0.0.0/0'] },
  { entry: '192.0.2.1-192.0.2.6',
    want: ['192.0.2.1/32', '192.0.2.2/31', '192.0.2.4/31', '192.0.2.6/32'] },
  { entry: '2001:db8::-2001:db8::ff', want: ['2001:db8::/120'] },
]
for (const { entry, want } of split) {
  test(`rangePrefixes: ${entry}`, () => {
    assert.equal(rangePrefixes(range(entry)).map(formatPrefix), want)
  })
}

test('rangeSize: a /64 exceeds 2⁵³', () => {
  assert.is(rangeSize(range('2001:db8::/64')), 18446744073709551616n)
  assert.is(rangeSize(range('192.0.2.7/32')), 1n)
})

test('rangeContains: both ends, not the neighbours, not the other family', () => {
  const inside = range('192.0.2.4-192.0.2.6')
  const texts = ['192.0.2.3', '192.0.2.4', '192.0.2.6', '192.0.2.7', '::c000:205']
  const found = texts.map((text) => rangeContains(inside, address(text)))
  assert.equal(found, [false, true, true, false, false])
})

test('rangesOverlap: adjacent ranges do not', () => {
  const a = range('192.0.2.0/25')
  assert.not(rangesOverlap(a, range('192.0.2.128/25')))
  assert.ok(rangesOverlap(a, range('192.0.2.127-192.0.2.128')))
  assert.ok(rangesOverlap(range('192.0.2.127-192.0.2.128'), a))
  assert.not(rangesOverlap(a, range('2001:db8::/64')))
})

test('prefixes: of an address, containment, all addresses', () => {
  const prefix = prefixOf(address('192.0.2.77'), 26)
  assert.is(formatPrefix(prefix), '192.0.2.64/26')
  assert.ok(prefixContains(prefix, address('192.0.2.127')))
  assert.not(prefixContains(prefix, address('192.0.2.128')))
  assert.not(prefixContains(prefix, address('2001:db8::1')))
  assert.is(formatRange(prefixRange(prefix)), '192.0.2.64-192.0.2.127')
  assert.is(parsePrefix('192.0.2.0/x'), undefined)
  assert.is(formatAddress(parsePrefix('2001:db8::1/64') ?? prefix), '2001:db8::')
})

test.run()
