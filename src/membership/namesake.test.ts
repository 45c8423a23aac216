/** Two hosts with one name: the later one yields, whoever that is; in the end exactly one does not. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Endpoint } from './model.ts'
import {
  createNamesakes, decideNamesakes, graceMs, hearNamesake, meetMember, type Namesakes, namesakeMs, newcomerMs,
  wordlessMs,
} from './namesake.ts'

const at = (host: number): Endpoint => ({ address: Uint8Array.of(192, 0, 2, host), port: 7946 })
const [low, high] = [at(1), at(2)]

const hear = (n: Namesakes, endpoint: Endpoint, isGoing: boolean, now: number): boolean => {
  hearNamesake(n, { endpoint, isGoing, isWord: true }, now)
  return n.isYielding
}
const hearBelieved = (n: Namesakes, endpoint: Endpoint, now: number): boolean => {
  hearNamesake(n, { endpoint, isGoing: false, isWord: false }, now)
  return n.isYielding
}
const later = (n: Namesakes, now: number): boolean => {
  decideNamesakes(n, now)
  return n.isYielding
}

for (const [self, other] of [[low, high], [high, low]] as const) {
  const who = self === low ? 'lower' : 'higher'
  test(`who has just started yields, with the ${who} address too, and who was here does not`, () => {
    const fresh = createNamesakes(self, 0)
    assert.is(hear(fresh, other, false, 300), true)
    const settled = createNamesakes(other, 0)
    const now = newcomerMs + 1
    assert.is(hear(settled, self, false, now), false)
    assert.is(hear(settled, self, true, now + 1_000), false)
    assert.is(later(settled, now + 2 * graceMs), false)
  })
}

test('who had no network until now is a newcomer, whatever of an exchange it hears first', () => {
  for (const [metMs, heardMs] of [[60_000, 60_001], [60_001, 60_000]] as const) {
    const n = createNamesakes(low, 0)
    if (metMs < heardMs) meetMember(n, metMs)
    hear(n, high, false, heardMs)
    meetMember(n, metMs)
    assert.is(later(n, 61_000), true)
  }
  const known = createNamesakes(low, 0)
  meetMember(known, 1_000)
  meetMember(known, 60_000)
  assert.is(hear(known, high, false, 60_000), false, 'it has met others before')
})

test('two that start together: both yield, and then the lower one no more', () => {
  const [a, b] = [createNamesakes(low, 0), createNamesakes(high, 0)]
  assert.equal([hear(a, high, false, 100), hear(b, low, false, 100)], [true, true])
  assert.equal([hear(a, high, true, 1_100), hear(b, low, true, 1_100)], [false, true])
  assert.equal([hear(a, high, true, 2_100), hear(b, low, false, 2_100)], [false, true])
})

test('two that have been here, as a split heals: the higher one yields, when no newcomer did', () => {
  const [a, b] = [createNamesakes(low, 0), createNamesakes(high, 0)]
  const now = 60_000
  assert.equal([hear(a, high, false, now), hear(b, low, false, now)], [false, false])
  const end = now + graceMs + 1
  assert.equal([hear(a, high, false, end), hear(b, low, false, end)], [false, true])
  assert.is(hear(b, low, false, end + 60_000), true)
})

test('it yields for as long as the other one speaks', () => {
  const n = createNamesakes(high, 0)
  for (let now = 300; now <= 60_300; now += 1_000) assert.is(hear(n, low, false, now), true)
  assert.is(later(n, 60_300 + wordlessMs), true)
  assert.is(later(n, 60_301 + wordlessMs), false)
  assert.is(hear(n, low, false, 70_000), true, 'it was the later one, and is')
  assert.is(later(n, 70_001 + namesakeMs), false)
  assert.is(n.known.size, 0)
})

test('a host that comes back with another address is not held up by what others believe of the old', () => {
  const n = createNamesakes(high, 0)
  assert.is(hearBelieved(n, low, 300), true)
  assert.is(hearBelieved(n, low, 4_000), true)
  assert.is(later(n, 301 + wordlessMs), false)
  assert.is(hearBelieved(n, low, 30_000), false)
})

test('whoever others tell of is the member, also after it was away: the other one yields', () => {
  for (const [member, guest] of [[low, high], [high, low]] as const) {
    const [late, back] = [createNamesakes(guest, 0), createNamesakes(member, 60_000)]
    hear(late, member, false, 300)
    assert.is(later(late, 30_000), false, 'the member is gone')
    // It knows nothing of before, and takes itself for the newcomer; then others tell the guest of it.
    assert.is(hear(back, guest, false, 60_300), true)
    assert.is(hear(late, member, true, 60_300), false)
    hear(late, member, true, 69_900)
    assert.is(hearBelieved(late, member, 70_000), true)
    for (let now = 70_900; now < 82_000; now += 1_000) {
      assert.is(hear(late, member, back.isYielding, now), true)
      hear(back, guest, true, now)
    }
    assert.is(back.isYielding, false)
  }
})

test('an address in another form is the same host', () => {
  const n = createNamesakes(high, 0)
  hear(n, low, false, 300)
  const address = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, ...low.address)
  assert.is(hear(n, { ...low, address }, true, 400), true, 'both yield, and the lower address goes on')
  assert.is(n.known.size, 1)
})

test('of three, one speaks', () => {
  const n = createNamesakes(high, 0)
  hear(n, low, true, 300)
  assert.is(n.isYielding, false, 'one that yields is none to yield to')
  assert.is(hear(n, at(3), false, 400), true)
  assert.is(hear(n, at(3), true, 500), true, 'the lower one is first')
})

test.run()
