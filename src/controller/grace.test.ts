/** How long silence must last before it is told, by how a node's speaker gets on. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { confirmationDue, followProgress, type Progress } from './grace.ts'

const never = Number.NEGATIVE_INFINITY

const rows: { it: string; roseAtMs: number; waiting: number; dueMs: number }[] = [
  { it: 'one that confirms nothing is absent after 2.5 s', roseAtMs: never, waiting: 99, dueMs: 12_500 },
  { it: 'one that was at work long ago as well', roseAtMs: 10_500, waiting: 300, dueMs: 12_500 },
  { it: 'one that goes on confirming is waited for', roseAtMs: 15_000, waiting: 300, dueMs: 16_500 },
  { it: 'of one Service the reason is told in time', roseAtMs: 15_000, waiting: 1, dueMs: 12_750 },
  { it: 'of ten within 5 s', roseAtMs: 99_000, waiting: 10, dueMs: 15_000 },
]
for (const { it, roseAtMs, waiting, dueMs } of rows) {
  test(it, () => assert.is(confirmationDue(10_000, roseAtMs, waiting), dueMs))
}

test('progress is more confirmed Services than at the last look', () => {
  let progress: ReadonlyMap<string, Progress> = new Map()
  const rises: (number | undefined)[] = []
  for (const [now, confirmed] of [[0, 5], [100, 5], [200, 6], [300, 4], [400, 5]] as const) {
    progress = followProgress(progress, new Map([['a', confirmed]]), now)
    rises.push(progress.get('a')?.roseAtMs)
  }
  assert.equal(rises, [never, never, 200, 200, 400])
})

test.run()
