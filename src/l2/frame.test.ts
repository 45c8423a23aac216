/** Bytes of frames to values and back: MACs and numbers. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex, toHex } from './bytes.ts'
import { decodeMac, encodeMac, readBits, readUint32, writeBits } from './frame.ts'

const macs = [
  { given: '02005e00530a', want: '02:00:5e:00:53:0a' },
  { given: 'ffffffffffff', want: 'ff:ff:ff:ff:ff:ff' },
  { given: '000000000000', want: '00:00:00:00:00:00' },
  { given: '9abcdef01234', want: '9a:bc:de:f0:12:34' },
  // Each differs from the first in one byte, or by two that swapped places.
  { given: '0a005e00530a', want: '0a:00:5e:00:53:0a' },
  { given: '02015e00530a', want: '02:01:5e:00:53:0a' },
  { given: '02005f00530a', want: '02:00:5f:00:53:0a' },
  { given: '02005e01530a', want: '02:00:5e:01:53:0a' },
  { given: '02005e00540a', want: '02:00:5e:00:54:0a' },
  { given: '02005e00530b', want: '02:00:5e:00:53:0b' },
  { given: '02005e000a53', want: '02:00:5e:00:0a:53' },
  { given: '00025e00530a', want: '00:02:5e:00:53:0a' },
]

for (const { given, want } of macs) {
  test(`a MAC: ${want}`, () => {
    const bytes = fromHex(`aa ${given} aa`)
    assert.is(decodeMac(bytes, 1), want)
    assert.is(decodeMac(bytes, 1), want, 'the second time')
    const into = new Uint8Array(8).fill(0xaa)
    encodeMac(want, into, 1)
    assert.is(toHex(into), toHex(bytes))
    encodeMac(want.toUpperCase(), into, 1)
    assert.is(toHex(into), toHex(bytes), 'in upper case')
  })
}

test('10,000 MACs are each their own, in both directions and in any order', () => {
  const bytesOf = (i: number): Uint8Array => {
    const bytes = new Uint8Array(6)
    writeBits(bytes, 0, 6, BigInt(i) * 0x1_0003_0107n)
    return bytes
  }
  const texts = Array.from({ length: 10_000 }, (_, i) => decodeMac(bytesOf(i), 0))
  assert.is(new Set(texts).size, texts.length)
  const wrong = texts.filter((text, i) => {
    const into = new Uint8Array(6)
    encodeMac(text, into, 0)
    return toHex(into) !== toHex(bytesOf(i)) || decodeMac(bytesOf(i), 0) !== text
  })
  assert.equal(wrong, [])
})

const numbers = [
  { bytes: '00', bits: 0n },
  { bytes: 'ff', bits: 0xffn },
  { bytes: '8001', bits: 0x8001n },
  { bytes: 'c00002fe', bits: 0xc00002fen },
  { bytes: 'ffffffff', bits: 0xffffffffn },
  { bytes: '0102030405', bits: 0x0102030405n },
  { bytes: '8000000000000001', bits: 0x8000000000000001n },
  { bytes: '20010db8800000000000000080000001', bits: 0x20010db8800000000000000080000001n },
  { bytes: 'ffffffffffffffffffffffffffffffff', bits: (1n << 128n) - 1n },
]

for (const { bytes, bits } of numbers) {
  test(`a number of ${bytes.length / 2} bytes: ${bytes}`, () => {
    const around = fromHex(`aa ${bytes} aa`)
    const length = bytes.length / 2
    assert.is(readBits(around, 1, length), bits)
    const into = new Uint8Array(length + 2).fill(0xaa)
    writeBits(into, 1, length, bits)
    assert.is(toHex(into), toHex(around))
  })
}

test('what is too big for its place loses its first bits', () => {
  const into = new Uint8Array(4)
  writeBits(into, 0, 4, 0x1_2345_6789_abcdn)
  assert.is(toHex(into), '6789abcd')
})

test('bytes past the end are zero', () => {
  assert.is(readUint32(fromHex('0102 03'), 0), 0x01020300)
})

test.run()
