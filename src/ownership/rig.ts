/** A small wire for the tests of ownership: nodes on segments, each with a responder, on one clock. */
import { announceArp } from '../l2/arp.ts'
import { type Answer, answerKey, type AnswerTable, emptyTable, respond } from '../l2/responder.ts'
import { createSchedule, insertAt, nextDueMs, takeDue } from '../l2/schedule.ts'
import type { Mac } from '../l2/model.ts'
import type { Address, Millis } from '../net/model.ts'
import { unsolicited, encodeNeighbour } from '../l2/ndp.ts'
import type { Effect, Leg, Note, Peer, ReceivedFrame, ReceivedMessage, Right, Wish, World } from './model.ts'
import { step } from './ownership.ts'
import { createOwnership, type Ownership } from './state.ts'
import { isAnswerable, readBatch } from './wire.ts'

/** Between a frame or message leaving and its arrival. */
const wireMs: Millis = 1

export interface RigNode {
  readonly name: string
  ownership: Ownership
  legs: readonly Leg[]
  /** By ifindex: the segment it is plugged into. */
  readonly plugs: Map<number, string>
  isUp: boolean
  /** Frozen: nothing is read or sent, until it thaws. */
  isFrozen: boolean
  isMuted: (what: 'frame' | 'message', way: 'in' | 'out', ifindex: number | undefined) => boolean
  rights: Map<bigint, Right>
  notAfterMs: Millis
  wakeMs: Millis
  frames: ReceivedFrame[]
  messages: ReceivedMessage[]
  world: World
}

/** One frame on a segment, as a capture shows it. */
export interface Captured {
  readonly atMs: Millis
  readonly segment: string
  readonly from: string
  readonly frame: Uint8Array
}

export interface Rig {
  readonly nodes: Map<string, RigNode>
  nowMs: Millis
  readonly queue: ReturnType<typeof createSchedule<() => void>>
  readonly notes: { readonly atMs: Millis; readonly node: string; readonly note: Note }[]
  readonly captured: Captured[]
  readonly listeners: ((captured: Captured) => void)[]
  readonly messages: { readonly atMs: Millis; readonly from: string; readonly to: string
    readonly bytes: Uint8Array }[]
}

export function createRig(): Rig {
  return {
    nodes: new Map(), nowMs: 10_000, queue: createSchedule(), notes: [], captured: [],
    listeners: [], messages: [],
  }
}

/** Runs everything that is due up to `untilMs`. */
export function runUntil(rig: Rig, untilMs: Millis): void {
  for (;;) {
    let atMs = nextDueMs(rig.queue) ?? Number.POSITIVE_INFINITY
    for (const node of rig.nodes.values()) {
      if (node.isUp && !node.isFrozen) atMs = Math.min(atMs, node.wakeMs)
    }
    if (atMs > untilMs) break
    rig.nowMs = Math.max(rig.nowMs, atMs)
    for (;;) {
      const act = takeDue(rig.queue, rig.nowMs)
      if (act === undefined) break
      act()
    }
    for (const node of rig.nodes.values()) turn(rig, node)
  }
  rig.nowMs = untilMs
}

/** One turn of a node's loop, as `Event` wants it of a shell. */
export function turn(rig: Rig, node: RigNode): void {
  if (!node.isUp || node.isFrozen) return
  const { frames, messages } = node
  node.frames = []
  node.messages = []
  const now = rig.nowMs
  if (frames.length > 0) {
    const event = { kind: 'frames', frames: readBatch(frames) } as const
    perform(rig, node, step(node.ownership, event, now))
  }
  if (messages.length > 0) {
    perform(rig, node, step(node.ownership, { kind: 'messages', messages }, now))
  }
  answerAll(rig, node, frames)
  if (now >= node.wakeMs) perform(rig, node, step(node.ownership, { kind: 'wake' }, now))
}

export function setWorld(rig: Rig, node: RigNode, world: World): void {
  node.world = world
  perform(rig, node, step(node.ownership, { kind: 'world', world }, rig.nowMs))
}

/** What the node's responder and its kernel answer on an interface. */
function tableOf(node: RigNode, ifindex: number, mac: Mac): AnswerTable {
  const answers = new Map<bigint, Answer>()
  for (const [key, right] of node.rights) answers.set(key, { ...right, notAfterMs: node.notAfterMs })
  for (const { address } of node.legs.flatMap(({ addresses }) => addresses)) {
    const ifindexes = new Set([ifindex])
    answers.set(answerKey(address), {
      address, text: 'own', ifindexes, notAfterMs: Number.POSITIVE_INFINITY,
    })
  }
  return { links: new Map([[ifindex, { index: ifindex, mac }]]), answers }
}

function answerAll(rig: Rig, node: RigNode, frames: readonly ReceivedFrame[]): void {
  const tables = new Map(frames.length === 0 ? [] : node.legs.map(({ ifindex, mac }) =>
    [ifindex, tableOf(node, ifindex, mac)] as const
  ))
  for (const received of readBatch(frames)) {
    if (!isAnswerable(received, rig.nowMs)) continue
    const { ifindex, frame } = received
    const outcome = respond(tables.get(ifindex) ?? emptyTable, ifindex, frame, rig.nowMs)
    if (outcome.kind === 'reply') emit(rig, node, ifindex, outcome.frame)
  }
}

function perform(rig: Rig, node: RigNode, effects: readonly Effect[]): void {
  for (const effect of effects) {
    switch (effect.kind) {
      case 'rights':
        node.rights = new Map(effect.rights.map((right) => [answerKey(right.address), right]))
        for (const { notAfterMs } of effect.rights) node.notAfterMs = notAfterMs
        break
      case 'rightsChanged':
        for (const [key, { text }] of node.rights) if (effect.gone.includes(text)) node.rights.delete(key)
        for (const right of effect.come) node.rights.set(answerKey(right.address), right)
        for (const { notAfterMs } of effect.come) node.notAfterMs = notAfterMs
        break
      case 'extend':
        node.notAfterMs = effect.notAfterMs
        break
      case 'announce':
        announceOnce(rig, node, effect)
        break
      case 'send':
        if (rig.nowMs < effect.notAfterMs) emit(rig, node, effect.ifindex, effect.frame)
        break
      case 'tell':
        deliver(rig, node, effect.to, { bytes: effect.bytes, ifindex: effect.ifindex, isGossip: false })
        break
      case 'gossip':
        for (const to of rig.nodes.keys()) {
          deliver(rig, node, to, { bytes: effect.bytes, ifindex: undefined, isGossip: true })
        }
        break
      case 'wake':
        node.wakeMs = effect.atMs
        break
      case 'note':
        rig.notes.push({ atMs: rig.nowMs, node: node.name, note: effect.note })
        break
    }
  }
}

/** Bursts belong to the engine: here the first round, and one more that may be lost less easily. */
function announceOnce(
  rig: Rig, node: RigNode, { texts, ifindex }: { texts: readonly string[]; ifindex: number },
): void {
  const mac = node.legs.find((leg) => leg.ifindex === ifindex)?.mac
  for (const { address, text, ifindexes } of mac === undefined ? [] : node.rights.values()) {
    if (mac === undefined || !texts.includes(text) || !ifindexes.has(ifindex)) continue
    for (const frame of announcementOf(address, mac)) emit(rig, node, ifindex, frame)
    insertAt(rig.queue, rig.nowMs + 20, () => {
      const isOurs = node.rights.has(answerKey(address)) && rig.nowMs < node.notAfterMs
      if (!isOurs || node.isFrozen || !node.isUp) return
      for (const frame of announcementOf(address, mac)) emit(rig, node, ifindex, frame)
    })
  }
}

export function announcementOf(address: Address, mac: Mac): readonly Uint8Array[] {
  return address.family === 'ipv4'
    ? announceArp(address, mac)
    : [encodeNeighbour(unsolicited(address, mac))]
}

/** Puts a frame on the segment of the node's interface. */
export function emit(rig: Rig, node: RigNode, ifindex: number, frame: Uint8Array): void {
  const segment = node.plugs.get(ifindex)
  if (segment === undefined || node.isMuted('frame', 'out', ifindex)) return
  broadcast(rig, { segment, from: node.name, ifindex, frame })
}

/** A frame of anybody: arrives at every other plug of the segment. */
export function broadcast(
  rig: Rig,
  { segment, from, ifindex: sentOn, frame }: {
    segment: string; from: string; ifindex?: number; frame: Uint8Array
  },
): void {
  const captured = { atMs: rig.nowMs, segment, from, frame }
  rig.captured.push(captured)
  for (const listener of rig.listeners) listener(captured)
  insertAt(rig.queue, rig.nowMs + wireMs, () => {
    for (const node of rig.nodes.values()) {
      if (!node.isUp) continue
      for (const [ifindex, plugged] of node.plugs) {
        if (node.name === from && (sentOn === undefined || sentOn === ifindex)) continue
        if (plugged !== segment || node.isMuted('frame', 'in', ifindex)) continue
        node.frames.push({ ifindex, frame, receivedAtMs: rig.nowMs })
      }
    }
  })
}

function deliver(
  rig: Rig, node: RigNode, to: string,
  { bytes, ifindex, isGossip }: { bytes: Uint8Array; ifindex: number | undefined; isGossip: boolean },
): void {
  rig.messages.push({ atMs: rig.nowMs, from: node.name, to, bytes })
  const target = rig.nodes.get(to)
  if (target === undefined || to === node.name || node.isMuted('message', 'out', ifindex)) return
  if (ifindex !== undefined && node.plugs.get(ifindex) === undefined) return
  insertAt(rig.queue, rig.nowMs + wireMs, () => {
    if (!target.isUp || target.isMuted('message', 'in', ifindex)) return
    target.messages.push({ from: node.name, isGossip, bytes, receivedAtMs: rig.nowMs })
  })
}

export interface Setup {
  readonly names: readonly string[]
  readonly wishes: readonly Wish[]
  readonly change?: (world: World) => World
}

/** Nodes with one leg each on segment `lan`, all members of each other. */
export function addNodes(
  rig: Rig, names: readonly string[], legsOf: (name: string, i: number) => readonly Leg[],
): void {
  names.forEach((name, i) => {
    rig.nodes.set(name, {
      name, ownership: createOwnership(name), legs: legsOf(name, i), plugs: new Map(), isUp: true,
      isFrozen: false, isMuted: () => false, rights: new Map(), notAfterMs: 0,
      wakeMs: Number.POSITIVE_INFINITY, frames: [], messages: [],
      world: {
        self: name, placement: 'sticky', wishes: [], peers: [], expected: [], gateways: new Map(),
        isDraining: false, moves: new Map(),
      },
    })
  })
}

/** The members as every node sees them now. */
export function peersOf(rig: Rig): readonly Peer[] {
  return [...rig.nodes.values()].map(({ name, legs, isUp }) => ({
    name, isAlive: isUp, isCapable: true, isRestarted: false, legs,
  }))
}
