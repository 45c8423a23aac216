/** Who says what: the envelope of ownership's messages. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { fromHex, toHex } from '../l2/bytes.ts'
import { decodeEnvelope, encodeEnvelope } from './envelope.ts'

const bytes = fromHex('c0ffee')
const rows = [
  { it: 'straight from a member', given: { from: 'node-1', isGossip: false, bytes },
    want: '61727001' + '00' + '06' + '6e6f64652d31' + 'c0ffee' },
  { it: 'through gossip', given: { from: 'é', isGossip: true, bytes },
    want: '61727001' + '01' + '02' + 'c3a9' + 'c0ffee' },
]
for (const { it, given, want } of rows) {
  test(it, () => {
    assert.is(toHex(encodeEnvelope(given)), want)
    assert.equal(decodeEnvelope(fromHex(want)), given)
  })
}

test('what others send is none of ours', () => {
  for (const text of ['', '617270', '6172700200066e6f64652d31', '6172700100', '617270010009aa']) {
    assert.is(decodeEnvelope(fromHex(text)), undefined)
  }
})

test.run()
