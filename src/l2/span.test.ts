/** Where lists differ: what is known of their making says the same as looking at every item. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createDice } from '../config/dice.ts'
import { changesOf, spanOf, spliced } from './span.ts'

interface Item {
  readonly name: string
}

test('lists that are spliced again and again, and copies of them, have the same changes', () => {
  const roll = createDice(1)
  let before: readonly Item[] = []
  let [from, found] = [0, 0]
  for (let i = 0; i < 2_000; i++) {
    from = roll(before.length + 1)
    const kept = before.slice(from, from + 1)
    const count = Math.min(roll(3), before.length - from)
    const fresh = Array.from({ length: roll(3) }, (_, n) => ({ name: `${i}.${n}` }))
    // What is taken out may stand among what is put in.
    const items = count > 0 && roll(4) === 0 ? [...fresh, ...kept] : fresh
    const after = spliced(before, from, count, items)
    const copy = [...after]
    assert.equal(after, before.toSpliced(from, count, ...items))
    assert.equal(changesOf(before, after), changesOf(before, copy), `step ${i}`)
    const { from: at, count: gone, items: come } = spanOf(before, after)
    assert.equal(before.toSpliced(at, gone, ...come), copy)
    found += spanOf([...before], after).items.length
    before = roll(3) === 0 ? copy : after
  }
  assert.ok(found > 0)
})

test('what was spliced of another list is compared', () => {
  const [a, b, c] = [{ name: 'a' }, { name: 'b' }, { name: 'c' }]
  const first = [a, b]
  const last = spliced(spliced(first, 2, 0, [c]), 0, 1, [])
  assert.equal(changesOf(first, last), { gone: [a], come: [c] })
})

test.run()
