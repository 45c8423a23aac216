/** Whose MAC it is: what members tell of their legs, and what frames tell of those that say nothing. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { announceArp } from '../l2/arp.ts'
import type { Mac } from '../l2/model.ts'
import { ghostMs } from './limits.ts'
import type { Leg } from './model.ts'
import { broadcast, type Rig, runUntil, setWorld } from './rig.ts'
import { addressOf, give, lanOf, legAt, nodeOf, wishOf } from './stage.ts'

const unknown: Mac = '02:00:5e:00:52:77'

/** Three members that know each other. */
function met(): Rig {
  const rig = lanOf(3)
  give(rig, [wishOf('192.168.1.100', ['n0', 'n1', 'n2'])])
  runUntil(rig, rig.nowMs + 1_000)
  return rig
}

/** Somebody says that the address of the `i`th node is at that MAC. */
function say(rig: Rig, i: number, mac: Mac): void {
  for (const frame of announceArp(addressOf(`192.168.1.${10 + i}`), mac)) {
    broadcast(rig, { segment: 'lan', from: 'other', frame })
  }
  runUntil(rig, rig.nowMs + 2)
}

function ownerOf(rig: Rig, mac: Mac): string | undefined {
  return nodeOf(rig, 'n0').ownership.macs.get(mac)
}

/** The member's next word of itself; the others say what they said. */
function tell(rig: Rig, name: string, legs: readonly Leg[]): void {
  nodeOf(rig, name).legs = legs
  give(rig, nodeOf(rig, 'n0').world.wishes)
}

test('a MAC that a member has told stays its own, whatever a frame says of it', () => {
  const rig = met()
  const { mac } = legAt(1)
  say(rig, 2, mac)
  assert.is(ownerOf(rig, mac), 'n1')
  // Also while it has no carrier, and its word does not name the leg.
  tell(rig, 'n1', [])
  say(rig, 2, mac)
  assert.is(ownerOf(rig, mac), 'n1')
})

test('a MAC learned from a frame is its node\'s until the member\'s next word', () => {
  const rig = met()
  say(rig, 1, unknown)
  assert.is(ownerOf(rig, unknown), 'n1')
  tell(rig, 'n2', [...nodeOf(rig, 'n2').legs])
  assert.is(ownerOf(rig, unknown), 'n1', 'another has spoken')
  tell(rig, 'n1', [...nodeOf(rig, 'n1').legs])
  assert.is(ownerOf(rig, unknown), undefined)
})

test('a MAC learned as one member\'s is another\'s when that one tells so', () => {
  const rig = met()
  say(rig, 1, unknown)
  tell(rig, 'n2', [{ ...legAt(2), mac: unknown }])
  assert.is(ownerOf(rig, unknown), 'n2')
  say(rig, 1, unknown)
  assert.is(ownerOf(rig, unknown), 'n2')
})

test('a member that tells nothing of its MACs keeps the one that was heard', () => {
  const rig = met()
  const bare = (): readonly Leg[] => [{ ...legAt(1), mac: '' }]
  tell(rig, 'n1', bare())
  say(rig, 1, unknown)
  tell(rig, 'n1', bare())
  assert.is(ownerOf(rig, unknown), 'n1')
})

test('nodes that are no members any more, nor expected, leave nothing behind', () => {
  const rig = met()
  const { ownership } = nodeOf(rig, 'n0')
  const [vip, other] = ['192.168.1.100', '192.168.1.101']
  give(rig, [wishOf(vip, ['n1']), wishOf(other, ['n2'])])
  runUntil(rig, rig.nowMs + 3_000)
  const known = (): readonly (readonly string[])[] => {
    const { beats, spoken, returned, witnessing } = ownership
    return [beats, spoken, returned, witnessing].map((map) => [...map.keys()].toSorted())
  }
  const both = ['n1', 'n2']
  assert.equal(known(), [both, both, [], both])
  for (const name of both) nodeOf(rig, name).isUp = false
  give(rig, [])
  say(rig, 1, legAt(1).mac)
  say(rig, 2, legAt(2).mac)
  assert.equal(known()[2], both)
  const { world } = nodeOf(rig, 'n0')
  setWorld(rig, nodeOf(rig, 'n0'), {
    ...world, peers: world.peers.filter(({ name }) => name === 'n0'), expected: ['n0', 'n2'],
  })
  runUntil(rig, rig.nowMs + ghostMs - 5_000)
  // Nothing is left of its list.
  assert.equal(known(), [['n2'], both, both, []])
  runUntil(rig, rig.nowMs + 10_000)
  assert.equal(known(), [['n2'], ['n2'], ['n2'], []])
})

test.run()
