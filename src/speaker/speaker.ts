/** Assembles the speaker role: follows the cluster, announces this node's share, until told to stop. */
import { openAnnouncer } from '../announcer.ts'
import { describeError } from '../cli/input.ts'
import { type Clock, systemClock } from '../clock.ts'
import { openFeed } from '../cluster/feed.ts'
import { createIntake } from '../cluster/intake.ts'
import { openSite } from '../cluster/site.ts'
import { readPod } from '../cluster/state.ts'
import type { SpeakerOptions } from '../config/role-options.ts'
import {
  announcementStatus, announcerFindings, conflictFindings, linkStatus, memberStatus, nameFindings,
  outsideFinding, rowsOnWire, secretFindings,
} from '../http/rows.ts'
import { findingOf, type HostFinding } from '../finding.ts'
import type { StatusDocument } from '../http/status.ts'
import { logOwned } from '../journal.ts'
import { openAccess } from '../kube/access.ts'
import { openApi } from '../kube/api.ts'
import { createRecorder } from '../kube/events.ts'
import { whenAnswered } from '../kube/patience.ts'
import { createWriter } from '../kube/writer.ts'
import { openIcmp6 } from '../l2/linux/icmp6.ts'
import { openLinks } from '../l2/linux/links.ts'
import { bootMs, releaseMemory } from '../l2/linux/libc.ts'
import { openPackets } from '../l2/linux/packets.ts'
import type { Log } from '../log.ts'
import { createLoop } from '../loop.ts'
import { createMetrics } from '../metrics.ts'
import type { Address } from '../net/model.ts'
import { raisePriority } from '../priority.ts'
import { version } from '../version.ts'
import { exportClaims } from '../ownership/ownership.ts'
import { foreignVoices, muted, view as viewOwnership } from '../ownership/view.ts'
import { createCalm } from './calm.ts'
import { openSpeakerRing } from './membership.ts'
import { createNews } from './news.ts'
import { silencesEveryMs } from './own-state.ts'
import { createShare, type Share, type ShareParts } from './share.ts'
import { createStatuses } from './statuses.ts'

/** Of a turn's time: a burst of changes is taken together; a single one, some turns, at once. */
const rest = 9
const creditMs = 300
/** In a burst, what comes within this is one turn, and one word to each member. */
const gatherMs = 40
/** Log, metrics and events of a new voice follow after this: who asked meanwhile is answered first. */
const tellAfterMs = 5
const component = 'metallb-speaker'
/** Writes in flight: what speakers say of themselves must not crowd out the controller's allocations. */
const width = 1
/** Requests at one time, lists and writes. */
const connections = 2
const minuteMs = 60_000
const addressLookMs = 50
/** Between two looks at what a burst of changes has left of memory. */
const releaseEveryMs = 20_000

/** Serves until `stopped` settles. Throws an Error that says what could not be opened. */
export async function runSpeaker(
  options: SpeakerOptions, baseLog: Log, stopped: Promise<unknown>,
): Promise<void> {
  await using closing = new AsyncDisposableStack()
  const log = baseLog.from('speaker.ts')
  const clock = systemClock()
  const startedAt = clock.wall()
  const node = options.nodeName
  const metrics = createMetrics()
  const access = await openAccess(process.env, options.kubeconfig)
  const namespace = options.namespace ?? access.namespace ?? 'metallb-system'
  const api = closing.use(openApi(access, {
    connections, userAgent: `arpeggio-speaker/${version}`,
  }))
  const writer = closing.use(createWriter({ api, log, width, isPatient: true }))
  const calm = closing.use(createCalm({ writer, now: clock.now, later: callLater }))
  const recorder = createRecorder({
    writer: calm.behind(2), component, instance: node, rank: 2, wall: clock.wall,
  })
  const icmp6 = closing.use(await openIcmp6())
  // Deadlines count suspended time.
  const bootClock: Clock = { now: bootMs, wall: clock.wall }
  const announcer = closing.use(openAnnouncer({
    clock: bootClock, log: baseLog, metrics, node,
    openPackets: (onFrame, onRead) => openPackets(onFrame, { icmp6, onRead }),
    members: {
      tell: (to, ifindex, bytes) => parts.ring?.tell(to, ifindex, bytes),
      gossip: (bytes) => parts.ring?.gossip(bytes),
    },
    onNote: (note) => news(note),
    onRights: gathered(() => loop.mark(), tellAfterMs),
  }))
  const links = closing.use(await openLinks())
  const intake = createIntake({ namespace, log, metrics, wall: clock.wall })
  const feed = closing.use(openFeed({
    api, log: baseLog, namespace, role: 'speaker', speakerLabels: options.speakerLabels,
    onChange: () => loop.mark(), onObject: () => metrics.countUpdate(false),
  }))
  const parts: ShareParts = {
    options, namespace, log, metrics, feed, intake, writer, calm, recorder, announcer, links,
    wall: clock.wall, ring: undefined, owner: undefined, statuses: undefined,
  }
  const news = createNews({ ...parts, node, services: () => feed.services, onConflict: () => loop.mark() })
  const share = createShare(parts)
  const loop = createLoop(
    async () => share.turn(),
    (error) => log.error('turn failed', { error: describeError(error) }),
    { rest, creditMs, leastMs: () => calm.isBurst() ? gatherMs : 0 },
  )
  links.onChange(() => loop.mark())
  closing.use(await openSite({
    options, log, metrics, notReady: () => notReady(parts, share.isSettled()),
    status: () => statusOf(parts, share.view(), startedAt),
    findings: () => findingsOf(parts, share.outside()),
  }))
  log.info('speaker started', { node, version, namespace, priority: raisePriority() ? 'raised' : 'ordinary' })
  repeatChores(parts, closing, share, () => loop.mark())
  // Announcing goes before writing: the Pod is only needed as an owner.
  parts.owner = await whenAnswered(log, stopped, () => readPod(api, namespace, options.podName))
  parts.statuses = createStatuses({
    writer: calm.behind(1), namespace, node, owner: parts.owner, again: () => loop.mark(),
  })
  loop.mark()
  await openMembers(parts, { clock: bootClock, stopped, mark: () => loop.mark(), closing })
  await stopped
  await share.drain()
  share.stop()
  await parts.ring?.[Symbol.asyncDispose]()
  log.info('speaker stopped', { node })
}

function repeatChores(
  parts: ShareParts, closing: AsyncDisposableStack, share: Share, mark: () => void,
): void {
  const { log, options } = parts
  repeat(closing, silencesEveryMs, () => {
    if (share.hasSilenceNews()) mark()
  })
  repeat(closing, minuteMs, () => {
    logOwned(log, options.nodeName, share.announcements().map(({ text }) => text), countAlive(parts))
  })
  repeat(closing, releaseEveryMs, releaseMemory)
}

function countAlive({ ring }: ShareParts): number | undefined {
  return ring?.membership.members().filter(({ state }) => state === 'alive').length
}

interface Meeting {
  readonly clock: Clock
  readonly stopped: Promise<unknown>
  readonly mark: () => void
  readonly closing: AsyncDisposableStack
}

/** Joins the others, as soon as it is known at which address they reach this node. */
async function openMembers(
  parts: ShareParts, { clock, stopped, mark, closing }: Meeting,
): Promise<void> {
  const { options, log, announcer, feed } = parts
  const { membership: choice, nodeName } = options
  const findAddress = (): Address | undefined =>
    choice.bindAddress ?? feed.speakerAddressOf(nodeName)
  let isStopped = false
  void stopped.then(() => void (isStopped = true))
  let address = findAddress()
  if (address === undefined) log.info('waiting for the address of this speaker\'s Pod', { node: nodeName })
  while (address === undefined && !isStopped) {
    await Promise.race([stopped, new Promise((resolve) => setTimeout(resolve, addressLookMs))])
    address = findAddress()
  }
  if (address === undefined) return
  const ring = await openSpeakerRing({
    node: nodeName, address, choice, clock, log, stopped, isSecretAwaited: true,
    onMessages: announcer.hear, onChange: mark,
    onMember: (change, name) => log.info('memberlist event', { event: change, node: name }),
  })
  if (ring === undefined) return
  closing.use(ring)
  parts.ring = ring
  parts.metrics.watchMembership(ring.membership)
  ring.setClaims(() => exportClaims(announcer.ownership, clock.now()))
  mark()
}

function repeat(closing: AsyncDisposableStack, everyMs: number, work: () => void): void {
  const timer = setInterval(work, everyMs)
  closing.defer(() => clearInterval(timer))
}

function callLater(act: () => void, afterMs: number): Disposable {
  const timer = setTimeout(act, afterMs)
  return { [Symbol.dispose]: () => clearTimeout(timer) }
}

/** Acts once for all calls within this time of the first. */
function gathered(act: () => void, withinMs: number): () => void {
  let timer: NodeJS.Timeout | undefined
  return () => {
    timer ??= setTimeout(() => {
      timer = undefined
      act()
    }, withinMs)
  }
}

function notReady(parts: ShareParts, isSettled: boolean): string | undefined {
  const { feed, ring } = parts
  if (!isSettled) return `not synced yet: ${feed.missing().join(', ')}`
  return ring === undefined ? 'not in the ring of speakers yet' : undefined
}

function statusOf(
  parts: ShareParts, view: ReturnType<ReturnType<typeof createShare>['view']>, startedAt: Date,
): StatusDocument {
  const { announcer, metrics, intake, links, options } = parts
  return {
    program: 'arpeggio', version, role: 'speaker', node: options.nodeName,
    startedAt: startedAt.toISOString(),
    config: {
      ok: intake.config !== undefined && intake.problems.length === 0,
      loadedAt: intake.loadedAt?.toISOString() ?? null,
      problems: intake.problems, warnings: intake.warnings,
    },
    services: rowsOnWire(view.rows, muted(announcer.ownership, bootMs())),
    announcements: view.announcements.map((row) =>
      announcementStatus(row, { node: options.nodeName, announcer, metrics })
    ),
    links: links.current().map(linkStatus),
    drops: metrics.drops(),
    responder: 'socket',
    ownership: viewOwnership(announcer.ownership, bootMs()),
    members: parts.ring?.members().map(memberStatus) ?? [],
    forwarding: { state: 'off', findings: [] },
    findings: findingsOf(parts, view.outside),
  }
}

function findingsOf(parts: ShareParts, outside: readonly string[]): readonly HostFinding[] {
  const { announcer, metrics, feed, writer, ring } = parts
  return [
    ...feed.troubles().flatMap((message) => findingOf('watchFailed', message)),
    ...findingOf('writeFailed', writer.trouble),
    ...announcerFindings([...announcer.failures().values()], metrics),
    ...conflictFindings(foreignVoices(announcer.ownership, bootMs())),
    ...outsideFinding(outside),
    ...secretFindings(ring?.unreadable() ?? []),
    ...nameFindings(ring?.conflicts() ?? []),
  ]
}
