/** A member of another program: it elects, answers unasked, tells nothing, and stops without a word. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { announceArp, answerArp, arpRequest, decodeArp } from '../l2/arp.ts'
import { rankByHash } from '../l2/placement.ts'
import type { Mac } from '../l2/model.ts'
import type { Leg } from './model.ts'
import { broadcast, type Captured, type Rig, runUntil } from './rig.ts'
import { addressOf, give, lanOf, legAt, notesOf, ownersOf, watch, wishOf } from './stage.ts'

const mac: Mac = '02:00:5e:00:52:77'
const ours = ['n0', 'n1', 'n2']
const names = [...ours, 'metal']
/** Whoever of us has asked last claims first, and hands over to the elected. */
const handedMs = 50

/** MetalLB's election among those of `among`. */
function electedOf(text: string, among: readonly string[]): string {
  return rankByHash(among.map((node) => ({ node, score: 0 })), text)[0]?.node ?? ''
}

/** The first address that the election of all gives to whom `isRight` accepts. */
function vipFor(isRight: (winner: string) => boolean): string {
  const found = Array.from({ length: 50 }, (_, i) => `192.168.1.${100 + i}`).find((text) =>
    isRight(electedOf(text, names)))
  assert.ok(found)
  return found
}

/** Three of ours, and one that is not. */
function ringWith(vip: string, isAlive: boolean, legs: readonly Leg[] = [], rig = lanOf(3)): Rig {
  give(rig, [wishOf(vip, names)], (world) => ({
    ...world, expected: names,
    peers: [...world.peers, { name: 'metal', isAlive, isCapable: false, isRestarted: false, legs }],
  }))
  return rig
}

/** The stranger announces once and answers every question for the address; its kernel has an own one. */
function speak(rig: Rig, vip: string, own?: string): () => void {
  const say = (frame: Uint8Array): void => broadcast(rig, { segment: 'lan', from: 'metal', frame })
  const listener = ({ frame, from }: Captured): void => {
    const packet = decodeArp(frame)
    if (from === 'metal' || typeof packet === 'string' || packet.operation !== arpRequest) return
    const isFor = [vip, ...own === undefined ? [] : [own]].some((text) =>
      packet.target.bits === addressOf(text).bits && packet.sender.bits !== packet.target.bits)
    const isToIt = packet.etherTo === 'ff:ff:ff:ff:ff:ff' || packet.etherTo === mac
    if (isFor && isToIt) say(answerArp(packet, mac))
  }
  rig.listeners.push(listener)
  for (const frame of announceArp(addressOf(vip), mac)) say(frame)
  return () => {
    rig.listeners.splice(rig.listeners.indexOf(listener), 1)
  }
}

test('the elected stranger leaves and answers for a while yet: then another takes over soon', () => {
  const vip = vipFor((winner) => winner === 'metal')
  const rig = ringWith(vip, true)
  runUntil(rig, rig.nowMs + 20)
  const end = speak(rig, vip)
  assert.equal(watch(rig, vip, 5_000).owners, [])
  ringWith(vip, false, [], rig)
  assert.equal(watch(rig, vip, 500).owners, [], 'it answers still')
  end()
  const { darkMs, overlapMs, owners } = watch(rig, vip, 3_000)
  assert.is(owners.at(-1), electedOf(vip, ours))
  assert.ok(overlapMs <= handedMs, `overlap ${overlapMs}`)
  assert.ok(darkMs < 500, `dark ${darkMs}`)
  assert.equal(notesOf(rig, 'inConflict'), [])
})

for (const [it, legs] of [
  ['known by its address', [{ ...legAt(7), mac: '', ifindex: 0, name: '' }]], ['not known at all', []],
] as const) {
  test(`a stranger that is not elected any more sees so late, ${it}: the elected waits for the wire`, () => {
    const vip = vipFor((winner) => winner !== 'metal')
    const rig = lanOf(3)
    const end = speak(rig, vip, '192.168.1.17')
    ringWith(vip, true, legs, rig)
    broadcast(rig, { segment: 'lan', from: 'metal', frame: announceArp(addressOf('192.168.1.17'), mac)[0] })
    assert.equal(watch(rig, vip, 4_500).owners, [])
    end()
    const { darkMs, overlapMs, owners } = watch(rig, vip, 3_000)
    assert.is(owners.at(-1), electedOf(vip, names))
    assert.ok(overlapMs <= handedMs, `overlap ${overlapMs}`)
    assert.ok(darkMs < 500, `dark ${darkMs}`)
    assert.equal(notesOf(rig, 'inConflict'), [])
  })
}

test('a stranger that sees nobody yet takes all: the owner is silent, and back a second after it is', () => {
  const vip = vipFor((winner) => winner !== 'metal')
  const rig = ringWith(vip, true)
  runUntil(rig, rig.nowMs + 2_000)
  const [owner] = ownersOf(rig, vip)
  assert.ok(owner)
  const end = speak(rig, vip)
  runUntil(rig, rig.nowMs + 1)
  assert.equal(watch(rig, vip, 3_000).owners, [])
  end()
  const { darkMs, owners } = watch(rig, vip, 3_000)
  assert.equal(owners, [owner])
  assert.ok(darkMs < 1_200, `dark ${darkMs}`)
})

test.run()
