/** Silences as text and back: what the others learn of what only this node's wire shows. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { decodeSilences, encodeSilences, maxSilences, type WireSilence } from './silences.ts'

const mac = '02:00:5e:00:53:01'
const every: readonly WireSilence[] = [
  { text: '192.0.2.9', reason: 'inConflict', mac },
  { text: '192.0.2.1', reason: 'ownerDeaf', interface: 'eth0' },
  { text: '192.0.2.2', reason: 'segmentUnheard', interface: 'eth0' },
  { text: '192.0.2.3', reason: 'expired' },
  { text: '192.0.2.4', reason: 'contested' },
  { text: '192.0.2.5', reason: 'ownerAnswers' },
  { text: '2001:db8::1', reason: 'memberAnswers' },
]

test('what is told is read again as it was, conflicts first, whatever the order', () => {
  assert.equal(decodeSilences(encodeSilences(every)), every)
  assert.is(encodeSilences(every.toReversed()), encodeSilences(every))
})

test('no silence is no text', () => {
  assert.is(encodeSilences([]), '')
  assert.equal(decodeSilences(''), [])
  assert.equal(decodeSilences(undefined), [])
})

test('of many, as many as others have to read; a conflict is among them', () => {
  const many = Array.from({ length: 2 * maxSilences }, (_, i): WireSilence =>
    ({ text: `192.0.2.${i}`, reason: 'expired' }))
  const told = decodeSilences(encodeSilences([...many, { text: '198.51.100.1', reason: 'inConflict', mac }]))
  assert.is(told.length, maxSilences)
  assert.equal(told[0], { text: '198.51.100.1', reason: 'inConflict', mac })
  assert.is(decodeSilences(JSON.stringify(many)).length, maxSilences)
})

const good = { text: '192.0.2.1', reason: 'expired' }
const bad: readonly { it: string; text: string; want: readonly unknown[] }[] = [
  { it: 'no JSON', text: '[', want: [] },
  { it: 'no list', text: '{}', want: [] },
  { it: 'no object', text: '[1,null,"x"]', want: [] },
  { it: 'a reason of a later version', want: [good],
    text: JSON.stringify([{ ...good, reason: 'new' }, good]) },
  { it: 'a reason that a plan gives', text: JSON.stringify([{ ...good, reason: 'noCarrier' }]), want: [] },
  { it: 'no address', text: JSON.stringify([{ reason: 'expired' }, { ...good, text: 1 }]), want: [] },
  { it: 'an address without end', text: JSON.stringify([{ ...good, text: '1'.repeat(65) }]), want: [] },
  { it: 'what is no MAC and no name', want: [good],
    text: JSON.stringify([{ ...good, mac: 'x', interface: 'e'.repeat(65) }]) },
]
for (const { it, text, want } of bad) test(`read: ${it}`, () => assert.equal(decodeSilences(text), want))

test.run()
