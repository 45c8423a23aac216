/** Loss of an owner, each way it can happen: who takes over, how fast, and never two at once. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Millis } from '../net/model.ts'
import { check } from './conflict.ts'
import { hush } from './own.ts'
import { type Rig, type RigNode, runUntil, setWorld } from './rig.ts'
import {
  give, lanOf, nodeOf, notesOf, ownersOf, settled, watch, wishOf,
} from './stage.ts'
import type { Unit } from './state.ts'
import { readFrame } from './wire.ts'

const vip = '192.168.1.100'

function unitIn({ ownership }: RigNode, key: string): Unit {
  const unit = ownership.units.get(key)
  if (unit === undefined) throw new RangeError(`No unit "${key}"`)
  return unit
}

function placed(count: number) {
  const rig = lanOf(count)
  const wishes = [wishOf(vip, [...rig.nodes.keys()])]
  give(rig, wishes)
  const owner = settled(rig, vip)
  rig.notes.length = 0
  return { rig, owner, wishes }
}

for (const count of [2, 3, 10, 20]) {
  test(`${count} nodes: the owner is killed, dark at most 600 ms, one voice`, () => {
    const { rig, owner } = placed(count)
    for (let phase = 0; phase < 1; phase++) {
      owner.isUp = false
      const { darkMs, overlapMs, owners } = watch(rig, vip, 2_000)
      assert.ok(darkMs >= 200 && darkMs <= 600, `dark ${darkMs}`)
      assert.is(overlapMs, 0)
      assert.is(owners.length, 1)
      assert.equal(notesOf(rig, 'claimed'), [`${owners[0]} ownerSilent`])
    }
  })
}

test('nothing happens: the owner goes on, nobody else claims', () => {
  const { rig, owner } = placed(5)
  const { darkMs, overlapMs, owners } = watch(rig, vip, 10_000)
  assert.equal({ darkMs, overlapMs, owners }, { darkMs: 0, overlapMs: 0, owners: [owner.name] })
  assert.equal(rig.notes, [])
})

test('a frozen owner is silent when it thaws, and yields to the new one', () => {
  const { rig, owner } = placed(3)
  owner.isFrozen = true
  watch(rig, vip, 3_000)
  const [next] = ownersOf(rig, vip)
  assert.is.not(next, owner.name)
  owner.isFrozen = false
  const { darkMs, overlapMs, owners } = watch(rig, vip, 3_000)
  assert.equal({ darkMs, overlapMs, owners }, { darkMs: 0, overlapMs: 0, owners: [next] })
  assert.ok(notesOf(rig, 'released').includes(`${owner.name} expired`))
})

test('a freeze shorter than the fence changes nothing', () => {
  const { rig, owner } = placed(3)
  for (let i = 0; i < 5; i++) {
    owner.isFrozen = true
    runUntil(rig, rig.nowMs + 150)
    owner.isFrozen = false
    assert.equal(watch(rig, vip, 500).overlapMs, 0)
  }
  assert.equal(ownersOf(rig, vip), [owner.name])
  assert.equal(notesOf(rig, 'claimed'), [])
})

test('the only member that is left resumes after a freeze, by itself', () => {
  const { rig, owner } = placed(2)
  for (const node of rig.nodes.values()) if (node !== owner) node.isUp = false
  give(rig, owner.world.wishes)
  runUntil(rig, rig.nowMs + 500)
  owner.isFrozen = true
  runUntil(rig, rig.nowMs + 700)
  owner.isFrozen = false
  runUntil(rig, rig.nowMs + 1_000)
  assert.equal(ownersOf(rig, vip), [owner.name])
  assert.ok(notesOf(rig, 'resumed').includes(`${owner.name} expired`))
})

test('a silent owner whose unit gets another name resumes under it', () => {
  const rig = lanOf(2)
  give(rig, [wishOf('192.168.1.240 192.168.1.241', ['n0', 'n1'])])
  const owner = settled(rig, '192.168.1.240')
  hush(owner.ownership, unitIn(owner, '192.168.1.240'), 'contested', rig.nowMs)
  give(rig, [wishOf('192.168.1.241', ['n0', 'n1'])])
  runUntil(rig, rig.nowMs + 1_000)
  assert.equal(ownersOf(rig, '192.168.1.241'), [owner.name])
})

test('an owner that falls silent while it checks asks anew, and resumes', () => {
  const { rig, owner } = placed(2)
  const unit = unitIn(owner, vip)
  runUntil(rig, rig.nowMs + 2_000)
  check(owner.ownership, unit, rig.nowMs)
  assert.is(unit.round?.purpose, 'check')
  hush(owner.ownership, unit, 'ownerDeaf', rig.nowMs)
  runUntil(rig, rig.nowMs + 1_000)
  assert.equal(ownersOf(rig, vip), [owner.name])
})

test('gossip and beats cut, the segment whole: the wire shows the owner, nothing moves', () => {
  const { rig, owner } = placed(4)
  for (const node of rig.nodes.values()) node.isMuted = (what) => what === 'message'
  const { darkMs, overlapMs, owners } = watch(rig, vip, 8_000)
  assert.equal({ darkMs, overlapMs, owners }, { darkMs: 0, overlapMs: 0, owners: [owner.name] })
  assert.ok(notesOf(rig, 'postponed').some((text) => text.endsWith('ownerAnswers')))
})

test('gossip says dead, the segment says alive: nothing moves', () => {
  const { rig, owner, wishes } = placed(4)
  for (const node of rig.nodes.values()) {
    node.isMuted = (what) => what === 'message'
  }
  give(rig, wishes, (world, node) => ({
    ...world, peers: world.peers.map((peer) => ({ ...peer, isAlive: peer.name === node.name })),
  }))
  const { darkMs, overlapMs, owners } = watch(rig, vip, 5_000)
  assert.equal({ darkMs, overlapMs, owners }, { darkMs: 0, overlapMs: 0, owners: [owner.name] })
})

test('killed while gossip and beats are cut: dark at most 1.6 s', () => {
  const { rig, owner } = placed(4)
  for (const node of rig.nodes.values()) node.isMuted = (what) => what === 'message'
  watch(rig, vip, 3_000)
  owner.isUp = false
  const { darkMs, overlapMs } = watch(rig, vip, 3_000)
  assert.ok(darkMs <= 1_600, `dark ${darkMs}`)
  assert.is(overlapMs, 0)
  // Since its last answer, which others have asked for once a second.
  const toldMs = darkTold(rig)
  assert.ok(toldMs !== undefined, 'told nothing')
  assert.ok(toldMs >= darkMs && toldMs <= darkMs + 1_100, `told ${toldMs} of ${darkMs}`)
})

function darkTold({ notes }: Rig): Millis | undefined {
  const claims = notes.flatMap(({ note }) => note.kind === 'claimed' ? [note] : [])
  assert.is(claims.length, 1)
  return claims[0]?.darkMs
}

for (const hasBeaten of [true, false]) {
  const since = hasBeaten ? 'its last beat' : 'nobody knows when'
  test(`an owner that membership alone has lost: dark since ${since}`, () => {
    const { rig, owner, wishes } = placed(4)
    rig.nodes.forEach((node) => node.isMuted = (what) => what === 'message')
    owner.isUp = false
    const diedMs = rig.nowMs
    for (const { ownership } of rig.nodes.values()) {
      // Its monitors died with it, and nobody witnesses.
      for (const { suspected } of ownership.beats.values()) {
        suspected.set(2, { count: 9, nextMs: diedMs + 1e6 })
      }
      if (!hasBeaten) ownership.beats.clear()
      ownership.witnessing.clear()
      ownership.isWitness.set(owner.name, false)
    }
    runUntil(rig, diedMs + 1_000)
    assert.equal(notesOf(rig, 'claimed'), [])
    give(rig, wishes)
    const { darkMs } = watch(rig, vip, 1_000)
    const toldMs = darkTold(rig)
    if (!hasBeaten) assert.is(toldMs, undefined)
    else assert.ok(toldMs !== undefined && toldMs >= 1_000 + darkMs, `told ${toldMs}`)
  })
}

test('an owner whose fence has passed leaves the unit to whom beats for it, without asking', () => {
  const { rig, owner } = placed(3)
  owner.isFrozen = true
  runUntil(rig, rig.nowMs + 700)
  const [heir] = ownersOf(rig, vip)
  const sinceMs = rig.nowMs
  owner.isFrozen = false
  runUntil(rig, rig.nowMs + 500)
  const asked = rig.captured.filter(({ atMs, from, frame }) =>
    atMs >= sinceMs && from === owner.name && readFrame(frame)?.isProbe === true)
  assert.equal(notesOf(rig, 'released'), [`${owner.name} expired`])
  assert.equal([asked.length, ownersOf(rig, vip)], [0, [heir]])
})

test('owner and its three monitors die together: a witness opens the claim within 1.6 s', () => {
  const { rig, owner } = placed(10)
  const dead = [owner.name, ...new Set(owner.ownership.targets.map(({ to }) => to))]
  assert.is(dead.length, 4)
  for (const name of dead) nodeOf(rig, name).isUp = false
  const { darkMs, overlapMs, owners } = watch(rig, vip, 4_000)
  assert.ok(darkMs <= 1_600, `dark ${darkMs}`)
  assert.is(overlapMs, 0)
  assert.equal(notesOf(rig, 'claimed'), [`${owners[0]} ownerDeaf`])
})

test('the uplink behind a healthy carrier: the owner is deaf, stops within 900 ms, another claims', () => {
  const { rig, owner } = placed(4)
  owner.isMuted = (what, _, ifindex) => what === 'frame' || ifindex === 2
  const first = watch(rig, vip, 4_000)
  assert.is.not(first.owners.at(-1), owner.name)
  assert.is(ownersOf(rig, vip).length, 1)
  assert.ok(notesOf(rig, 'silenced').includes(`${owner.name} ownerDeaf`))
  owner.isMuted = () => false
  const { overlapMs, darkMs, owners } = watch(rig, vip, 4_000)
  assert.is(overlapMs, 0)
  assert.is(darkMs, 0)
  assert.is(owners.length, 1)
})

test('receive side dead, sending fine: dark at most 1.6 s, one owner afterwards', () => {
  const { rig, owner } = placed(4)
  owner.isMuted = (what, way) => what === 'frame' && way === 'in'
  const { darkMs, overlapMs } = watch(rig, vip, 5_000)
  assert.is(overlapMs, 0)
  assert.ok(darkMs <= 1_600, `dark ${darkMs}`)
  assert.is(ownersOf(rig, vip).length, 1)
})

test('a claim of a deaf node is put off: segmentUnheard', () => {
  const { rig, owner } = placed(3)
  const [one] = [...rig.nodes.values()].filter((node) => node !== owner)
  assert.ok(one)
  one.isMuted = (what, way) => what === 'frame' && way === 'in'
  owner.isUp = false
  watch(rig, vip, 1_000)
  assert.ok(notesOf(rig, 'postponed').includes(`${one.name} segmentUnheard`))
  assert.not.ok(notesOf(rig, 'claimed').some((text) => text.startsWith(one.name)))
})

test('a claim that another member answers is over, whatever that sends: memberAnswers', () => {
  const { rig, owner } = placed(4)
  const [late] = [...rig.nodes.values()].filter((node) => node !== owner)
  assert.ok(late)
  late.isMuted = () => true
  owner.isUp = false
  watch(rig, vip, 1_000)
  const before = ownersOf(rig, vip)
  late.isMuted = (what) => what === 'message'
  const peers = late.world.peers.map((peer) => ({ ...peer, isAlive: peer.name !== owner.name }))
  setWorld(rig, late, { ...late.world, peers })
  const { overlapMs, owners } = watch(rig, vip, 2_000)
  assert.is(overlapMs, 0)
  assert.equal(owners, before)
  assert.ok(notesOf(rig, 'postponed').includes(`${late.name} memberAnswers`))
})

test('a deaf first in rank never claims; the next does', () => {
  const { rig, owner } = placed(4)
  const deaf = [...rig.nodes.values()].filter((node) => node !== owner)[0]
  assert.ok(deaf)
  deaf.isMuted = (what, way) => what === 'frame' && way === 'in'
  runUntil(rig, rig.nowMs + 500)
  owner.isUp = false
  const { darkMs, overlapMs, owners } = watch(rig, vip, 3_000)
  assert.not.ok(owners.includes(deaf.name))
  assert.ok(darkMs <= 800, `dark ${darkMs}`)
  assert.is(overlapMs, 0)
})

test('split and healed: one owner each side, then one, overlap at most 250 ms', () => {
  const { rig, owner, wishes } = placed(4)
  const away = [...rig.nodes.values()].filter((node) => node !== owner).slice(0, 2)
  for (const node of away) {
    node.plugs.set(2, 'island')
    node.isMuted = (what) => what === 'message'
  }
  const names = new Set(away.map(({ name }) => name))
  watch(rig, vip, 3_000)
  give(rig, wishes, (world, node) => ({
    ...world, peers: world.peers.map((peer) => ({
      ...peer, isAlive: names.has(peer.name) === names.has(node.name),
    })),
  }))
  runUntil(rig, rig.nowMs + 3_000)
  assert.is(ownersOf(rig, vip).length, 2)
  for (const node of away) {
    node.plugs.set(2, 'lan')
    node.isMuted = () => false
  }
  const { overlapMs, darkMs } = watch(rig, vip, 2_000)
  assert.ok(overlapMs <= 250, `overlap ${overlapMs}`)
  assert.ok(darkMs <= 500, `dark ${darkMs}`)
  assert.is(ownersOf(rig, vip).length, 1)
})

test.run()
