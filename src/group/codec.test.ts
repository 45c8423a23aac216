/** Messages and files of a group: what is written is read again, and nothing else is taken. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { frameMessage, parseJson, parseLedger, parseShare, parseWord, unframeMessage } from './codec.ts'
import type { GroupLedger, KnownShare, Word } from './model.ts'

const word: Word = {
  group: 'g', version: { term: 2, n: 7 }, digest: 'd', term: 2, vote: 'a', isElected: true,
  agreed: { term: 2, n: 6 },
}
const document = { key: 'Service/default/web', file: 'f.yaml', document: 3, value: { spec: [1, null] } }
const known: KnownShare = {
  digest: 'd',
  share: {
    host: 'a', labels: { zone: 'z' }, held: { 'default/web': ['192.0.2.1'] }, forgets: ['x'],
    documents: [document],
  },
}
const ledger: GroupLedger = {
  group: 'g', version: { term: 1, n: 1 }, by: 'a', members: [{ name: 'a', labels: {} }],
  documents: [{ ...document, host: 'a', from: ['a', 'b'] }], services: { 'default/web': ['192.0.2.1'] },
  problems: [{ file: 'a:f', document: 1, object: 'o', path: 'p', reason: 'DuplicateName', message: 'm' }],
}

const again = (value: unknown): unknown => parseJson(JSON.stringify(value))

test('words, shares and ledgers survive the way', () => {
  assert.equal(parseWord(again(word)), word)
  assert.equal(parseShare(again(known)), known)
  assert.equal(parseLedger(again(ledger)), ledger)
})

test('options of hosts and of a ledger survive too; an older version has none', () => {
  const options = { 'lb-class': '', 'placement': 'hash' }
  const told = { ...known, share: { ...known.share, options } }
  assert.equal(parseShare(again(told)), told)
  const agreed = { ...ledger, options, members: [{ name: 'a', labels: {}, options }] }
  assert.equal(parseLedger(again(agreed)), agreed)
  assert.not.ok('options' in (parseLedger(again(ledger)) ?? { options }))
  const since = { ...agreed, optionsFrom: { term: 1, n: 1 } }
  assert.equal(parseLedger(again(since)), since)
  assert.equal(parseWord(again({ ...word, optionsFrom: { term: 0, n: 0 } })),
    { ...word, optionsFrom: { term: 0, n: 0 } })
  assert.is(parseLedger({ ...since, optionsFrom: 1 }), undefined)
  assert.is(parseWord({ ...word, optionsFrom: 1 }), undefined)
  assert.equal(parseWord(again({ ...word, hears: '3f' })), { ...word, hears: '3f' })
  const bad = { placement: 1 }
  assert.is(parseShare({ ...known, share: { ...known.share, options: bad } }), undefined)
  assert.is(parseLedger({ ...ledger, options: bad }), undefined)
  assert.is(parseLedger({ ...ledger, members: [{ name: 'a', labels: {}, options: bad }] }), undefined)
})

test('what machines have survives, as much as a datagram holds; what is none is left out', () => {
  const pairs = Array.from({ length: 9 }, (_, i) => [`192.0.2.${i}`, '02:00:00:00:00:99'] as const)
  assert.equal(parseWord(again({ ...word, foreign: pairs })), { ...word, foreign: pairs.slice(0, 8) })
  const [one] = pairs
  for (const bad of [['192.0.2.1'], [1, 2], 'x', ['x'.repeat(65), 'y'], null]) {
    assert.equal(parseWord(again({ ...word, foreign: [bad, one] })), { ...word, foreign: [one] })
  }
  assert.equal(parseWord(again({ ...word, foreign: 1 })), word)
})

test('a message is told by its first bytes', () => {
  for (const kind of ['word', 'askShare', 'share', 'ledger'] as const) {
    const read = unframeMessage(frameMessage(kind, Uint8Array.of(1, 2)))
    assert.equal([read?.kind, [...read?.body ?? []]], [kind, [1, 2]])
  }
  // Ownership's begin with another byte; a kind that is not known yet is left alone.
  for (const bytes of [[], [0xa7], [0xa9, 1], [0xa7, 9]]) {
    assert.is(unframeMessage(Uint8Array.from(bytes)), undefined)
  }
})

const broken: readonly [string, unknown, (value: unknown) => unknown][] = [
  ['no JSON', parseJson('{'), parseWord],
  ['a word without version', { ...word, version: undefined }, parseWord],
  ['a word of a negative term', { ...word, term: -1 }, parseWord],
  ['a word whose vote is no text', { ...word, vote: 1 }, parseWord],
  ['a word that does not say whether it is elected', { ...word, isElected: 'yes' }, parseWord],
  ['a share without digest', { share: known.share }, parseShare],
  ['a share with a label that is no text',
    { ...known, share: { ...known.share, labels: { a: 1 } } }, parseShare],
  ['a share with a list that is none', { ...known, share: { ...known.share, held: { a: 'x' } } }, parseShare],
  ['a share with a document of number 0',
    { ...known, share: { ...known.share, documents: [{ ...document, document: 0 }] } }, parseShare],
  ['a share with a document beyond any file',
    { ...known, share: { ...known.share, documents: [{ ...document, document: 1e12 }] } }, parseShare],
  ['a ledger without group', { ...ledger, group: '' }, parseLedger],
  ['a ledger whose document names no hosts',
    { ...ledger, documents: [{ ...document, host: 'a' }] }, parseLedger],
  ['a ledger with a member without name', { ...ledger, members: [{ labels: {} }] }, parseLedger],
  ['a ledger with half a problem', { ...ledger, problems: [{ file: 'f' }] }, parseLedger],
]
for (const [it, value, parse] of broken) {
  test(`${it} is not taken`, () => assert.is(parse(value), undefined))
}

test('a problem of a later version keeps its sentence', () => {
  const problems = [{ ...ledger.problems[0], reason: 'Unheard' }]
  assert.is(parseLedger(again({ ...ledger, problems }))?.problems[0]?.message, 'm')
})

test.run()
