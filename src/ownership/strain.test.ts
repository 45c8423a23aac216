/** Overload: what a node waits that cannot keep its beats, and that its waits end. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { expiryMs, expiryWaitMaxMs, strainUnits } from './limits.ts'
import { createOwnership, createUnit, type Ownership } from './state.ts'
import { countExpiry, isFailing, isStrained, jittered, strainOf } from './strain.ts'

function knowing(units: number): Ownership {
  const o = createOwnership('n1')
  for (let i = 0; i < units; i++) o.units.set(`${i}`, createUnit(`${i}`, 0))
  return o
}

test('one deadline that passed costs nothing, those in a row more and more, up to a bound', () => {
  const o = knowing(strainUnits)
  const waits = Array.from({ length: 8 }, (_, i) => {
    countExpiry(o, 1_000 * i)
    return strainOf(o, 1_000 * i)
  })
  assert.equal(waits, [0, 100, 200, 400, 800, 1_600, expiryWaitMaxMs, expiryWaitMaxMs])
})

test('with few units there is hardly anything to wait for', () => {
  const o = knowing(1)
  for (let i = 0; i < 3; i++) countExpiry(o, i)
  assert.ok(strainOf(o, 3) < 1)
})

test('what is long ago does not count', () => {
  const o = knowing(strainUnits)
  for (let i = 0; i < 3; i++) countExpiry(o, i)
  assert.ok(isFailing(o))
  assert.is(strainOf(o, 2 + expiryMs), 0)
  assert.not(isStrained(o, 2 + expiryMs))
  countExpiry(o, 2 + expiryMs)
  assert.not(isFailing(o))
  assert.ok(isStrained(o, 3 + expiryMs))
})

test('units and nodes wait for different parts of a wait, never for none or more of it', () => {
  const waits = ['a', 'b', 'c', 'd'].flatMap((self) => {
    const o = createOwnership(self)
    return [...'efgh'].map((key) => jittered(o, createUnit(key, 0), 1_000))
  })
  assert.ok(waits.every((ms) => ms >= 500 && ms <= 1_000), waits.join())
  assert.ok(new Set(waits).size > waits.length / 2)
})

test.run()
