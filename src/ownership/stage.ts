/** Ready-made nodes, wishes and questions for the tests of ownership on the small wire. */
import { parseAddress } from '../net/address.ts'
import type { Address, Millis } from '../net/model.ts'
import { prefixOf } from '../net/range.ts'
import type { Leg, Note, Wish, World } from './model.ts'
import { addNodes, createRig, peersOf, type Rig, type RigNode, runUntil, setWorld } from './rig.ts'

export function addressOf(text: string): Address {
  const address = parseAddress(text)
  if (address === undefined) throw new RangeError(`Not an address: "${text}"`)
  return address
}

/** Leg `ifindex` of the `i`th node, on 192.168.1.0/24 or 198.51.100.0/24. */
export function legAt(i: number, ifindex = 2): Leg {
  const net = ifindex === 2 ? '192.168.1' : '198.51.100'
  const own = addressOf(`${net}.${10 + i}`)
  const local = addressOf(`fe80::${ifindex}:${10 + i}`)
  return {
    name: `eth${ifindex - 2}`, ifindex,
    mac: `02:00:5e:00:5${ifindex}:${(16 + i).toString(16).padStart(2, '0')}`,
    addresses: [
      { address: own, prefix: prefixOf(own, 24) },
      { address: local, prefix: prefixOf(local, 64) },
    ],
  }
}

export function wishOf(texts: string, names: readonly string[], rest: Partial<Wish> = {}): Wish {
  const all = texts.split(' ')
  const interfaces = new Map(all.map((text) => [text, 'all' as const]))
  return {
    key: all[0] ?? '',
    addresses: all.map((text) => ({ address: addressOf(text), text })),
    nominees: names.map((node) => ({ node, score: 0, interfaces })),
    hint: undefined,
    ...rest,
  }
}

/** `count` nodes n0, n1, … with a leg on each of `segments`; nothing is wished for yet. */
export function lanOf(count: number, segments: readonly string[] = ['lan']): Rig {
  const rig = createRig()
  const names = Array.from({ length: count }, (_, i) => `n${i}`)
  addNodes(rig, names, (_, i) => segments.map((_, j) => legAt(i, 2 + j)))
  for (const node of rig.nodes.values()) {
    segments.forEach((segment, j) => node.plugs.set(2 + j, segment))
  }
  return rig
}

/** Every node that is up sees these wishes, and the members as they are. */
export function give(
  rig: Rig, wishes: readonly Wish[], change: (world: World, node: RigNode) => World = (world) => world,
): void {
  const peers = peersOf(rig)
  for (const node of rig.nodes.values()) {
    if (!node.isUp) continue
    const world = { ...node.world, wishes, peers, expected: [...rig.nodes.keys()] }
    setWorld(rig, node, change(world, node))
  }
}

export function answers(rig: Rig, node: RigNode, text: string): boolean {
  return node.isUp && !node.isFrozen && rig.nowMs < node.notAfterMs &&
    [...node.rights.values()].some((right) => right.text === text && right.ifindexes.size > 0)
}

/** Names of those that answer for the address now. */
export function ownersOf(rig: Rig, text: string): readonly string[] {
  return [...rig.nodes.values()].filter((node) => answers(rig, node, text)).map(({ name }) => name)
}

export function nodeOf(rig: Rig, name: string | undefined): RigNode {
  const node = rig.nodes.get(name ?? '')
  if (node === undefined) throw new RangeError(`No node "${name}"`)
  return node
}

/** The one owner after the first placement, when gossip and wire are quiet. */
export function settled(rig: Rig, text: string): RigNode {
  runUntil(rig, rig.nowMs + 2_000)
  return nodeOf(rig, ownersOf(rig, text)[0])
}

export interface Watched {
  readonly darkMs: Millis
  readonly overlapMs: Millis
  /** Owners in the order in which they were seen. */
  readonly owners: readonly string[]
}

/** Looks each millisecond for `forMs` who answers for the address. */
export function watch(rig: Rig, text: string, forMs: Millis): Watched {
  let darkMs = 0
  let overlapMs = 0
  const owners: string[] = []
  for (let i = 0; i < forMs; i++) {
    runUntil(rig, rig.nowMs + 1)
    const now = ownersOf(rig, text)
    if (now.length === 0) darkMs++
    if (now.length > 1) overlapMs++
    for (const name of now) if (owners.at(-1) !== name) owners.push(name)
  }
  return { darkMs, overlapMs, owners }
}

/** Notes of a kind, as `node cause-or-reason`. */
export function notesOf(rig: Rig, kind: Note['kind']): readonly string[] {
  return rig.notes.flatMap(({ node, note }) => {
    if (note.kind !== kind) return []
    const word = 'cause' in note ? note.cause : 'reason' in note ? note.reason : note.text
    return [`${node} ${word}`]
  })
}
