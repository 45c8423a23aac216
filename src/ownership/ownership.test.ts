/** Ownership as scenarios on a small wire: who answers, since when, and why. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { address } from '../config/builders.ts'
import { prefixOf } from '../net/range.ts'
import type { Leg, Wish } from './model.ts'
import { addNodes, createRig, peersOf, type Rig, type RigNode, runUntil, setWorld } from './rig.ts'

const legOf = (i: number, name = 'eth0', ifindex = 2, net = 1): Leg => {
  const own = address(`192.168.${net}.${10 + i}`)
  const local = address(`fe80::${10 + i}`)
  return {
    name, ifindex, mac: `02:00:5e:00:5${net}:${(16 + i).toString(16)}`,
    addresses: [
      { address: own, prefix: prefixOf(own, 24) },
      { address: local, prefix: prefixOf(local, 64) },
    ],
  }
}

const wishOf = (text: string, names: readonly string[], rest: Partial<Wish> = {}): Wish => ({
  key: text,
  addresses: [{ address: address(text), text }],
  nominees: names.map((node) => ({ node, score: 0, interfaces: new Map([[text, 'all' as const]]) })),
  hint: undefined,
  ...rest,
})

function lan(count: number): Rig {
  const rig = createRig()
  const names = Array.from({ length: count }, (_, i) => `n${i}`)
  addNodes(rig, names, (_, i) => [legOf(i)])
  for (const node of rig.nodes.values()) node.plugs.set(2, 'lan')
  return rig
}

function give(rig: Rig, wishes: readonly Wish[]): void {
  const peers = peersOf(rig)
  for (const node of rig.nodes.values()) {
    if (!node.isUp) continue
    setWorld(rig, node, { ...node.world, wishes, peers, expected: [...rig.nodes.keys()] })
  }
}

const owners = (rig: Rig, text: string): string[] =>
  [...rig.nodes.values()].filter((node) => answers(rig, node, text)).map(({ name }) => name)

const answers = (rig: Rig, node: RigNode, text: string): boolean =>
  node.isUp && [...node.rights.values()].some((right) => right.text === text) &&
  rig.nowMs < node.notAfterMs

test('three nodes start: one owns, and goes on owning', () => {
  const rig = lan(3)
  give(rig, [wishOf('192.168.1.100', [...rig.nodes.keys()])])
  runUntil(rig, rig.nowMs + 1_000)
  const [owner] = owners(rig, '192.168.1.100')
  assert.is(owners(rig, '192.168.1.100').length, 1)
  runUntil(rig, rig.nowMs + 5_000)
  assert.equal(owners(rig, '192.168.1.100'), [owner])
})

test('the owner is killed: a successor answers within 600 ms, after the fence', () => {
  const rig = lan(3)
  give(rig, [wishOf('192.168.1.100', [...rig.nodes.keys()])])
  runUntil(rig, rig.nowMs + 2_000)
  const [owner = ''] = owners(rig, '192.168.1.100')
  const victim = rig.nodes.get(owner)
  assert.ok(victim)
  victim.isUp = false
  const killedMs = rig.nowMs
  for (let i = 0; i < 200 && owners(rig, '192.168.1.100').length === 0; i++) {
    runUntil(rig, rig.nowMs + 5)
  }
  assert.ok(rig.nowMs - killedMs <= 600)
  assert.ok(rig.nowMs >= victim.notAfterMs)
})

test.run()
