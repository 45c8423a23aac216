/** Counters and gauges under MetalLB's names and our own, and their text exposition. */
import { Counter, Gauge, Registry } from 'prom-client'
import type { Announcement, Drop } from './l2/model.ts'

export interface PoolGauges {
  readonly pool: string
  readonly ipv4Total: bigint
  readonly ipv6Total: bigint
  readonly ipv4Used: bigint
  readonly ipv6Used: bigint
}

/** An address that the node announces, and the Services that have it. */
export type Announced = Pick<Announcement, 'text' | 'services'>

/** Totals of one address since the start of the process. */
export interface AddressCounts {
  readonly requests: number
  readonly replies: number
  readonly gratuitous: number
}

/** What a membership tells of itself; read when somebody asks for metrics. */
export interface MembershipSource {
  members(): readonly { readonly state: string }[]
  health(): number
  counts(): {
    readonly packetsSent: number
    readonly packetsReceived: number
    readonly streamsOpened: number
    readonly streamsAccepted: number
    readonly drops: ReadonlyMap<string, number>
  }
}

export interface Metrics {
  readonly contentType: string
  text(): Promise<string>
  countRequest(ip: string): void
  countReply(ip: string): void
  countGratuitous(ip: string): void
  countDrop(reason: Drop, count: number): void
  /** A frame that did not leave on an interface; the sentence is kept for status. */
  countSendFailure(failure: string, ifindex: number): void
  /** The interface has been opened anew: what failed on it before says nothing of it. */
  endSendFailure(ifindex: number): void
  /** One object, or the configuration, was taken in. */
  countUpdate(failed: boolean): void
  /** What was taken in before has failed since: a Service is refused. */
  countFailure(): void
  setConfig(state: { readonly isLoaded: boolean; readonly isStale: boolean }): void
  setPools(pools: readonly PoolGauges[]): void
  /** What the node announces, in place of what was given before. */
  setAnnounced(announced: readonly Announced[], node: string): void
  /** Services that are announced nowhere, by the reason of their condition. */
  setSilent(reasons: ReadonlyMap<string, number>): void
  /** This node became the owner of a unit. */
  countMove(cause: string): void
  /** Shows a membership's totals from now on; once. */
  watchMembership(source: MembershipSource): void
  /** Counts what status finds wrong, by reason, whenever somebody asks; once. */
  watchFindings(read: () => readonly { readonly reason: string }[]): void
  countsOf(ip: string): AddressCounts
  drops(): Readonly<Record<string, number>>
  /** The last sentence given to `countSendFailure`, of those that have not ended. */
  lastSendFailure(): string | undefined
}

/** Capacities can exceed 2⁵³: a gauge shows the nearest double, as MetalLB's does. */
function toGauge(value: bigint): number {
  return Number(value)
}

/** Mutable totals of one address. */
interface Tally {
  requests: number
  replies: number
  gratuitous: number
}

/** A counter or gauge whose values are brought when somebody asks: each frame is counted, few are read. */
interface Collected<T extends string> {
  readonly name: string
  readonly help: string
  readonly labelNames: T[]
  readonly registers: Registry[]
}

function collectCounter<T extends string>(
  about: Collected<T>, read: () => Iterable<readonly [Record<T, string>, number]>,
): void {
  new Counter({
    ...about,
    collect() {
      this.reset()
      for (const [labels, count] of read()) this.inc(labels, count)
    },
  })
}

type SendFailures = Pick<Metrics, 'countSendFailure' | 'endSendFailure' | 'lastSendFailure'>

/** By interface, the last one last. */
function keepSendFailures(total: { inc(): void }): SendFailures {
  const failures = new Map<number, string>()
  return {
    countSendFailure: (failure, ifindex) => {
      total.inc()
      failures.delete(ifindex)
      failures.set(ifindex, failure)
    },
    endSendFailure: (ifindex) => void failures.delete(ifindex),
    lastSendFailure: () => [...failures.values()].at(-1),
  }
}

/** A registry of its own: nothing global, several in one test. */
export function createMetrics(): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const counter = <T extends string>(name: string, help: string, labelNames: T[]): Counter<T> =>
    new Counter({ name, help, labelNames, registers })
  const gauge = <T extends string>(name: string, help: string, labelNames: T[]): Gauge<T> =>
    new Gauge({ name, help, labelNames, registers })

  const frames = createFrameCounts(registers)
  const sendFailures = counter('arpeggio_send_failures_total', 'Frames the kernel refused', [])
  const updates = counter('metallb_k8s_client_updates_total', 'Objects and configurations taken in', [])
  const errors = counter('metallb_k8s_client_update_errors_total', 'Configurations refused, and Services', [])
  const loaded = gauge('metallb_k8s_client_config_loaded_bool', '1 once configuration is in force', [])
  const stale = gauge('metallb_k8s_client_config_stale_bool', '1 while running on an old one', [])
  let announced: readonly Announced[] = []
  let announcer = ''
  new Gauge({
    name: 'metallb_speaker_announced', help: '1 per announced address',
    labelNames: ['service', 'protocol', 'node', 'ip'], registers,
    collect() {
      this.reset()
      for (const { text: ip, services } of announced) {
        for (const service of services) this.set({ service, node: announcer, ip, protocol: 'layer2' }, 1)
      }
    },
  })
  const silent = gauge('arpeggio_services_not_announced', 'Services announced nowhere', ['reason'])
  const moves = counter('arpeggio_ownership_claims_total', 'Addresses this node became the owner of',
    ['cause'])
  const pools = createPoolGauges(gauge)
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    countMove: (cause) => moves.inc({ cause }),
    ...frames,
    ...keepSendFailures(sendFailures),
    countUpdate: (failed) => {
      updates.inc()
      if (failed) errors.inc()
    },
    countFailure: () => errors.inc(),
    setConfig: ({ isLoaded, isStale }) => {
      loaded.set(isLoaded ? 1 : 0)
      stale.set(isStale ? 1 : 0)
    },
    setPools: pools,
    setAnnounced: (rows, node) => {
      announced = rows
      announcer = node
    },
    setSilent: (reasons) => {
      silent.reset()
      for (const [reason, count] of reasons) silent.set({ reason }, count)
    },
    watchMembership: (source) => registerMembership(registry, source),
    watchFindings: (read) => void new Gauge({
      name: 'arpeggio_findings', help: 'What /status finds wrong, by reason', labelNames: ['reason'],
      registers,
      collect() {
        this.reset()
        for (const { reason } of read()) this.inc({ reason })
      },
    }),
  }
}

type FrameCounts = Pick<
  Metrics, 'countRequest' | 'countReply' | 'countGratuitous' | 'countDrop' | 'countsOf' | 'drops'
>

/** What is counted for each frame. */
function createFrameCounts(registers: Registry[]): FrameCounts {
  const counts = new Map<string, Tally>()
  const drops: Record<string, number> = {}
  const byAddress = (name: string, help: string, kind: keyof Tally): void => {
    collectCounter({ name, help, labelNames: ['ip'], registers }, () =>
      [...counts].flatMap(([ip, tally]) => tally[kind] === 0 ? [] : [[{ ip }, tally[kind]] as const]))
  }
  byAddress('metallb_layer2_requests_received', 'Requests for owned addresses', 'requests')
  byAddress('metallb_layer2_responses_sent', 'Replies sent', 'replies')
  byAddress('metallb_layer2_gratuitous_sent', 'Unsolicited frames sent', 'gratuitous')
  collectCounter({
    name: 'arpeggio_frames_dropped_total', help: 'Frames not answered, by reason',
    labelNames: ['reason'], registers,
  }, () => Object.entries(drops).map(([reason, count]) => [{ reason }, count] as const))
  const countsFor = (ip: string): Tally => {
    const known = counts.get(ip)
    if (known !== undefined) return known
    const fresh = { requests: 0, replies: 0, gratuitous: 0 }
    counts.set(ip, fresh)
    return fresh
  }
  return {
    countRequest: (ip) => void countsFor(ip).requests++,
    countReply: (ip) => void countsFor(ip).replies++,
    countGratuitous: (ip) => void countsFor(ip).gratuitous++,
    countDrop: (reason, count) => {
      drops[reason] = (drops[reason] ?? 0) + count
    },
    countsOf: (ip) => counts.get(ip) ?? { requests: 0, replies: 0, gratuitous: 0 },
    drops: () => drops,
  }
}

/** Totals are kept by their owner, and copied when they are collected. */
function registerMembership(registry: Registry, source: MembershipSource): void {
  const registers = [registry]
  const name = (rest: string): string => `arpeggio_memberlist_${rest}`
  new Gauge({
    name: name('health_score'), help: '0 is well; each point slows failure detection', registers,
    collect() {
      this.set(source.health())
    },
  })
  new Gauge({
    name: name('members'), help: 'Nodes known, by state', labelNames: ['state'], registers,
    collect() {
      this.reset()
      for (const state of ['alive', 'suspect', 'dead', 'left']) this.set({ state }, 0)
      for (const { state } of source.members()) this.inc({ state })
    },
  })
  const totals = {
    packets_sent_total: ['Datagrams sent', 'packetsSent'],
    packets_received_total: ['Datagrams received, good or bad', 'packetsReceived'],
    streams_opened_total: ['TCP streams opened', 'streamsOpened'],
    streams_accepted_total: ['TCP streams accepted', 'streamsAccepted'],
  } as const
  for (const [rest, [help, key]] of Object.entries(totals)) {
    new Counter({
      name: name(rest), help, registers,
      collect() {
        this.reset()
        this.inc(source.counts()[key])
      },
    })
  }
  new Counter({
    name: name('dropped_total'), help: 'What came to nothing, by reason', labelNames: ['reason'], registers,
    collect() {
      this.reset()
      for (const [reason, count] of source.counts().drops) this.inc({ reason }, count)
    },
  })
}

type MakeGauge = <T extends string>(name: string, help: string, labelNames: T[]) => Gauge<T>

function createPoolGauges(gauge: MakeGauge): Metrics['setPools'] {
  const make = (middle: string, about: string): [Gauge<'pool'>, Gauge<'pool'>] => [
    gauge(`metallb_allocator_${middle}addresses_total`, `Usable ${about}addresses`, ['pool']),
    gauge(`metallb_allocator_${middle}addresses_in_use_total`, `${about}addresses in use`, ['pool']),
  ]
  const all = make('', '')
  const ipv4 = make('ipv4_', 'IPv4 ')
  const ipv6 = make('ipv6_', 'IPv6 ')
  return (rows) => {
    for (const each of [...all, ...ipv4, ...ipv6]) each.reset()
    for (const { pool, ipv4Total, ipv6Total, ipv4Used, ipv6Used } of rows) {
      all[0].set({ pool }, toGauge(ipv4Total + ipv6Total))
      all[1].set({ pool }, toGauge(ipv4Used + ipv6Used))
      ipv4[0].set({ pool }, toGauge(ipv4Total))
      ipv4[1].set({ pool }, toGauge(ipv4Used))
      ipv6[0].set({ pool }, toGauge(ipv6Total))
      ipv6[1].set({ pool }, toGauge(ipv6Used))
    }
  }
}
