/** One turn of the controller: from everything it sees to the writes that are due. */
import type { Log } from '../log.ts'
import { logChanges } from '../journal.ts'
import { readMembers } from '../cluster/members.ts'
import type { LiveL2Status, LiveService, LiveState } from '../kube/live.ts'
import type { Recorder } from '../kube/events.ts'
import type { Writer } from '../kube/writer.ts'
import type { Metrics } from '../metrics.ts'
import type { Address, Millis } from '../net/model.ts'
import { emptyForeignMemory, type Foreign, type ForeignMemory, rememberForeign } from '../ipam/foreign.ts'
import { poolUsage } from '../ipam/usage.ts'
import type { Verdict } from '../ipam/model.ts'
import type { KnownHeld } from '../ipam/plan.ts'
import type { Config, ClusterNode, Endpoint, World } from '../config/model.ts'
import { annotationKeys } from '../config/names.ts'
import { compareRows, leftBehind } from '../plan/change.ts'
import { decideAddresses, decideVoices, type Voices } from '../plan/decision.ts'
import { reportRows, type ServiceRow } from '../plan/report.ts'
import type { Placement } from '../l2/placement.ts'
import { readSightings } from './foreign.ts'
import { type Held, keepShown, recall } from './held.ts'
import { learn, look, type NewsMemory, tell, tellDeprecated } from './news.ts'
import { withAnswer, withSent, withTaken } from './sent.ts'
import { changeOf, planStatus, type Wanted } from './writes.ts'

/** What the cluster looks like at one instant, narrowed. */
export interface Snapshot {
  readonly config: Config
  readonly services: ReadonlyMap<string, LiveService>
  readonly nodes: readonly ClusterNode[]
  readonly endpoints: ReadonlyMap<string, readonly Endpoint[]>
  /** Nodes with a speaker that runs. */
  readonly speakers: ReadonlySet<string>
  readonly states: ReadonlyMap<string, LiveState>
  /** What speakers say that they announce. */
  readonly statuses: Iterable<LiveL2Status>
}

export interface AllocationOptions {
  readonly writer: Writer
  /** As they are now: a write is based on the newest version. */
  readonly services: () => ReadonlyMap<string, LiveService>
  readonly recorder: Recorder
  readonly log: Log
  readonly metrics: Metrics
  readonly loadBalancerClass: string
  readonly placement: Placement
  readonly announceEverywhere: boolean
  readonly ignoreExcludeLabel: boolean
  readonly isLeading: () => boolean
  /** The server knows `ipMode` (Kubernetes 1.30). */
  readonly hasIPMode: () => boolean
}

/** Who gets which address, and the world in which that was decided. */
export interface Judged {
  readonly world: World
  readonly verdicts: readonly Verdict[]
  /** When it may come out otherwise by itself; undefined = only if something changes. */
  readonly nextMs: Millis | undefined
}

export interface Allocation {
  /** Plans addresses, and queues what differs from what the cluster says. `now`: any monotonic clock, ms. */
  turn(snapshot: Snapshot, now: Millis): Judged
  /** Plans who announces them; tells log and metrics, and keeps rows: what no address waits for. */
  report(snapshot: Snapshot, judged: Judged): void
  /**
   * Where another leads: tells what the watch has shown of writes whose answers were lost, and keeps in mind
   * what other machines have; a report that ended in somebody else's term is not news in the next own one.
   */
  look(around: Pick<Snapshot, 'speakers' | 'states'>, now: Millis): void
  /** Leading ended: what was only planned is nobody's. */
  forget(): void
  readonly rows: readonly ServiceRow[]
  /** Addresses that other machines have, as far as remembered. */
  readonly foreign: Foreign
}

interface Memory extends NewsMemory {
  held: Map<string, Held>
  /** Addresses that are on their way out of the status. */
  leaving: Map<string, { readonly uid: string; readonly addresses: readonly string[] }>
  /** Keys of the Services, sorted. */
  keys: readonly string[]
  /** What there is nothing left to do about. */
  settled: Map<string, { readonly verdict: Verdict; readonly live: LiveService }>
  /** What the last term left; looked at once. */
  seen: ReadonlyMap<string, Held>
  /** Of the wire: outlives the term. */
  foreign: ForeignMemory
  rows: readonly ServiceRow[]
  voices: Voices | undefined
}

export function createAllocation(options: AllocationOptions): Allocation {
  const memory: Memory = {
    held: new Map(), leaving: new Map(), plan: undefined, keys: [], settled: new Map(),
    seen: new Map(), foreign: emptyForeignMemory, rows: [], voices: undefined,
    told: new Map(), wishes: new Map(), spent: new Map(), sent: new Map(),
  }
  return {
    turn: (snapshot, now) => turn(options, memory, snapshot, now),
    report: (snapshot, judged) => report(options, memory, snapshot, judged),
    look: (around, now) => {
      notice(memory, around, now)
      look(options, memory)
    },
    forget: () => {
      // Told that leading ended, and again that it began: nothing is held the second time.
      if (memory.held.size > 0) memory.seen = keepShown(memory.held, options.services())
      memory.held = new Map()
      memory.leaving = new Map()
      memory.plan = undefined
      memory.settled = new Map()
      memory.told = new Map()
      memory.wishes = new Map()
      memory.spent = new Map()
      for (const [key, last] of memory.sent) memory.sent.set(key, withAnswer(last))
      look(options, memory)
      // Nobody looks after these any more: the leader's are the ones to be believed.
      options.metrics.setPools([])
    },
    get rows() {
      return memory.rows
    },
    get foreign() {
      return memory.foreign.foreign
    },
  }
}

function turn(options: AllocationOptions, memory: Memory, snapshot: Snapshot, now: Millis): Judged {
  const { services } = snapshot
  const { loadBalancerClass } = options
  const world = worldOf(memory, snapshot)
  const before = memory.plan
  memory.plan = undefined // it is spent, also by a turn that fails
  const { foreign, nextMs } = notice(memory, snapshot, now)
  const ledger = ledgerOf(memory, services)
  const plan = decideAddresses({ world, ledger, loadBalancerClass, foreign }, before)
  memory.plan = plan
  const { verdicts } = plan
  for (const verdict of verdicts) {
    const live = services.get(verdict.service)
    if (live === undefined || isSettled(memory, verdict, live)) continue
    hold(memory, verdict, live)
    queueStatus(options, memory, verdict, live)
    logChanges(options.log, leftBehind(verdict))
    tell(options, memory, verdict, live)
    if (!memory.wishes.has(verdict.service)) memory.settled.set(verdict.service, { verdict, live })
  }
  for (const [key, live] of services) {
    // Its type changed while nobody looked: the server has emptied the status, not the annotation.
    const isLeftOver = live.pool !== undefined && plan.rows.get(key)?.verdict === undefined
    if (isLeftOver) queueStatus(options, memory, leftOver(key), live)
  }
  for (const key of options.recorder.unsure) if (!services.has(key)) learn(options, memory, key)
  const { held, leaving, told, wishes, spent, sent, settled } = memory
  for (const map of [held, leaving, told, wishes, spent, sent, settled]) {
    for (const key of map.keys()) if (!services.has(key)) map.delete(key)
  }
  for (const key of held.keys()) if (plan.rows.get(key)?.verdict === undefined) held.delete(key)
  memory.seen = new Map()
  return { world, verdicts, nextMs }
}

/** Which addresses machines have by now that are none of ours. */
function notice(
  memory: Memory, { speakers, states }: Pick<Snapshot, 'speakers' | 'states'>, now: Millis,
): ForeignMemory {
  memory.foreign = rememberForeign(memory.foreign, readSightings(speakers, states), now)
  return memory.foreign
}

/** The same was found of the same Service before, and nothing was left to write or to tell. */
function isSettled({ settled }: Memory, verdict: Verdict, live: LiveService): boolean {
  const before = settled.get(verdict.service)
  if (before?.verdict === verdict && before.live === live) return true
  if (before !== undefined) settled.delete(verdict.service)
  return false
}

/** What is given is held from now on, whatever the cluster shows yet. */
function hold({ held }: Memory, verdict: Verdict, { uid }: LiveService): void {
  if (verdict.kind === 'assigned' || verdict.kind === 'kept') {
    held.set(verdict.service, { uid, addresses: verdict.addresses })
  } else {
    held.delete(verdict.service)
  }
}

function report(
  options: AllocationOptions, memory: Memory, snapshot: Snapshot, { world, verdicts }: Judged,
): void {
  const { log, metrics, placement, announceEverywhere, ignoreExcludeLabel } = options
  const voices = decideVoices({
    world, members: readMembers(snapshot.speakers, snapshot.states),
    owners: ownersOf(snapshot), placement, announceEverywhere, ignoreExcludeLabel,
  }, verdicts, memory.voices)
  metrics.setPools(poolUsage(snapshot.config, verdicts).map(({ pool, capacity, used }) => ({
    pool, ipv4Total: capacity.ipv4, ipv6Total: capacity.ipv6, ipv4Used: used.ipv4, ipv6Used: used.ipv6,
  })))
  const rows = reportRows({ verdicts, announcements: voices.announcements }, true)
  // Who announces is told when it has happened: see the conditions.
  logChanges(log, compareRows(memory.rows, rows).filter(({ kind }) => kind !== 'silent'))
  memory.rows = rows
  memory.voices = voices
}

function leftOver(service: string): Verdict {
  return { kind: 'released', service, reason: 'notLoadBalancer', dropped: [] }
}

/** Who announces each address: the speakers decide that, and their word is taken for it. */
function ownersOf({ services, speakers, statuses }: Snapshot): ReadonlyMap<string, string> {
  const owners = new Map<string, string>()
  for (const { service, node, isFilled } of statuses) {
    if (!isFilled || !speakers.has(node)) continue
    for (const text of services.get(service)?.ingress ?? []) owners.set(text, node)
  }
  return owners
}

function worldOf(memory: Memory, { config, services, nodes, endpoints }: Snapshot): World {
  const isSame = memory.keys.length === services.size && memory.keys.every((key) => services.has(key))
  if (!isSame) memory.keys = [...services.keys()].toSorted()
  const intents = memory.keys.flatMap((key) => services.get(key)?.intent ?? [])
  return { config, services: intents, nodes, endpoints }
}

/** What we gave, also where the cluster does not show it yet; not to a Service made anew. */
function ledgerOf({ held, seen }: Memory, services: ReadonlyMap<string, LiveService>): KnownHeld {
  const recalled = recall(seen, services)
  const get = (key: string): readonly Address[] | undefined => {
    const given = held.get(key)
    return given !== undefined && given.uid === services.get(key)?.uid ? given.addresses : recalled.get(key)
  }
  return { get, has: (key) => get(key) !== undefined }
}

/** Addresses that were taken from the Service, now or by an earlier verdict, and that it shows still. */
function leave({ leaving }: Memory, verdict: Verdict, live: LiveService): readonly string[] {
  const { ingress, uid, intent: { key } } = live
  const before = leaving.get(key)
  // What is shown empty has let all of them go: who writes one after that has given it anew.
  leaving.delete(key)
  if (ingress.length === 0) return []
  const { has, lacks } = changeOf(verdict)
  const all = [...before?.uid === uid ? before.addresses : [], ...lacks]
  const left = ingress.filter((text) => all.includes(text) && !has.includes(text))
  if (left.length > 0) leaving.set(key, { uid, addresses: left })
  return left
}

function queueStatus(
  options: AllocationOptions, memory: Memory, verdict: Verdict, live: LiveService,
): void {
  const { key } = live.intent
  const { ingress, pool } = live
  const wanted = planStatus(verdict, { ingress, pool }, leave(memory, verdict, live))
  if (wanted === undefined) memory.wishes.delete(key)
  else memory.wishes.set(key, { ...wanted, over: ingress })
  learn(options, memory, key)
  if (wanted === undefined || memory.spent.get(key) === live.version) return
  let sent: { readonly live: LiveService; readonly ingress: readonly string[] } | undefined
  options.writer.put({
    key: `status/${key}`,
    rank: 0,
    make: () => {
      if (memory.sent.get(key)?.isOut === true) endWait(options, memory, key)
      // What has changed since would make the server refuse: the next turn plans from that.
      const now = options.services().get(key)
      const wish = memory.wishes.get(key)
      if (now === undefined || now.uid !== live.uid || wish === undefined) return undefined
      // What it says by now no turn has looked at: the next one does, and tells.
      if (now.ingress.join() !== wish.over.join()) return undefined
      const { ingress } = wish
      sent = { live: now, ingress }
      memory.spent.set(key, now.version)
      memory.sent.set(key, { ...withSent(memory.sent.get(key), now, ingress), isOut: true })
      tellDeprecated(options, memory, { ...sent, isTaken: false })
      return { ...statusCall(wish, now, options.hasIPMode()), path: statusPath(now) }
    },
    settled: ({ status }) => {
      if (sent !== undefined && status < 300) {
        tellDeprecated(options, memory, { ...sent, isTaken: true })
        const before = memory.sent.get(key)
        if (before !== undefined) memory.sent.set(key, withTaken(before, sent.live.version, sent.ingress))
      }
      endWait(options, memory, key)
    },
  })
}

/** The last write was answered, or, since one is made at a time, its answer is lost. */
function endWait(options: AllocationOptions, memory: Memory, key: string): void {
  const last = memory.sent.get(key)
  if (last?.isOut === true) memory.sent.set(key, withAnswer(last))
  learn(options, memory, key)
}

function statusPath({ intent }: LiveService): string {
  return `/api/v1/namespaces/${intent.namespace}/services/${intent.name}/status` +
    '?fieldManager=arpeggio-controller'
}

function statusCall(wanted: Wanted, live: LiveService, hasIPMode: boolean): {
  method: 'PATCH'; contentType: string; wantsMetadata: true; body: unknown
} {
  const mode = hasIPMode ? { ipMode: 'VIP' } : {}
  return {
    method: 'PATCH',
    // Takes the server a tenth less than a strategic one.
    contentType: 'application/merge-patch+json',
    wantsMetadata: true,
    body: {
      metadata: {
        resourceVersion: live.version,
        annotations: { [annotationKeys.allocated]: wanted.pool ?? null },
      },
      status: {
        loadBalancer: wanted.ingress.length === 0
          ? { ingress: null }
          : { ingress: wanted.ingress.map((ip) => ip === '' ? {} : { ip, ...mode }) },
      },
    },
  }
}
