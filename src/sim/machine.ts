/**
 * A machine that runs one node: its clock, its kernel's queues, and the ways in which it stops.
 * The node itself is production code (src/ownership/node.ts), or a peer that is not ours.
 */
import type { NodeEffect, Turn } from '../ownership/node.ts'
import type { Leg, Note, ReceivedFrame, ReceivedMessage, Right, World } from '../ownership/model.ts'
import { sameAddress } from '../net/address.ts'
import type { LinkState } from '../l2/model.ts'
import { encodeNeighbour } from '../l2/ndp.ts'
import type { Millis } from '../net/model.ts'
import { after, at, type Clock } from './clock.ts'
import { answerFrame, hear } from './frames.ts'
import type { Random } from './random.ts'
import { plug, type Port, type Segment, transmit } from './segment.ts'
import { pokeMs, type Quota, sliceAt } from './slice.ts'

/** What a machine runs. */
export interface Brain {
  turn(turn: Turn, now: Millis): readonly NodeEffect[]
  rights(): readonly Right[]
  /** What it tells in exchanges of states. */
  claims?(now: Millis): Uint8Array
}

/**
 * `frozen`: the process stands still, the kernel goes on. `paused`: all of it stands still, and its
 * clocks do not count. `killed`: no process, but a kernel. `down`: nothing.
 */
export type State = 'running' | 'frozen' | 'paused' | 'killed' | 'down'

/** Of a receive buffer: a full one loses what comes (net.core.rmem_default and small packets). */
export const queueLimit = 256

export interface MachineLeg {
  readonly leg: Leg
  readonly segment: Segment
  readonly port: Port
}

/** Processor time that a process needs, in ms; what it sends leaves when it has needed it. */
export interface Costs {
  readonly frameMs: Millis
  readonly sendMs: Millis
  readonly messageMs: Millis
  /** For each address answered for, when these have changed: status and plan are made anew. */
  readonly rightMs: Millis
}

/** What the cluster does for a machine, and what it watches. */
export interface Surroundings {
  readonly clock: Clock
  /** undefined = processors are infinitely fast. */
  readonly costs: Costs | undefined
  createBrain(machine: Machine): Brain
  /** What the machine's shell would hand to ownership now. */
  worldOf(machine: Machine): World
  tell(machine: Machine, effect: NodeEffect & { kind: 'tell' }): void
  gossip(machine: Machine, bytes: Uint8Array): void
  /** It may answer for other things, or for longer. */
  onRights(machine: Machine): void
  /** It began or ceased to be able to answer on some leg. */
  onAbility(machine: Machine): void
  onNote(machine: Machine, note: Note): void
}

export interface Machine {
  readonly name: string
  readonly random: Random
  readonly legs: MachineLeg[]
  readonly around: Surroundings
  state: State
  brain: Brain | undefined
  /** Own time = base + rate × (true time − time lost in pauses). */
  readonly baseMs: Millis
  readonly rate: number
  lostMs: Millis
  pausedAtMs: Millis
  /** Its wall clock's distance from true time: people set it. */
  wallOffsetMs: Millis
  frames: ReceivedFrame[]
  messages: ReceivedMessage[]
  isWorldDirty: boolean
  areLinksDirty: boolean
  isRunDue: boolean
  /** Own instant at which the process wants to be woken, and the true one of the earliest timer. */
  wakeAtMs: Millis | undefined
  timerAtMs: Millis
  quota: Quota | undefined
  /** Its turn takes until then. */
  busyUntilMs: Millis
  /** The end of its turn, where it stands still in the middle. */
  unfinished: (() => void) | undefined
  /** It goes on, and has still to read what came meanwhile: before that it answers nothing. */
  isCatchingUp: boolean
  rights: readonly Right[]
  readonly sent: Sent
  /** What has reached its process: frames of others, and words of members. */
  readonly received: { frames: number; words: number }
}

/** What a machine has sent, answers and announcements apart. */
export interface Sent {
  asks: number
  tells: number
  gossips: number
  voices: number
  windowAtMs: Millis
  inWindow: number
  /** Most asks, tells and gossips in one second. */
  worst: number
}

export function createMachine(
  name: string, random: Random, around: Surroundings,
): Machine {
  return {
    name, random, legs: [], around, state: 'down', brain: undefined,
    baseMs: Math.floor(random.between(0, 1e8)), rate: 1 + random.between(-5e-5, 5e-5),
    lostMs: 0, pausedAtMs: 0, wallOffsetMs: random.between(-3e5, 3e5),
    frames: [], messages: [], isWorldDirty: false, areLinksDirty: false, isRunDue: false,
    wakeAtMs: undefined, timerAtMs: Infinity, quota: undefined, rights: [],
    busyUntilMs: 0, unfinished: undefined, isCatchingUp: false,
    sent: { asks: 0, tells: 0, gossips: 0, voices: 0, windowAtMs: 0, inWindow: 0, worst: 0 },
    received: { frames: 0, words: 0 },
  }
}

/** A network card in a segment. */
export function addLeg(machine: Machine, segment: Segment, leg: Leg): MachineLeg {
  const port = plug(segment, {
    name: `${machine.name}/${leg.name}`, mac: leg.mac,
    receive: (frame) => receiveFrame(machine, added, frame),
  })
  const added: MachineLeg = { leg, segment, port }
  port.hasCarrier = false
  machine.legs.push(added)
  return added
}

/** The machine's own monotonic clock (CLOCK_BOOTTIME). */
export function ownTime(machine: Machine): Millis {
  const trueMs = machine.state === 'paused' ? machine.pausedAtMs : machine.around.clock.nowMs
  return machine.baseMs + machine.rate * (trueMs - machine.lostMs)
}

/** The true instant at which its clock shows `ownMs`, if it is not paused meanwhile. */
export function trueTime(machine: Machine, ownMs: Millis): Millis {
  return (ownMs - machine.baseMs) / machine.rate + machine.lostMs
}

/** The quota ends: a process that waits for its slice runs now, and has answered nothing since the last. */
export function lift(machine: Machine): void {
  const { quota, isRunDue } = machine
  machine.quota = quota !== undefined && isRunDue ? { ...quota, isOver: true } : undefined
  if (isRunDue) plan(machine)
}

/** Power on, or a new process: a node without memory. */
export function start(machine: Machine): void {
  for (const { port } of machine.legs) port.hasCarrier = true
  machine.state = 'running'
  machine.brain = machine.around.createBrain(machine)
  machine.frames = []
  machine.messages = []
  machine.areLinksDirty = true
  machine.isWorldDirty = true
  machine.wakeAtMs = undefined
  machine.rights = []
  machine.busyUntilMs = 0
  machine.unfinished = undefined
  machine.isCatchingUp = false
  machine.around.onAbility(machine)
  poke(machine)
}

/** The process is gone: with the machine, or alone. */
export function stop(machine: Machine, state: 'killed' | 'down'): void {
  machine.state = state
  machine.brain = undefined
  machine.rights = []
  if (state === 'down') for (const { port } of machine.legs) port.hasCarrier = false
  machine.around.onAbility(machine)
}

export function freeze(machine: Machine, state: 'frozen' | 'paused'): void {
  if (machine.state !== 'running') return
  if (state === 'paused') machine.pausedAtMs = machine.around.clock.nowMs
  machine.state = state
  machine.around.onAbility(machine)
}

/** It goes on: what was queued is delivered as one batch. */
export function thaw(machine: Machine): void {
  if (machine.state !== 'frozen' && machine.state !== 'paused') return
  const wasPaused = machine.state === 'paused'
  machine.state = 'running'
  machine.isCatchingUp = true
  if (wasPaused) {
    machine.lostMs += machine.around.clock.nowMs - machine.pausedAtMs
    // What the host kept meanwhile carries the instant at which the guest's clock stood still.
  }
  machine.around.onAbility(machine)
  const { unfinished } = machine
  machine.unfinished = undefined
  unfinished?.()
  armTimer(machine)
  poke(machine)
}

function receiveFrame(machine: Machine, leg: MachineLeg, frame: Uint8Array): void {
  const { state } = machine
  if (state === 'down') return
  if (state !== 'paused') answerAsKernel(machine, leg, frame)
  if (state === 'killed' || machine.frames.length >= queueLimit) return
  machine.received.frames++
  machine.frames.push({ ifindex: leg.leg.ifindex, frame, receivedAtMs: ownTime(machine) })
  poke(machine)
}

/** The kernel answers for the node's own addresses, whatever the process does. */
function answerAsKernel(machine: Machine, leg: MachineLeg, frame: Uint8Array): void {
  const speech = hear(frame)
  if (speech?.kind !== 'ask') return
  if (!leg.leg.addresses.some(({ address }) => sameAddress(address, speech.target))) return
  const answer = answerFrame(speech, leg.leg.mac)
  after(machine.around.clock, machine.random.between(0.01, 0.1), () => {
    if (machine.state !== 'down' && machine.state !== 'paused') {
      transmit(leg.segment, leg.port, answer)
    }
  })
}

export function receiveMessage(
  machine: Machine, from: string, bytes: Uint8Array, isGossip: boolean,
): void {
  if (machine.state === 'down' || machine.state === 'killed') return
  if (machine.messages.length >= queueLimit) return
  machine.received.words++
  machine.messages.push({ from, isGossip, bytes, receivedAtMs: ownTime(machine) })
  poke(machine)
}

export function touchWorld(machine: Machine): void {
  machine.isWorldDirty = true
  poke(machine)
}

export function touchLinks(machine: Machine): void {
  machine.areLinksDirty = true
  machine.isWorldDirty = true
  machine.around.onAbility(machine)
  poke(machine)
}

/** Something waits for the process: it runs as soon as the scheduler lets it. */
function poke(machine: Machine): void {
  if (machine.isRunDue || machine.state !== 'running') return
  machine.isRunDue = true
  plan(machine)
}

function plan(machine: Machine): void {
  const { around: { clock }, busyUntilMs, random, quota } = machine
  const readyMs = Math.max(clock.nowMs, busyUntilMs) + random.between(pokeMs.from, pokeMs.to)
  at(clock, sliceAt(quota, readyMs), () => run(machine))
}

/** One turn of the process's loop, as the shell takes it: see `Turn`. */
function run(machine: Machine): void {
  // It was let run before this.
  if (!machine.isRunDue) return
  machine.isRunDue = false
  const { brain, frames, messages } = machine
  if (machine.state !== 'running' || brain === undefined) return
  const now = ownTime(machine)
  const links = machine.areLinksDirty ? machine.legs.map(toLink).filter(isUsable) : undefined
  const world = machine.isWorldDirty ? machine.around.worldOf(machine) : undefined
  machine.areLinksDirty = false
  machine.isWorldDirty = false
  if (frames.length > 0) machine.frames = []
  if (messages.length > 0) machine.messages = []
  machine.wakeAtMs = undefined
  const effects = brain.turn({ frames, messages, links, world }, now)
  const rights = brain.rights()
  const before = machine.rights
  const { costs, clock } = machine.around
  if (machine.isCatchingUp) {
    machine.isCatchingUp = false
    machine.rights = keptOf(before, rights)
    machine.around.onAbility(machine)
  }
  if (machine.quota?.isOver === true) {
    setRights(machine, keptOf(before, rights))
    machine.quota = undefined
  }
  const finish = (): void => {
    if (machine.brain !== brain) return
    if (machine.state !== 'running') {
      machine.unfinished = finish
      return
    }
    setRights(machine, rights)
    for (const effect of effects) perform(machine, effect, ownTime(machine))
  }
  if (costs === undefined) return finish()
  // What is lost is lost at once, what is won can be told when the turn has ended.
  setRights(machine, keptOf(before, rights))
  const changed = rights.length === before.length ? 0 : rights.length
  machine.busyUntilMs = clock.nowMs + frames.length * costs.frameMs + messages.length * costs.messageMs +
    effects.length * costs.sendMs + changed * costs.rightMs
  at(clock, machine.busyUntilMs, finish)
}

function keptOf(before: readonly Right[], now: readonly Right[]): readonly Right[] {
  const texts = new Set(before.map(({ text }) => text))
  return now.filter(({ text }) => texts.has(text))
}

function setRights(machine: Machine, rights: readonly Right[]): void {
  if (rights === machine.rights) return
  machine.rights = rights
  machine.around.onRights(machine)
}

function isUsable({ hasCarrier }: LinkState): boolean {
  return hasCarrier
}

function toLink({ leg, port }: MachineLeg): LinkState {
  return {
    index: leg.ifindex, name: leg.name, mac: leg.mac, mtuBytes: 1_500, isUp: true,
    hasCarrier: port.hasCarrier, master: undefined, isLoopback: false, isNoArp: false,
    isBroadcast: true, addresses: leg.addresses.map((own) => ({ ...own, isTentative: false })),
  }
}

function perform(machine: Machine, effect: NodeEffect, now: Millis): void {
  switch (effect.kind) {
    case 'sendFrame':
    case 'sendNeighbour': {
      const leg = machine.legs.find(({ leg }) => leg.ifindex === effect.ifindex)
      if (leg === undefined || now >= effect.notAfterMs) return
      const isAsk = effect.kind === 'sendFrame' && effect.why === 'ask'
      count(machine, isAsk ? 'asks' : 'voices')
      const frame = effect.kind === 'sendFrame' ? effect.frame : encodeNeighbour(effect.packet)
      transmit(leg.segment, leg.port, frame)
      return
    }
    case 'tell':
      count(machine, 'tells')
      machine.around.tell(machine, effect)
      return
    case 'gossip':
      count(machine, 'gossips')
      machine.around.gossip(machine, effect.bytes)
      return
    case 'note':
      machine.around.onNote(machine, effect.note)
      return
    case 'wake':
      machine.wakeAtMs = effect.atMs
      armTimer(machine)
      return
    case 'join':
    case 'leave':
    case 'dropped':
  }
}

function count(machine: Machine, what: 'asks' | 'tells' | 'gossips' | 'voices'): void {
  const { sent } = machine
  sent[what]++
  if (what === 'voices') return
  const { nowMs } = machine.around.clock
  if (nowMs - sent.windowAtMs >= 1_000) {
    sent.windowAtMs = nowMs
    sent.inWindow = 0
  }
  sent.worst = Math.max(sent.worst, ++sent.inWindow)
}

/** One timer at the wanted instant; an earlier one stands in for it, and arms it again. */
function armTimer(machine: Machine): void {
  const { wakeAtMs } = machine
  if (wakeAtMs === undefined || machine.state !== 'running') return
  const { clock } = machine.around
  const trueMs = Math.max(clock.nowMs, trueTime(machine, wakeAtMs))
  if (machine.timerAtMs <= trueMs && machine.timerAtMs >= clock.nowMs) return
  machine.timerAtMs = trueMs
  at(clock, trueMs, () => {
    if (machine.timerAtMs === trueMs) machine.timerAtMs = Infinity
    if (machine.wakeAtMs === undefined || machine.state !== 'running') return
    if (machine.wakeAtMs <= ownTime(machine) + 1e-6) poke(machine)
    else armTimer(machine)
  })
}
