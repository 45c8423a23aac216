/** Assembles the controller role: follows the cluster, plans, writes; serves until told to stop. */
import { systemClock } from '../clock.ts'
import { createIntake, type Intake } from '../cluster/intake.ts'
import { openFeed, type Feed } from '../cluster/feed.ts'
import { lastGoodName } from '../cluster/resources.ts'
import { readSilences } from '../cluster/members.ts'
import { openSite } from '../cluster/site.ts'
import { type PodIdentity, readPod, syncState, type StateOptions } from '../cluster/state.ts'
import { labelKeys } from '../config/names.ts'
import type { ControllerOptions } from '../config/role-options.ts'
import { findingOf, type HostFinding } from '../finding.ts'
import { foreignFindings } from '../http/rows.ts'
import type { StatusDocument } from '../http/status.ts'
import type { Webhook } from '../admission/webhook.ts'
import { openAccess } from '../kube/access.ts'
import { type Api, openApi } from '../kube/api.ts'
import { createRecorder } from '../kube/events.ts'
import { identityOf, type Leader, openLeader } from '../kube/leader.ts'
import { whenAnswered } from '../kube/patience.ts'
import { type CountedWriter, createWriter, type Writer } from '../kube/writer.ts'
import { readVersion } from '../kube/server.ts'
import { createHeap, type Heap } from '../heap.ts'
import type { Log } from '../log.ts'
import { createLoop } from '../loop.ts'
import { createMetrics, type Metrics } from '../metrics.ts'
import { type ServiceRow, unreadRows } from '../plan/report.ts'
import { leftToOthers } from '../ipam/foreign.ts'
import { poolUsage } from '../ipam/usage.ts'
import { version } from '../version.ts'
import { type Allocation, createAllocation, type Judged, type Snapshot } from './allocation.ts'
import { type Conditions, createConditions } from './conditions.ts'
import { openHook } from './hook.ts'
import { syncPools } from './pools.ts'
import { ensureSecret } from './secret.ts'
import { describeError } from '../cli/input.ts'

/** Name of the Lease; RBAC grants it by name. */
const leaseName = 'arpeggio-controller'
/** Of a turn's time: a burst of changes is taken together, a single one at once. */
const rest = 3
/** What is told may be late, and is told of all Services at once: a tenth of the time at most. */
const tellRest = 9
const component = 'metallb-controller'
/** Writes in flight; more only make the API server's queue longer. */
const width = 16
/** With more statuses than this still to be written, changes are looked at together: */
const crowd = 4 * width
/** as seldom as this at least, */
const crowdedMs = 250
/** and a quarter of a millisecond later for each that waits, up to this: what is found waits behind them. */
const crowdedMostMs = 2_000
const perUrgentMs = 0.25
/** With more writes of any kind, what nothing in the crowd waits for is told as seldom as this, */
const crowdedTellMs = 1_000
/** and with ten thousand Services, where telling takes long, less often, up to this. */
const crowdedTellMostMs = 5_000
/** A reason is told within 5 s, however long telling takes. */
const tellMostRestMs = 1_000
/** What was decided has reached the API server, and perhaps come back, before it is told. */
const tellAfterMs = 100
/** A ConfigMap holds at most 1 MiB. */
const maxGoodBytes = 1_000_000

interface Parts {
  readonly options: ControllerOptions
  readonly namespace: string
  readonly log: Log
  readonly metrics: Metrics
  readonly feed: Feed
  readonly intake: Intake
  readonly heap: Heap
  readonly writer: CountedWriter
  readonly leader: Leader
  readonly allocation: Allocation
  readonly conditions: Conditions
  /** The owner is filled in once the API server has told it. */
  readonly state: StateOptions & { owner: PodIdentity | undefined; isKnown: boolean }
  hasIPMode: boolean
  /** undefined = off, or not opened yet. */
  webhook: Webhook | undefined
}

type Opened = Pick<Parts, 'options' | 'namespace' | 'log' | 'metrics' | 'feed' | 'writer' | 'leader'> & {
  readonly identity: string
  readonly ownWriter: Writer
  readonly wall: () => Date
}

/** What works on what was opened. */
function createParts(opened: Opened): Parts {
  const { options, namespace, log, metrics, feed, writer, leader, ownWriter, identity, wall } = opened
  const recorder = createRecorder({ writer, component, instance: identity, rank: 1, wall })
  const parts: Parts = {
    options, namespace, log, metrics, feed, writer, leader,
    intake: createIntake({ namespace, log, metrics, wall }), heap: createHeap(),
    allocation: createAllocation({
      writer, recorder, log, metrics, services: () => feed.services, isLeading: leader.isLeading,
      loadBalancerClass: options.loadBalancerClass, placement: options.placement,
      announceEverywhere: options.announceEverywhere, ignoreExcludeLabel: options.ignoreExcludeLabel,
      hasIPMode: () => parts.hasIPMode,
    }),
    conditions: createConditions({ writer, recorder, log, metrics, wall, services: () => feed.services }),
    state: {
      writer: ownWriter, namespace, name: 'controller', manager: 'poolReconciler', wall,
      labels: { [labelKeys.componentType]: 'controller' },
      owner: undefined, isKnown: false,
    },
    hasIPMode: false, webhook: undefined,
  }
  return parts
}

/** Mutable, owned by the loop. */
interface Memory {
  /** Services have been listed again since leading began: nothing of a predecessor is missed. */
  isFresh: boolean
  /** Counts how often leading began or ended. */
  term: number
  timer: ReturnType<typeof setTimeout> | undefined
  crowded: ReturnType<typeof setTimeout> | undefined
  savedGood: string | undefined
  soon: ReturnType<typeof setTimeout> | undefined
  /** For what comes out otherwise by itself. */
  later: ReturnType<typeof setTimeout> | undefined
  /** When rows and conditions were last made, and how long rows took. */
  toldAtMs: number
  tellingMs: number
  /** What is to be told; undefined = nothing is decided in this term. */
  decided: Decided | undefined
  /** Of that, what log, metrics and rows have already. */
  reported: Decided | undefined
}

function createMemory(): Memory {
  return {
    isFresh: false, term: 0, timer: undefined, crowded: undefined, soon: undefined, later: undefined,
    savedGood: undefined, toldAtMs: Number.NEGATIVE_INFINITY, tellingMs: 0, decided: undefined,
    reported: undefined,
  }
}

/** What the last turn came to; without a configuration there are no verdicts. */
interface Decided {
  readonly judged: Judged | undefined
}

/** Serves until `stopped` settles. Throws an Error that says what could not be opened. */
export async function runController(
  options: ControllerOptions, baseLog: Log, stopped: Promise<unknown>,
): Promise<void> {
  await using closing = new AsyncDisposableStack()
  const log = baseLog.from('controller.ts')
  const clock = systemClock()
  const startedAt = clock.wall()
  const metrics = createMetrics()
  const access = await openAccess(process.env, options.kubeconfig)
  const namespace = options.namespace ?? access.namespace ?? 'metallb-system'
  const userAgent = `arpeggio-controller/${version}`
  const api = closing.use(openApi(access, { connections: width + 4, userAgent }))
  const identity = identityOf(options.podName)
  const memory = createMemory()
  closing.defer(() => [memory.timer, memory.crowded, memory.soon, memory.later]
    .forEach((timer) => clearTimeout(timer)))

  const leader = closing.use(openLeader({
    // A connection of its own: long lists and a hundred writes on their way must not cost the lease.
    api: closing.use(openApi(access, { connections: 1, userAgent })),
    log, namespace, name: leaseName, identity, wall: clock.wall,
    onChange: () => void takeOffice(),
  }))
  const feed = closing.use(openFeed({
    api, log, namespace, role: 'controller', servicesAfter: leader.asked,
    onChange: () => markSoon(memory, writer, () => loop.mark()),
    onObject: () => metrics.countUpdate(false),
  }))
  const writer = closing.use(createWriter({ api, log, width, mayWrite: leader.isLeading }))
  // What it says of itself does not wait behind a thousand statuses.
  const ownWriter = closing.use(createWriter({ api, log, width: 1 }))
  const parts = createParts({
    options, namespace, log, metrics, feed, writer, leader, identity, ownWriter, wall: clock.wall,
  })
  const { state } = parts
  const whenIPModeIsKnown = whenAnswered(log, stopped, () => knowsIPMode(api))
    .then((knows) => void (parts.hasIPMode = knows ?? false))
  const onError = (error: unknown): void => log.error('turn failed', { error: describeError(error) })
  const loop = createLoop(
    async () => turn(parts, memory, { tellSoon: () => telling.mark(), again: () => loop.mark() }), onError,
    { rest },
  )
  // Apart from the other, so that no address waits for what is told, nor for its rest.
  const telling = createLoop(
    () => tell(parts, memory, () => telling.mark()), onError, { rest: tellRest, mostRestMs: tellMostRestMs },
  )
  const takeOffice = (): Promise<void> =>
    beginTerm(parts, memory, { ready: whenIPModeIsKnown, mark: () => loop.mark() })
  closing.use(await openSite({
    options, log,
    notReady: () => feed.isSynced ? undefined : `not synced yet: ${feed.missing().join(', ')}`,
    metrics,
    status: () => statusOf(parts, identity, startedAt), findings: () => findingsOf(parts),
  }))
  log.info('controller started', { node: identity, version, namespace })
  state.owner = await whenAnswered(log, stopped, () => readPod(api, namespace, options.podName))
  state.isKnown = true
  loop.mark()
  await whenAnswered(log, stopped, () => ensureSecret({
    api, log, namespace, name: options.memberlistSecret, deployment: options.deployment,
  }))
  parts.webhook = await openHook({ ...parts, api, wall: clock.wall, stopped, onChange: () => loop.mark() })
  if (parts.webhook !== undefined) closing.use(parts.webhook)
  loop.mark()
  await stopped
  // What is decided is written before the lease goes to somebody else.
  await Promise.race([writer.idle(), new Promise((resolve) => setTimeout(resolve, 2_000).unref())])
  log.info('controller stopped', { node: identity })
}

/** Leading began or ended: what a predecessor may have changed is listed again before anything is decided. */
async function beginTerm(
  parts: Parts, memory: Memory, { ready, mark }: { ready: Promise<unknown>; mark: () => void },
): Promise<void> {
  const term = ++memory.term
  forget(parts, memory)
  if (!parts.leader.isLeading()) return
  await Promise.all([parts.feed.refreshServices(), ready])
  if (term !== memory.term) return // that list is of another term
  memory.isFresh = true
  // Where many wait, they are told of after they were given something.
  memory.toldAtMs = performance.now()
  mark()
}

/** At once, unless so many statuses wait that another look would only make work. */
function markSoon(memory: Memory, writer: CountedWriter, mark: () => void): void {
  if (writer.urgent <= crowd) return mark()
  memory.crowded ??= setTimeout(() => {
    memory.crowded = undefined
    mark()
  }, Math.min(crowdedMostMs, Math.max(crowdedMs, writer.urgent * perUrgentMs)))
}

/** Leading began or ended: what was only planned, or waits to be written, is nobody's. */
function forget({ allocation, conditions, writer }: Parts, memory: Memory): void {
  memory.isFresh = false
  memory.savedGood = undefined
  memory.decided = undefined
  memory.reported = undefined
  allocation.forget()
  conditions.forget()
  writer.clear()
}

/** `ipMode` is served since Kubernetes 1.30. */
async function knowsIPMode(api: Api): Promise<boolean> {
  const { major, minor } = await readVersion(api)
  return major > 1 || minor >= 30
}

/** Decides who gets which address, and queues what is to be written. */
function turn(
  parts: Parts, memory: Memory, { tellSoon, again }: Record<'tellSoon' | 'again', () => void>,
): void {
  const { feed, intake, leader, namespace, allocation } = parts
  parts.heap.follow(feed.services.size)
  if (!feed.isSynced) return
  parts.webhook?.turn(leader.isLeading())
  intake.take(feed.configObjects(), feed.lastGood())
  // Several replicas would each take it for its own Pod's, forever.
  if (parts.state.isKnown && leader.isLeading()) {
    syncState(parts.state, feed.states.get(`${namespace}/controller`), {
      problems: intake.problems, isUnknown: false, links: undefined,
    })
  }
  const now = performance.now()
  if (!leader.isLeading() || !memory.isFresh) {
    return allocation.look({ speakers: feed.speakers(), states: feed.states }, now)
  }
  const snapshot = snapshotOf(parts)
  if (snapshot !== undefined) saveGood(parts, memory)
  const judged = snapshot && allocation.turn(snapshot, now)
  memory.decided = { judged }
  clearTimeout(memory.later)
  memory.later = judged?.nextMs === undefined
    ? undefined
    : setTimeout(again, Math.ceil(judged.nextMs - now))
  memory.soon ??= setTimeout(() => {
    memory.soon = undefined
    tellSoon()
  }, tellAfterMs)
}

/** undefined = no configuration was ever good. */
function snapshotOf({ feed, intake: { config } }: Parts): Snapshot | undefined {
  return config && {
    config, services: feed.services, nodes: feed.nodes(), endpoints: feed.endpoints(),
    speakers: feed.speakers(), states: feed.states, statuses: feed.l2Statuses.values(),
  }
}

/** Tells what was decided last: rows, log and metrics, counters of pools, conditions. */
async function tell(parts: Parts, memory: Memory, again: () => void): Promise<void> {
  const { feed, writer, allocation, namespace, options } = parts
  const { decided, term } = memory
  const now = performance.now()
  const restMs = Math.min(crowdedTellMostMs, Math.max(crowdedTellMs, tellRest * memory.tellingMs))
  const tellAtMs = memory.toldAtMs + restMs
  if (writer.crowd > crowd && now < tellAtMs) return lookAgain(memory, again, tellAtMs - now)
  if (decided === undefined) return
  const snapshot = snapshotOf(parts)
  memory.toldAtMs = now
  const { judged } = decided
  if (judged === undefined || snapshot === undefined) {
    return tellConditions(parts, memory, unreadRows(feed.services, options.loadBalancerClass), again)
  }
  if (decided !== memory.reported) {
    allocation.report(snapshot, judged)
    syncPools(writer, feed.pools, poolUsage(judged.world.config, judged.verdicts), namespace)
    memory.reported = decided
    memory.tellingMs = performance.now() - now
    // A newcomer need not wait for both.
    await new Promise((resolve) => void setImmediate(resolve))
    if (term !== memory.term) return
  }
  tellConditions(parts, memory, allocation.rows, again)
}

function tellConditions(
  { conditions, feed, intake }: Parts, memory: Memory, rows: readonly ServiceRow[], again: () => void,
): void {
  const now = performance.now()
  const nextMs = conditions.turn({
    rows, services: feed.services,
    statuses: feed.hasL2Statuses ? feed.l2Statuses.values() : undefined,
    told: readSilences(feed.speakers(), feed.states),
    isStale: intake.problems.length > 0, now,
  })
  lookAgain(memory, again, nextMs === undefined ? undefined : nextMs - now)
}

/** After so many ms, whatever was agreed before; undefined = only when something changes. */
function lookAgain(memory: Memory, again: () => void, afterMs: number | undefined): void {
  clearTimeout(memory.timer)
  memory.timer = afterMs === undefined ? undefined : setTimeout(again, afterMs)
}

/** Keeps what is good in the cluster, so that a restart beside a bad edit has it. */
function saveGood({ intake, feed, writer, namespace, log }: Parts, memory: Memory): void {
  const { good } = intake
  if (good === undefined || good === memory.savedGood || good === feed.lastGood()) return
  memory.savedGood = good
  if (Buffer.byteLength(good) > maxGoodBytes) {
    log.warn('configuration too large to be kept for a restart', { bytes: Buffer.byteLength(good) })
    return
  }
  const path = `/api/v1/namespaces/${namespace}/configmaps`
  const isNew = feed.lastGood() === undefined
  writer.put({
    key: 'last-good',
    rank: 2,
    make: () => ({
      method: isNew ? 'POST' : 'PATCH',
      path: isNew ? path : `${path}/${lastGoodName}`,
      ...(isNew ? {} : { contentType: 'application/merge-patch+json' }),
      wantsMetadata: true,
      body: {
        apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: lastGoodName, namespace },
        data: { config: good },
      },
    }),
    settled: ({ status }) => {
      if (status >= 300) memory.savedGood = undefined
    },
  })
}

function statusOf(parts: Parts, identity: string, startedAt: Date): StatusDocument {
  const { intake, allocation } = parts
  return {
    program: 'arpeggio', version, role: 'controller', node: identity,
    startedAt: startedAt.toISOString(),
    config: {
      ok: intake.config !== undefined && intake.problems.length === 0,
      loadedAt: intake.loadedAt?.toISOString() ?? null,
      problems: intake.problems, warnings: intake.warnings,
    },
    services: allocation.rows, announcements: [], links: [], drops: {}, responder: 'none',
    forwarding: { state: 'off', findings: [] }, findings: findingsOf(parts),
  }
}

function findingsOf({ feed, writer, leader, webhook, allocation }: Parts): readonly HostFinding[] {
  return [
    ...feed.troubles().flatMap((message) => findingOf('watchFailed', message)),
    ...findingOf('writeFailed', writer.trouble),
    ...findingOf('notLeading', leader.isLeading() ? undefined : `"${leader.holder()}" leads`),
    ...leader.isLeading() ? foreignFindings(leftToOthers(allocation.foreign, allocation.rows)) : [],
    ...findingOf('webhookNotServed', webhook?.trouble),
  ]
}
