/** Address text: what is refused, what is accepted, and how values are written. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { compareAddresses, familyBits, formatAddress, parseAddress, sameAddress } from './address.ts'
import type { Address } from './model.ts'

const refused = [
  '', '1', '10.0', '10.0.0', '192.0.2.1.1', '192.0.2.256', '010.0.0.1', '192.0.2.01', ' 192.0.2.1',
  '192.0.2.1 ', '0x1.2.3.4', '1..2.3', '192.0.2.1/24', 'fe80::1%eth0', ':::', '12zz::1', '::1::2',
  '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '12345::', '::ffff:1.2.3', '::ffff:01.2.3.4', '2001:db8::1 ',
  ':1:2:3:4:5:6:7:8', '[::1]',
]
for (const text of refused) {
  test(`parseAddress: refuses "${text}"`, () => assert.is(parseAddress(text), undefined))
}

const accepted = [
  { text: '192.0.2.1', family: 'ipv4', bits: 0xc0000201n, as: '192.0.2.1' },
  { text: '0.0.0.0', family: 'ipv4', bits: 0n, as: '0.0.0.0' },
  { text: '255.255.255.255', family: 'ipv4', bits: 0xffffffffn, as: '255.255.255.255' },
  { text: '::', family: 'ipv6', bits: 0n, as: '::' },
  { text: '2001:DB8::1', family: 'ipv6', bits: (0x20010db8n << 96n) + 1n, as: '2001:db8::1' },
  { text: '2001:db8:0:0:1:0:0:1', family: 'ipv6', bits: (0x20010db8n << 96n) + (1n << 48n) + 1n,
    as: '2001:db8::1:0:0:1' },
  { text: '::ffff:192.0.2.1', family: 'ipv4', bits: 0xc0000201n, as: '192.0.2.1' },
  { text: '::ffff:c000:201', family: 'ipv4', bits: 0xc0000201n, as: '192.0.2.1' },
] as const
for (const { text, family, bits, as } of accepted) {
  test(`parseAddress: "${text}" is written ${as}`, () => {
    const address = parseAddress(text)
    assert.equal(address, { family, bits })
    assert.is(address && formatAddress(address), as)
  })
}

test('formatAddress: a single zero group is not compressed (RFC 5952 §4.2.2)', () => {
  const address: Address = { family: 'ipv6', bits: 0x20010db8_0000_0001_0001_0001_0001_0001n }
  assert.is(formatAddress(address), '2001:db8:0:1:1:1:1:1')
})

test('compareAddresses: IPv4 first, then by value', () => {
  const sorted = ['2001:db8::1', '192.0.2.2', '::1', '192.0.2.1'].map(parseAddress)
    .filter((address) => address !== undefined).toSorted(compareAddresses).map(formatAddress)
  assert.equal(sorted, ['192.0.2.1', '192.0.2.2', '::1', '2001:db8::1'])
})

test('sameAddress: equal bits of different families differ', () => {
  assert.not(sameAddress({ family: 'ipv4', bits: 1n }, { family: 'ipv6', bits: 1n }))
  assert.ok(sameAddress({ family: 'ipv4', bits: 1n }, { family: 'ipv4', bits: 1n }))
})

test('familyBits', () => assert.equal([familyBits('ipv4'), familyBits('ipv6')], [32, 128]))

test.run()
