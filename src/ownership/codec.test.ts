/** Messages both ways, cut at every length, spoilt at every byte, and in pages. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { toHex } from '../l2/bytes.ts'
import {
  decodeMessage, encodeMessage, type Entry, entryOf, type Message, type MessageKind, messageOf,
  pagesOf,
} from './codec.ts'
import { messageBytes } from './limits.ts'

const entries: readonly Entry[] = [
  entryOf('192.0.2.1', { term: 7 }),
  entryOf('2001:db8::1', { term: 4_294_967_295, flags: 63, node: 'node-a', value: 4_294_967_295 }),
  entryOf('', {}),
  entryOf('192.0.2.2', { term: 1, node: 'knöten' }),
  entryOf('192.0.2.3', { value: 1 }),
]

const kinds: readonly MessageKind[] = [
  'beat', 'list', 'ask', 'contested', 'suspicion', 'pick', 'offer', 'refusal', 'claims', 'query',
  'reply', 'withdrawal',
]

const full: Message = {
  kind: 'beat', flags: 1, incarnation: 4_294_967_295, revision: 2, base: 0x10000, digest: 3,
  mac: '02:00:5e:00:53:01', name: 'node-b', entries,
}

for (const kind of kinds) {
  test(`${kind}: decode after encode is the same`, () => {
    const message = { ...full, kind }
    assert.equal(decodeMessage(encodeMessage(message)), message)
    assert.equal(decodeMessage(encodeMessage(messageOf(kind))), messageOf(kind))
  })
}

test('golden: a beat with one change', () => {
  const message = messageOf('beat', {
    incarnation: 1, revision: 2, base: 1, digest: 0x01020304, mac: '02:00:5e:00:53:01',
    entries: [entryOf('192.0.2.1', { term: 5 })],
  })
  assert.is(
    toHex(encodeMessage(message)),
    'a901000000000001000000020000000101020304' + '02005e005301' + '00' + '0001' +
      '09' + '3139322e302e322e31' + '00000005' + '00',
  )
})

test('cut at any length, or longer than it says, it is no message', () => {
  const bytes = encodeMessage(full)
  for (let length = 0; length < bytes.length; length++) {
    assert.is(decodeMessage(bytes.subarray(0, length)), undefined, `at ${length}`)
  }
  assert.is(decodeMessage(new Uint8Array([...bytes, 0])), undefined)
})

test('any byte changed: never an exception, and another version or kind is no message', () => {
  const bytes = encodeMessage(full)
  for (let i = 0; i < bytes.length; i++) {
    for (const change of [1, 0x80, 0xff]) {
      const spoilt = bytes.slice()
      spoilt[i] = (spoilt[i] ?? 0) ^ change
      const message = decodeMessage(spoilt)
      if (i < 2) assert.is(message, undefined)
    }
  }
  const unknown = bytes.slice()
  unknown[2] = kinds.length
  assert.is(decodeMessage(unknown), undefined)
})

test('a beat at rest is 29 bytes', () => {
  assert.is(encodeMessage(messageOf('beat')).length, 29)
})

test('pages: all entries in order, each page within the bound, never none', () => {
  const many = Array.from({ length: 1_000 }, (_, i) => entryOf(`203.0.113.${i}`, { term: i, node: 'n' }))
  const pages = pagesOf(many)
  assert.equal(pages.flat(), many)
  for (const page of pages) {
    assert.ok(encodeMessage(messageOf('list', { entries: page })).length <= messageBytes + 64)
  }
  assert.equal(pagesOf([]), [[]])
})

test.run()
