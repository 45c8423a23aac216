/** Pages of one suspicion are one: read together, before whatever was said after them. */
import { noMac } from '../l2/frame.ts'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { encodeMessage, entryOf, type Message, messageOf } from './codec.ts'
import { suspectMs } from './limits.ts'
import type { ReceivedMessage } from './model.ts'
import { step } from './ownership.ts'
import { runUntil } from './rig.ts'
import { give, lanOf, nodeOf, ownersOf, wishOf } from './stage.ts'
import type { Ownership } from './state.ts'
import { endSuspicion, onSuspicion } from './suspicion.ts'

const names = ['n0', 'n1', 'n2']
const vips = ['192.168.1.100', '192.168.1.101', '192.168.1.102', '192.168.1.103']

interface Scene {
  /** Of a node that owns none of `units`. */
  readonly o: Ownership
  readonly owner: string
  readonly units: readonly string[]
  /** So late that the last beat of the owner is none of late. */
  readonly now: number
}

/** n0 owns two units at least; another node is told that it is silent. */
function owned(): Scene {
  const rig = lanOf(3, ['lan'])
  give(rig, vips.map((vip) => wishOf(vip, names)))
  runUntil(rig, rig.nowMs + 5_000)
  const byOwner = Map.groupBy(vips, (vip) => ownersOf(rig, vip)[0] ?? '')
  const [owner = '', units = []] = [...byOwner].find(([, list]) => list.length > 1) ?? []
  const { ownership: o } = nodeOf(rig, names.find((name) => name !== owner))
  return { o, owner, units, now: rig.nowMs + suspectMs + 1 }
}

const pageOf = ({ owner }: Scene, keys: readonly string[], base = 100): Message => {
  const entries = keys.map((key) => entryOf(key, { term: 9 }))
  return messageOf('suspicion', { name: owner, mac: noMac, base, digest: 0, entries })
}

const claimed = ({ o }: Scene): readonly string[] =>
  vips.filter((vip) => o.units.get(vip)?.attempt !== undefined)

test('two pages of one suspicion are taken together, at the end', () => {
  const scene = owned()
  const { o, units: [a = '', b = ''], now } = scene
  onSuspicion(o, pageOf(scene, [a]), { atMs: now - 2, now })
  onSuspicion(o, pageOf(scene, [b]), { atMs: now, now })
  assert.is(o.suspected?.units.length, 2)
  assert.equal(claimed(scene), [])
  endSuspicion(o, now)
  assert.equal(claimed(scene), [a, b])
  assert.is(o.suspected, undefined)
  // The latest L counts.
  assert.equal([a, b].map((key) => o.units.get(key)?.attempt?.lastBeatMs), [now - 100, now - 100])
})

test('what says something else is another suspicion: the first is done before', () => {
  const scene = owned()
  const { o, units: [a = '', b = ''], now } = scene
  onSuspicion(o, pageOf(scene, [a], 150), { atMs: now, now })
  onSuspicion(o, pageOf(scene, [b]), { atMs: now, now })
  assert.equal(claimed(scene), [a])
  endSuspicion(o, now)
  assert.equal(claimed(scene), [a, b])
})

const said = (message: Message, atMs: number): ReceivedMessage =>
  ({ from: 'n9', isGossip: false, bytes: encodeMessage(message), receivedAtMs: atMs })

test('a withdrawal that was read after two pages takes both back', () => {
  const scene = owned()
  const { o, owner, units: [a = '', b = ''], now } = scene
  const pages = [pageOf(scene, [a]), pageOf(scene, [b])]
  step(o, { kind: 'messages', messages: pages.map((page) => said(page, now)) }, now)
  assert.equal(claimed(scene), [a, b])
  const withdrawal = messageOf('withdrawal', { name: owner, mac: noMac })
  step(o, { kind: 'messages', messages: [...pages, withdrawal].map((one) => said(one, now)) }, now)
  assert.equal(claimed(scene), [])
})

test.run()
