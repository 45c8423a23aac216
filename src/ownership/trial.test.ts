/** A new unit is announced before anybody was asked: when that ends, and what silence does to it. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { decodeMessage } from './codec.ts'
import { roundMs, unheardRetryMs } from './limits.ts'
import type { Own } from './ongoing.ts'
import { hush } from './own.ts'
import { type Rig, type RigNode, runUntil } from './rig.ts'
import { give, lanOf, nodeOf, ownersOf, wishOf } from './stage.ts'
import type { Unit } from './state.ts'

const vip = '192.168.1.100'
const names = ['n0', 'n1', 'n2']

interface OnTrial {
  readonly rig: Rig
  readonly node: RigNode
  readonly unit: Unit
  readonly own: Own
}

function owning(rig: Rig, key: string): Omit<OnTrial, 'rig'> {
  const node = nodeOf(rig, ownersOf(rig, key)[0])
  const unit = node.ownership.units.get(key)
  assert.ok(unit?.own)
  return { node, unit, own: unit.own }
}

/** A Service has just come, and its owner asks whether it is heard. */
function placed(segments: readonly string[] = ['lan']): OnTrial {
  const rig = lanOf(3, segments)
  give(rig, [])
  runUntil(rig, rig.nowMs + 1_000)
  give(rig, [wishOf(`${vip} 192.168.1.101`, names)])
  runUntil(rig, rig.nowMs + 5)
  const on = { rig, ...owning(rig, vip) }
  assert.is.not(on.own.trialMs, undefined)
  return on
}

/** To whom the owner has told that it is not answering on a leg. */
function pleasOf(rig: Rig, { name }: RigNode): readonly string[] {
  return rig.messages.flatMap(({ from, to, bytes }) => {
    const message = decodeMessage(bytes)
    return from === name && message?.kind === 'suspicion' && message.name === name ? [to] : []
  })
}

test('heard: the trial ends with its round of probes', () => {
  const { rig, own } = placed()
  runUntil(rig, rig.nowMs + roundMs)
  assert.is(own.trialMs, undefined)
})

test('silent, it is on no trial; the round before it speaks again is the next, and ends it', () => {
  const { rig, node, unit, own } = placed()
  hush(node.ownership, unit, 'contested', rig.nowMs)
  node.wakeMs = rig.nowMs
  runUntil(rig, rig.nowMs + 10)
  assert.is(own.trialMs, undefined)
  assert.is(unit.round?.purpose, 'resume')
  runUntil(rig, rig.nowMs + roundMs)
  assert.equal(ownersOf(rig, vip), [node.name])
  assert.is(own.trialMs, undefined)
  assert.equal(pleasOf(rig, node), [])
})

test('silent on trial, and then heard on one of two segments only: others are told of the other one', () => {
  const { rig, node, unit, own } = placed(['lan', 'dmz'])
  node.isMuted = (_, way, ifindex) => way === 'out' && ifindex === 3
  hush(node.ownership, unit, 'contested', rig.nowMs)
  node.wakeMs = rig.nowMs
  runUntil(rig, rig.nowMs + roundMs + 10)
  assert.equal([...own.scope ?? []], [2])
  runUntil(rig, rig.nowMs + 3_000)
  assert.is(pleasOf(rig, node).length > 0, true)
  const there = [...rig.nodes.values()].filter(({ rights }) =>
    [...rights.values()].some(({ text, ifindexes }) => text === vip && ifindexes.has(3)))
  assert.is(there.length, 1)
  assert.not(there.includes(node))
})

test('renamed while it is asked for: it is asked for under its new name', () => {
  const { rig, node, own } = placed()
  give(rig, [wishOf(`192.168.1.101 ${vip}`, names)])
  assert.is(owning(rig, '192.168.1.101').own, own)
  runUntil(rig, rig.nowMs + roundMs + unheardRetryMs)
  assert.is(own.trialMs, undefined)
  assert.equal(ownersOf(rig, vip), [node.name])
})

test.run()
