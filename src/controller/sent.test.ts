/** What is known of a status that was sent: by the server's word, by the watch, or not at all. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { hasChanged, type Sent, type Shown, withAnswer, withSent, withTaken } from './sent.ts'

const [a, b] = ['192.0.2.1', '192.0.2.2'] as const
const first: Shown = { uid: 'u', version: '1', ingress: [] }
const sentA = withSent(undefined, first, [a])
const outA: Sent = { ...sentA, isOut: true }
const sentBoth = withSent(sentA, first, [b])

type Row = readonly [
  it: string, sent: Sent | undefined, shown: Shown | undefined, want: boolean | undefined,
]

const rows: readonly Row[] = [
  ['nothing was sent', undefined, first, false],
  ['it is shown, whoever wrote it', undefined, { ...first, ingress: [b, a] }, true],
  ['of another Service under the name', sentA, { ...first, uid: 'v', ingress: [a] }, false],
  ['the Service is gone', sentA, undefined, false],
  ['the Service is gone, after the server had taken it', withTaken(sentA, '1', [a]), undefined, true],
  ['sent, and nothing was heard or seen since', sentA, first, undefined],
  ['sent, and another version without it is there', sentA, { ...first, version: '2' }, false],
  ['sent, and another version with it is there', sentA, { ...first, version: '2', ingress: [a] }, true],
  ['under way, and another version without it is there', outA, { ...first, version: '2' }, undefined],
  ['answered otherwise, and another version without it is there', withAnswer(outA),
    { ...first, version: '2' }, false],
  ['another is under way, and another version without it is there',
    { ...withSent(undefined, first, [b]), isOut: true }, { ...first, version: '2' }, false],
  ['taken, and overwritten before that was known',
    withTaken(outA, '1', [a]), { ...first, version: '2' }, true],
  ['taken, and not shown yet', withTaken(sentA, '1', [a]), first, true],
  ['one of two from one version: which is not known', sentBoth, first, undefined],
  ['the other of two from one version was taken', withTaken(sentBoth, '1', [b]), first, false],
  ['only another was sent', withSent(undefined, first, [b]), first, false],
  ['sent from another version since', withSent(sentA, { ...first, version: '2' }, [b]), first, false],
  ['the answer is about another version', withTaken(sentA, '0', [a]), { ...first, version: '2' }, false],
]
for (const [it, sent, shown, want] of rows) {
  test(it, () => assert.is(hasChanged('u', { has: [a], lacks: [] }, shown, sent), want))
}

test('what goes is gone once a status lacks it', () => {
  const change = { has: [], lacks: [a] }
  const shown = { ...first, ingress: [a] }
  const sent = withSent(undefined, shown, [])
  assert.equal([undefined, sent, withTaken(sent, '1', [])].map((one) => hasChanged('u', change, shown, one)),
    [false, undefined, true])
})

test('the same again is one, however often it is tried', () => {
  assert.equal(withSent(sentA, first, [a]), sentA)
})

test.run()
