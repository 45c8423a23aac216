/** A fabric answers for all, and nobody hears others ask: those that wait for a dead owner claim in rank. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { decodePacket, isArp } from '../l2/packet.ts'
import { formatAddress } from '../net/address.ts'
import { attempt, type Loss } from './claim.ts'
import { onVoice } from './conflict.ts'
import { postponeMs, rankMs, roundMs, unicastCount } from './limits.ts'
import type { RigNode } from './rig.ts'
import { give, lanOf, legAt, nodeOf, settled, wishOf } from './stage.ts'
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
    Object.assign(unit.attempt, { unicastMs: new Map(), unicasts, startMs: now })
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

const pair = [vip, '2001:db8::100'] as const

/** A member that has heard its dead owner's MAC answer its probes on `legs`, for both addresses of a pair. */
function answeredFor(legs: readonly number[]) {
  const rig = lanOf(2, ['lan', 'other'])
  const wishes = [wishOf(pair.join(' '), [...rig.nodes.keys()])]
  give(rig, wishes)
  const owner = settled(rig, vip)
  const [heir] = [...rig.nodes.values()].filter((node) => node !== owner)
  assert.ok(heir)
  owner.isUp = false
  give(rig, wishes)
  const { ownership: o } = heir
  const now = rig.nowMs
  o.spoken.delete(owner.name)
  const unit = o.units.get(vip)
  assert.ok(unit)
  const loss: Loss = { suspect: owner.name, cause: 'ownerSilent', lastBeatMs: now - 300, segments: undefined }
  unit.attempt = undefined
  attempt(o, unit, loss, { rank: 0, now })
  unit.round = { purpose: 'claim', startMs: now, legs: new Set([2, 3]), sent: 1, isInLine: false }
  const hear = (text: string, ifindex: number, atMs: number): void => {
    const mac = legAt(Number(owner.name.slice(1)), ifindex).mac
    onVoice(o, unit, { text, mac, ifindex, atMs, isToUs: true }, atMs)
  }
  for (const ifindex of legs) for (const text of pair) hear(text, ifindex, now)
  const asked = o.later.entries.map(({ atMs, item: { ifindex, frame } }) => {
    const packet = decodePacket(frame)
    if (typeof packet === 'string') throw new RangeError(packet)
    const { etherTo, target } = packet
    const isToItself = isArp(packet) || packet.destination.bits === target.bits
    return [atMs - now, ifindex, formatAddress(target), etherTo, isToItself] as const
  })
  return { unit, now, hear, asked, macOf: (leg: number) => legAt(Number(owner.name.slice(1)), leg).mac }
}

test('of a pair on two segments each answer makes it be asked by unicast, for that address, there', () => {
  const { unit, asked, macOf } = answeredFor([2, 3])
  const want = [30, 45].flatMap((ms) => [2, 3].flatMap((leg) => pair.map((text) =>
    [ms, leg, text, macOf(leg), true])))
  const sorted = (rows: readonly (readonly unknown[])[]): readonly string[] =>
    rows.map((row) => row.join(' ')).toSorted()
  assert.equal(sorted(asked), sorted(want))
  assert.is(unit.attempt?.unicasts, 1)
  assert.is(unit.attempt?.told, undefined)
})

test('only what it answers after that ask says that it lives, on whichever leg', () => {
  const early = answeredFor([2])
  early.hear(vip, 2, early.now + 29)
  assert.is(early.unit.attempt?.unicasts, 1)
  early.hear(vip, 2, early.now + 31)
  assert.equal([early.unit.attempt?.unicasts, early.unit.attempt?.unicastMs], [0, undefined])
  const late = answeredFor([2])
  late.hear(vip, 3, late.now + 70)
  assert.is(late.unit.attempt?.startMs, late.now + 70 + roundMs, 'it is asked there too')
  late.hear(vip, 3, late.now + 99)
  assert.is(late.unit.attempt?.unicasts, 1)
  late.hear(vip, 3, late.now + 101)
  assert.is(late.unit.attempt?.unicasts, 0)
})

test.run()
