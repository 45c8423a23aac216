/** What is believed of a node when somebody says it is alive, suspect or dead. */
import {
  addHealth, aliveOf, broadcast, drop, isLive, isSameEndpoint, type Node, plainAddress, type Ring,
  sendTogether, setTimer, type Suspicion, tell,
} from './ring.ts'
import type { Endpoint } from './model.ts'
import { nextIndex } from './random.ts'
import { suspicionMs, suspicionTimes } from './timing.ts'
import { isSameBytes } from './wire/bytes.ts'
import type { Accusation, Alive, ListedNode } from './wire/message.ts'

/** More known nodes than this, dead ones included, are not taken in. */
export const maxNodes = 10_000

/** Who says it: ourselves about ourselves, anybody just now, or a list of what somebody believes. */
export type Speaker = 'self' | 'other' | 'list'

/** A node is said to be alive. */
export function hearAlive(ring: Ring, alive: Alive, speaker: Speaker): void {
  const { self, nowMs } = ring
  const isSelf = alive.name === self.name
  if (isSelf && ring.leaving !== 'no') return
  if (!areVersionsSound(alive.versions)) return drop(ring, 'badVersions')
  const port = alive.port === 0 ? ring.options.endpoint.port : alive.port
  const known = ring.byName.get(alive.name)
  if (known === undefined && ring.nodes.length >= maxNodes) return drop(ring, 'tooManyNodes')
  const node = known ?? addNode(ring, alive, port)
  const hasMoved = !isSameBytes(node.address, alive.address) || node.port !== port
  // A dead node's name stays bound to its address until it is forgotten; one that left is free.
  if (hasMoved && node.state !== 'left') return refuse(ring, node, { ...alive, port }, speaker)
  if (!isSelf && !hasMoved && alive.incarnation <= node.incarnation) return
  if (isSelf && alive.incarnation < node.incarnation) return
  if (isSelf && speaker !== 'self') {
    const isNews = alive.incarnation !== node.incarnation || !isSameMeta(alive, node) ||
      !isSameBytes(alive.versions, node.versions)
    if (isNews) refute(ring, alive.incarnation, undefined)
    return
  }
  node.suspicion = undefined
  broadcast(ring, node.name, { ...alive, port })
  const before = node.state
  const hasNews = !isSameMeta(alive, node)
  node.versions = alive.versions
  node.incarnation = alive.incarnation
  node.meta = alive.meta
  node.address = alive.address
  node.port = port
  if (before !== 'alive') {
    node.state = 'alive'
    node.sinceMs = nowMs
  }
  if (before === 'dead' || before === 'left') tell(ring, 'joined', node)
  else if (hasNews) tell(ring, 'changed', node)
  if (before === 'suspect') tell(ring, 'cleared', node)
}

/** The first that was known stays; the dead are no second host, nor is another form of one address. */
function refuse(ring: Ring, known: Node, { name, address, port, meta }: Alive, speaker: Speaker): void {
  drop(ring, 'nameConflict')
  if (!isLive(known) || isSameEndpoint(known, { address, port })) return
  ring.effects.push({
    kind: 'conflict', name, known: { address: known.address, port: known.port }, claimed: { address, port },
    meta: meta ?? new Uint8Array(), isWord: speaker !== 'list',
  })
}

function isSameMeta(a: Pick<Node, 'meta'>, b: Pick<Node, 'meta'>): boolean {
  return isSameBytes(a.meta ?? new Uint8Array(), b.meta ?? new Uint8Array())
}

function areVersionsSound(versions: Uint8Array): boolean {
  const [least = 0, most = 0] = versions
  return least !== 0 && most !== 0 && least <= most
}

/** A new node is dead at incarnation 0 until the alive that brought it has been believed. */
function addNode(ring: Ring, { name, address, meta, versions }: Alive, port: number): Node {
  const node: Node = {
    name, address, port, meta, versions, incarnation: 0, state: 'dead', sinceMs: ring.nowMs,
    suspicion: undefined,
  }
  ring.byName.set(name, node)
  const { nodes } = ring
  nodes.push(node)
  // At a random place of the probe order.
  const at = nextIndex(ring.random, nodes.length - 1)
  const [other] = nodes.splice(at, 1, node)
  if (other !== undefined) nodes[nodes.length - 1] = other
  return node
}

/** A node is said not to answer. */
export function hearSuspect(ring: Ring, suspect: Accusation): void {
  const node = ring.byName.get(suspect.name)
  if (node === undefined) return
  if (suspect.incarnation < node.incarnation) return answerStale(ring, node, suspect.from)
  if (node.suspicion !== undefined) return confirm(ring, node, node.suspicion, suspect)
  if (node.state !== 'alive') return
  if (node === ring.self) return refute(ring, suspect.incarnation, suspect.from)
  broadcast(ring, node.name, suspect)
  node.incarnation = suspect.incarnation
  node.state = 'suspect'
  node.sinceMs = ring.nowMs
  const times = suspicionTimes(ring.settings, ring.nodes.length)
  const suspicion: Suspicion = {
    startedMs: ring.nowMs, times, from: new Set([suspect.from]),
    dueMs: ring.nowMs + suspicionMs(times, 0),
  }
  node.suspicion = suspicion
  setTimer(ring, suspicion.dueMs, { kind: 'suspicion', node, suspicion })
  tell(ring, 'suspected', node)
}

function confirm(ring: Ring, node: Node, suspicion: Suspicion, suspect: Accusation): void {
  const { from, times, startedMs } = suspicion
  if (from.size - 1 >= times.wanted || from.has(suspect.from)) return
  from.add(suspect.from)
  broadcast(ring, node.name, suspect)
  suspicion.dueMs = startedMs + suspicionMs(times, from.size - 1)
  setTimer(ring, suspicion.dueMs, { kind: 'suspicion', node, suspicion })
}

/** A suspicion has lasted long enough, unless it is over. */
export function endSuspicion(ring: Ring, node: Node, suspicion: Suspicion): void {
  if (node.suspicion !== suspicion || suspicion.dueMs > ring.nowMs || node.state !== 'suspect') return
  const { name, incarnation } = node
  hearDead(ring, { kind: 'dead', name, incarnation, from: ring.self.name })
}

/** A node is said to be dead, or says that it leaves. */
export function hearDead(ring: Ring, dead: Accusation): void {
  const node = ring.byName.get(dead.name)
  if (node === undefined) return
  if (dead.incarnation < node.incarnation) return answerStale(ring, node, dead.from)
  node.suspicion = undefined
  if (!isLive(node)) return
  const isSelf = node === ring.self
  if (isSelf && ring.leaving === 'no') return refute(ring, dead.incarnation, dead.from)
  broadcast(ring, node.name, dead, isSelf)
  node.incarnation = dead.incarnation
  node.state = dead.from === dead.name ? 'left' : 'dead'
  node.sinceMs = ring.nowMs
  tell(ring, 'left', node)
}

/**
 * Contradicts what is said of us, above the incarnation it was said of. The accuser is told
 * directly besides the gossip: it believes us half a second earlier.
 */
function refute(ring: Ring, accused: number, from: string | undefined): void {
  const { self } = ring
  self.incarnation = (Math.max(self.incarnation, accused) + 1) >>> 0
  addHealth(ring, 1)
  broadcast(ring, self.name, aliveOf(self))
  tellDirectly(ring, from)
}

/** An accusation of an older us is ignored by everyone, so only we can correct its author. */
function answerStale(ring: Ring, node: Node, from: string): void {
  if (node === ring.self && ring.leaving === 'no') tellDirectly(ring, from)
}

function tellDirectly(ring: Ring, name: string | undefined): void {
  const to = name === undefined ? undefined : ring.byName.get(name)
  if (to !== undefined && to !== ring.self) sendTogether(ring, to, [aliveOf(ring.self)])
}

/** Whether both lists speak versions that all who live understand; else the exchange is void. */
export function areCompatible(ring: Ring, listed: readonly ListedNode[]): boolean {
  const all: readonly Pick<ListedNode, 'state' | 'versions'>[] = [...ring.nodes, ...listed]
  const alive = all.filter(({ state }) => state === 'alive')
  const bound = (at: number, pick: (...values: number[]) => number, start: number): number =>
    alive.reduce((value, { versions }) => pick(value, versions[at] ?? 0), start)
  const [least, most] = [bound(0, Math.max, 0), bound(1, Math.min, 255)]
  const [leastDelegate, mostDelegate] = [bound(3, Math.max, 0), bound(4, Math.min, 255)]
  return all.every(({ versions }) => {
    const [current = 0, delegate = 0] = [versions[2], versions[5]]
    return current >= least && current <= most && delegate >= leastDelegate && delegate <= mostDelegate
  })
}

/** Takes in the other side's list, which has itself too; its dead are only suspects to us. */
export function merge(ring: Ring, listed: readonly ListedNode[], from: Endpoint): void {
  for (const { state, ...node } of listed) {
    const { name, incarnation } = node
    const speaker = isSameBytes(plainAddress(node.address), plainAddress(from.address)) ? 'other' : 'list'
    if (state === 'alive') hearAlive(ring, { kind: 'alive', ...node }, speaker)
    else if (state === 'left') hearDead(ring, { kind: 'dead', name, incarnation, from: name })
    else hearSuspect(ring, { kind: 'suspect', name, incarnation, from: ring.self.name })
  }
}
