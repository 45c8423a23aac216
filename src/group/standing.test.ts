/** What the log of a host says of a group that stands still: not too early, once, and when it is over. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createStanding, standingNews } from './standing.ts'
import type { CouncilView } from './vote.ts'

const well: CouncilView = {
  allocator: 'a', standstill: undefined, heard: 3, members: 3, needed: 2, missing: [], isAgreed: true,
  foreign: [], present: new Set(),
}
const alone: CouncilView = {
  ...well, allocator: undefined, standstill: 'minority', heard: 1, missing: ['b', 'c'],
}
const nobody: CouncilView = { ...well, allocator: undefined, standstill: 'noAllocator' }
const other: CouncilView = { ...alone, heard: 1, members: 3, missing: ['a', 'c'] }

type Row = readonly [atMs: number, view: CouncilView, want: 'standstill' | 'over' | undefined]
const stories: readonly { it: string; rows: readonly Row[] }[] = [
  { it: 'a group that is well is no news', rows: [[0, well, undefined], [9_000, well, undefined]] },
  { it: 'what passes within 3 s is a start or an election',
    rows: [
      [0, alone, undefined], [2_999, alone, undefined], [3_000, well, undefined], [9_000, well, undefined],
    ] },
  { it: 'a standstill is told once', rows: [
    [100, alone, undefined], [3_100, alone, 'standstill'], [3_400, alone, undefined],
    [90_000, alone, undefined],
  ] },
  { it: 'its end is told at once, and the next one again', rows: [
    [0, alone, undefined], [3_000, alone, 'standstill'], [4_000, well, 'over'], [4_300, well, undefined],
    [5_000, alone, undefined], [8_000, alone, 'standstill'],
  ] },
  { it: 'another reason or other hosts are news when they last', rows: [
    [0, alone, undefined], [3_000, alone, 'standstill'],
    [4_000, nobody, undefined], [6_900, nobody, undefined], [7_000, nobody, 'standstill'],
    [8_000, other, undefined], [11_000, other, 'standstill'],
  ] },
  { it: 'a change that does not last is none', rows: [
    [0, alone, undefined], [3_000, alone, 'standstill'], [4_000, nobody, undefined],
    [5_000, alone, undefined], [9_000, alone, undefined],
  ] },
]
for (const { it, rows } of stories) {
  test(it, () => {
    const standing = createStanding()
    const found = rows.map(([atMs, view]) => standingNews(standing, view, atMs))
    assert.equal(found, rows.map(([, , want]) => want))
  })
}

test.run()
