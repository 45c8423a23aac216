/** Everything was restarted: whoever stands still as it starts gets back what another had to claim. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { expiryMs, refusedMs, slowMs } from './limits.ts'
import { type Rig, type RigNode, runUntil } from './rig.ts'
import { give, lanOf, nodeOf, notesOf, ownersOf, watch, wishOf } from './stage.ts'
import { createOwnership } from './state.ts'

const vip = '192.168.1.100'
const names = ['n0', 'n1', 'n2']
const wish = wishOf(vip, names, { hint: 'n1' })
/** A look each second, and a hand-over. */
const soonMs = slowMs + 500

/** n1 had it before, has it again, and lets another have it: that one's name. */
function claimedFrom(stopFor: (rig: Rig, node: RigNode) => void): { readonly rig: Rig; readonly by: string } {
  const rig = lanOf(3)
  give(rig, [wish])
  runUntil(rig, rig.nowMs + 2_000)
  assert.equal(ownersOf(rig, vip), ['n1'])
  stopFor(rig, nodeOf(rig, 'n1'))
  const [by = ''] = ownersOf(rig, vip)
  assert.not(by === '' || by === 'n1', 'another has claimed it')
  return { rig, by }
}

function standStill(rig: Rig, node: RigNode): void {
  node.isFrozen = true
  runUntil(rig, rig.nowMs + 600)
  node.isFrozen = false
  runUntil(rig, rig.nowMs + 200)
}

test('one that stood still has it again as soon as things move by choice: once, never dark', () => {
  const { rig, by } = claimedFrom(standStill)
  assert.equal(watch(rig, vip, expiryMs - 1_000).owners, [by])
  rig.notes.length = 0
  const { darkMs, overlapMs } = watch(rig, vip, 1_000 + soonMs)
  assert.is(darkMs, 0)
  assert.ok(overlapMs <= 50, `overlap ${overlapMs}`)
  assert.equal(watch(rig, vip, 60_000).owners, ['n1'])
  assert.equal(notesOf(rig, 'claimed'), ['n1 handOver'])
})

test('one that has died and started again since does not get it back', () => {
  const { rig, by } = claimedFrom((rig, node) => {
    node.isUp = false
    runUntil(rig, rig.nowMs + 600)
    node.isUp = true
    node.ownership = createOwnership(node.name)
    give(rig, [wish])
  })
  assert.equal(watch(rig, vip, 60_000), { darkMs: 0, overlapMs: 0, owners: [by] })
})

test('what somebody asked to be moved meanwhile does not go back', () => {
  const rig = lanOf(3)
  give(rig, [wish])
  runUntil(rig, rig.nowMs + 2_000)
  give(rig, [wish], (world) => ({ ...world, moves: new Map([[vip, 'n2']]) }))
  runUntil(rig, rig.nowMs + 1_000)
  give(rig, [wish])
  assert.equal(watch(rig, vip, 60_000), { darkMs: 0, overlapMs: 0, owners: ['n2'] })
})

test('one that comes late gets it also from whom another had to claim it from', () => {
  const rig = lanOf(3)
  nodeOf(rig, 'n1').isUp = false
  give(rig, [wish])
  runUntil(rig, rig.nowMs + 4_000)
  const [first = ''] = ownersOf(rig, vip)
  standStill(rig, nodeOf(rig, first))
  const [second = ''] = ownersOf(rig, vip)
  assert.not([first, 'n1', ''].includes(second), 'another has claimed it')
  nodeOf(rig, 'n1').isUp = true
  give(rig, [wish])
  rig.notes.length = 0
  assert.is(watch(rig, vip, expiryMs + soonMs).darkMs, 0)
  assert.equal(ownersOf(rig, vip), ['n1'])
  assert.equal(notesOf(rig, 'claimed'), ['n1 handOver'])
})

test('one that is there and does not answer for a moment is waited for, before balance counts', () => {
  const rig = lanOf(3)
  const wishes = [100, 101, 102, 103].map((n) => wishOf(`192.168.1.${n}`, names, { hint: 'n1' }))
  for (const name of ['n1', 'n2']) nodeOf(rig, name).isUp = false
  give(rig, wishes)
  runUntil(rig, rig.nowMs + 4_000)
  const late = nodeOf(rig, 'n1')
  late.isMuted = (what) => what === 'frame'
  for (const name of ['n1', 'n2']) nodeOf(rig, name).isUp = true
  give(rig, wishes)
  runUntil(rig, rig.nowMs + 4_000)
  assert.equal(notesOf(rig, 'released'), [])
  late.isMuted = () => false
  runUntil(rig, rig.nowMs + refusedMs + soonMs)
  for (const { key } of wishes) assert.equal(ownersOf(rig, key), ['n1'], key)
  assert.is(notesOf(rig, 'released').length, wishes.length)
})

test.run()
