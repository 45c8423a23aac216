/** What status shows of ownership, and claims as members exchange them. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { announceArp, answerArp, arpRequest, decodeArp } from '../l2/arp.ts'
import { formatAddress } from '../net/address.ts'
import type { Millis } from '../net/model.ts'
import type { Effect, World } from './model.ts'
import { exportClaims, step } from './ownership.ts'
import { hush, resume } from './own.ts'
import { broadcast, type RigNode, runUntil, setWorld } from './rig.ts'
import { addressOf, give, lanOf, settled, watch, wishOf } from './stage.ts'
import { createOwnership, type Ownership } from './state.ts'
import { muted, view } from './view.ts'

const vip = '192.168.1.100'

test('owner and standby after a failure: who, since when, why, what is heard, what moved', () => {
  const rig = lanOf(3)
  give(rig, [wishOf(vip, [...rig.nodes.keys()])])
  const owner = settled(rig, vip)
  owner.isUp = false
  const { owners } = watch(rig, vip, 2_000)
  for (const node of rig.nodes.values()) {
    if (!node.isUp) continue
    const seen = view(node.ownership, rig.nowMs)
    const isOurs = node.name === owners[0]
    assert.is(seen.placement, 'sticky')
    assert.equal(seen.units.map(({ unit, owner: by, why, silence, claim, interfaces }) =>
      ({ unit, by, why, silence, claim, interfaces })
    ), [{
      unit: vip, by: owners[0], why: isOurs ? 'ownerSilent' : undefined, silence: undefined,
      claim: undefined, interfaces: isOurs ? ['eth0'] : [],
    }])
    assert.equal(seen.members.map(({ name, owned }) => [name, owned]).filter(([, n]) => n !== 0), [
      [owners[0], 1],
    ])
    const [leg] = seen.legs
    assert.ok(leg?.heardAgoMs !== undefined && leg.heardAgoMs < 1_000)
    assert.is(leg.isDeaf, false)
    assert.is(seen.moves.length, isOurs ? 1 : 0)
    if (isOurs) assert.ok((seen.moves[0]?.darkMs ?? 0) >= 300)
    assert.is(seen.fenceInMs === undefined, !isOurs)
  }
})

test('DARK is told of an address that somebody owned, and of none that nobody is known to have owned', () => {
  const rig = lanOf(3)
  // Who is picked does not hear of it: another one asks first.
  for (const node of rig.nodes.values()) node.isMuted = (what) => what === 'message'
  const names = [...rig.nodes.keys()]
  const texts = ['203.0.113.1', '203.0.113.2', '203.0.113.3', '203.0.113.4']
  const claims = (): readonly (Millis | undefined)[] =>
    rig.notes.flatMap(({ note }) => note.kind === 'claimed' ? [note.darkMs] : [])
  give(rig, texts.map((text) => wishOf(text, names)))
  runUntil(rig, rig.nowMs + 5_000)
  assert.equal(claims(), texts.map(() => undefined))
  for (const node of rig.nodes.values()) node.isMuted = () => false
  runUntil(rig, rig.nowMs + 5_000)
  const [text = ''] = texts
  const owner = settled(rig, text)
  rig.notes.length = 0
  give(rig, [wishOf(text, [])])
  runUntil(rig, rig.nowMs + 400)
  give(rig, [wishOf(text, names.filter((name) => name !== owner.name))])
  runUntil(rig, rig.nowMs + 2_000)
  const [darkMs] = claims()
  assert.ok(darkMs !== undefined && darkMs >= 400, `dark ${darkMs}`)
})

test('an owner that pauses: its history says from when to when and why, its address who is silent', () => {
  const rig = lanOf(3)
  give(rig, [wishOf(vip, [...rig.nodes.keys()])])
  const owner = settled(rig, vip)
  const { ownership } = owner
  const [frame] = announceArp(addressOf(vip), '02:00:5e:00:53:99')
  const heardBy = [...rig.nodes.values()].filter((node) => node !== owner)
  broadcast(rig, { segment: 'lan', from: 'foreign', frame })
  runUntil(rig, rig.nowMs + 200)
  const silent = [{ text: vip, node: owner.name, reason: 'inConflict', isOwner: true }]
  assert.equal(muted(ownership, rig.nowMs), silent)
  for (const other of heardBy) assert.equal(muted(other.ownership, rig.nowMs), silent)
  assert.equal(pausesOf(ownership), ['silenced conflict'])
  runUntil(rig, rig.nowMs + 2_000)
  assert.equal(muted(ownership, rig.nowMs), [])
  for (const other of heardBy) assert.equal(muted(other.ownership, rig.nowMs), [])
  assert.equal(pausesOf(ownership), ['silenced conflict', 'resumed conflict'])
  const [begun, ended] = view(ownership, rig.nowMs).pauses
  assert.is(begun?.lastedMs, undefined)
  assert.is(ended?.lastedMs, (begun?.agoMs ?? 0) - (ended?.agoMs ?? 0))
  assert.ok((ended?.lastedMs ?? 0) >= 300)
  assert.is(view(ownership, rig.nowMs).moves.length, 1)
})

test('an owner that dies while a foreign host has its address: claimers say so, of that owner', () => {
  const rig = lanOf(3)
  give(rig, [wishOf(vip, [...rig.nodes.keys()])])
  const owner = settled(rig, vip)
  const foreign = '02:00:5e:00:53:99'
  rig.listeners.push(({ frame, from }) => {
    const packet = decodeArp(frame)
    if (typeof packet === 'string' || packet.operation !== arpRequest || from === 'foreign') return
    const isAsked = formatAddress(packet.target) === vip && packet.sender.bits !== packet.target.bits
    if (isAsked) broadcast(rig, { segment: 'lan', from: 'foreign', frame: answerArp(packet, foreign) })
  })
  const [frame] = announceArp(addressOf(vip), foreign)
  broadcast(rig, { segment: 'lan', from: 'foreign', frame })
  runUntil(rig, rig.nowMs + 1_000)
  owner.isUp = false
  const wants = [{ text: vip, node: owner.name, reason: 'inConflict', isOwner: true }]
  const others = [...rig.nodes.values()].filter((node) => node !== owner)
  const told = (): readonly unknown[] => others.flatMap(({ ownership }) => {
    const isClaimer = view(ownership, rig.nowMs).units.some(({ claim }) => claim === 'inConflict')
    return isClaimer ? [muted(ownership, rig.nowMs)] : []
  })
  runUntil(rig, rig.nowMs + 5_000)
  assert.equal(told(), [wants, wants])
  // Membership sees it later.
  give(rig, [wishOf(vip, [...rig.nodes.keys()])])
  runUntil(rig, rig.nowMs + 2_000)
  assert.equal(told(), [wants, wants])
})

test('an owner whose deadline passed says so, and its pauses are bounded without a loss of moves', () => {
  const rig = lanOf(3)
  give(rig, [wishOf(vip, [...rig.nodes.keys()])])
  const owner = settled(rig, vip)
  owner.isFrozen = true
  runUntil(rig, rig.nowMs + 320)
  owner.isFrozen = false
  runUntil(rig, rig.nowMs + 1_000)
  assert.equal(pausesOf(owner.ownership), ['silenced expired', 'resumed expired'])
  const unit = owner.ownership.units.get(vip)
  assert.ok(unit)
  for (let i = 0; i < 300; i++) {
    hush(owner.ownership, unit, 'contested', i)
    resume(owner.ownership, unit, i)
  }
  const { pauses, moves } = view(owner.ownership, 300)
  assert.equal([pauses.length, pauses.at(-1)?.kind, moves.length], [200, 'resumed', 1])
})

for (const { frozenMs, then, isLost } of [
  { frozenMs: 320, then: 'answers again', isLost: false },
  { frozenMs: 3_000, then: 'has lost it', isLost: true },
]) {
  test(`an owner that stood still for ${frozenMs} ms and ${then}: silent not since waking`, () => {
    const rig = lanOf(3)
    give(rig, [wishOf(vip, [...rig.nodes.keys()])])
    const owner = settled(rig, vip)
    const frozenAtMs = rig.nowMs
    owner.isFrozen = true
    runUntil(rig, frozenAtMs + frozenMs)
    owner.isFrozen = false
    runUntil(rig, rig.nowMs + 1_000)
    const { pauses: [begun, ended], moves } = view(owner.ownership, rig.nowMs)
    // It was to wake within a beat.
    const begunMs = rig.nowMs - (begun?.agoMs ?? 0)
    assert.ok(begunMs >= frozenAtMs && begunMs <= frozenAtMs + 100, `silent after ${begunMs - frozenAtMs}`)
    const gone = moves.find(({ kind }) => kind === 'released')
    const [ms, other] = isLost ? [gone?.darkMs, ended] : [ended?.lastedMs, gone]
    assert.is(other, undefined)
    assert.ok(ms !== undefined && ms >= frozenMs - 100, `told ${ms}`)
  })
}

function pausesOf(o: Ownership): readonly string[] {
  return view(o, 0).pauses.map(({ kind, cause }) => `${kind} ${cause}`)
}

test('a member that membership calls dead, and whose machine is heard: told until it has been silent', () => {
  const rig = lanOf(3)
  const wishes = [wishOf(vip, [...rig.nodes.keys()])]
  give(rig, wishes)
  const owner = settled(rig, vip)
  const [dead] = [...rig.nodes.values()].filter((node) => node !== owner)
  assert.ok(dead)
  const lost = (world: World): World => ({
    ...world, peers: world.peers.map((peer) => ({ ...peer, isAlive: peer.name !== dead.name })),
  })
  const wireOf = (): unknown =>
    view(owner.ownership, rig.nowMs).members.find(({ name }) => name === dead.name)?.wire
  assert.is(wireOf(), undefined)
  // Its program stands still; who is missing is asked for, and its kernel answers.
  setWorld(rig, owner, lost(owner.world))
  runUntil(rig, rig.nowMs + 1_000)
  assert.is(wireOf(), 'heard')
  const left = { ...owner.world, peers: owner.world.peers.map((peer) =>
    ({ ...peer, isDraining: peer.name === dead.name })) }
  setWorld(rig, owner, left)
  assert.is(wireOf(), undefined, 'it has left')
  setWorld(rig, owner, { ...left, peers: left.peers.map((peer) => ({ ...peer, isDraining: false })) })
  assert.is(wireOf(), 'heard')
  dead.isUp = false
  runUntil(rig, rig.nowMs + 6_000)
  assert.is(wireOf(), undefined)
})

/** What another member exported, as gossip hands it over. */
function merge(o: Ownership, from: string, bytes: Uint8Array, now: Millis): readonly Effect[] {
  const message = { from, isGossip: true, bytes, receivedAtMs: now }
  return step(o, { kind: 'messages', messages: [message] }, now)
}

test('a host that learned of an owner by its beats tells since when as the owner does, once told', () => {
  const rig = lanOf(3)
  give(rig, [wishOf(vip, [...rig.nodes.keys()])])
  const owner = settled(rig, vip)
  const [late, other] = [...rig.nodes.values()].filter((node) => node !== owner)
  assert.ok(late && other)
  runUntil(rig, rig.nowMs + 20_000)
  late.ownership = createOwnership(late.name)
  give(rig, [wishOf(vip, [...rig.nodes.keys()])])
  runUntil(rig, rig.nowMs + 4_000)
  const told = ({ ownership }: RigNode): readonly unknown[] =>
    view(ownership, rig.nowMs).units.map(({ owner: by, sinceMs }) => [by, Math.round(sinceMs / 1_000)])
  const right = told(owner)
  assert.not.equal(told(late), right)
  merge(late.ownership, other.name, exportClaims(other.ownership, rig.nowMs), rig.nowMs)
  assert.equal(told(late), right)
  const unit = late.ownership.units.get(vip)
  assert.ok(unit)
  // What somebody else said was of another owner before: its own word counts.
  unit.ownedMs -= 60_000
  merge(late.ownership, owner.name, exportClaims(owner.ownership, rig.nowMs), rig.nowMs)
  assert.equal(told(late), right)
})

test('claims travel by push/pull: a newcomer knows the owners, and yields nothing to them', () => {
  const rig = lanOf(3)
  const wishes = [wishOf(vip, [...rig.nodes.keys()])]
  give(rig, wishes)
  const owner = settled(rig, vip)
  const bytes = exportClaims(owner.ownership, rig.nowMs)
  const fresh = createOwnership('n9')
  merge(fresh, owner.name, bytes, 5)
  assert.equal([...fresh.units.values()].map(({ key, owner: by, term }) => [key, by, term]), [
    [vip, owner.name, 1],
  ])
  merge(fresh, owner.name, new Uint8Array([1, 2, 3]), 6)
  // Somebody says that it owns the unit too: the owner answers on, and asks the wire.
  const rival = [...rig.nodes.values()].find((node) => node !== owner)
  assert.ok(rival)
  const other = createOwnership(rival.name)
  merge(other, owner.name, bytes, 5)
  const unit = other.units.get(vip)
  assert.ok(unit)
  unit.owner = rival.name
  unit.term = 9
  const effects = merge(owner.ownership, rival.name, exportClaims(other, 10), rig.nowMs)
  assert.equal(effects.map(({ kind }) => kind), ['wake'])
  assert.is(owner.ownership.units.get(vip)?.round?.purpose, 'check')
  runUntil(rig, rig.nowMs + 500)
  assert.equal(watch(rig, vip, 500).owners, [owner.name])
})

test.run()
