/** Whether silence means anything: which hosts count as others, for a node that nobody hears any more. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { answerArp, arpRequest, decodeArp } from '../l2/arp.ts'
import { broadcastMac } from '../l2/frame.ts'
import { formatAddress, sameAddress } from '../net/address.ts'
import { decodeMessage, encodeMessage, entryOf, messageOf } from './codec.ts'
import { announcementOf, broadcast, type Rig, type RigNode, runUntil, setWorld } from './rig.ts'
import { addressOf, give, lanOf, nodeOf, notesOf, ownersOf, settled, wishOf } from './stage.ts'
import { readFrame } from './wire.ts'

const router = { address: addressOf('192.168.1.1'), mac: '02:00:5e:00:53:01' }

/** A node hears nothing from now on, and membership calls everybody else dead. */
function cutOff(rig: Rig, node: RigNode): void {
  node.isMuted = (_, way) => way === 'in'
  const peers = node.world.peers.map((peer) => ({ ...peer, isAlive: peer.name === node.name }))
  setWorld(rig, node, { ...node.world, peers })
}

test('a node that many members have been heard on still knows the host that is none', () => {
  const rig = lanOf(12)
  const names = [...rig.nodes.keys()]
  give(rig, Array.from({ length: 24 }, (_, i) => wishOf(`192.168.1.${100 + i}`, names)))
  for (const frame of announcementOf(router.address, router.mac)) {
    broadcast(rig, { segment: 'lan', from: 'router', frame })
  }
  runUntil(rig, rig.nowMs + 2_000)
  const talkers = new Set(notesOf(rig, 'claimed').map((text) => text.split(' ')[0]))
  assert.ok(talkers.size > 8, `${talkers.size} members announce`)
  cutOff(rig, nodeOf(rig, 'n0'))
  rig.notes.length = 0
  runUntil(rig, rig.nowMs + 5_000)
  assert.equal(notesOf(rig, 'claimed').filter((text) => text.startsWith('n0 ')), [])
})

test('whoever owns nothing asks its router once, to know for later that there is another host', () => {
  const rig = lanOf(3)
  const asked: string[] = []
  rig.listeners.push(({ from, frame }) => {
    const { asks } = readFrame(frame) ?? {}
    if (asks !== undefined && sameAddress(asks, router.address)) asked.push(from)
  })
  give(rig, [], (world) => ({ ...world, gateways: new Map([[2, [router.address]]]) }))
  runUntil(rig, rig.nowMs + 5_000)
  assert.equal(asked.toSorted(), ['n0', 'n1', 'n2'])
})

/** What a node has told the others since an instant, by kind. */
function toldBy(rig: Rig, { name }: RigNode, sinceMs: number): ReadonlySet<string> {
  const told = rig.messages.filter(({ from, atMs }) => from === name && atMs >= sinceMs)
  return new Set(told.map(({ bytes }) => decodeMessage(bytes)?.kind ?? 'none'))
}

const vip = '192.168.1.100'

/** Nodes on one segment, and the owner of `vip`, which hears nobody from now on if it is deaf. */
function ownedOf(count: number, isDeaf: boolean) {
  const rig = lanOf(count)
  const names = [...rig.nodes.keys()]
  give(rig, [wishOf(vip, names)])
  const owner = settled(rig, vip)
  if (isDeaf) owner.isMuted = (what, way) => what === 'frame' && way === 'in'
  return { rig, names, owner }
}

for (const isDeaf of [true, false]) {
  const when = isDeaf ? 'but not if it is silent as deaf' : 'if it hears'
  test(`an owner that may no longer be one hands over, ${when}`, () => {
    const { rig, names, owner } = ownedOf(4, isDeaf)
    runUntil(rig, rig.nowMs + 1_100)
    assert.equal(notesOf(rig, 'silenced'), isDeaf ? [`${owner.name} ownerDeaf`] : [])
    const sinceMs = rig.nowMs
    give(rig, [wishOf(vip, names.filter((name) => name !== owner.name))])
    runUntil(rig, rig.nowMs + 3_000)
    assert.is(toldBy(rig, owner, sinceMs).has('offer'), !isDeaf)
    assert.equal(notesOf(rig, 'released'), [`${owner.name} ${isDeaf ? 'ineligible' : 'handOver'}`])
    assert.equal(ownersOf(rig, vip).filter((name) => name !== owner.name).length, 1)
  })
}

test('at rest witnesses and owners ask one, and nobody else is asked by broadcast', () => {
  const rig = lanOf(8)
  give(rig, Array.from({ length: 8 }, (_, i) => wishOf(`192.168.1.${100 + i}`, [...rig.nodes.keys()])))
  runUntil(rig, rig.nowMs + 3_000)
  const asked = new Map<string, number>()
  rig.listeners.push(({ frame }) => {
    const { asks, to, from } = readFrame(frame) ?? {}
    // An owner asks everybody for its own address, once a second.
    const owner = asks === undefined ? undefined : ownersOf(rig, formatAddress(asks))[0]
    const isOwn = to === broadcastMac && owner !== undefined && nodeOf(rig, owner).legs[0]?.mac === from
    const whom = isOwn ? 'patrol' : to
    if (asks !== undefined && whom !== undefined) asked.set(whom, (asked.get(whom) ?? 0) + 1)
  })
  runUntil(rig, rig.nowMs + 6_000)
  assert.is(asked.get(broadcastMac), undefined)
  const patrols = asked.get('patrol') ?? 0
  assert.ok(asked.delete('patrol') && patrols <= 8 * 6, `${patrols} of eight owners in 6 s`)
  assert.is(asked.size, 8, 'each of them is asked')
})

test('a new unit is not left with a node that cannot send on its only segment', () => {
  const rig = lanOf(3)
  const names = [...rig.nodes.keys()]
  give(rig, [])
  runUntil(rig, rig.nowMs + 2_000)
  const dumb = nodeOf(rig, 'n0')
  dumb.isMuted = (what, way) => what === 'frame' && way === 'out'
  give(rig, Array.from({ length: 9 }, (_, i) => wishOf(`192.168.1.${100 + i}`, names)))
  runUntil(rig, rig.nowMs + 1_500)
  const given = notesOf(rig, 'released').filter((text) => text.startsWith('n0 '))
  assert.ok(given.length > 0 && given.every((text) => text === 'n0 ownerDeaf'), given.join())
  for (let i = 0; i < 9; i++) {
    assert.not.equal(ownersOf(rig, `192.168.1.${100 + i}`).filter((name) => name !== 'n0'), [])
  }
})

for (const isDeaf of [false, true]) {
  const does = isDeaf ? 'says nothing while it hears nobody' : 'announces'
  test(`an owner that is asked whether it owns ${does}`, () => {
    const { rig, names, owner } = ownedOf(3, isDeaf)
    runUntil(rig, rig.nowMs + 500)
    const voices: string[] = []
    rig.listeners.push(({ from, frame }) => {
      const { asserts } = readFrame(frame) ?? {}
      if (asserts !== undefined && sameAddress(asserts.address, addressOf(vip))) voices.push(from)
    })
    const bytes = encodeMessage(messageOf('query', { entries: [entryOf(vip)] }))
    const from = names.find((name) => name !== owner.name) ?? ''
    owner.messages.push({ from, isGossip: false, bytes, receivedAtMs: rig.nowMs })
    runUntil(rig, rig.nowMs + 150)
    assert.is(voices.includes(owner.name), !isDeaf)
  })
}

test('a member that came back by membership is asked for until it is heard, and then all is checked', () => {
  const rig = lanOf(4)
  const names = [...rig.nodes.keys()]
  give(rig, [wishOf(vip, names)])
  const owner = settled(rig, vip)
  const back = nodeOf(rig, names.find((name) => name !== owner.name))
  const own = back.legs[0]?.addresses[0]?.address ?? addressOf(vip)
  back.isUp = false
  give(rig, [wishOf(vip, names)])
  runUntil(rig, rig.nowMs + 1_000)
  // Membership meets it before the wire does.
  back.isUp = true
  back.isMuted = (what) => what === 'frame'
  give(rig, [wishOf(vip, names)])
  let [asks, probes] = [0, 0]
  rig.listeners.push(({ from, frame }) => {
    const { asks: asked, isProbe } = readFrame(frame) ?? {}
    if (from !== owner.name || asked === undefined) return
    if (sameAddress(asked, own)) asks++
    if (isProbe === true) probes++
  })
  runUntil(rig, rig.nowMs + 1_000)
  assert.ok(asks >= 5, `asked ${asks} times`)
  assert.is(probes, 0)
  back.isMuted = () => false
  runUntil(rig, rig.nowMs + 300)
  assert.ok(probes > 0, 'what it owns is checked')
  asks = 0
  runUntil(rig, rig.nowMs + 1_000)
  assert.ok(asks <= 3, `it has been heard, and is asked for ${asks} times`)
})

test('the hosts heard last have died with the owner: the one heard before them says that it is heard', () => {
  const { rig, owner } = ownedOf(4, false)
  rig.listeners.push(({ frame, from }) => {
    const packet = decodeArp(frame)
    if (from === 'router' || typeof packet === 'string' || packet.operation !== arpRequest) return
    if (packet.target.bits !== router.address.bits) return
    broadcast(rig, { segment: 'lan', from: 'router', frame: answerArp(packet, router.mac) })
  })
  for (const frame of announcementOf(router.address, router.mac)) {
    broadcast(rig, { segment: 'lan', from: 'router', frame })
  }
  const [left, ...dead] = [...rig.nodes.values()].filter((node) => node !== owner)
  // They are heard after it.
  for (const { legs: [leg] } of dead) {
    const address = leg?.addresses[0]?.address
    for (const frame of announcementOf(address ?? router.address, leg?.mac ?? '')) {
      broadcast(rig, { segment: 'lan', from: 'dead', frame })
    }
  }
  runUntil(rig, rig.nowMs + 20)
  for (const node of [owner, ...dead]) node.isUp = false
  runUntil(rig, rig.nowMs + 2_500)
  assert.equal(ownersOf(rig, vip), [left?.name])
})

test.run()
