/** Rounds of probes that wait in line: in which order they begin, with what, and that the wait ends. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { attempt } from './claim.ts'
import { fenceMs, lineMs, startCredit } from './limits.ts'
import type { Wish } from './model.ts'
import { release } from './own.ts'
import { type Rig, type RigNode, runUntil } from './rig.ts'
import { answers, give, lanOf, legAt, nodeOf, settled, wishOf } from './stage.ts'
import { lookAt, type Unit } from './state.ts'
import { readFrame } from './wire.ts'

const vip = '192.168.1.100'

/** A unit of so many addresses, 203.0.113.0 and the next ones or 198.51.100.0 and the next ones. */
function unitOf(count: number, net = '198.51.100'): string {
  return Array.from({ length: count }, (_, i) => `${net}.${i}`).join(' ')
}

/** n0 owns all of these; n1 is only there. */
function owning(wishes: readonly Wish[]): { readonly rig: Rig; readonly node: RigNode } {
  const rig = lanOf(2)
  give(rig, wishes)
  runUntil(rig, rig.nowMs + 5_000)
  return { rig, node: nodeOf(rig, 'n0') }
}

function unitIn(node: RigNode, key: string): Unit {
  const unit = node.ownership.units.get(key)
  if (unit === undefined) throw new RangeError(`No unit "${key}"`)
  return unit
}

/** So much credit is left, as of now. */
function leave(rig: Rig, { ownership: { starts } }: RigNode, credit: number): void {
  starts.credit = credit
  starts.atMs = rig.nowMs
  starts.nextMs = rig.nowMs
}

/** The unit is probed as soon as it may be. */
function ask(rig: Rig, node: RigNode, key: string): void {
  const unit = unitIn(node, key)
  unit.checkMs = rig.nowMs
  lookAt(node.ownership, unit, rig.nowMs)
  node.wakeMs = Math.min(node.wakeMs, rig.nowMs)
}

/** When the node first probes for the address from now on; undefined = not by then. */
function probed(rig: Rig, node: RigNode, key: string, act: () => void): number | undefined {
  const bits = unitIn(node, key).wish?.addresses[0]?.address.bits
  let atMs: number | undefined
  rig.listeners.push(({ atMs: sentMs, from, frame }) => {
    const sighting = readFrame(frame)
    if (from === node.name && sighting?.isProbe === true && sighting.asks?.bits === bits) atMs ??= sentMs
  })
  act()
  rig.listeners.pop()
  return atMs
}

for (const isInLine of [true, false]) {
  test(`a card comes up while a claim ${isInLine ? 'waits in line' : 'is probing'}: asked on first`, () => {
    const rig = lanOf(2)
    const wishes = [wishOf(vip, ['n0'])]
    give(rig, wishes)
    const node = settled(rig, vip)
    const { ownership: o } = node
    const unit = unitIn(node, vip)
    release(o, unit, { cause: 'contested', to: undefined }, rig.nowMs)
    leave(rig, node, isInLine ? -startCredit / 4 : startCredit)
    const loss = { suspect: undefined, cause: 'placed', segments: undefined } as const
    attempt(o, unit, { ...loss, lastBeatMs: rig.nowMs - fenceMs }, { rank: 0, now: rig.nowMs })
    node.wakeMs = rig.nowMs
    runUntil(rig, rig.nowMs + 10)
    assert.is(unit.round?.isInLine, isInLine)
    node.legs = [legAt(0, 2), legAt(0, 3)]
    node.plugs.set(3, 'dmz')
    give(rig, wishes)
    const seen: string[] = []
    rig.listeners.push(({ segment, frame }) => {
      const sighting = readFrame(frame)
      if (segment !== 'dmz' || sighting === undefined) return
      if (sighting.isProbe) seen.push('probe')
      else if (sighting.asserts?.address.bits === unit.wish?.addresses[0]?.address.bits) seen.push('voice')
    })
    runUntil(rig, rig.nowMs + 3_000)
    assert.ok(answers(rig, node, vip))
    assert.is(seen.indexOf('probe'), 0, seen.join())
    assert.ok(seen.includes('voice'), seen.join())
  })
}

test('a heavy unit is overtaken by light ones for a bounded time only', () => {
  const heavy = unitOf(80)
  const lights = Array.from({ length: 250 }, (_, i) => `203.0.113.${i}`)
  const { rig, node } = owning([heavy, ...lights].map((texts) => wishOf(texts, ['n0'])))
  leave(rig, node, -40)
  const fromMs = rig.nowMs
  let count = 0
  const atMs = probed(rig, node, '198.51.100.0', () => {
    ask(rig, node, '198.51.100.0')
    // Twice as many light ones as there is credit for, for 6 s.
    for (let i = 0; i < 6_000; i++) {
      runUntil(rig, rig.nowMs + 1)
      const light = lights[i % lights.length]
      if (light !== undefined && unitIn(node, light).round === undefined) ask(rig, node, light)
      if (unitIn(node, lights[i % lights.length] ?? '').round?.isInLine === false) count++
    }
  })
  assert.ok(atMs !== undefined && atMs - fromMs < 1_500, `after ${(atMs ?? Infinity) - fromMs} ms`)
  assert.ok(count > 0)
})

test('of those that fit, the oldest goes first', () => {
  const keys = Array.from({ length: 200 }, (_, i) => `203.0.113.${i}`)
  const { rig, node } = owning(keys.map((texts) => wishOf(texts, ['n0'])))
  leave(rig, node, -startCredit / 5)
  const order: string[] = []
  const wanted = new Map(keys.map((key) => [unitIn(node, key).wish?.addresses[0]?.address.bits, key]))
  rig.listeners.push(({ from, frame }) => {
    const sighting = readFrame(frame)
    const key = sighting?.isProbe === true ? wanted.get(sighting.asks?.bits) : undefined
    if (from === 'n0' && key !== undefined && !order.includes(key)) order.push(key)
  })
  for (const key of keys) {
    ask(rig, node, key)
    runUntil(rig, rig.nowMs + 1)
  }
  runUntil(rig, rig.nowMs + 2_000)
  assert.equal(order, keys)
})

test('a heavy round of a slow node puts nobody off for longer than its own credit takes', () => {
  const heavy = unitOf(250)
  const light = '203.0.113.1'
  const { rig, node } = owning([heavy, light].map((texts) => wishOf(texts, ['n0'])))
  const { ownership: o } = node
  o.late = { count: 4, lastMs: rig.nowMs }
  leave(rig, node, 0)
  ask(rig, node, '198.51.100.0')
  // Slow no more, and with credit again.
  runUntil(rig, rig.nowMs + 3_000)
  o.late = { count: 0, lastMs: 0 }
  runUntil(rig, rig.nowMs + 600)
  const fromMs = rig.nowMs
  const atMs = probed(rig, node, light, () => {
    ask(rig, node, light)
    runUntil(rig, rig.nowMs + 5_000)
  })
  assert.ok(atMs !== undefined && atMs - fromMs <= lineMs, `after ${(atMs ?? Infinity) - fromMs} ms`)
  assert.ok(o.starts.nextMs - rig.nowMs <= lineMs, `${o.starts.nextMs - rig.nowMs} ms ahead`)
})

test.run()
