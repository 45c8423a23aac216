/** Voices of others: foreign hosts, kernels of members, fabrics, two segments, twins, terms. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { announceArp, answerArp, arpRequest, decodeArp } from '../l2/arp.ts'
import { decodeNeighbour } from '../l2/ndp.ts'
import { itemDigest } from './beats.ts'
import { decodeMessage, encodeMessage, entryOf, isHushed, messageOf } from './codec.ts'
import { onProbe } from './conflict.ts'
import { defendMs, roundMs } from './limits.ts'
import { step } from './ownership.ts'
import { announcementOf, broadcast, type Captured, emit, type Rig, runUntil, setWorld } from './rig.ts'
import {
  addressOf, give, lanOf, nodeOf, notesOf, ownersOf, settled, watch, wishOf,
} from './stage.ts'
import { foreignVoices, muted, view, wireSigns } from './view.ts'

const vip = '192.168.1.100'
const foreignMac = '02:00:5e:00:53:66'

function placed(count: number, segments?: readonly string[]) {
  const rig = lanOf(count, segments)
  const wishes = [wishOf(vip, [...rig.nodes.keys()])]
  give(rig, wishes)
  const owner = settled(rig, vip)
  rig.notes.length = 0
  return { rig, owner, wishes }
}

/** Answers every request for the address on the LAN as `mac`, as a host that has it would. */
function answerAs(rig: Rig, mac: string, from = 'foreign', text = vip): () => void {
  const segment = 'lan'
  const listener = ({ frame, segment: at, from: sender }: Captured): void => {
    const packet = decodeArp(frame)
    if (at !== segment || sender === from || typeof packet === 'string') return
    const isAsked = packet.operation === arpRequest && packet.target.bits === addressOf(text).bits &&
      packet.sender.bits !== packet.target.bits
    const isForMac = packet.etherTo === 'ff:ff:ff:ff:ff:ff' || packet.etherTo === mac
    if (isAsked && isForMac) broadcast(rig, { segment, from, frame: answerArp(packet, mac) })
  }
  rig.listeners.push(listener)
  return () => {
    rig.listeners.splice(rig.listeners.indexOf(listener), 1)
  }
}

test('one stray announcement of a foreign host: silent in the same frame, back after 300 ms', () => {
  const { rig, owner } = placed(4)
  const [frame] = announceArp(addressOf(vip), foreignMac)
  broadcast(rig, { segment: 'lan', from: 'foreign', frame })
  runUntil(rig, rig.nowMs + 1)
  assert.equal(ownersOf(rig, vip), [])
  const { darkMs, owners } = watch(rig, vip, 3_000)
  assert.ok(darkMs >= 300 && darkMs <= 500, `dark ${darkMs}`)
  assert.equal(owners, [owner.name])
  assert.equal(notesOf(rig, 'silenced'), [`${owner.name} conflict`])
  assert.equal(notesOf(rig, 'claimed'), [])
  assert.equal(notesOf(rig, 'inConflict'), [])
})

test('a second announcement within 10 s is not fought: silent until the interval is over', () => {
  const { rig, owner } = placed(4)
  const [frame] = announceArp(addressOf(vip), foreignMac)
  broadcast(rig, { segment: 'lan', from: 'foreign', frame })
  runUntil(rig, rig.nowMs + 1_000)
  broadcast(rig, { segment: 'lan', from: 'foreign', frame })
  const { darkMs, owners } = watch(rig, vip, defendMs)
  assert.ok(darkMs > defendMs - 1_500, `dark ${darkMs}`)
  assert.equal(owners, [owner.name])
})

test('a foreign host that stays: inConflict with its MAC, nobody claims, cleared when it has gone', () => {
  const { rig, owner } = placed(4)
  const stop = answerAs(rig, foreignMac)
  const [frame] = announceArp(addressOf(vip), foreignMac)
  broadcast(rig, { segment: 'lan', from: 'foreign', frame })
  assert.equal(watch(rig, vip, 15_000).owners, [])
  assert.equal(notesOf(rig, 'inConflict'), [`${owner.name} ${vip}`])
  assert.equal(notesOf(rig, 'claimed'), [])
  assert.equal(foreignVoices(owner.ownership, rig.nowMs), [{ text: vip, mac: foreignMac }])
  stop()
  runUntil(rig, rig.nowMs + 60_000)
  assert.equal(foreignVoices(owner.ownership, rig.nowMs), [])
  assert.equal(ownersOf(rig, vip), [owner.name])
  assert.equal(notesOf(rig, 'conflictEnded'), [`${owner.name} ${vip}`])
})

for (const { name, change } of [
  { name: 'may own it no more', change: { wishes: [wishOf(vip, ['n2', 'n3'])] } },
  { name: 'is drained', change: { isDraining: true } },
]) {
  test(`an owner that ${name} hands over nothing that a foreign host has: nobody announces it`, () => {
    const { rig, owner, wishes } = placed(4)
    const leave = answerAs(rig, foreignMac)
    const [frame] = announceArp(addressOf(vip), foreignMac)
    broadcast(rig, { segment: 'lan', from: 'foreign', frame })
    runUntil(rig, rig.nowMs + 1_000)
    give(rig, wishes, (world, node) => node === owner || 'wishes' in change ? { ...world, ...change } : world)
    assert.equal(watch(rig, vip, 5_000).owners, [])
    leave()
    if ('wishes' in change) assert.is(watch(rig, vip, 25_000).owners.length, 1)
  })
}

test('own frames that come back, and requests from other addresses, are no voices', () => {
  const { rig, owner } = placed(3)
  const [leg] = owner.legs
  assert.ok(leg)
  for (const frame of announceArp(addressOf(vip), leg.mac)) {
    broadcast(rig, { segment: 'lan', from: 'bridge', frame })
  }
  assert.equal(watch(rig, vip, 1_000), { darkMs: 0, overlapMs: 0, owners: [owner.name] })
})

test('a host that answers a claim: put off, inConflict, and tried again', () => {
  const { rig, owner } = placed(3)
  const stop = answerAs(rig, foreignMac)
  owner.isUp = false
  assert.equal(watch(rig, vip, 3_000).owners, [])
  assert.ok(notesOf(rig, 'postponed').some((text) => text.endsWith('inConflict')))
  const seen = (): readonly unknown[] => [...rig.nodes.values()].filter(({ isUp }) => isUp)
    .flatMap(({ ownership }) => foreignVoices(ownership, rig.nowMs))
  assert.equal(seen()[0], { text: vip, mac: foreignMac })
  stop()
  runUntil(rig, rig.nowMs + 12_000)
  assert.equal(seen(), [])
  assert.is(ownersOf(rig, vip).length, 1)
})

test('a host that answers a claim for the second address of a unit: that one is told, with its MAC', () => {
  const second = '192.168.1.101'
  const rig = lanOf(3)
  give(rig, [wishOf(`${vip} ${second}`, [...rig.nodes.keys()])])
  const owner = settled(rig, vip)
  answerAs(rig, foreignMac, 'foreign', second)
  owner.isUp = false
  runUntil(rig, rig.nowMs + 3_000)
  const seen = [...rig.nodes.values()].filter(({ isUp }) => isUp)
    .flatMap(({ ownership }) => foreignVoices(ownership, rig.nowMs))
  assert.equal(seen[0], { text: second, mac: foreignMac })
})

test('a fabric goes on answering in the name of a dead owner: arpSuppression', () => {
  const { rig, owner, wishes } = placed(3)
  const [leg] = owner.legs
  assert.ok(leg)
  const listener = ({ frame, from }: Captured): void => {
    const packet = decodeArp(frame)
    if (typeof packet === 'string' || from === 'fabric') return
    // It answers broadcasts from its table, and passes on what is sent to one host.
    const isAsked = packet.operation === arpRequest && packet.target.bits === addressOf(vip).bits &&
      packet.sender.bits !== packet.target.bits && packet.etherTo === 'ff:ff:ff:ff:ff:ff'
    if (isAsked) broadcast(rig, { segment: 'lan', from: 'fabric', frame: answerArp(packet, leg.mac) })
  }
  rig.listeners.push(listener)
  owner.isUp = false
  assert.equal(watch(rig, vip, 2_000).owners, [])
  give(rig, wishes)
  runUntil(rig, rig.nowMs + 2_500)
  assert.is(ownersOf(rig, vip).length, 1)
  assert.ok(notesOf(rig, 'claimed').some((text) => text.endsWith('arpSuppression')))
})

test('a drained owner leaves to a member that it hears if it was offered to that one before', () => {
  const { rig, owner } = placed(3)
  setWorld(rig, owner, { ...owner.world, isDraining: true })
  const own = owner.ownership.units.get(vip)?.own
  const first = nodeOf(rig, own?.offer?.to)
  const third = [...rig.nodes.values()].find((node) => node !== owner && node !== first)
  const mac = first.legs[0]?.mac
  assert.ok(own?.offer && third && mac)
  own.refused.set(first.name, rig.nowMs + 1_000)
  own.offer = { ...own.offer, to: third.name, nextMs: rig.nowMs + 20 }
  const [frame] = announceArp(addressOf(vip), mac)
  emit(rig, first, 2, frame)
  runUntil(rig, rig.nowMs + 10)
  assert.equal(notesOf(rig, 'silenced'), [])
  assert.equal(notesOf(rig, 'released'), [`${owner.name} handOver`])
})

test('a drained owner leaves nothing to a member that refused long ago: its kernel may answer', () => {
  const { rig, owner } = placed(3)
  setWorld(rig, owner, { ...owner.world, isDraining: true })
  const own = owner.ownership.units.get(vip)?.own
  const third = [...rig.nodes.values()].find(({ name }) => name !== owner.name && name !== own?.offer?.to)
  const mac = third?.legs[0]?.mac
  assert.ok(own?.offer && third && mac)
  own.refused.set(third.name, rig.nowMs - 1)
  own.offer = { ...own.offer, nextMs: rig.nowMs + 20 }
  const [frame] = announceArp(addressOf(vip), mac)
  emit(rig, third, 2, frame)
  runUntil(rig, rig.nowMs + 10)
  assert.equal(notesOf(rig, 'released'), [])
})

test('the kernel of a member answers for what it does not own: strictARP', () => {
  const { rig, owner } = placed(3)
  const other = [...rig.nodes.values()].find((node) => node !== owner)
  const mac = other?.legs[0]?.mac
  assert.ok(other && mac)
  answerAs(rig, mac, other.name)
  const [frame] = announceArp(addressOf(vip), mac)
  emit(rig, other, 2, frame)
  runUntil(rig, rig.nowMs + 2_000)
  assert.equal(notesOf(rig, 'strictARP'), [`${owner.name} ${vip}`])
  assert.equal(notesOf(rig, 'claimed'), [])
})

for (const has of ['left', 'died'] as const) {
  test(`a member has ${has}, and its kernel answers for what another owned: no owner`, () => {
    const { rig, owner, wishes } = placed(3)
    const other = [...rig.nodes.values()].find((node) => node !== owner)
    const mac = other?.legs[0]?.mac
    assert.ok(other && mac)
    other.isUp = false
    give(rig, wishes, (world) => ({
      ...world,
      peers: world.peers.map((peer) => ({ ...peer, isDraining: has === 'left' && !peer.isAlive })),
    }))
    const stop = answerAs(rig, mac, 'kernel')
    const [frame] = announceArp(addressOf(vip), mac)
    broadcast(rig, { segment: 'lan', from: 'kernel', frame })
    runUntil(rig, rig.nowMs + 10_000)
    const { ownership } = owner
    const [seen] = view(ownership, rig.nowMs).units
    assert.equal(seen?.formerVoice, { node: other.name, mac, text: vip })
    assert.is(seen?.ownerState, has === 'left' ? 'gone' : 'dead')
    assert.equal(foreignVoices(ownership, rig.nowMs),
      has === 'left' ? [{ node: other.name, mac, text: vip }] : [])
    assert.equal([...wireSigns(ownership, rig.nowMs)], [[other.name, 'answers']])
    // Dead by membership alone, it may be cut off and serve.
    assert.equal(muted(ownership, rig.nowMs).map(({ node, reason }) => [node, reason]),
      has === 'left' ? [[other.name, 'inConflict']] : [])
    stop()
    runUntil(rig, rig.nowMs + 10_000)
    const [after] = view(ownership, rig.nowMs).units
    assert.equal([after?.ownerState, after?.formerVoice], ['live', undefined])
    assert.equal(muted(ownership, rig.nowMs), [])
  })
}

test('a probe of a member is answered three times: 0, 4 and 9 ms', () => {
  const { rig, owner } = placed(3)
  const other = [...rig.nodes.values()].find((node) => node !== owner)
  const mac = other?.legs[0]?.mac
  assert.ok(other && mac)
  const startMs = rig.nowMs
  rig.captured.length = 0
  const zero = { family: 'ipv4', bits: 0n } as const
  const request = announceArp(addressOf(vip), mac)[0]
  const packet = decodeArp(request)
  assert.ok(typeof packet !== 'string')
  emit(rig, other, 2, encodeProbe({ ...packet, sender: zero }))
  runUntil(rig, rig.nowMs + 15)
  const answered = rig.captured.filter(({ from, frame }) => {
    const seen = decodeArp(frame)
    return from === owner.name && typeof seen !== 'string' && seen.operation === 2
  })
  assert.equal(answered.map(({ atMs }) => atMs - startMs), [1, 5, 10])
})

test('a beat with a higher term: silent at once, the wire decides; a lower one silences nobody', () => {
  const { rig, owner } = placed(3)
  const from = [...rig.nodes.keys()].find((name) => name !== owner.name) ?? ''
  const contested = (term: number) => encodeMessage(messageOf('contested', {
    entries: [entryOf(vip, { term, node: from })],
  }))
  const message = (term: number) => ({
    kind: 'messages' as const,
    messages: [{ from, isGossip: false, bytes: contested(term), receivedAtMs: rig.nowMs }],
  })
  assert.not.ok(step(owner.ownership, message(0), rig.nowMs).some(({ kind }) => kind.startsWith('rights')))
  const effects = step(owner.ownership, message(7), rig.nowMs)
  const change = effects.find((effect) => effect.kind === 'rightsChanged')
  assert.equal([change?.gone, change?.come], [[vip], []])
  assert.ok(effects.some((effect) => effect.kind === 'note' && effect.note.kind === 'silenced'))
  owner.wakeMs = rig.nowMs
  runUntil(rig, rig.nowMs + 200)
  assert.equal(notesOf(rig, 'resumed'), [`${owner.name} contested`])
  assert.ok((owner.ownership.units.get(vip)?.own?.term ?? 0) > 7)
})

const lates = [
  { it: 'in time: it claims, and the other hears that', lateMs: 15, sent: 5 },
  { it: 'late: the other may have begun after its last probe, which it repeats', lateMs: 16, sent: 4 },
  { it: 'late, and has the higher MAC: it waits', lateMs: 16, mac: '02:00:5e:00:51:00', sent: undefined },
]
for (const { it, lateMs, mac = '02:00:5e:00:53:00', sent } of lates) {
  test(`another probes when all probes have been sent, and this node is ${it}`, () => {
    const { rig, owner } = placed(2)
    const [heir] = [...rig.nodes.values()].filter((node) => node !== owner)
    const unit = heir?.ownership.units.get(vip)
    owner.isUp = false
    for (let i = 0; i < 1_000 && unit?.round?.sent !== 5; i++) runUntil(rig, rig.nowMs + 1)
    const round = unit?.round
    if (heir === undefined || unit === undefined || round === undefined) return assert.unreachable('no round')
    const now = round.startMs + roundMs + lateMs
    onProbe(heir.ownership, unit, { text: vip, mac, ifindex: 2, frame: new Uint8Array() }, now)
    assert.is(unit.round?.sent, sent)
    assert.is(sent === 4 && unit.round?.startMs !== now - 60, false)
  })
}

/**
 * The owner with the lowest MAC stands still beyond its fence, its beats are lost, and after the last
 * probe with which it wants to answer again it stands still once more, for `lateMs`.
 */
function standStillTwice(lateMs: number) {
  const { rig, owner } = placed(3)
  assert.is(owner.name, 'n0')
  owner.isMuted = (what) => what === 'message'
  owner.isFrozen = true
  runUntil(rig, rig.nowMs + 310)
  owner.isFrozen = false
  const isAsked = (): boolean => owner.ownership.units.get(vip)?.round?.sent === 5
  for (let i = 0; i < 200 && !isAsked(); i++) runUntil(rig, rig.nowMs + 1)
  assert.ok(isAsked())
  owner.isFrozen = true
  const still = watch(rig, vip, lateMs)
  owner.isFrozen = false
  const after = watch(rig, vip, 1_000)
  const owners = [...new Set([...still.owners, ...after.owners])]
  return { owners, overlapMs: after.overlapMs, silenced: notesOf(rig, 'silenced') }
}

test('an owner that is late to answer again, and one that has asked meanwhile: never both', () => {
  const seen = new Set<string>()
  for (let lateMs = 150; lateMs < 200; lateMs++) {
    const { owners, ...rest } = standStillTwice(lateMs)
    seen.add(owners.join(' '))
    assert.equal({ lateMs, ...rest }, { lateMs, overlapMs: 0, silenced: ['n0 expired'] })
  }
  assert.equal([...seen], ['n0', 'n1'], 'late: it goes on; later: another has it')
})

test('two interfaces on one segment: the lower one answers alone', () => {
  const rig = lanOf(2, ['lan', 'lan'])
  give(rig, [wishOf(vip, [...rig.nodes.keys()])])
  const owner = settled(rig, vip)
  runUntil(rig, rig.nowMs + 1_000)
  assert.equal([...owner.rights.values()].map(({ ifindexes }) => [...ifindexes]), [[2]])
})

test('two segments, one lost: the claimer of it gets the other too, and keeps both', () => {
  const { rig, owner } = placed(4, ['lan', 'wan'])
  assert.equal([...owner.rights.values()].map(({ ifindexes }) => [...ifindexes]), [[2, 3]])
  owner.plugs.delete(2)
  watch(rig, vip, 4_000)
  const next = nodeOf(rig, ownersOf(rig, vip)[0])
  assert.is(ownersOf(rig, vip).length, 1)
  assert.is.not(next, owner)
  assert.equal([...next.rights.values()].map(({ ifindexes }) => [...ifindexes]), [[2, 3]])
  owner.plugs.set(2, 'lan')
  assert.equal(watch(rig, vip, 3_000), { darkMs: 0, overlapMs: 0, owners: [next.name] })
})

test('two segments, the carrier of one lost: the unit is handed to a node that has both, at once', () => {
  const { rig, owner, wishes } = placed(4, ['lan', 'wan'])
  owner.plugs.delete(3)
  owner.legs = owner.legs.slice(0, 1)
  give(rig, wishes)
  const { darkMs, overlapMs, owners } = watch(rig, vip, 1_000)
  assert.is(darkMs, 0)
  assert.ok(overlapMs <= 50, `overlap ${overlapMs}`)
  assert.is.not(owners.at(-1), owner.name)
  assert.ok(notesOf(rig, 'claimed').includes(`${owners.at(-1)} handOver`))
})

test('IPv6: probed from the unspecified and from the link-local address, and claimed', () => {
  const rig = lanOf(3)
  const text = '2001:db8::100'
  give(rig, [wishOf(text, [...rig.nodes.keys()])])
  const owner = settled(rig, text)
  rig.captured.length = 0
  owner.isUp = false
  const { darkMs, overlapMs } = watch(rig, text, 2_000)
  assert.ok(darkMs <= 600, `dark ${darkMs}`)
  assert.is(overlapMs, 0)
  const sources = new Set(rig.captured.flatMap(({ frame }) => {
    const packet = decodeNeighbour(frame)
    const isAsk = typeof packet !== 'string' && packet.type === 135 &&
      packet.target.bits === addressOf(text).bits
    return isAsk ? [packet.source.bits === 0n ? 'unspecified' : 'local'] : []
  }))
  assert.equal([...sources].toSorted(), ['local', 'unspecified'])
})

test('a steady beat is small, whatever the number of units; the list goes on change', () => {
  const rig = lanOf(4)
  const names = [...rig.nodes.keys()]
  const wishes = Array.from({ length: 400 }, (_, i) => wishOf(`203.0.113.${i % 250}`, names))
    .slice(0, 250)
  give(rig, wishes)
  runUntil(rig, rig.nowMs + 3_000)
  rig.messages.length = 0
  runUntil(rig, rig.nowMs + 1_000)
  const beats = rig.messages.filter(({ bytes }) => decodeMessage(bytes)?.kind === 'beat')
  assert.ok(beats.length <= 4 * 3 * 11, String(beats.length))
  assert.ok(beats.every(({ bytes }) => bytes.length <= 40))
  assert.is(rig.messages.length, beats.length)
})

function encodeProbe(packet: Exclude<ReturnType<typeof decodeArp>, string>): Uint8Array {
  const frame = announceArp(packet.target, packet.senderMac)[0].slice()
  frame.fill(0, 28, 32)
  return frame
}

for (const [who, isSilenced] of [['the one that handed it over', false], ['another member', true]] as const) {
  test(`just handed a unit, its owner hears ${who} answer for it: silenced ${isSilenced}`, () => {
    const rig = lanOf(4)
    const names = [...rig.nodes.keys()]
    give(rig, [wishOf(vip, names)])
    const giver = settled(rig, vip)
    give(rig, [wishOf(vip, names.filter((name) => name !== giver.name))])
    for (let i = 0; i < 100 && notesOf(rig, 'released').length === 0; i++) runUntil(rig, rig.nowMs + 1)
    const [taker] = ownersOf(rig, vip)
    assert.equal(notesOf(rig, 'released'), [`${giver.name} handOver`])
    const other = names.find((name) => name !== giver.name && name !== taker)
    const speaker = nodeOf(rig, isSilenced ? other : giver.name)
    for (const frame of announcementOf(addressOf(vip), speaker.legs[0]?.mac ?? '')) {
      broadcast(rig, { segment: 'lan', from: speaker.name, frame })
    }
    runUntil(rig, rig.nowMs + 5)
    assert.equal(notesOf(rig, 'silenced'), isSilenced ? [`${taker} contested`] : [])
  })
}

test('of two with one term, whoever stood still and is silent contests nobody; whoever answers does', () => {
  const silencedBy = (flags: number): readonly string[] => {
    const { rig, owner } = placed(3)
    const rival = [...rig.nodes.values()].find((node) => node !== owner)
    const term = owner.ownership.units.get(vip)?.own?.term
    const mac = rival?.legs[0]?.mac
    assert.ok(rival !== undefined && term !== undefined && mac !== undefined)
    const beat = messageOf('beat', {
      incarnation: 7, revision: 1, digest: itemDigest(vip, term, flags) >>> 0, mac,
      entries: [entryOf(vip, { term, flags })],
    })
    const { name: from } = rival
    owner.messages.push({ from, isGossip: false, bytes: encodeMessage(beat), receivedAtMs: rig.nowMs })
    runUntil(rig, rig.nowMs + 100)
    return notesOf(rig, 'silenced').map((text) => text.replace(owner.name, 'the owner'))
  }
  assert.equal(silencedBy(isHushed), [])
  assert.equal(silencedBy(0), ['the owner contested'])
})

test.run()
