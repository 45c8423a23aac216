/** An owner asks for its own addresses: who took one without a word is found, and nobody else is troubled. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { announceArp, answerArp, arpRequest, decodeArp } from '../l2/arp.ts'
import { broadcastMac } from '../l2/frame.ts'
import { decodeNeighbour, groupMac, solicitedNodeGroup, typeSolicitation } from '../l2/ndp.ts'
import { deafMs, patrolMs, wholeBurstMs } from './limits.ts'
import {
  addNodes, broadcast, type Captured, createRig, emit, type Rig, type RigNode, runUntil, setWorld,
} from './rig.ts'
import { addressOf, give, lanOf, legAt, notesOf, ownersOf, settled, watch, wishOf } from './stage.ts'
import { foreignVoices } from './view.ts'
import { readFrame } from './wire.ts'

const vip = '192.168.1.100'
const vipBits = addressOf(vip).bits
const foreignMac = '02:00:5e:00:53:66'

/** All are owned, the first announcements are over, and nothing has been noted since. */
function calm(count: number, wishes: readonly string[] = [vip], segments?: readonly string[]) {
  const rig = lanOf(count, segments)
  const list = wishes.map((texts) => wishOf(texts, [...rig.nodes.keys()]))
  give(rig, list)
  const owner = settled(rig, wishes[0]?.split(' ')[0] ?? '')
  runUntil(rig, rig.nowMs + wholeBurstMs)
  rig.notes.length = 0
  rig.captured.length = 0
  return { rig, owner, wishes: list }
}

const bytesOf = (mac: string): readonly number[] => mac.split(':').map((part) => parseInt(part, 16))

/** Answers the asker alone, as a kernel does that has been given the address: it says nothing by itself. */
function answerAs(
  rig: Rig, mac: string, text = vip, { from = 'foreign', etherFrom = mac, isProxy = false } = {},
): void {
  rig.listeners.push(({ frame, segment, from: sender }: Captured): void => {
    const packet = decodeArp(frame)
    if (sender === from || typeof packet === 'string' || packet.operation !== arpRequest) return
    const isAsked = packet.target.bits === addressOf(text).bits && packet.sender.bits !== packet.target.bits
    const isForMac = packet.etherTo === 'ff:ff:ff:ff:ff:ff' || packet.etherTo === mac
    if (isProxy && packet.sender.bits === 0n) return
    if (!isAsked || !isForMac) return
    const answer = answerArp(packet, mac)
    answer.set(bytesOf(etherFrom), 6)
    broadcast(rig, { segment, from, frame: answer })
  })
}

/** What the node has asked everybody for, in the order of the frames; marked where a claim asks so. */
function asksOf(rig: Rig, name: string): readonly string[] {
  return rig.captured.flatMap(({ from, frame, segment }) => {
    const packet = decodeArp(frame)
    if (from !== name || typeof packet === 'string' || packet.operation !== arpRequest) return []
    const { etherTo, sender, senderMac, target, targetMac } = packet
    const isAsk = etherTo === broadcastMac && target.bits >= vipBits && target.bits < vipBits + 20n
    // What answers for others answers no frame from 0.0.0.0.
    const how = sender.bits !== 0n ? ' request' : targetMac === senderMac ? '' : ' claim'
    return isAsk ? [`${segment} .${target.bits & 0xffn}${how}`] : []
  })
}

const count = (rig: Rig, { name }: RigNode): number => asksOf(rig, name).length

for (const nodes of [1, 4]) {
  test(`a host answers and announces nothing, ${nodes} nodes: silent within a second, inConflict`, () => {
    const { rig, owner } = calm(nodes)
    const sinceMs = rig.nowMs
    answerAs(rig, foreignMac)
    for (let i = 0; i < 5_000 && ownersOf(rig, vip).length > 0; i++) runUntil(rig, rig.nowMs + 1)
    assert.ok(rig.nowMs - sinceMs <= patrolMs + 10, `it answered for ${rig.nowMs - sinceMs} ms`)
    assert.equal(watch(rig, vip, 5_000).owners, [])
    assert.equal(notesOf(rig, 'inConflict'), [`${owner.name} ${vip}`])
    assert.equal(notesOf(rig, 'claimed'), [])
    assert.equal(foreignVoices(owner.ownership, rig.nowMs), [{ text: vip, mac: foreignMac }])
  })
}

test('each address has its turn: with three, the last of them is found within 3 s', () => {
  const texts = ['192.168.1.100', '192.168.1.101 192.168.1.103']
  const { rig, owner } = calm(1, texts)
  runUntil(rig, rig.nowMs + 6 * patrolMs)
  assert.equal(asksOf(rig, owner.name).toSorted(),
    ['lan .100', 'lan .100', 'lan .101', 'lan .101', 'lan .103', 'lan .103'])
  for (const text of texts.flatMap((each) => each.split(' '))) {
    const { rig: other, owner: its } = calm(1, texts)
    answerAs(other, foreignMac, text)
    runUntil(other, other.nowMs + 3 * patrolMs + 10)
    assert.is(other.notes.some(({ note }) => note.kind === 'silenced'), true, text)
    assert.is(its.rights.size, text === '192.168.1.100' ? 2 : 1, `${text}: its unit is silent, no other`)
  }
})

test('one question in a second on each leg, and nobody takes it for anything', () => {
  const { rig, owner } = calm(4, [vip], ['lan', 'dmz'])
  const seen = watch(rig, vip, 10 * patrolMs)
  assert.equal(seen, { darkMs: 0, overlapMs: 0, owners: [owner.name] })
  assert.equal(asksOf(rig, owner.name).toSorted(),
    [...Array<string>(10).fill('dmz .100'), ...Array<string>(10).fill('lan .100')])
  for (const { name } of rig.nodes.values()) if (name !== owner.name) assert.equal(asksOf(rig, name), [])
  assert.equal(rig.notes, [])
})

test('twenty owners ask as often as ten together', () => {
  const texts = Array.from({ length: 20 }, (_, i) => `192.168.1.${100 + i}`)
  const { rig } = calm(20, texts)
  runUntil(rig, rig.nowMs + 10 * patrolMs)
  const all = [...rig.nodes.values()].map((node) => count(rig, node)).reduce((a, b) => a + b)
  assert.ok(all >= 90 && all <= 110, `${all} in 10 s`)
})

test('nothing is asked within the first announcements, nor by an owner that is drained', () => {
  const rig = lanOf(1)
  give(rig, [wishOf(vip, ['n0'])])
  const owner = settled(rig, vip)
  runUntil(rig, rig.nowMs + 500)
  // The probe round of its first instants alone.
  const begun = count(rig, owner)
  runUntil(rig, rig.nowMs + 2_000)
  assert.is(count(rig, owner), begun)
  runUntil(rig, rig.nowMs + 5_000)
  assert.ok(count(rig, owner) > begun)
  setWorld(rig, owner, { ...owner.world, isDraining: true })
  const asked = count(rig, owner)
  runUntil(rig, rig.nowMs + 5_000)
  assert.is(count(rig, owner), asked)
})

test('a silent owner asks by its rounds alone', () => {
  const { rig, owner } = calm(1)
  answerAs(rig, foreignMac)
  runUntil(rig, rig.nowMs + 2 * patrolMs)
  rig.captured.length = 0
  runUntil(rig, rig.nowMs + 5 * patrolMs)
  assert.equal(asksOf(rig, owner.name), [])
})

/** Solicitations that the node sent: whose address they come from, and to which group. */
function solicitationsOf(rig: Rig, { name }: RigNode): readonly unknown[] {
  return rig.captured.flatMap(({ from, frame }) => {
    const packet = decodeNeighbour(frame)
    if (from !== name || typeof packet === 'string' || packet.type !== typeSolicitation) return []
    return [[packet.source.bits, packet.etherTo, packet.target, packet.mac]]
  })
}

const vip6 = addressOf('2001:db8::100')
const group6 = groupMac(solicitedNodeGroup(vip6))

test('IPv6: one solicitation from the link-local address, to the group of the one asked for', () => {
  const { rig, owner } = calm(1, ['2001:db8::100'])
  runUntil(rig, rig.nowMs + 3 * patrolMs)
  const [leg] = owner.legs
  const local = addressOf('fe80::2:10').bits
  assert.equal(solicitationsOf(rig, owner), Array(3).fill([local, group6, vip6, leg?.mac]))
})

test('a leg without an address of its own asks too', () => {
  const rig = createRig()
  addNodes(rig, ['n0'], () => [{ ...legAt(0), addresses: [] }])
  for (const node of rig.nodes.values()) node.plugs.set(2, 'lan')
  give(rig, [wishOf(`${vip} 2001:db8::100`, ['n0'])])
  const owner = settled(rig, vip)
  runUntil(rig, rig.nowMs + wholeBurstMs)
  rig.captured.length = 0
  runUntil(rig, rig.nowMs + 4 * patrolMs)
  assert.equal(asksOf(rig, owner.name), ['lan .100', 'lan .100'])
  assert.equal(solicitationsOf(rig, owner), Array(2).fill([0n, group6, vip6, undefined]))
})

test('a router that answers requests for others, and no probe: nothing changes', () => {
  const { rig, owner } = calm(2)
  answerAs(rig, foreignMac, vip, { isProxy: true })
  assert.equal(watch(rig, vip, 5_000), { darkMs: 0, overlapMs: 0, owners: [owner.name] })
  assert.equal(rig.notes, [])
})

test('a member that claims does not wait for an owner that asks', () => {
  const { rig, owner } = calm(2)
  runUntil(rig, rig.nowMs + patrolMs)
  const asked = rig.captured.findLast(({ from, frame }) => {
    const packet = decodeArp(frame)
    return from === owner.name && typeof packet !== 'string' && packet.target.bits === vipBits
  })
  assert.ok(asked)
  const { asks, asserts, isProbe } = readFrame(asked.frame) ?? {}
  assert.equal([asks?.bits, asserts, isProbe], [vipBits, undefined, false])
})

test('a fabric that suppresses ARP answers with the owner\'s own MAC: nothing changes', () => {
  const { rig, owner } = calm(3)
  answerAs(rig, owner.legs[0]?.mac ?? '', vip, { from: 'fabric' })
  assert.equal(watch(rig, vip, 5_000), { darkMs: 0, overlapMs: 0, owners: [owner.name] })
  assert.equal(rig.notes, [])
})

test('a fabric that answers in the owner\'s name does not count as a host that hears it', () => {
  const { rig, owner } = calm(2)
  for (const node of rig.nodes.values()) if (node !== owner) node.isMuted = () => true
  answerAs(rig, owner.legs[0]?.mac ?? '', vip, { from: 'fabric', etherFrom: foreignMac })
  const sinceMs = rig.nowMs
  for (let i = 0; i < 5_000 && ownersOf(rig, vip).includes(owner.name); i++) runUntil(rig, rig.nowMs + 1)
  assert.ok(rig.nowMs - sinceMs <= deafMs + 10, `deaf after ${rig.nowMs - sinceMs} ms`)
})

test('kernels of all others answer, without strictARP: an owner that works goes on, told once', () => {
  const { rig, owner } = calm(4)
  for (const { name, legs } of rig.nodes.values()) {
    if (name !== owner.name) answerAs(rig, legs[0]?.mac ?? '', vip, { from: name })
  }
  assert.equal(watch(rig, vip, 20_000), { darkMs: 0, overlapMs: 0, owners: [owner.name] })
  assert.equal(rig.notes.map(({ note }) => note.kind), ['strictARP'])
})

test('a member that announces what was asked for is contested as ever', () => {
  const { rig, owner } = calm(3)
  const other = [...rig.nodes.values()].find((node) => node !== owner)
  const mac = other?.legs[0]?.mac
  assert.ok(other && mac)
  answerAs(rig, mac, vip, { from: other.name })
  runUntil(rig, rig.nowMs + patrolMs)
  assert.equal(notesOf(rig, 'silenced'), [])
  const [frame] = announceArp(addressOf(vip), mac)
  emit(rig, other, 2, frame)
  runUntil(rig, rig.nowMs + 2)
  assert.equal(notesOf(rig, 'silenced'), [`${owner.name} contested`])
})

test.run()
