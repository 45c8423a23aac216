/** What members tell of themselves, as bytes and back. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { address } from '../config/builders.ts'
import { toHex } from '../l2/bytes.ts'
import { parsePrefix, prefixOf } from '../net/range.ts'
import { decodeMeta, encodeMeta, isGoodbye, metaBytes } from './meta.ts'
import type { Leg } from './model.ts'

function leg(name: string, ...texts: readonly string[]): Leg {
  return {
    name, ifindex: 0, mac: '02:00:5e:00:53:01',
    addresses: texts.map((text) => {
      const [host = '', length] = text.split('/')
      return { address: address(host), prefix: prefixOf(address(host), Number(length)) }
    }),
  }
}

test('no legs', () => assert.is(toHex(encodeMeta([])), '61727001'))

test('one leg, byte by byte', () => {
  assert.is(toHex(encodeMeta([leg('eth0', '192.0.2.10/24')])),
    '61727001' + '0465746830' + '02005e005301' + '01' + '04c000020a18')
})

const tables: { it: string; legs: readonly Leg[] }[] = [
  { it: 'nothing', legs: [] },
  { it: 'both families', legs: [leg('eth0', '192.0.2.10/24', '2001:db8::10/64', 'fe80::1/64')] },
  { it: 'several legs, one without addresses', legs: [leg('eth0'), leg('bond0.7', '198.51.100.1/32')] },
]
for (const { it, legs } of tables) {
  test(`round trip: ${it}`, () => assert.equal(decodeMeta(encodeMeta(legs)), legs))
}

test('whoever leaves says so; to members that do not know the word it is a leg without name', () => {
  const legs = [leg('eth0', '192.0.2.10/24')]
  const bytes = encodeMeta(legs, true)
  assert.is(toHex(bytes),
    '61727001' + '00' + '000000000000' + '00' + '0465746830' + '02005e005301' + '01' + '04c000020a18')
  assert.equal(decodeMeta(bytes), legs)
  assert.ok(isGoodbye(bytes))
  assert.not(isGoodbye(encodeMeta(legs)))
  assert.not(isGoodbye(encodeMeta([])))
})

test('cut anywhere but between legs it is not taken for the truth', () => {
  const whole = encodeMeta([leg('eth0', '192.0.2.10/24', '2001:db8::10/64')])
  for (let length = 0; length < whole.length; length++) {
    const legs = decodeMeta(whole.subarray(0, length))
    assert.equal(legs, length === 4 ? [] : undefined)
  }
})

test('a prefix longer than its address is refused', () => {
  const bytes = encodeMeta([leg('eth0', '192.0.2.10/24')])
  bytes[bytes.length - 1] = 33
  assert.is(decodeMeta(bytes), undefined)
})

test('what others put there is none of ours', () => {
  for (const text of ['', 'arp', '{"a":1}']) {
    assert.is(decodeMeta(new TextEncoder().encode(text)), undefined)
  }
})

test('many legs: link-local addresses go first, then the last legs, and it fits', () => {
  const many = Array.from({ length: 30 }, (_, i) =>
    leg(`eth${i}`, `192.0.2.${i}/24`, 'fe80::1/64'))
  const meta = encodeMeta(many)
  const legs = decodeMeta(meta) ?? []
  assert.ok(meta.length <= metaBytes && legs.length > 10)
  assert.equal(legs[0]?.addresses.map(({ prefix }) => prefix), [parsePrefix('192.0.2.0/24')])
})

test.run()
