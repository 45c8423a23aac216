/** Label selectors: which are refused, where, and which labels the others match. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { At } from './fields.ts'
import type { Labels, Problem } from './model.ts'
import { isLabelKey, isLabelValue, matches, matchesAny, readSelector, readSelectors } from './selector.ts'

const read = (value: unknown) => {
  const problems: Problem[] = []
  const at: At = { findings: { problems, warnings: [] }, file: 'f', document: 1, object: '', path: 's' }
  const selectors = Array.isArray(value) ? readSelectors(value, at) : undefined
  const selector = selectors === undefined ? readSelector(value, at) : undefined
  return { selectors, selector, problems: problems.map((p) => `${p.path} ${p.reason}: ${p.message}`) }
}
const one = (key: string, operator: string, values?: readonly unknown[]) =>
  ({ matchExpressions: [{ key, operator, ...(values === undefined ? {} : { values }) }] })
const long = 'x'.repeat(64)

const refused: { it: string; value: unknown; want: string }[] = [
  { it: 'text', value: 'a=b', want: 's BadType: Want a mapping, found "a=b"' },
  { it: 'an unknown field', value: { matchLabel: {} },
    want: 's.matchLabel UnknownField: Unknown field `matchLabel`: did you mean `matchLabels`?' },
  { it: 'a number as label', value: { matchLabels: { tier: 1 } },
    want: 's.matchLabels["tier"] BadType: Want text, found 1; put it in quotes: "1"' },
  { it: 'a boolean as label', value: { matchLabels: { tier: true } },
    want: 's.matchLabels["tier"] BadType: Want text, found true; put it in quotes: "true"' },
  { it: 'a key with a blank', value: { matchLabels: { 'a b': 'c' } },
    want: 's.matchLabels["a b"] BadSelector: "a b" is not a label key' },
  { it: 'a value with a blank', value: { matchLabels: { a: 'b c' } },
    want: 's.matchLabels["a"] BadSelector: "b c" is not a label value' },
  { it: 'an expression that is text', value: { matchExpressions: ['a'] },
    want: 's.matchExpressions[0] BadType: Want a mapping, found "a"' },
  { it: 'an expression without key', value: { matchExpressions: [{ operator: 'Exists' }] },
    want: 's.matchExpressions[0].key BadSelector: "" is not a label key' },
  { it: 'an unknown operator', value: one('a', 'Gt', ['1']),
    want: 's.matchExpressions[0].operator BadSelector: ' +
      'Want one of In, NotIn, Exists, DoesNotExist, found "Gt"' },
  { it: 'In without values', value: one('a', 'In'),
    want: 's.matchExpressions[0].values BadSelector: In wants at least one value' },
  { it: 'NotIn without values', value: one('a', 'NotIn', []),
    want: 's.matchExpressions[0].values BadSelector: NotIn wants at least one value' },
  { it: 'Exists with values', value: one('a', 'Exists', ['b']),
    want: 's.matchExpressions[0].values BadSelector: Exists takes no values: remove them' },
  { it: 'DoesNotExist with values', value: one('a', 'DoesNotExist', ['b']),
    want: 's.matchExpressions[0].values BadSelector: DoesNotExist takes no values: remove them' },
  { it: 'a bad value in a list', value: one('a', 'In', ['b', '-c']),
    want: 's.matchExpressions[0].values[1] BadSelector: "-c" is not a label value' },
  { it: 'a value twice', value: one('a', 'In', ['b', 'b']),
    want: 's.matchExpressions[0].values DuplicateEntry: "b" stands twice in the list: keep one' },
  { it: 'an expression twice, values in another order',
    value: { matchExpressions: [
      { key: 'a', operator: 'In', values: ['b', 'c'] }, { key: 'a', operator: 'In', values: ['c', 'b'] },
    ] },
    want: 's.matchExpressions DuplicateEntry: The expression on "a" stands twice' },
  { it: 'a selector twice', value: [{ matchLabels: { a: 'b' } }, { matchLabels: { a: 'b' } }],
    want: 's[1] DuplicateEntry: The same selector stands twice in the list: keep one' },
  { it: 'more labels than an object may have',
    value: { matchLabels: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`a${i}`, ''])) },
    want: 's.matchLabels TooLarge: Want at most 16 items, found 17' },
  { it: 'nothing in a list', value: [null], want: 's[0] BadType: Want a value, found nothing' },
]
for (const { it, value, want } of refused) {
  test(`readSelector: refuses ${it}`, () => assert.equal(read(value).problems, [want]))
}

test('readSelectors: MetalLB compares how they are written, so these two are no repetition', () => {
  const { problems, selectors } = read([{ matchLabels: { a: 'b' } }, one('a', 'In', ['b'])])
  assert.equal(problems, [])
  assert.is(selectors?.length, 2)
})

const labels: Labels = { tier: 'gold', zone: 'a', empty: '' }
const matching: { it: string; value: unknown; want: boolean }[] = [
  { it: 'another value', value: { matchLabels: { tier: 'iron' } }, want: false },
  { it: 'one of two labels', value: { matchLabels: { tier: 'gold', zone: 'b' } }, want: false },
  { it: 'a label that every object seems to have', value: one('constructor', 'Exists'), want: false },
  { it: 'In, other values', value: one('tier', 'In', ['iron', 'tin']), want: false },
  { it: 'In, key absent', value: one('rack', 'In', ['a']), want: false },
  { it: 'NotIn, same value', value: one('tier', 'NotIn', ['gold']), want: false },
  { it: 'DoesNotExist, key present', value: one('empty', 'DoesNotExist'), want: false },
  { it: 'nothing asked', value: {}, want: true },
  { it: 'both labels', value: { matchLabels: { tier: 'gold', zone: 'a' } }, want: true },
  { it: 'In, one of the values', value: one('tier', 'In', ['iron', 'gold']), want: true },
  { it: 'In, the empty value', value: one('empty', 'In', ['']), want: true },
  { it: 'NotIn, key absent', value: one('rack', 'NotIn', ['a']), want: true },
  { it: 'Exists, with an empty value', value: one('empty', 'Exists'), want: true },
  { it: 'DoesNotExist, key absent', value: one('rack', 'DoesNotExist'), want: true },
  { it: 'labels and expressions together',
    value: { matchLabels: { tier: 'gold' }, ...one('zone', 'NotIn', ['b']) }, want: true },
]
for (const { it, value, want } of matching) {
  test(`matches: ${it}: ${want}`, () => {
    const { selector, problems } = read(value)
    assert.equal(problems, [])
    assert.is(matches(selector ?? [], labels), want)
  })
}

test('matchesAny: no selectors match everything, else one is enough', () => {
  assert.ok(matchesAny([], labels))
  const of = (tier: string) => ({ matchLabels: { tier } })
  const [iron, gold] = read([of('iron'), of('gold')]).selectors ?? []
  assert.ok(iron !== undefined && gold !== undefined)
  assert.not(matchesAny([iron], labels))
  assert.ok(matchesAny([iron, gold], labels))
})

test('label keys and values follow the Kubernetes syntax', () => {
  const keys = ['', '/a', 'a/', 'a/b/c', 'A.b/c', 'a..b/c', '-a', 'a-', long, `${'y'.repeat(254)}/a`]
  assert.equal(keys.filter(isLabelKey), [])
  const limit = `${'y'.repeat(253)}/${'x'.repeat(63)}`
  const good = ['a', 'A_b.c-1', 'node-role.kubernetes.io/edge', limit]
  assert.equal(good.filter(isLabelKey), good)
  assert.equal(['.', 'a b', long, 'é', 'a/b'].filter(isLabelValue), [])
  const values = ['', 'true', 'a.b_c-d', 'x'.repeat(63)]
  assert.equal(values.filter(isLabelValue), values)
})

test.run()
