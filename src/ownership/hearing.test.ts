/** Whether silence means anything: which hosts count as others, for a node that nobody hears any more. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { sameAddress } from '../net/address.ts'
import { announcementOf, broadcast, type Rig, type RigNode, runUntil, setWorld } from './rig.ts'
import { addressOf, give, lanOf, nodeOf, notesOf, wishOf } from './stage.ts'
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

test.run()
