/** Pieces of turns: what waits goes between them, and turns follow each other. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { breathe, oneByOne } from './pieces.ts'

/** Whether what was due at once has gone before the breath is over. */
async function isLetGo(sinceMs: number): Promise<boolean> {
  let isGone = false
  setImmediate(() => void (isGone = true))
  await breathe({ atMs: performance.now() - sinceMs })
  return isGone
}

test('what is due goes after a long piece, and waits through short ones', async () => {
  assert.is(await isLetGo(1_000), true)
  assert.is(await isLetGo(-1_000), false)
})

test('a timer that is late goes between two pieces, with what it puts off and asks for anew', async () => {
  const left: string[] = []
  // As the announcer does: late, it reads what waits first, is told that it stalled, and is called again.
  setTimeout(() => setImmediate(() => setTimeout(() => void left.push('beat'), 0)), 1)
  const pieces = { atMs: performance.now() }
  while (performance.now() - pieces.atMs < 20);
  await breathe(pieces)
  assert.equal(left, ['beat'])
})

test('after a breath the next piece begins', async () => {
  const pieces = { atMs: 0 }
  const beforeMs = performance.now()
  await breathe(pieces)
  assert.ok(pieces.atMs >= beforeMs)
})

test('a turn begins when the last has ended, also when that one threw', async () => {
  const lines: string[] = []
  let count = 0
  const turn = oneByOne(async () => {
    const name = `turn ${++count}`
    lines.push(`${name} begins`)
    await breathe({ atMs: 0 })
    lines.push(`${name} ends`)
    if (count === 1) throw new RangeError('the first')
  })
  const results = await Promise.allSettled([turn(), turn(), turn()])
  assert.equal(results.map(({ status }) => status), ['rejected', 'fulfilled', 'fulfilled'])
  assert.equal(lines, [1, 2, 3].flatMap((n) => [`turn ${n} begins`, `turn ${n} ends`]))
})

test.run()
