/** Policy Local, and the endpoints of a node terminate: who serves for longer gets the unit, first. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Wish, World } from './model.ts'
import { preferredMs } from './limits.ts'
import { type Rig, type RigNode } from './rig.ts'
import { give, lanOf, nodeOf, notesOf, ownersOf, settled, watch, wishOf } from './stage.ts'

const vip = '192.168.1.100'
const names = ['n0', 'n1', 'n2']
/** More than an owner has monitors. */
const seven = [...names, 'n3', 'n4', 'n5', 'n6']

/** The wish, with the endpoints of these nodes terminating. */
function endingOn(ending: readonly string[], wish: Wish = wishOf(vip, names)): Wish {
  const nominees = wish.nominees.map((each) => ({ ...each, isEnding: ending.includes(each.node) }))
  return { ...wish, nominees }
}

function placed(change?: (world: World) => World): { readonly rig: Rig; readonly owner: RigNode } {
  const rig = lanOf(3)
  give(rig, [wishOf(vip, names)], change)
  return { rig, owner: settled(rig, vip) }
}

test('the owner hands over while it still serves, to one that goes on', () => {
  const { rig, owner } = placed()
  const [next = '', last = ''] = names.filter((name) => name !== owner.name)
  // One of the others is ending too: it is passed over, however little it owns.
  for (const ending of [next, last]) {
    const from = ownersOf(rig, vip)[0] ?? ''
    give(rig, [endingOn([from, ending])])
    const { darkMs, overlapMs, owners } = watch(rig, vip, 1_000)
    assert.is(darkMs, 0)
    assert.ok(overlapMs <= 50, `overlap ${overlapMs}`)
    assert.not([from, ending].includes(owners.at(-1) ?? ''), owners.join())
  }
  assert.is(notesOf(rig, 'released').length, 2)
  assert.ok(notesOf(rig, 'released').every((text) => text.endsWith('handOver')))
})

test('one that lacks a segment of the owner does not get the unit: the owner serves there still', () => {
  const rig = lanOf(3, ['lan', 'dmz'])
  give(rig, [wishOf(vip, names)])
  const owner = settled(rig, vip)
  for (const node of rig.nodes.values()) if (node !== owner) node.legs = node.legs.slice(0, 1)
  give(rig, [endingOn([owner.name])])
  assert.equal(watch(rig, vip, 3_000), { darkMs: 0, overlapMs: 0, owners: [owner.name] })
})

test('one that is cut off on the wire, and reached by gossip, does not get the unit', () => {
  const { rig, owner } = placed()
  const [cut = '', other = ''] = names.filter((name) => name !== owner.name)
  nodeOf(rig, cut).isMuted = (what) => what === 'frame'
  watch(rig, vip, 600)
  give(rig, [endingOn([owner.name, other])])
  assert.equal(watch(rig, vip, 3_000), { darkMs: 0, overlapMs: 0, owners: [owner.name] })
})

test('where all that serve are ending, nothing moves; nor when one is ready again elsewhere', () => {
  const { rig, owner } = placed()
  give(rig, [endingOn(names)])
  assert.equal(watch(rig, vip, 5_000), { darkMs: 0, overlapMs: 0, owners: [owner.name] })
  give(rig, [endingOn([])])
  assert.equal(watch(rig, vip, 5_000), { darkMs: 0, overlapMs: 0, owners: [owner.name] })
})

test('the owner dies: one that is ending claims last', () => {
  const { owner } = placed()
  const [first = '', second = ''] = names.filter((name) => name !== owner.name)
  for (const ending of [first, second]) {
    const fresh = placed()
    give(fresh.rig, [endingOn([ending])])
    fresh.owner.isUp = false
    const { owners } = watch(fresh.rig, vip, 1_500)
    assert.equal(owners, [ending === first ? second : first])
  }
})

test('a node with a higher score that is ending does not get the unit', () => {
  const { rig, owner } = placed()
  const better = names.find((name) => name !== owner.name) ?? ''
  const wish = endingOn([better])
  const scored = { ...wish, nominees: wish.nominees.map((each) =>
    ({ ...each, score: each.node === better ? 9 : 0 })) }
  give(rig, [scored])
  assert.equal(watch(rig, vip, preferredMs + 5_000).owners, [owner.name])
})

test('all endpoints go and come back elsewhere: those that its owner has not told do not wait for it', () => {
  for (const next of seven.slice(1)) {
    const rig = lanOf(seven.length)
    give(rig, [wishOf(vip, ['n0'])])
    settled(rig, vip)
    give(rig, [wishOf(vip, [])])
    watch(rig, vip, 1_500)
    give(rig, [wishOf(vip, [next])])
    const { darkMs, owners } = watch(rig, vip, 1_500)
    assert.equal(owners, [next])
    assert.ok(darkMs <= 300, `dark ${darkMs}`)
  }
})

test('one that missed that the owner let go finds out by itself, within a look and a claim', () => {
  for (const next of seven.slice(1)) {
    const rig = lanOf(seven.length)
    give(rig, [wishOf(vip, ['n0'])])
    settled(rig, vip)
    nodeOf(rig, next).isMuted = (what) => what === 'message'
    give(rig, [wishOf(vip, ['n0', next])])
    give(rig, [wishOf(vip, [next])])
    // The owner cannot hand over, and lets go in the end.
    watch(rig, vip, 5_000)
    nodeOf(rig, next).isMuted = () => false
    watch(rig, vip, 2_500)
    assert.equal(ownersOf(rig, vip), [next])
  }
})

test('it is asked to move where all ends: it stays', () => {
  const { rig, owner } = placed()
  const to = names.find((name) => name !== owner.name) ?? ''
  give(rig, [endingOn([to])], (world) => ({ ...world, moves: new Map([[vip, to]]) }))
  assert.equal(watch(rig, vip, 3_000), { darkMs: 0, overlapMs: 0, owners: [owner.name] })
})

test('hash: the election asks who may, and nothing else', () => {
  const { rig, owner } = placed((world) => ({ ...world, placement: 'hash' }))
  give(rig, [endingOn([owner.name])], (world) => ({ ...world, placement: 'hash' }))
  assert.equal(watch(rig, vip, 3_000), { darkMs: 0, overlapMs: 0, owners: [owner.name] })
})

test.run()
