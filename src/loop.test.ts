/** The loop: one turn at a time, marks during a turn lead to one more, errors do not stop it. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createLoop, maxCreditMs, restAfter } from './loop.ts'

test('three marks before the first turn are one turn', async () => {
  let turns = 0
  const loop = createLoop(() => Promise.resolve(void turns++), () => undefined)
  loop.mark()
  loop.mark()
  loop.mark()
  await loop.idle()
  assert.is(turns, 1)
})

test('marks during a turn are one more turn, after it', async () => {
  const seen: string[] = []
  let count = 0
  const loop = createLoop(async () => {
    const own = ++count
    seen.push(`start ${own}`)
    if (own === 1) {
      loop.mark()
      loop.mark()
    }
    await Promise.resolve()
    seen.push(`end ${own}`)
  }, () => undefined)
  loop.mark()
  await loop.idle()
  assert.equal(seen, ['start 1', 'end 1', 'start 2', 'end 2'])
})

test('an error is handed over and the loop goes on', async () => {
  const errors: unknown[] = []
  let turns = 0
  const loop = createLoop(() => {
    turns++
    return turns === 1 ? Promise.reject(new Error('first')) : Promise.resolve()
  }, (error) => void errors.push(error))
  loop.mark()
  await loop.idle()
  loop.mark()
  await loop.idle()
  assert.equal([turns, errors.length], [2, 1])
})

test('a least rest: marks that come meanwhile are one turn', async () => {
  let turns = 0
  let isCrowded = true
  const loop = createLoop(async () => void turns++, () => undefined, {
    leastMs: () => isCrowded ? 20 : 0,
  })
  const marked: number[] = []
  loop.mark()
  for (let i = 0; i < 10; i++) {
    await Promise.resolve()
    loop.mark()
    marked.push(turns)
  }
  assert.is(marked.at(-1), 1)
  isCrowded = false
  await loop.idle()
  assert.is(turns, 2)
})

const rests = [
  { it: 'a turn after a pause is paid for by the pause', creditMs: 0, pauseMs: 50, turnMs: 10,
    want: { creditMs: 20, restMs: 0 } },
  { it: 'the credit of a long pause is bounded', creditMs: 0, pauseMs: 60_000, turnMs: 0,
    want: { creditMs: maxCreditMs, restMs: 0 } },
  { it: 'a second turn is paid for by what is left', creditMs: 20, pauseMs: 0, turnMs: 5,
    want: { creditMs: 5, restMs: 0 } },
  { it: 'without credit a turn rests in proportion', creditMs: 0, pauseMs: 0, turnMs: 10,
    want: { creditMs: 0, restMs: 30 } },
  { it: 'a rest is never longer than half a second', creditMs: 0, pauseMs: 0, turnMs: 1_000,
    want: { creditMs: 0, restMs: 500 } },
]
for (const { it, want, ...given } of rests) test(it, () => assert.equal(restAfter(given, 3), want))

const caps = [
  { it: 'no longer than the option says', turnMs: 1_000, mostRestMs: 2_000, restMs: 2_000 },
  { it: 'as long as it is owed, below the option', turnMs: 500, mostRestMs: 2_000, restMs: 1_500 },
  { it: 'shorter than half a second where the option says so', turnMs: 100, mostRestMs: 50, restMs: 50 },
]
for (const { it, turnMs, mostRestMs, restMs } of caps) {
  test(`a rest is ${it}`, () => {
    const given = { creditMs: 0, pauseMs: 0, turnMs }
    assert.equal(restAfter(given, 3, maxCreditMs, mostRestMs), { creditMs: 0, restMs })
  })
}

/** Two turns of a loop that owes much rest after each; whether a timer went by meanwhile. */
async function restsBetween(mostRestMs: number): Promise<boolean> {
  let turns = 0
  let hasRested = false
  const loop = createLoop(async () => {
    turns++
    const begunAtMs = performance.now()
    while (performance.now() === begunAtMs) continue
    if (turns === 1) loop.mark()
  }, () => undefined, { rest: 1_000_000, creditMs: 0, mostRestMs })
  const timer = setTimeout(() => (hasRested = true), 0)
  loop.mark()
  await loop.idle()
  clearTimeout(timer)
  assert.is(turns, 2)
  return hasRested
}

test('a loop rests no longer than its option says, however much it owes', async () => {
  assert.equal([await restsBetween(0), await restsBetween(20)], [false, true])
})

test.run()
