/** What becomes of hosts that are given up with --forget, from the first word to the last. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { activeForgets, createForgets, forgetAfterMs, followForgets, type Forgetting } from './forget.ts'

type Row = readonly [
  atMs: number, members: string | undefined, present: string, news: Forgetting | '', is: Forgetting,
]
const stories: readonly { it: string; name: string; rows: readonly Row[] }[] = [
  { it: 'a host that is gone is forgotten once the ledger is without it, and told at once', name: 'c', rows: [
    [0, 'abc', 'b', '', 'waiting'], [9_000, 'abc', 'b', '', 'waiting'],
    [9_100, 'ab', 'b', 'forgotten', 'forgotten'], [20_000, 'ab', 'b', '', 'forgotten'],
  ] },
  { it: 'one that comes back counts again', name: 'c', rows: [
    [0, 'abc', 'b', '', 'waiting'], [1, 'ab', 'b', 'forgotten', 'forgotten'], [5, 'ab', 'bc', '', 'heard'],
    [3_005, 'abc', 'bc', 'heard', 'heard'],
  ] },
  { it: 'one that lives is told when it has been heard for 3 s', name: 'b', rows: [
    [0, 'abc', '', '', 'waiting'], [100, 'abc', 'b', '', 'heard'], [3_099, 'abc', 'b', '', 'heard'],
    [3_100, 'abc', 'b', 'heard', 'heard'], [9_000, 'abc', 'b', '', 'heard'],
  ] },
  { it: 'one that no ledger has had here', name: 'd', rows: [
    [0, 'abc', 'b', '', 'unknown'], [3_000, 'abc', 'b', 'unknown', 'unknown'],
    [9_000, 'abc', 'b', '', 'unknown'],
  ] },
  { it: 'this host', name: 'a', rows: [[0, 'abc', 'b', '', 'self'], [3_000, 'abc', 'b', 'self', 'self']] },
  { it: 'before anything is agreed on', name: 'c', rows: [
    [0, undefined, '', '', 'notAgreed'], [3_000, undefined, '', 'notAgreed', 'notAgreed'],
    [4_000, 'abc', 'b', '', 'waiting'], [5_000, 'ab', 'b', 'forgotten', 'forgotten'],
  ] },
]
for (const { it, name, rows } of stories) {
  test(`--forget: ${it}`, () => {
    const f = createForgets('a', [name, name], 0)
    for (const [atMs, members, present, want, is] of rows) {
      const news = followForgets(f, members === undefined ? undefined : [...members], new Set(present), atMs)
      assert.equal([...news], want === '' ? [] : [[name, want]], `at ${atMs}`)
      assert.is(f.now.get(name)?.is, is, `at ${atMs}`)
    }
  })
}

test('nobody is given up at the start, nor who was heard since', () => {
  const f = createForgets('a', ['b', 'c', 'd'], 1_000)
  const follow = (present: string, now: number): unknown =>
    followForgets(f, [...'abcd'], new Set(present), now)
  follow('', 1_000)
  assert.equal(activeForgets(f, 1_000), [])
  follow('b', 2_000)
  follow('', 3_000)
  assert.equal(activeForgets(f, 1_000 + forgetAfterMs - 1), [])
  assert.equal(activeForgets(f, 1_000 + forgetAfterMs), ['c', 'd'])
  follow('c', 90_000)
  assert.equal(activeForgets(f, 100_000), ['d'])
})

test.run()
