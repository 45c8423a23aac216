/** The queue gives items in order of time, equal times in order of insertion. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createSchedule, insertAt, nextDueMs, takeDue } from './schedule.ts'

test('an empty schedule has nothing due', () => {
  const schedule = createSchedule<string>()
  assert.is(nextDueMs(schedule), undefined)
  assert.is(takeDue(schedule, 1e9), undefined)
})

test('nothing is taken before its time', () => {
  const schedule = createSchedule<string>()
  insertAt(schedule, 10, 'a')
  assert.is(takeDue(schedule, 9.9), undefined)
  assert.is(nextDueMs(schedule), 10)
  assert.is(takeDue(schedule, 10), 'a')
})

test('500 items leave sorted, equal instants first in first out', () => {
  const schedule = createSchedule<number>()
  const keys = Array.from({ length: 500 }, (_, i) => (i * 7919) % 50)
  keys.forEach((atMs, i) => insertAt(schedule, atMs, i))
  const taken: number[] = []
  for (let item = takeDue(schedule, 100); item !== undefined; item = takeDue(schedule, 100)) {
    taken.push(item)
  }
  const want = keys.map((_, i) => i).toSorted((a, b) => (keys[a] ?? 0) - (keys[b] ?? 0) || a - b)
  assert.equal(taken, want)
})

test.run()
