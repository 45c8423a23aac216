/** A fabric answers for all, and nobody hears others ask: those that wait for a dead owner claim in rank. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { attempt, type Loss } from './claim.ts'
import { postponeMs, rankMs, unicastCount } from './limits.ts'
import type { RigNode } from './rig.ts'
import { give, lanOf, nodeOf, settled, wishOf } from './stage.ts'
import { stepWaiting } from './suppressed.ts'
import { hashRank } from './units.ts'

const vip = '192.168.1.100'

/** An owner that is dead, and its heirs in rank, each of whom has asked it by unicast so often. */
function asked(unicasts: number) {
  const rig = lanOf(5)
  give(rig, [wishOf(vip, [...rig.nodes.keys()])])
  const owner = settled(rig, vip)
  owner.isUp = false
  const now = rig.nowMs
  const unitOf = ({ ownership }: RigNode) => {
    const unit = ownership.units.get(vip)
    if (unit === undefined) throw new RangeError('Cannot find the unit')
    return unit
  }
  const [any] = [...rig.nodes.values()].filter((node) => node !== owner)
  assert.ok(any)
  const heirs = hashRank(any.ownership, unitOf(any), owner.name).map((name) => nodeOf(rig, name))
  for (const heir of heirs) {
    const unit = unitOf(heir)
    const lastBeatMs = now - 300
    const loss: Loss = { suspect: owner.name, cause: 'ownerSilent', lastBeatMs, segments: undefined }
    attempt(heir.ownership, unit, loss, { rank: 0, now })
    assert.ok(unit.attempt)
    Object.assign(unit.attempt, { unicastMs: now - 75, unicasts, startMs: now })
  }
  const look = (heir: RigNode, atMs: number) => {
    heir.ownership.out = []
    stepWaiting(heir.ownership, unitOf(heir), atMs)
    return heir.ownership.out.flatMap((effect) => effect.kind === 'note' ? [effect.note] : [])
  }
  return { owner, heirs, now, unitOf, look }
}

test('the first in rank claims at once, each of the others so many times 100 ms later', () => {
  const { heirs, owner, now, unitOf, look } = asked(unicastCount)
  assert.is(heirs.length, 4)
  heirs.forEach((heir, rank) => {
    for (const atMs of rank === 0 ? [] : [now, now + rankMs * rank - 1]) {
      assert.equal(look(heir, atMs), [], `${heir.name} waits`)
      assert.is(unitOf(heir).attempt?.startMs, now + rankMs * rank)
    }
    const [claimed] = look(heir, now + rankMs * rank)
    assert.is(claimed?.kind, 'claimed')
    assert.ok(claimed?.kind === 'claimed')
    assert.equal([claimed.cause, claimed.from, claimed.to], ['arpSuppression', owner.name, heir.name])
  })
})

test('a suspect that was silent fewer times is asked again before anybody claims', () => {
  const { heirs: [first], now, unitOf, look } = asked(unicastCount - 1)
  assert.ok(first)
  assert.equal(look(first, now), [])
  const { attempt: waiting, own } = unitOf(first)
  assert.equal([own, waiting?.unicastMs, waiting?.startMs], [undefined, undefined, now + postponeMs])
})

test('before its instant nothing happens, and whoever may not own it any more claims nothing', () => {
  const { heirs: [first], now, unitOf, look } = asked(unicastCount)
  assert.ok(first)
  assert.equal(look(first, now - 1), [])
  assert.ok(unitOf(first).attempt)
  first.ownership.world = { ...first.world, isDraining: true }
  assert.equal(look(first, now), [])
  assert.is(unitOf(first).attempt, undefined)
})

test.run()
