/** Where units go: first placement, hand-over, preferences, hash, total restart, many at once. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { answerArp, arpRequest, decodeArp } from '../l2/arp.ts'
import { entryOf, messageOf } from './codec.ts'
import { onOffer } from './handover.ts'
import type { World } from './model.ts'
import { hashRank } from './units.ts'
import { view } from './view.ts'
import { readFrame } from './wire.ts'
import { broadcast, runUntil, type Rig, setWorld } from './rig.ts'
import {
  addressOf, answers, give, lanOf, nodeOf, notesOf, ownersOf, settled, watch, wishOf,
} from './stage.ts'
import { createOwnership } from './state.ts'

const vip = '192.168.1.100'
const vips = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `203.0.${113 + (i >> 8)}.${i & 255}`)

const gateway = addressOf('192.168.1.1')
const hasGateway = (world: World): World => ({ ...world, gateways: new Map([[2, [gateway]]]) })

/** From now on the gateway answers whoever asks for it. */
function answerAsGateway(rig: Rig): void {
  rig.listeners.push(({ frame, segment, from }) => {
    const packet = decodeArp(frame)
    if (from === 'gateway' || typeof packet === 'string' || packet.operation !== arpRequest) return
    if (packet.target.bits !== gateway.bits) return
    broadcast(rig, { segment, from: 'gateway', frame: answerArp(packet, '02:00:5e:00:53:01') })
  })
}

const loads = (rig: Rig): number[] =>
  [...rig.nodes.values()].map((node) => [...node.rights.values()].length).toSorted((a, b) => a - b)

test('alone: everything is owned at once, for ever, without a probe in the way', () => {
  const rig = lanOf(1)
  give(rig, [wishOf(vip, ['n0'])])
  runUntil(rig, rig.nowMs + 1)
  assert.equal(ownersOf(rig, vip), ['n0'])
  assert.is(nodeOf(rig, 'n0').notAfterMs, Number.POSITIVE_INFINITY)
  assert.equal(rig.messages, [])
})

test('alone, and not allowed any more: silent at once; allowed again: it answers', () => {
  const rig = lanOf(1)
  give(rig, [wishOf(vip, ['n0'])])
  assert.is(settled(rig, vip).name, 'n0')
  give(rig, [wishOf(vip, [])])
  assert.equal(ownersOf(rig, vip), [])
  give(rig, [wishOf(vip, ['n0'])])
  assert.equal(ownersOf(rig, vip), ['n0'])
})

test('a new unit among five: answered at once by one node, which nobody doubts', () => {
  const rig = lanOf(5)
  give(rig, [])
  runUntil(rig, rig.nowMs + 1_000)
  give(rig, [wishOf(vip, [...rig.nodes.keys()])])
  runUntil(rig, rig.nowMs + 5)
  assert.is(ownersOf(rig, vip).length, 1)
  const { darkMs, overlapMs } = watch(rig, vip, 3_000)
  assert.equal({ darkMs, overlapMs }, { darkMs: 0, overlapMs: 0 })
  assert.equal(notesOf(rig, 'claimed').length, 1)
})

for (const placement of ['sticky', 'hash'] as const) {
  test(`${placement}: a Service seen before its endpoints is answered for as soon as they come`, () => {
    const rig = lanOf(3)
    give(rig, [])
    for (const node of rig.nodes.values()) setWorld(rig, node, { ...node.world, placement })
    runUntil(rig, rig.nowMs + 1_000)
    const names = [...rig.nodes.keys()]
    // Some see both at once, one sees the Service 30 ms earlier; nobody may announce it without endpoints.
    for (const late of names) {
      const text = `203.0.113.${names.indexOf(late) + 1}`
      const show = (name: string, nominees: readonly string[]): void => {
        const node = nodeOf(rig, name)
        const others = node.world.wishes.filter(({ key }) => key !== text)
        setWorld(rig, node, { ...node.world, wishes: [...others, wishOf(text, nominees)] })
      }
      show(late, [])
      runUntil(rig, rig.nowMs + 30)
      for (const name of names) if (name !== late) show(name, names)
      runUntil(rig, rig.nowMs + 10)
      show(late, names)
      runUntil(rig, rig.nowMs + 10)
      assert.is(ownersOf(rig, text).length, 1, `${text}, late at ${late}`)
      runUntil(rig, rig.nowMs + 2_000)
    }
    assert.equal(notesOf(rig, 'claimed').length, names.length)
    assert.equal(notesOf(rig, 'released'), [])
  })
}

test('everything was restarted, and addresses are known only after all have met: back to their hosts', () => {
  const rig = lanOf(3)
  give(rig, [])
  runUntil(rig, rig.nowMs + 1_000)
  const names = [...rig.nodes.keys()]
  const texts = ['203.0.113.1', '203.0.113.2', '203.0.113.3']
  give(rig, texts.map((text) => wishOf(text, names, { hint: 'n1' })))
  runUntil(rig, rig.nowMs + 1_000)
  for (const text of texts) assert.equal(ownersOf(rig, text), ['n1'], text)
  assert.is(notesOf(rig, 'claimed').length, texts.length)
})

test('a burst seen in different order and late: one announcer each, spread evenly', () => {
  const rig = lanOf(4)
  give(rig, [])
  runUntil(rig, rig.nowMs + 1_000)
  const names = [...rig.nodes.keys()]
  const wishes = vips(40).map((text) => wishOf(text, names))
  for (let round = 1; round <= 4; round++) {
    names.forEach((name, i) => {
      const seen = wishes.filter((_, k) => (k * 7 + i * 3) % 4 < round)
      const node = nodeOf(rig, name)
      setWorld(rig, node, { ...node.world, wishes: i % 2 === 0 ? seen : seen.toReversed() })
    })
    runUntil(rig, rig.nowMs + 30)
  }
  runUntil(rig, rig.nowMs + 2_000)
  for (const { key } of wishes) assert.is(ownersOf(rig, key).length, 1, key)
  const [least = 0] = loads(rig)
  assert.ok(least >= 7, String(loads(rig)))
  assert.is(notesOf(rig, 'claimed').length, 40)
})

test('the placer is dead: the others wait for it no longer than a fence and their rank', () => {
  const rig = lanOf(4)
  give(rig, [])
  runUntil(rig, rig.nowMs + 1_000)
  const wish = wishOf(vip, [...rig.nodes.keys()])
  const some = nodeOf(rig, 'n0')
  setWorld(rig, some, { ...some.world, wishes: [wish] })
  const unit = some.ownership.units.get(vip)
  assert.ok(unit)
  const placer = nodeOf(rig, hashRank(some.ownership, unit)[0])
  setWorld(rig, some, { ...some.world, wishes: [] })
  runUntil(rig, rig.nowMs + 1_000)
  placer.isUp = false
  for (const node of rig.nodes.values()) {
    if (node.isUp) setWorld(rig, node, { ...node.world, wishes: [wish] })
  }
  const { darkMs, overlapMs } = watch(rig, vip, 3_000)
  assert.ok(darkMs <= 900, `dark ${darkMs}`)
  assert.is(overlapMs, 0)
})

test('drain: made before broken, and the drained node owns nothing', () => {
  const rig = lanOf(3)
  give(rig, [wishOf(vip, [...rig.nodes.keys()])])
  const owner = settled(rig, vip)
  setWorld(rig, owner, { ...owner.world, isDraining: true })
  const { darkMs, overlapMs, owners } = watch(rig, vip, 1_000)
  assert.is(darkMs, 0)
  assert.ok(overlapMs <= 50, `overlap ${overlapMs}`)
  assert.is.not(owners.at(-1), owner.name)
  assert.ok(notesOf(rig, 'released').includes(`${owner.name} handOver`))
  assert.is(owner.ownership.owned.size, 0)
})

test('drain during a rollout: members that have restarted are preferred', () => {
  const rig = lanOf(5)
  give(rig, [wishOf(vip, [...rig.nodes.keys()])])
  const owner = settled(rig, vip)
  const fresh = [...rig.nodes.keys()].filter((name) => name !== owner.name).at(-1)
  const peers = owner.world.peers.map((peer) => ({ ...peer, isRestarted: peer.name === fresh }))
  setWorld(rig, owner, { ...owner.world, peers, isDraining: true })
  runUntil(rig, rig.nowMs + 500)
  assert.equal(ownersOf(rig, vip), [fresh])
})

test('a successor that knows other addresses refuses, the next one takes over', () => {
  const rig = lanOf(3)
  const names = [...rig.nodes.keys()]
  give(rig, [wishOf(vip, names)])
  const owner = settled(rig, vip)
  setWorld(rig, owner, { ...owner.world, isDraining: true })
  const first = owner.ownership.units.get(vip)?.own?.offer?.to
  const other = nodeOf(rig, first)
  setWorld(rig, other, { ...other.world, wishes: [wishOf(`${vip} 192.168.1.101`, names)] })
  const { darkMs, owners } = watch(rig, vip, 1_000)
  assert.is(darkMs, 0)
  assert.not.ok(owners.includes(other.name))
  assert.is(owners.length, 2)
})

test('the successor dies during the hand-over: nothing is lost', () => {
  const rig = lanOf(3)
  give(rig, [wishOf(vip, [...rig.nodes.keys()])])
  const owner = settled(rig, vip)
  setWorld(rig, owner, { ...owner.world, isDraining: true })
  nodeOf(rig, owner.ownership.units.get(vip)?.own?.offer?.to).isUp = false
  const { darkMs, overlapMs } = watch(rig, vip, 2_000)
  assert.is(darkMs, 0)
  assert.ok(overlapMs <= 50)
  assert.is(owner.ownership.owned.size, 0)
})

test('an offer that comes when another has taken over already is refused', () => {
  const rig = lanOf(3)
  give(rig, [wishOf(vip, [...rig.nodes.keys()])])
  const owner = settled(rig, vip)
  const { term, digest } = owner.ownership.units.get(vip) ?? { term: 0, digest: 0 }
  setWorld(rig, owner, { ...owner.world, isDraining: true })
  const next = watch(rig, vip, 1_000).owners.at(-1)
  const late = [...rig.nodes.values()].find(({ name }) => name !== owner.name && name !== next)
  const offer = messageOf('offer', { entries: [entryOf(vip, { term, value: digest })] })
  if (late !== undefined) onOffer(late.ownership, owner.name, offer, { atMs: rig.nowMs, now: rig.nowMs })
  assert.is(late?.ownership.units.get(vip)?.owner, next)
  const { owners, overlapMs } = watch(rig, vip, 1_000)
  assert.equal(owners, [next])
  assert.is(overlapMs, 0)
})

test('a node with a higher score gets the unit once, after 30 s', () => {
  const rig = lanOf(3)
  const names = [...rig.nodes.keys()]
  give(rig, [wishOf(vip, names)])
  const owner = settled(rig, vip)
  const better = names.find((name) => name !== owner.name)
  const wish = wishOf(vip, names)
  const nominees = wish.nominees.map((each) => ({ ...each, score: each.node === better ? 9 : 0 }))
  give(rig, [{ ...wish, nominees }])
  assert.equal(watch(rig, vip, 29_000).owners, [owner.name])
  const { owners, darkMs } = watch(rig, vip, 4_000)
  assert.equal(owners, [owner.name, better])
  assert.is(darkMs, 0)
})

test('hash: the election decides, and moves the unit back to a node that returns', () => {
  const rig = lanOf(3)
  const names = [...rig.nodes.keys()]
  const hash = { placement: 'hash' } as const
  give(rig, [wishOf(vip, names)], (world) => ({ ...world, ...hash }))
  const owner = settled(rig, vip)
  const unit = owner.ownership.units.get(vip)
  assert.ok(unit)
  assert.is(hashRank(owner.ownership, unit)[0], owner.name)
  owner.isUp = false
  watch(rig, vip, 1_000)
  give(rig, [wishOf(vip, names)], (world) => ({ ...world, ...hash }))
  watch(rig, vip, 1_000)
  assert.is.not(ownersOf(rig, vip)[0], owner.name)
  owner.isUp = true
  owner.frames = []
  give(rig, [wishOf(vip, names)], (world) => ({ ...world, ...hash }))
  const { overlapMs } = watch(rig, vip, 3_000)
  assert.ok(overlapMs <= 50)
  assert.equal(ownersOf(rig, vip), [owner.name])
  assert.ok(notesOf(rig, 'released').some((text) => text.endsWith('election')))
})

test('a member without beats wins the election: nobody of us answers; sticky 10 s after it has gone', () => {
  const rig = lanOf(3)
  const names = [...rig.nodes.keys()]
  give(rig, [wishOf(vip, names)])
  const owner = settled(rig, vip)
  const unit = owner.ownership.units.get(vip)
  assert.ok(unit)
  const winner = hashRank(owner.ownership, unit)[0]
  const foreign = nodeOf(rig, winner)
  foreign.isUp = false
  const mixed = (isAlive: boolean) => give(rig, [wishOf(vip, names)], (world) => ({
    ...world, peers: world.peers.map((peer) =>
      peer.name === winner ? { ...peer, isAlive, isCapable: false } : peer
    ),
  }))
  mixed(true)
  runUntil(rig, rig.nowMs + 500)
  assert.equal(ownersOf(rig, vip), [])
  mixed(false)
  runUntil(rig, rig.nowMs + 1_500)
  const [next] = ownersOf(rig, vip)
  assert.ok(next)
  assert.is(hashRank(nodeOf(rig, next).ownership, unit, winner)[0], next)
  runUntil(rig, rig.nowMs + 12_000)
  assert.equal(ownersOf(rig, vip), [next])
})

test('total restart: hints decide, others are balanced, each moves at most once', () => {
  const rig = lanOf(4)
  const names = [...rig.nodes.keys()]
  const wishes = vips(20).map((text, i) => wishOf(text, names, { hint: `n${i % 2}` }))
  give(rig, wishes)
  runUntil(rig, rig.nowMs + 70_000)
  for (const [i, { key }] of wishes.entries()) assert.equal(ownersOf(rig, key), [`n${i % 2}`])
  assert.is(notesOf(rig, 'claimed').length, 20)
  assert.ok(notesOf(rig, 'claimed').every((text) => text.endsWith('restored')))
})

test('total restart: nothing is placed before all have told their interfaces, for 3 s', () => {
  const rig = lanOf(3)
  const late = nodeOf(rig, 'n2')
  const { legs } = late
  late.legs = []
  const wishes = [wishOf(vip, [...rig.nodes.keys()], { hint: 'n2' })]
  give(rig, wishes)
  runUntil(rig, rig.nowMs + 1_000)
  assert.equal(notesOf(rig, 'claimed'), [])
  late.legs = legs
  give(rig, wishes)
  runUntil(rig, rig.nowMs + 1_000)
  assert.equal(notesOf(rig, 'claimed'), ['n2 restored'])
})

test('total restart: one of several that hears nobody places nothing, and asks until it does', () => {
  const rig = lanOf(3)
  for (const name of ['n1', 'n2']) nodeOf(rig, name).isUp = false
  give(rig, [wishOf(vip, [...rig.nodes.keys()])], hasGateway)
  runUntil(rig, rig.nowMs + 60_000)
  assert.equal(notesOf(rig, 'claimed'), [])
  const asked = rig.captured.filter(({ frame }) => readFrame(frame)?.asks !== undefined)
  const [unit] = view(nodeOf(rig, 'n0').ownership, rig.nowMs).units
  assert.equal([unit?.owner, unit?.claim], [undefined, 'segmentUnheard'])
  assert.ok(asked.length >= 50 && asked.length <= 70, `asked ${asked.length} times in a minute`)
  answerAsGateway(rig)
  runUntil(rig, rig.nowMs + 3_000)
  assert.equal(ownersOf(rig, vip), ['n0'])
})

test('who has just started asks before it announces what only somebody may own that it has not met', () => {
  const rig = lanOf(3)
  give(rig, [wishOf(vip, ['n1'])])
  assert.is(settled(rig, vip).name, 'n1')
  const late = nodeOf(rig, 'n2')
  late.ownership = createOwnership('n2')
  late.isMuted = (what) => what === 'message'
  const peers = late.world.peers.filter(({ name }) => name !== 'n1')
  setWorld(rig, late, { ...late.world, peers, wishes: [wishOf(vip, [])] })
  runUntil(rig, rig.nowMs + 4_000)
  setWorld(rig, late, { ...late.world, wishes: [wishOf(vip, ['n2'])] })
  assert.equal(watch(rig, vip, 3_000), { darkMs: 0, overlapMs: 0, owners: ['n1'] })
})

test('total restart: what waits for its host is not balanced first: it would have no move left', () => {
  const rig = lanOf(3)
  const [n1, n2] = [nodeOf(rig, 'n1'), nodeOf(rig, 'n2')]
  const { legs } = n2
  const wishes = vips(6).map((text) => wishOf(text, [...rig.nodes.keys()], { hint: 'n2' }))
  n1.isUp = false
  n2.isUp = false
  answerAsGateway(rig)
  give(rig, wishes, hasGateway)
  runUntil(rig, rig.nowMs + 6_000)
  assert.equal(notesOf(rig, 'claimed'), wishes.map(() => 'n0 placed'))
  n1.isUp = true
  n2.isUp = true
  n2.legs = []
  give(rig, wishes)
  runUntil(rig, rig.nowMs + 3_000)
  assert.is(notesOf(rig, 'claimed').length, wishes.length)
  n2.legs = legs
  give(rig, wishes)
  runUntil(rig, rig.nowMs + 5_000)
  for (const { key } of wishes) assert.equal(ownersOf(rig, key), ['n2'], key)
  assert.is(notesOf(rig, 'claimed').length, 2 * wishes.length)
})

test('a restarted node of a running cluster takes nothing that others own', () => {
  const rig = lanOf(3)
  const wishes = [wishOf(vip, [...rig.nodes.keys()], { hint: 'n2' })]
  give(rig, wishes)
  const owner = settled(rig, vip)
  const other = [...rig.nodes.values()].find((node) => node !== owner)
  assert.ok(other)
  rig.notes.length = 0
  other.isUp = false
  runUntil(rig, rig.nowMs + 5_000)
  other.isUp = true
  other.ownership = { ...lanOf(1).nodes.get('n0')?.ownership ?? other.ownership, self: other.name }
  give(rig, wishes)
  const { darkMs, overlapMs, owners } = watch(rig, vip, 10_000)
  assert.equal({ darkMs, overlapMs, owners }, { darkMs: 0, overlapMs: 0, owners: [owner.name] })
  assert.equal(notesOf(rig, 'claimed'), [])
})

test('an owner that may not be one any more hands over; without a successor it lets go', () => {
  const rig = lanOf(3)
  const names = [...rig.nodes.keys()]
  give(rig, [wishOf(vip, names)])
  const owner = settled(rig, vip)
  const others = names.filter((name) => name !== owner.name)
  give(rig, [wishOf(vip, others)])
  const { darkMs, owners } = watch(rig, vip, 1_000)
  assert.is(darkMs, 0)
  assert.is(owners.length, 2)
  give(rig, [wishOf(vip, [])])
  assert.ok(notesOf(rig, 'released').includes(`${owners.at(-1)} ineligible`))
  assert.equal(ownersOf(rig, vip), [])
})

test('an owner whose interface has gone offers at once: the next answers without waiting for a fence', () => {
  const rig = lanOf(3)
  const names = [...rig.nodes.keys()]
  give(rig, [wishOf(vip, names)])
  const owner = settled(rig, vip)
  owner.plugs.delete(2)
  owner.legs = []
  give(rig, [wishOf(vip, names.filter((name) => name !== owner.name))])
  const { darkMs, overlapMs } = watch(rig, vip, 1_000)
  assert.ok(darkMs <= 20, `dark ${darkMs}`)
  assert.is(overlapMs, 0)
})

test('an owner lets go, unseen by the rest: its monitors tell, and the next claims', () => {
  const rig = lanOf(6)
  const names = [...rig.nodes.keys()]
  give(rig, [wishOf(vip, names)])
  const owner = settled(rig, vip)
  setWorld(rig, owner, { ...owner.world, wishes: [] })
  const { darkMs, owners } = watch(rig, vip, 2_000)
  assert.ok(darkMs >= 75 && darkMs <= 600, `dark ${darkMs}`)
  assert.is(owners.length, 1)
  assert.ok(notesOf(rig, 'claimed').includes(`${owners[0]} ownerLeft`))
})

test('nobody wants the unit any more: silent at once; renamed by its oldest Service: stays', () => {
  const rig = lanOf(3)
  const names = [...rig.nodes.keys()]
  give(rig, [wishOf(`${vip} 192.168.1.101`, names)])
  const owner = settled(rig, vip)
  give(rig, [wishOf(`192.168.1.101 ${vip}`, names)])
  assert.equal(watch(rig, vip, 1_000), { darkMs: 0, overlapMs: 0, owners: [owner.name] })
  give(rig, [])
  assert.equal(ownersOf(rig, vip), [])
  assert.ok(notesOf(rig, 'released').includes(`${owner.name} unwanted`))
})

test('two units become one: its owner is silent for what another had until the wire has been asked', () => {
  const rig = lanOf(3)
  const names = [...rig.nodes.keys()]
  const second = '192.168.1.101'
  give(rig, [wishOf(vip, names), wishOf(second, names)])
  const first = settled(rig, vip)
  const other = nodeOf(rig, ownersOf(rig, second)[0])
  assert.is.not(other.name, first.name)
  const joined = [wishOf(`${vip} ${second}`, names)]
  // Its owner sees it first: the other one still answers, and goes on alone.
  setWorld(rig, first, { ...first.world, wishes: joined })
  const before = watch(rig, second, 900)
  assert.equal(before, { darkMs: 0, overlapMs: 0, owners: [other.name] })
  assert.equal(ownersOf(rig, vip), [first.name])
  give(rig, joined)
  const { overlapMs, owners } = watch(rig, second, 2_000)
  assert.equal({ overlapMs, owners }, { overlapMs: 0, owners: [first.name] })
  assert.equal(ownersOf(rig, vip), [first.name])
})

test('100 units of 1,000 are lost: all are claimed within 600 ms, spread over the others', () => {
  const rig = lanOf(10)
  const wishes = vips(1_000).map((text) => wishOf(text, [...rig.nodes.keys()]))
  give(rig, wishes)
  runUntil(rig, rig.nowMs + 3_000)
  const before = loads(rig)
  assert.ok((before[0] ?? 0) >= 90, String(before))
  const [victim] = rig.nodes.values()
  assert.ok(victim)
  victim.isUp = false
  runUntil(rig, rig.nowMs + 700)
  const left = wishes.filter(({ key }) => ownersOf(rig, key).length !== 1)
  assert.equal(left.map(({ key }) => key), [])
  assert.ok(answers(rig, victim, vip) === false)
})

test('1,000 units of one node after a freeze: resumed within 200 ms of the first probe', () => {
  const rig = lanOf(2)
  const wishes = vips(1_000).map((text) => wishOf(text, ['n0']))
  give(rig, wishes)
  runUntil(rig, rig.nowMs + 3_000)
  const node = nodeOf(rig, 'n0')
  assert.is(node.rights.size, 1_000)
  node.isFrozen = true
  runUntil(rig, rig.nowMs + 500)
  node.isFrozen = false
  runUntil(rig, rig.nowMs + 5)
  assert.is(node.rights.size, 0)
  runUntil(rig, rig.nowMs + 200)
  assert.is(node.rights.size, 1_000)
})

test.run()
