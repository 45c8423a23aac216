/** The shell around the engine and the responder: performs their effects and counts them. */
import type { Clock } from './clock.ts'
import { createEngine, type Effect, type Event, step } from './l2/engine.ts'
import type { Announcement, LinkState } from './l2/model.ts'
import type { Neighbour } from './l2/ndp.ts'
import { type AnswerTable, emptyTable, type Outcome, respond } from './l2/responder.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { Address } from './net/model.ts'

/** What the announcer needs of packet sockets. Errors are sentences; undefined = done. */
export interface PacketPort extends AsyncDisposable {
  attach(link: LinkState): string | undefined
  detach(ifindex: number): void
  send(ifindex: number, frame: Uint8Array): string | undefined
  sendNeighbour(ifindex: number, packet: Neighbour): string | undefined
  join(ifindex: number, group: Address): string | undefined
  leave(ifindex: number, group: Address): void
}

export interface AnnouncerOptions {
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  /** Opens the sockets; frames they receive go to the callback. */
  readonly openPackets: (onFrame: (ifindex: number, frame: Uint8Array) => void) => PacketPort
}

export interface Announcer extends AsyncDisposable {
  /** Replaces the whole set of announced addresses. */
  announce(announcements: readonly Announcement[]): void
  /** Replaces the whole set of usable interfaces. */
  setLinks(links: readonly LinkState[]): void
  /** Wall time since which an address is announced without a break. */
  sinceOf(text: string): Date | undefined
  /** Interfaces on which sockets could not be opened, by index, with the reason. */
  failures(): ReadonlyMap<number, string>
}

/** Starts answering and announcing; nothing is announced until told to. */
export function openAnnouncer(options: AnnouncerOptions): Announcer {
  const { clock, metrics } = options
  const log = options.log.from('announcer.ts')
  const engine = createEngine()
  const since = new Map<string, Date>()
  const attached = new Map<number, Attached>()
  let table: AnswerTable = emptyTable
  let timer: ReturnType<typeof setTimeout> | undefined

  const packets = options.openPackets((ifindex, frame) =>
    answer(packets, metrics, ifindex, respond(table, ifindex, frame, clock.now()))
  )

  const perform = (effect: Effect): void => {
    switch (effect.kind) {
      case 'sendFrame':
      case 'sendNeighbour': {
        const failure = effect.kind === 'sendFrame'
          ? packets.send(effect.ifindex, effect.frame)
          : packets.sendNeighbour(effect.ifindex, effect.packet)
        if (failure === undefined) metrics.countGratuitous(effect.text)
        else metrics.countSendFailure(failure)
        return
      }
      case 'join': {
        const failure = packets.join(effect.ifindex, effect.group)
        if (failure !== undefined) log.warn('group join failed', { error: failure })
        return
      }
      case 'leave':
        return packets.leave(effect.ifindex, effect.group)
      case 'answer':
        table = effect.table
        return
      case 'wake':
        clearTimeout(timer)
        timer = setTimeout(() => advance({ kind: 'wake' }), Math.max(0, effect.atMs - clock.now()))
    }
  }
  let isClosed = false
  const advance = (event: Event): void => {
    if (isClosed) return
    for (const effect of step(engine, event, clock.now())) perform(effect)
  }

  return {
    announce: (announcements) => {
      const texts = new Set(announcements.map(({ text }) => text))
      for (const text of since.keys()) if (!texts.has(text)) since.delete(text)
      for (const text of texts) if (!since.has(text)) since.set(text, clock.wall())
      advance({ kind: 'desired', announcements })
    },
    setLinks: (links) => {
      attachLinks({ packets, attached, links, log })
      const isOpen = (link: LinkState): boolean => attached.get(link.index)?.failure === undefined
      advance({ kind: 'links', links: links.filter(isOpen) })
    },
    sinceOf: (text) => since.get(text),
    failures: () => new Map([...attached].flatMap(([ifindex, { failure }]) =>
      failure === undefined ? [] : [[ifindex, failure] as const]
    )),
    [Symbol.asyncDispose]: async () => {
      isClosed = true
      clearTimeout(timer)
      table = emptyTable
      await packets[Symbol.asyncDispose]()
    },
  }
}

function answer(packets: PacketPort, metrics: Metrics, ifindex: number, outcome: Outcome): void {
  if (outcome.kind === 'drop') return metrics.countDrop(outcome.reason, 1)
  metrics.countRequest(outcome.text)
  const failure = packets.send(ifindex, outcome.frame)
  if (failure === undefined) metrics.countReply(outcome.text)
  else metrics.countSendFailure(failure)
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
}

/** One socket per usable interface; a failed one is tried again at the next change of links. */
function attachLinks({ packets, attached, links, log }: Attaching): void {
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
    if (failure !== undefined && failure !== known?.failure) {
      log.error('packet socket failed', { link: link.name, error: failure })
    }
  }
}
