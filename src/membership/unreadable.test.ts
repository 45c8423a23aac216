/** Who is told of as having another secret, and who is not. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  createUnreadable, hearUnreadable, listUnreadable, type Unreadable, unreadableMs, unreadableNews,
} from './unreadable.ts'

const expected = new Set(['192.0.2.1', '192.0.2.2'])
const nobody = new Set<string>()
const hearAll = (u: Unreadable, now: number, ...from: readonly string[]): void => {
  for (const each of from) hearUnreadable(u, each, expected, now)
}

test('who ought to be met is listed while it is heard, sorted, and no longer', () => {
  const u = createUnreadable()
  assert.equal(listUnreadable(u, nobody, 0), [])
  hearAll(u, 0, '192.0.2.2')
  hearAll(u, 10, '192.0.2.1')
  assert.equal(listUnreadable(u, nobody, unreadableMs - 1), ['192.0.2.1', '192.0.2.2'])
  assert.equal(listUnreadable(u, nobody, unreadableMs), ['192.0.2.1'])
  hearAll(u, unreadableMs, '192.0.2.1')
  assert.equal(listUnreadable(u, nobody, 2 * unreadableMs - 1), ['192.0.2.1'])
  assert.equal(listUnreadable(u, nobody, 2 * unreadableMs), [])
})

test('what comes again at once is worth no look', () => {
  const u = createUnreadable()
  const hear = (now: number): boolean => hearUnreadable(u, '192.0.2.1', expected, now)
  assert.equal([0, 1, 999, 1_000, 1_001].map(hear), [true, false, false, true, false])
  assert.is(hearUnreadable(u, '198.51.100.1', expected, 0), false)
})

test('strangers are neither listed nor kept, however many they are', () => {
  const u = createUnreadable()
  for (let i = 0; i < 1_000; i++) hearAll(u, 0, `198.51.100.${i}`)
  assert.equal([listUnreadable(u, nobody, 0), u.heard.size], [[], 0])
})

test('a member that lives is not listed: somebody else uses its address', () => {
  const u = createUnreadable()
  hearAll(u, 0, '192.0.2.1', '192.0.2.2')
  assert.equal(listUnreadable(u, new Set(['192.0.2.1']), 0), ['192.0.2.2'])
})

test('each is news once until it ends; the end of all is news', () => {
  const u = createUnreadable()
  const news = (...list: readonly string[]): readonly unknown[] => {
    const { fresh, hasEnded } = unreadableNews(u, list)
    return [fresh.join(), hasEnded]
  }
  assert.equal(news(), ['', false])
  assert.equal(news('a'), ['a', false])
  assert.equal(news('a'), ['', false])
  assert.equal(news('a', 'b'), ['b', false])
  assert.equal(news('b'), ['', false])
  assert.equal(news(), ['', true])
  assert.equal(news(), ['', false])
  assert.equal(news('a'), ['a', false])
})

test.run()
