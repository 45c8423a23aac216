/** One turn of a speaker: from everything it sees to what this node announces, and says it does. */
import type { Announcer } from '../announcer.ts'
import { describeError } from '../cli/input.ts'
import type { Feed } from '../cluster/feed.ts'
import type { Intake } from '../cluster/intake.ts'
import { labelOfNode, stateNameOf } from '../cluster/members.ts'
import { type PodIdentity, syncState } from '../cluster/state.ts'
import { type EventText, eventText } from '../cluster/vocabulary.ts'
import { isSameValue } from '../config/fields.ts'
import type { Config } from '../config/model.ts'
import { labelKeys } from '../config/names.ts'
import type { SpeakerOptions } from '../config/role-options.ts'
import { drain } from '../drain.ts'
import { createHeap, type Heap } from '../heap.ts'
import { outsideFinding } from '../http/rows.ts'
import { logChanges } from '../journal.ts'
import type { Recorder } from '../kube/events.ts'
import type { Writer } from '../kube/writer.ts'
import { isUsable } from '../l2/eligible.ts'
import { encodeLinks } from '../l2/facts.ts'
import type { Links } from '../l2/linux/links.ts'
import { type Gateways, readGateways } from '../l2/linux/routes.ts'
import type { Announcement, LinkState } from '../l2/model.ts'
import type { AnnouncementPlan } from '../l2/plan.ts'
import { unitsFrom } from '../l2/unit.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { type Change, compareAnnouncements } from '../plan/change.ts'
import { planFailures } from '../plan/failure.ts'
import { type ServiceRow, heldRows } from '../plan/report.ts'
import { type Voices, voicesOf } from '../plan/voices.ts'
import { legsOf, type Outlook, worldOf } from '../plan/world.ts'
import type { Address } from '../net/model.ts'
import type { Leg, World } from '../ownership/model.ts'
import type { Ring } from '../ring.ts'
import type { Calm } from './calm.ts'
import { createHints, type HintsOf } from './hints.ts'
import { createHoldings, type Holdings } from './holdings.ts'
import { breathe, oneByOne } from './pieces.ts'
import { createReasons, type Reasons } from './reasons.ts'
import { spokenOf, type Statuses } from './statuses.ts'

export interface ShareParts {
  readonly options: SpeakerOptions
  readonly namespace: string
  readonly log: Log
  readonly metrics: Metrics
  readonly feed: Feed
  readonly intake: Intake
  readonly writer: Writer
  readonly calm: Calm
  readonly recorder: Recorder
  readonly announcer: Announcer
  readonly links: Links
  readonly wall: () => Date
  /** undefined until this node's address is known. */
  ring: Ring | undefined
  /** undefined until it has been read. */
  owner: PodIdentity | undefined
  /** undefined until the owner is known. */
  statuses: Statuses | undefined
}

export interface ShareView {
  readonly rows: readonly ServiceRow[]
  readonly announcements: readonly Announcement[]
  readonly outside: readonly string[]
}

export interface Share {
  /** Settles when the turn is over: a long one lets what is due at once go between its pieces. */
  turn(): Promise<void>
  /** Hands everything over; settles when nothing is answered for any more, or time is up. */
  drain(): Promise<void>
  /** Says that everything is withdrawn, and announces nothing any more. */
  stop(): void
  /** A whole turn has been performed. */
  isSettled(): boolean
  announcements(): readonly Announcement[]
  /** Of them, addresses that no connected prefix of this node covers. */
  outside(): readonly string[]
  view(): ShareView
}

/** What the ring was told of this node, and whom to look for. */
interface Told {
  readonly legs: readonly Leg[]
  readonly peers: readonly Address[]
}

interface Memory {
  readonly heap: Heap
  told: Told | undefined
  isSettled: boolean
  isStopped: boolean
  isDraining: boolean
  isLeaving: boolean
  /** What of each node bars it from announcing: MetalLB tells when that changes. */
  barriers: ReadonlyMap<string, string>
  /** Addresses told of that the interfaces keep silent: `namespace/name address`. */
  failures: ReadonlySet<string>
  outside: ReadonlySet<string>
  announcements: readonly Announcement[]
  readonly hintsOf: HintsOf
  readonly holdings: Holdings
  /** What the last announcements were made from. */
  voices: Voices | undefined
  /** What was judged for the wire: each turn goes on from it. */
  outlook: Outlook | undefined
  readonly reasons: Reasons
  accounting: NodeJS.Timeout | undefined
  /** Says it now, after what is still being said. */
  account(): Promise<void>
  /** Until then reasons rest. */
  restUntilMs: number
  gateways: { readonly found: Gateways; readonly atMs: number } | undefined
}

/** What a hand-over of everything may take; after this the others notice by themselves. */
const drainMs = 2_000
/** Reasons and status objects follow the wire after this, and not more often than that: */
const accountAfterMs = 250
const accountEveryMs = 1_000
/**
 * with thousands of Services they rest so many times as long as they take, but are not later than this: the
 * controller waits for a speaker's word for 2.5 s (`grace.ts`).
 */
const accountRest = 19
const accountMostMs = 2_000
/** Routes are read again after this: their changes are not told. */
const gatewaysMs = 1_000

export function createShare(parts: ShareParts): Share {
  const memory: Memory = {
    heap: createHeap(), barriers: new Map(),
    isSettled: false, isStopped: false, isDraining: false, isLeaving: false,
    failures: new Set(), outside: new Set(), announcements: [], voices: undefined,
    outlook: undefined, reasons: createReasons(parts), gateways: undefined, hintsOf: createHints(),
    holdings: createHoldings(parts.feed, parts.options.loadBalancerClass),
    told: undefined, account: oneByOne(() => account(parts, memory)), accounting: undefined, restUntilMs: 0,
  }
  const takeTurn = oneByOne(() => turn(parts, memory))
  return {
    turn: takeTurn,
    drain: () => drain({ ...parts, state: memory, turn: takeTurn, capMs: drainMs }),
    stop: () => {
      memory.isStopped = true
      const changes = compareAnnouncements(memory.announcements, [])
      logChanges(parts.log, changes.map((change) => ({ ...change, reason: 'stopping' })))
      parts.metrics.setAnnounced([], parts.options.nodeName)
      memory.announcements = []
    },
    isSettled: () => memory.isSettled,
    announcements: () => memory.announcements,
    outside: () => [...memory.outside],
    view: () => ({
      rows: heldRows(memory.holdings.plan, memory.reasons.plan(memory.holdings.plan)),
      announcements: memory.announcements, outside: [...memory.outside],
    }),
  }
}

async function turn(parts: ShareParts, memory: Memory): Promise<void> {
  if (memory.isStopped) return
  const { feed, intake, announcer, links } = parts
  const pieces = { atMs: performance.now() }
  const current = links.current()
  announcer.setLinks(current.filter((link) => isUsable(link) && link.hasCarrier))
  memory.heap.follow(feed.services.size)
  if (!feed.isSynced) return
  intake.take(feed.configObjects(), feed.lastGood())
  const { config } = intake
  if (config === undefined) {
    // Nothing good was ever read: there is nothing to apply, and status says why.
    tellState(parts)
    memory.isSettled = true
    return
  }
  parts.calm.stir(memory.holdings.follow(config))
  await breathe(pieces)
  const world = lookOut(parts, memory, { config, current })
  await breathe(pieces)
  if (world !== undefined) announcer.setWorld(world)
  await breathe(pieces)
  if (memory.isStopped) return
  const units = unitsFrom(memory.holdings.plan.holdings, memory.outlook?.wishes.units)
  memory.voices = voicesOf(announcer.rights(), units, current, memory.voices)
  const announcements = memory.voices.list
  memory.reasons.forget()
  publish(parts, memory, announcements)
  memory.announcements = announcements
  memory.isSettled = true
  tellState(parts)
  tellNodes(parts, memory)
  await accountLater(parts, memory)
}

/** Once for all the turns of a while: a burst of changes is not explained step by step. */
async function accountLater(parts: ShareParts, memory: Memory): Promise<void> {
  if (memory.isDraining) return memory.account()
  if (memory.accounting !== undefined) return
  const now = performance.now()
  const waitMs = Math.max(accountAfterMs, memory.restUntilMs - now)
  memory.accounting = setTimeout(() => {
    memory.accounting = undefined
    memory.account().catch((error: unknown) =>
      parts.log.error('account failed', { error: describeError(error) }))
  }, waitMs).unref()
}

/** What others may read of this node's share, besides the log and the metrics: in pieces, as a turn is. */
async function account(parts: ShareParts, memory: Memory): Promise<void> {
  if (memory.isStopped) return
  const { nodeName } = parts.options
  const begunMs = performance.now()
  const pieces = { atMs: begunMs }
  let restedMs = 0
  const pause = async (): Promise<void> => void (restedMs += await breathe(pieces))
  const plan = await memory.reasons.planSlowly(memory.holdings.plan, pause)
  if (memory.isStopped) return
  const outside = plan.placed.filter(({ node, prefixed }) => node === nodeName && !prefixed)
  tellOutside(parts, memory, outside.map(({ text }) => text))
  tellFailures(parts, memory, plan)
  await pause()
  const { feed, links, statuses } = parts
  const spoken = spokenOf(memory.announcements, links.current())
  // Nothing after a stop: the objects go with the Pod.
  if (!memory.isStopped && feed.hasL2Statuses) statuses?.sync(feed.l2Statuses.values(), spoken)
  const restMs = (performance.now() - begunMs - restedMs) * accountRest
  memory.restUntilMs = begunMs + Math.min(accountMostMs, Math.max(accountEveryMs, restMs))
}

/** The world, where it is another. Nothing is placed before the ring is there, and says who else lives. */
function lookOut(
  parts: ShareParts, memory: Memory,
  { config, current }: { readonly config: Config; readonly current: readonly LinkState[] },
): World | undefined {
  const { feed, options, announcer, ring } = parts
  const { holdings } = memory
  if (ring === undefined) return undefined
  const deaf = new Set(announcer.failures().keys())
  tellRing(ring, memory, {
    legs: legsOf(current, deaf, namedInterfaces(config)), peers: feed.speakerAddresses(),
  })
  const now = performance.now()
  if (memory.gateways === undefined || now - memory.gateways.atMs > gatewaysMs) {
    memory.gateways = { found: readGateways(), atMs: now }
  }
  const outlook = worldOf({
    self: options.nodeName, placement: options.placement, config, nodes: feed.nodes(),
    endpoints: feed.endpoints(), served: holdings.served(), holdings: holdings.plan.holdings,
    links: current, deaf,
    members: ring.members(), expected: [...feed.speakers()].toSorted(),
    restarted: feed.otherRevisions(options.nodeName), gateways: memory.gateways.found,
    hints: memory.hintsOf(feed.l2Statuses.values()),
    isDraining: memory.isDraining || ring.isYielding(), isLeaving: memory.isLeaving || ring.isYielding(),
    announceEverywhere: options.announceEverywhere, ignoreExcludeLabel: options.ignoreExcludeLabel,
  }, memory.outlook)
  const isSame = memory.outlook?.world === outlook.world
  memory.outlook = outlook
  holdings.forget()
  return isSame ? undefined : outlook.world
}

function tellRing(ring: Ring, memory: Memory, now: Told): void {
  if (isSameValue(memory.told, now)) return
  memory.told = now
  ring.setLegs(now.legs)
  ring.setPeers(now.peers)
}

/** A node that was known already may announce now, or may not any more. */
function tellNodes({ feed, log }: ShareParts, memory: Memory): void {
  const barriers = new Map(feed.nodes().map(({ name, excluded, networkUnavailable }) =>
    [name, `excluded=${excluded} networkUnavailable=${networkUnavailable}`] as const
  ))
  for (const [node, now] of barriers) {
    const before = memory.barriers.get(node)
    if (before === undefined || before === now) continue
    log.info('node event - forcing sync', { event: 'nodeChanged', node, state: now })
  }
  memory.barriers = barriers
}

function tellState(parts: ShareParts): void {
  const { feed, intake, links, options, namespace, writer, wall, owner, statuses, announcer } = parts
  if (statuses === undefined) return
  const name = stateNameOf(options.nodeName)
  const deaf = new Set(announcer.failures().keys())
  const state = {
    writer, namespace, name, manager: 'configReconciler', wall, owner,
    labels: {
      [labelKeys.componentType]: 'speaker', [labelKeys.stateNode]: labelOfNode(options.nodeName),
    },
  } as const
  syncState(state, feed.states.get(`${namespace}/${name}`), {
    problems: intake.problems,
    isUnknown: false,
    links: encodeLinks(links.current(), deaf, namedInterfaces(intake.config)),
  })
}

function namedInterfaces(config: Config | undefined): ReadonlySet<string> {
  return new Set((config?.advertisements ?? []).flatMap(({ interfaces }) => interfaces))
}

/** Log, metrics and events: after the wire, never before. */
function publish(parts: ShareParts, memory: Memory, announcements: readonly Announcement[]): void {
  const { log, metrics, options } = parts
  const changes = compareAnnouncements(memory.announcements, announcements)
  logChanges(log, explain(memory, changes))
  metrics.setAnnounced(announcements, options.nodeName)
  // One event a Service, however many addresses it has.
  const news = changes.flatMap((change) => change.kind === 'announced' ? change.services : [])
  for (const service of new Set(news)) {
    const message = `announcing from node "${options.nodeName}" with protocol "layer2"`
    tell(parts, service, eventText('nodeAssigned', message))
  }
}

/** A withdrawal says why, Service by Service. */
function explain(memory: Memory, changes: readonly Change[]): readonly Change[] {
  if (!changes.some(({ kind }) => kind === 'withdrawn')) return changes
  const { holdings: { plan }, outlook, reasons } = memory
  const keys = changes.flatMap((change) => change.kind === 'withdrawn' ? change.services : [])
  const why = reasons.withdrawals(plan, unitsFrom(plan.holdings, outlook?.wishes.units), keys)
  return changes.flatMap((change): readonly Change[] => {
    if (change.kind !== 'withdrawn') return [change]
    const { ip, services } = change
    return services.map((key) => ({
      kind: 'withdrawn', ip, services: [key], reason: memory.isDraining ? 'stopping' : why(key, ip),
    }))
  })
}

/** An address that is announced where nobody may look for it. */
function tellOutside({ log }: ShareParts, memory: Memory, texts: readonly string[]): void {
  const [finding] = outsideFinding(texts.filter((text) => !memory.outside.has(text)))
  if (finding !== undefined) log.warn('no prefix covers the address', { ...finding, reason: 'noPrefix' })
  memory.outside = new Set(texts)
}

/** An address that no node has the interface for: one of them says so, once. */
function tellFailures(parts: ShareParts, memory: Memory, plan: AnnouncementPlan): void {
  const { nodeName } = parts.options
  const failures = planFailures(plan, nodeName)
  const keys = new Map(failures.map((failure) => [`${failure.service} ${failure.ip}`, failure]))
  for (const [key, { service, ip }] of keys) {
    if (memory.failures.has(key)) continue
    const message = `the interfaces specified by LB IP "${ip}" doesn't exist in assigned ` +
      `node "${nodeName}" with protocol "layer2"`
    tell(parts, service, eventText('announceFailed', message))
  }
  memory.failures = new Set(keys.keys())
}

function tell({ recorder, feed }: ShareParts, key: string, happening: EventText): void {
  const live = feed.services.get(key)
  if (live === undefined) return
  const { namespace, name } = live.intent
  recorder.record({ namespace, name, uid: live.uid }, happening)
}
