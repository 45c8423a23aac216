/** The shell around one node of ownership: sockets, clock and timer; performs what it decides. */
import type { Clock } from './clock.ts'
import { createInflow } from './inflow.ts'
import type { LinkState } from './l2/model.ts'
import type { Neighbour } from './l2/ndp.ts'
import type { WireSilence } from './l2/silences.ts'
import { isSameList } from './l2/unit.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { Address, Millis } from './net/model.ts'
import { stallMs } from './ownership/limits.ts'
import type {
  Note, ReceivedFrame, ReceivedMessage, Right, World,
} from './ownership/model.ts'
import { createNode, type NodeEffect } from './ownership/node.ts'
import { wireSilences } from './ownership/silence.ts'
import { createOwnership, type Ownership } from './ownership/state.ts'
import { step } from './ownership/ownership.ts'

/** What the announcer needs of packet sockets. Errors are sentences; undefined = done. */
export interface PacketPort extends AsyncDisposable {
  attach(link: LinkState): string | undefined
  detach(ifindex: number): void
  send(ifindex: number, frame: Uint8Array): string | undefined
  /** Where it does not leave at once, `mayLeave` is asked before it does. */
  sendNeighbour(ifindex: number, packet: Neighbour, mayLeave: () => boolean): string | undefined
  join(ifindex: number, group: Address): string | undefined
  leave(ifindex: number, group: Address): void
  /** Reads every socket to its end now. */
  drain(): void
}

/** The other members; nothing of it may be lost silently that was not on the wire. */
export interface MemberPort {
  tell(to: string, ifindex: number | undefined, bytes: Uint8Array): void
  gossip(bytes: Uint8Array): void
}

export interface AnnouncerOptions {
  /** Of suspended time too: deadlines count it (CLOCK_BOOTTIME). */
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  /** Name of this node among the members. */
  readonly node: string
  /**
   * Opens the sockets. Frames they receive go to the first callback, with the time each has waited
   * in the kernel; the second tells that what was readable has been read.
   */
  readonly openPackets: (
    onFrame: (ifindex: number, frame: Uint8Array, ageMs: Millis) => void, onRead: () => void,
  ) => PacketPort
  /** undefined = this host is alone. */
  readonly members?: MemberPort
  /** What happened to a unit; called after the wire has it. */
  readonly onNote?: (note: Note) => void
  /** What is answered for has changed. */
  readonly onRights?: () => void
}

export interface Announcer extends AsyncDisposable {
  /** Replaces what should be announced by whom. */
  setWorld(world: World): void
  /** Replaces the whole set of usable interfaces. */
  setLinks(links: readonly LinkState[]): void
  /** What other members sent; answered to as soon as everything that is there has been read. */
  hear(messages: readonly ReceivedMessage[]): void
  /** What this node answers for now: one list for as long as only deadlines change. */
  rights(): readonly Right[]
  /** What it should answer for and does not, for what the wire shows alone, if that lasts. */
  silences(): readonly WireSilence[]
  /** Wall time since which an address is answered without a break. */
  sinceOf(text: string): Date | undefined
  /** Interfaces on which sockets could not be opened, by index, with the reason. */
  failures(): ReadonlyMap<number, string>
  /** For status: read it, never write it. */
  readonly ownership: Ownership
}

/** The mutable heart; owned by `turn`. */
interface State {
  frames: ReceivedFrame[]
  messages: ReceivedMessage[]
  world: World | undefined
  links: readonly LinkState[] | undefined
  /** When all sockets were last read to their end. */
  readAtMs: Millis
  timer: ReturnType<typeof setTimeout> | undefined
  /** The instant that it was set to, until it has come. */
  wakeAtMs: Millis | undefined
  isClosed: boolean
  isTurning: boolean
}

/** Starts answering and announcing; nothing is announced until told to. */
export function openAnnouncer(options: AnnouncerOptions): Announcer {
  const { clock, node: name } = options
  const log = options.log.from('announcer.ts')
  const ownership = createOwnership(name)
  const node = createNode((event, now) => step(ownership, event, now))
  const since = new Map<string, Date>()
  const attached = new Map<number, Attached>()
  let given: readonly LinkState[] = []
  const changes: Answering[] = []
  const state: State = {
    frames: [], messages: [], world: undefined, links: undefined, readAtMs: clock.now(),
    timer: undefined, wakeAtMs: undefined, isClosed: false, isTurning: false,
  }
  const packets = options.openPackets(
    (ifindex, frame, ageMs) => void state.frames.push({
      ifindex, frame, receivedAtMs: clock.now() - ageMs,
    }),
    () => inflow.isRunning || turn(),
  )
  const perform = createPerformer({ ...options, log }, packets, {
    wakeAt: (atMs) => wakeAt(state, atMs, clock, () => inflow.isRunning || turn()),
    changed: (change) => void changes.push(change),
    answersFor: node.answersFor,
  })
  const turn = (): void => {
    if (state.isClosed || state.isTurning) return
    state.isTurning = true
    try {
      do takeTurn(state, { packets, clock, decide: (input, now) => node.turn(input, now), perform })
      while (state.frames.length + state.messages.length > 0)
    } finally {
      state.isTurning = false
    }
    if (changes.length === 0) return
    for (const change of changes.splice(0)) followSince(since, change, clock)
    options.onRights?.()
  }
  const inflow = createInflow(turn)
  return {
    setWorld: (world) => {
      state.world = world
      turn()
    },
    setLinks: (links) => {
      attachLinks({ packets, attached, links, log, metrics: options.metrics })
      const open = links.filter((link) => attached.get(link.index)?.failure === undefined)
      if (isSameList(open, given)) return
      given = open
      state.links = open
      turn()
    },
    hear: (messages) => {
      state.messages.push(...messages)
      inflow.note(messages.length)
    },
    rights: () => node.standing(),
    silences: () => wireSilences(ownership, clock.now()),
    sinceOf: (text) => since.get(text),
    failures: () => new Map([...attached].flatMap(([ifindex, { failure }]) =>
      failure === undefined ? [] : [[ifindex, failure] as const]
    )),
    ownership,
    [Symbol.asyncDispose]: async () => {
      state.isClosed = true
      clearTimeout(state.timer)
      await packets[Symbol.asyncDispose]()
    },
  }
}

/** Has `turn` called at that instant, and at no other that was asked for before. */
function wakeAt(state: State, atMs: Millis, clock: Clock, turn: () => void): void {
  // Most messages change nothing about it.
  if (atMs === state.wakeAtMs) return
  clearTimeout(state.timer)
  state.wakeAtMs = atMs
  state.timer = setTimeout(() => {
    state.wakeAtMs = undefined
    // Late: sockets that became readable meanwhile are read before anything is decided.
    if (clock.now() - atMs > stallMs) setImmediate(turn)
    else turn()
  }, Math.max(0, Math.ceil(atMs - clock.now())))
}

interface Hands {
  readonly packets: PacketPort
  readonly clock: Clock
  readonly decide: ReturnType<typeof createNode>['turn']
  readonly perform: (effect: NodeEffect) => void
}

/** Everything that is there is read before anything of it is answered (design, "Fence"). */
function takeTurn(state: State, { packets, clock, decide, perform }: Hands): void {
  if (clock.now() - state.readAtMs > stallMs) packets.drain()
  const { frames, messages, world, links } = state
  state.frames = []
  state.messages = []
  state.world = undefined
  state.links = undefined
  const now = clock.now()
  state.readAtMs = now
  for (const effect of decide({ frames, messages, world, links }, now)) perform(effect)
}

/** In MetalLB's words, which people grep for at log level debug. */
function tellAnswer(log: Log, ip: string, ifindex: number): void {
  const asked = ip.includes(':') ? 'NDP' : 'ARP'
  log.debug(`got ${asked} request for service IP, sending response`, { ip, ifindex })
}

type Answering = Extract<NodeEffect, { kind: 'answering' }>

/** Performs effects in their order, and counts them. */
function createPerformer(
  options: AnnouncerOptions, packets: PacketPort,
  { wakeAt, changed, answersFor }: {
    readonly wakeAt: (atMs: Millis) => void; readonly changed: (change: Answering) => void
    readonly answersFor: ReturnType<typeof createNode>['answersFor']
  },
): (effect: NodeEffect) => void {
  const { clock, log, metrics, members, onNote } = options
  const count = (failure: string | undefined, ifindex: number, good: () => void): void => {
    if (failure === undefined) good()
    else metrics.countSendFailure(failure, ifindex)
  }
  return (effect) => {
    switch (effect.kind) {
      case 'sendFrame': {
        const { ifindex, frame, text, why, notAfterMs } = effect
        if (why === 'answer' && text !== undefined) metrics.countRequest(text)
        if (clock.now() >= notAfterMs) return metrics.countDrop('fenced', 1)
        const failure = packets.send(ifindex, frame)
        return count(failure, ifindex, () => {
          if (text === undefined) return
          if (why !== 'answer') return metrics.countGratuitous(text)
          metrics.countReply(text)
          tellAnswer(log, text, ifindex)
        })
      }
      case 'sendNeighbour': {
        const { ifindex, packet, text, notAfterMs } = effect
        const mayLeave = (): boolean => clock.now() < notAfterMs && answersFor(text, ifindex)
        if (!mayLeave()) return
        const failure = packets.sendNeighbour(ifindex, packet, mayLeave)
        return count(failure, ifindex, () => metrics.countGratuitous(text))
      }
      case 'join': {
        const failure = packets.join(effect.ifindex, effect.group)
        if (failure !== undefined) log.warn('group join failed', { error: failure })
        return
      }
      case 'leave':
        return packets.leave(effect.ifindex, effect.group)
      case 'dropped':
        return metrics.countDrop(effect.reason, 1)
      case 'tell':
        return members?.tell(effect.to, effect.ifindex, effect.bytes)
      case 'gossip':
        return members?.gossip(effect.bytes)
      case 'note':
        return onNote?.(effect.note)
      case 'answering':
        return changed(effect)
      case 'wake':
        return wakeAt(effect.atMs)
    }
  }
}

/** Keeps since when each address is answered. */
function followSince(since: Map<string, Date>, { come, gone }: Answering, clock: Clock): void {
  for (const text of gone) since.delete(text)
  for (const text of come) since.set(text, clock.wall())
}

interface Attached {
  readonly failure: string | undefined
  readonly generation: number | undefined
}

interface Attaching {
  readonly packets: PacketPort
  readonly attached: Map<number, Attached>
  readonly links: readonly LinkState[]
  readonly log: Log
  readonly metrics: Metrics
}

/** One socket per usable interface; a failed one is tried again at the next change of links. */
function attachLinks({ packets, attached, links, log, metrics }: Attaching): void {
  const wanted = new Set(links.map((link) => link.index))
  for (const ifindex of attached.keys()) {
    if (wanted.has(ifindex)) continue
    packets.detach(ifindex)
    attached.delete(ifindex)
  }
  for (const link of links) {
    const known = attached.get(link.index)
    const isSame = known !== undefined && known.generation === link.generation
    if (isSame && known.failure === undefined) continue
    if (known !== undefined && known.failure === undefined) packets.detach(link.index)
    const failure = packets.attach(link)
    attached.set(link.index, { failure, generation: link.generation })
    if (failure === undefined) metrics.endSendFailure(link.index)
    if (failure !== undefined && failure !== known?.failure) {
      log.error('packet socket failed', { link: link.name, error: failure })
    }
  }
}
