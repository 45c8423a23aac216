/** Rounds of probes that wait in line: in which order they begin, with what, and that the wait ends. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { attempt } from './claim.ts'
import { creditPerMs, fenceMs, lineMs, lineTickMs, overtakenMs, startCredit } from './limits.ts'
import type { Wish } from './model.ts'
import { hush, release } from './own.ts'
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

/** In which order the node probes for these for the first time from now on; it grows. */
function watchOrder(rig: Rig, node: RigNode, keys: readonly string[]): readonly string[] {
  const order: string[] = []
  const wanted = new Map(keys.map((key) => [unitIn(node, key).wish?.addresses[0]?.address.bits, key]))
  rig.listeners.push(({ from, frame }) => {
    const sighting = readFrame(frame)
    const key = sighting?.isProbe === true ? wanted.get(sighting.asks?.bits) : undefined
    if (from === node.name && key !== undefined && !order.includes(key)) order.push(key)
  })
  return order
}

/** Nobody answers for the unit from now on, and this node is to claim it, or to resume it. */
function darken(rig: Rig, node: RigNode, key: string, purpose: 'claim' | 'resume'): void {
  const { ownership: o } = node
  const unit = unitIn(node, key)
  if (purpose === 'claim') {
    release(o, unit, { cause: 'contested', to: undefined }, rig.nowMs)
    const loss = { suspect: undefined, cause: 'placed', segments: undefined } as const
    attempt(o, unit, { ...loss, lastBeatMs: rig.nowMs - fenceMs }, { rank: 0, now: rig.nowMs })
  } else {
    hush(o, unit, 'contested', rig.nowMs)
    if (unit.own !== undefined) unit.own.probeMs = rig.nowMs
    lookAt(o, unit, rig.nowMs)
  }
  node.wakeMs = rig.nowMs
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
  const order = watchOrder(rig, node, keys)
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

test('checks of all units are in line when an owner dies: its unit is claimed before them', () => {
  const rig = lanOf(3)
  const checked = Array.from({ length: 600 }, (_, i) => `2001:db8::${(i + 1).toString(16)}`)
  const rest = checked.map((text) => wishOf(text, ['n1']))
  give(rig, [wishOf(vip, ['n0']), ...rest])
  runUntil(rig, rig.nowMs + 5_000)
  give(rig, [wishOf(vip, ['n0', 'n1']), ...rest])
  runUntil(rig, rig.nowMs + 1_000)
  const [owner, node] = [nodeOf(rig, 'n0'), nodeOf(rig, 'n1')]
  assert.ok(answers(rig, owner, vip))
  // As after the first 1,000 of them.
  leave(rig, node, 0)
  for (const key of checked) ask(rig, node, key)
  runUntil(rig, rig.nowMs + 100)
  owner.isUp = false
  const unit = unitIn(node, vip)
  let inLine: number | undefined
  rig.listeners.push(({ from, frame }) => {
    const { asks, isProbe } = readFrame(frame) ?? {}
    if (from !== 'n1' || isProbe !== true || asks?.bits !== unit.wish?.addresses[0]?.address.bits) return
    inLine ??= checked.filter((key) => unitIn(node, key).round?.isInLine === true).length
  })
  runUntil(rig, rig.nowMs + 5_000)
  assert.ok(answers(rig, node, vip))
  assert.ok(inLine !== undefined && inLine > 200, `${inLine} checks were still in line`)
  assert.is(checked.filter((key) => unitIn(node, key).round !== undefined).length, 0)
})

for (const purpose of ['claim', 'resume'] as const) {
  test(`a heavy check that was overtaken for long does not hold up a ${purpose}`, () => {
    const heavy = '198.51.100.0'
    const { rig, node } = owning([unitOf(80), vip].map((texts) => wishOf(texts, ['n0'])))
    leave(rig, node, -startCredit)
    const order = watchOrder(rig, node, [heavy, vip])
    ask(rig, node, heavy)
    runUntil(rig, rig.nowMs + 2 * overtakenMs)
    darken(rig, node, vip, purpose)
    runUntil(rig, rig.nowMs + 4_000)
    assert.equal(order, [vip, heavy])
  })

  test(`light checks do not overtake a heavy ${purpose}`, () => {
    const heavy = '198.51.100.0'
    const light = '203.0.113.1'
    const { rig, node } = owning([unitOf(80), light].map((texts) => wishOf(texts, ['n0'])))
    leave(rig, node, -60)
    const order = watchOrder(rig, node, [heavy, light])
    ask(rig, node, light)
    darken(rig, node, heavy, purpose)
    runUntil(rig, rig.nowMs + 2_000)
    assert.equal(order, [heavy, light])
  })
}

test('what is heavier than a full credit leaves a debt of one full credit at most', () => {
  const heavy = Array.from({ length: 3_000 }, (_, i) => `2001:db8::${(i + 1).toString(16)}`)
  const light = '203.0.113.1'
  const { rig, node } = owning([heavy.join(' '), light].map((texts) => wishOf(texts, ['n0'])))
  runUntil(rig, rig.nowMs + 1_000)
  leave(rig, node, startCredit)
  ask(rig, node, '2001:db8::1')
  runUntil(rig, rig.nowMs + 1)
  assert.is(unitIn(node, '2001:db8::1').round?.isInLine, false)
  const fromMs = rig.nowMs
  const atMs = probed(rig, node, light, () => {
    ask(rig, node, light)
    runUntil(rig, rig.nowMs + 5_000)
  })
  const mostMs = startCredit / creditPerMs + lineTickMs
  assert.ok(atMs !== undefined && atMs - fromMs <= mostMs, `after ${(atMs ?? Infinity) - fromMs} ms`)
})

test('a beat that is told of while the claim is in line puts it off until the fence of that beat', () => {
  const { rig, node } = owning([wishOf(vip, ['n0'])])
  leave(rig, node, -startCredit / 4)
  let beatMs = rig.nowMs
  const atMs = probed(rig, node, vip, () => {
    darken(rig, node, vip, 'claim')
    runUntil(rig, rig.nowMs + 350)
    assert.is(unitIn(node, vip).round?.isInLine, true)
    beatMs = rig.nowMs
    const loss = { suspect: undefined, cause: 'placed', segments: undefined, lastBeatMs: beatMs } as const
    attempt(node.ownership, unitIn(node, vip), loss, { rank: 0, now: rig.nowMs })
    runUntil(rig, rig.nowMs + 2_000)
  })
  assert.ok(atMs !== undefined && atMs >= beatMs + fenceMs, `${(atMs ?? Infinity) - beatMs} ms after it`)
})

test.run()
