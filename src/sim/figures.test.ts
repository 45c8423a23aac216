/** Promised figures, on virtual time: they are the same on every machine. More trials: hack/sim --figures. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { measureBurst, measureLosses, measureRest, type Rest } from './figures.ts'
import { burstLine, lossLine } from './table.ts'

for (const loss of measureLosses(5)) {
  const { text, isKept } = lossLine(loss)
  test(text, () => {
    assert.ok(loss.darks.length >= loss.trials, 'each of them had an address')
    assert.ok(loss.darks.every((ms) => ms > 0), 'each of its addresses was dark')
    assert.ok(isKept, text)
  })
}

test('100 addresses of a dead one of ten are served again within 2 s', () => {
  for (const placement of ['sticky', 'hash'] as const) {
    const burst = measureBurst(placement)
    const { text, isKept } = burstLine(burst)
    assert.ok(burst.darks.length >= 80 && burst.darks.every((ms) => ms > 0), text)
    assert.ok(isKept, text)
  }
})

const ten = measureRest(10, { seconds: 5 })

/** Everything that a node says and hears in a second, on average over the nodes. */
function means({ words, asks, voices, frames }: Rest): readonly (readonly [string, number])[] {
  return [
    ['words sent', words.sent.mean], ['words received', words.received.mean], ['asks', asks.mean],
    ['voices', voices.mean], ['frames received', frames.mean],
  ]
}

test('at rest, what a node says and hears is the same at 10 and at 50 nodes, and less at 3', () => {
  const three = measureRest(3, { seconds: 5 })
  const fifty = measureRest(50, { seconds: 5 })
  assert.ok(fifty.words.sent.most <= 30, `three monitors, ten beats a second: ${fifty.words.sent.most}`)
  for (const [i, [what, mean]] of means(ten).entries()) {
    const [less, same] = [means(three)[i]?.[1] ?? Infinity, means(fifty)[i]?.[1] ?? Infinity]
    assert.ok(less <= 1.1 * mean && same <= 1.1 * mean, `${what}: ${less} at 3, ${mean} at 10, ${same} at 50`)
  }
})

test('while one member is missing, 50 nodes ask for it no more often together than 10', () => {
  const [few, many] = [10, 50].map((nodes) => measureRest(nodes, { isOneMissing: true, seconds: 5 }))
    .map(({ frames }) => frames.mean)
  if (few === undefined || many === undefined) throw new RangeError('None measured')
  assert.ok(many <= 1.3 * few, `frames that a node hears: ${few} of 10, ${many} of 50`)
})

test('at rest, 1,000 addresses are not said more often than ten', () => {
  const many = measureRest(10, { addresses: 1_000, seconds: 5 })
  for (const [i, [what, mean]] of means(ten).entries()) {
    const same = means(many)[i]?.[1] ?? Infinity
    assert.ok(same <= 1.1 * mean, `${what}: ${mean} with ten, ${same} with 1,000`)
  }
})

test.run()
