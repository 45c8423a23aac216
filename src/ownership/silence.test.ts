/** What a node tells of what it should answer for and does not: why, and only if it lasts. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { announceArp, answerArp, arpRequest, decodeArp } from '../l2/arp.ts'
import type { WireSilence } from '../l2/silences.ts'
import type { Postponement } from './model.ts'
import { createAttempt, type Hush } from './ongoing.ts'
import { broadcast, type Rig, type RigNode, runUntil } from './rig.ts'
import { addressOf, give, lanOf, ownersOf, settled, wishOf } from './stage.ts'
import { wireSilences } from './silence.ts'

const [vip, second] = ['192.168.1.100', '192.168.1.101']
const mac = '02:00:5e:00:53:66'

/** Three nodes and one owner; `names` may own the unit. */
function owned(texts = vip, names = ['n0', 'n1', 'n2']): { rig: Rig; owner: RigNode } {
  const rig = lanOf(3)
  give(rig, [wishOf(texts, names)])
  return { rig, owner: settled(rig, vip) }
}

function told({ nowMs }: Rig, { ownership }: RigNode): readonly WireSilence[] {
  return wireSilences(ownership, nowMs)
}

/** A host that says once that it has the address, and answers whoever asks; ends when called. */
function takes(rig: Rig, text: string): () => void {
  const { bits } = addressOf(text)
  const listener = ({ frame, segment, from }: Rig['captured'][number]): void => {
    const packet = decodeArp(frame)
    if (typeof packet === 'string' || from === 'foreign') return
    const isAsked = packet.operation === arpRequest && packet.target.bits === bits &&
      packet.sender.bits !== bits
    if (isAsked) broadcast(rig, { segment, from: 'foreign', frame: answerArp(packet, mac) })
  }
  rig.listeners.push(listener)
  const [frame] = announceArp(addressOf(text), mac)
  broadcast(rig, { segment: 'lan', from: 'foreign', frame })
  return () => void rig.listeners.splice(rig.listeners.indexOf(listener), 1)
}

test('a foreign host takes an address: told once it has answered, and of what goes with it', () => {
  const { rig, owner } = owned(`${vip} ${second}`)
  assert.equal(told(rig, owner), [])
  const leave = takes(rig, vip)
  runUntil(rig, rig.nowMs + 10)
  assert.equal([ownersOf(rig, vip), told(rig, owner)], [[], []])
  runUntil(rig, rig.nowMs + 500)
  const beside = { text: second, reason: 'inConflict' }
  assert.equal(told(rig, owner), [{ text: vip, reason: 'inConflict', mac }, beside])
  // It proves to be the kernel of a member, which the event strictARP names.
  owner.ownership.macs.set(mac, 'n9')
  assert.equal(told(rig, owner), [vip, second].map((text) => ({ text, reason: 'inConflict' })))
  owner.ownership.macs.delete(mac)
  leave()
  runUntil(rig, rig.nowMs + 60_000)
  assert.equal([ownersOf(rig, vip), told(rig, owner)], [[owner.name], []])
})

test('an owner that hears nobody, and has no successor: told after a second, with the interface', () => {
  const { rig, owner } = owned(vip, ['n1'])
  owner.isMuted = (what, way) => what === 'frame' && way === 'in'
  runUntil(rig, rig.nowMs + 1_500)
  assert.equal([ownersOf(rig, vip), told(rig, owner)], [[], []])
  runUntil(rig, rig.nowMs + 1_000)
  assert.equal(told(rig, owner), [{ text: vip, reason: 'ownerDeaf', interface: 'eth0' }])
  owner.isMuted = () => false
  runUntil(rig, rig.nowMs + 1_000)
  assert.equal([ownersOf(rig, vip), told(rig, owner)], [[owner.name], []])
})

test('an owner dies: its successor has nothing to tell, from the first instant to the last', () => {
  const { rig, owner } = owned()
  owner.isUp = false
  for (let i = 0; i < 2_000; i++) {
    runUntil(rig, rig.nowMs + 1)
    for (const node of rig.nodes.values()) if (node.isUp) assert.equal(told(rig, node), [])
  }
  assert.is(ownersOf(rig, vip).length, 1)
})

test('one of several that starts and hears nobody at all: nothing can be placed', () => {
  const rig = lanOf(2)
  for (const node of rig.nodes.values()) node.isMuted = () => true
  give(rig, [wishOf(vip, ['n0'])], (world) => ({ ...world, expected: [...world.expected, 'n9'] }))
  runUntil(rig, rig.nowMs + 2_000)
  assert.equal([...rig.nodes.values()].flatMap((node) => told(rig, node)), [], 'it waits for the others')
  runUntil(rig, rig.nowMs + 2_000)
  const [first, other] = [...rig.nodes.values()].map((node) => told(rig, node))
  assert.equal(first, [{ text: vip, reason: 'segmentUnheard', interface: 'eth0' }])
  assert.equal(other, [], 'it may not own it')
})

const hushes: readonly { hush: Hush; want: string }[] = [
  { hush: 'contested', want: 'contested' }, { hush: 'expired', want: 'expired' },
  { hush: 'conflict', want: 'inConflict' }, { hush: 'handOver', want: '' },
]
for (const { hush, want } of hushes) {
  test(`an owner that is silent, ${hush}: told of when it has lasted a second`, () => {
    const { rig, owner } = owned()
    const own = owner.ownership.units.get(vip)?.own
    assert.ok(own)
    own.hush = hush
    own.hushedMs = rig.nowMs
    assert.equal(wireSilences(owner.ownership, rig.nowMs + 999), [])
    const reasons = wireSilences(owner.ownership, rig.nowMs + 1_000).map(({ reason }) => reason)
    assert.is(reasons.join(), want)
  })
}

const claims: readonly { told: Postponement | undefined; soon: string; late: string }[] = [
  { told: undefined, soon: '', late: '' },
  { told: 'inConflict', soon: 'inConflict', late: 'inConflict' },
  { told: 'contested', soon: '', late: 'inConflict' },
  { told: 'ownerAnswers', soon: '', late: 'ownerAnswers' },
  { told: 'memberAnswers', soon: '', late: 'memberAnswers' },
  { told: 'segmentUnheard', soon: '', late: 'segmentUnheard' },
]
for (const { told: reason, soon, late } of claims) {
  test(`a claim that is put off, ${reason ?? 'for nothing'}`, () => {
    const { rig, owner } = owned()
    const [other] = [...rig.nodes.values()].filter((node) => node !== owner)
    const unit = other?.ownership.units.get(vip)
    assert.ok(other && unit)
    const now = rig.nowMs
    const loss = { suspect: owner.name, cause: 'ownerSilent', segments: undefined } as const
    unit.attempt = createAttempt({ ...loss, lastBeatMs: now, startMs: now }, now)
    unit.attempt.told = reason
    const said = [now + 999, now + 1_000].map((atMs) =>
      wireSilences(other.ownership, atMs).map((one) => one.reason).join())
    assert.equal(said, [soon, late])
  })
}

test.run()
