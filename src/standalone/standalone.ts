/** Assembles the standalone role: opens everything, runs until told to stop, closes in reverse. */
import { hostname } from 'node:os'
import { type Announcer, type AnnouncerOptions, openAnnouncer } from '../announcer.ts'
import { systemClock } from '../clock.ts'
import { isUsage, parseNodeName } from '../config/option-values.ts'
import type { StandaloneOptions } from '../config/options.ts'
import { counted } from '../config/words.ts'
import type { HostFinding } from '../finding.ts'
import { createForwarding } from '../forward/forwarding.ts'
import {
  announcementStatus, announcerFindings, conflictFindings, linkStatus, rowsOnWire,
} from '../http/rows.ts'
import { openListener } from '../http/listen.ts'
import type { StatusDocument } from '../http/status.ts'
import { openIcmp6 } from '../l2/linux/icmp6.ts'
import { type Links, openLinks } from '../l2/linux/links.ts'
import { bootMs } from '../l2/linux/libc.ts'
import { openPackets } from '../l2/linux/packets.ts'
import type { Log } from '../log.ts'
import { createMetrics } from '../metrics.ts'
import { raisePriority } from '../priority.ts'
import { version } from '../version.ts'
import { aloneWorld } from '../ownership/alone.ts'
import type { Note } from '../ownership/model.ts'
import { foreignVoices, muted } from '../ownership/view.ts'
import { createHost, type Host } from './host.ts'
import { logOwned } from '../journal.ts'
import { lockState } from './lock.ts'
import { createHostNews } from './news.ts'
import { readState } from './state.ts'
import { type Base, openTogether, type Together } from './together.ts'
import type { HostView } from './view.ts'
import { watchPaths } from './watch.ts'

const minuteMs = 60_000

/** A host at work, alone or in a group. */
interface Working {
  readonly host: Host
  readonly announcer: Announcer
  readonly links: Links
  readonly together: Together | undefined
}

/** Serves until `stopped` settles. Throws an Error that says what could not be opened. */
export async function runStandalone(
  options: StandaloneOptions, log: Log, stopped: Promise<unknown>,
): Promise<void> {
  await using closing = new AsyncDisposableStack()
  const clock = systemClock()
  const startedAt = clock.wall()
  const node = options.nodeName ?? nameFrom(hostname(), log)
  const metrics = createMetrics()
  raisePriority()
  const state = await readState(options.stateDir)
  closing.use(lockState(options.stateDir))
  for (const finding of state.findings) log.warn('state file ignored', { error: finding })

  const forwarding = closing.use(createForwarding({
    isEnabled: options.forward, setSysctls: options.setSysctls, node, log,
  }))
  const base: Base = { options, node, state, forwarding, clock, log, metrics, stopped }
  const working = await openWork(base, closing)
  if (working === undefined) return
  const { host, links, together } = working
  closing.defer(() => host.close())
  // The port before the wire and the rules: a second instance ends here, before it touches them.
  const site = {
    notReady: () => notReady(host.view()),
    status: () => statusOf(base, working, startedAt),
    metrics,
  }
  metrics.watchFindings(() => [...forwarding.findings(), ...findingsOf(base, working)])
  const listener = closing.use(await openListener({ site, host: options.httpHost, port: options.httpPort }))
  await forwarding.clear()
  links.onChange(() => host.setLinks(links.current()))
  host.setLinks(links.current())
  const watcher = closing.use(await watchPaths(options.paths, host.reload))
  for (const failure of watcher.failures) log.warn('input not watched', { error: failure })
  host.reload()
  await host.idle()
  log.info('standalone started', { node, version, port: listener.port })
  const timer = setInterval(() => {
    logOwned(log, node, host.view().announcements.map(({ text }) => text))
    void host.verify()
  }, minuteMs)
  closing.defer(() => clearInterval(timer))
  process.on('SIGHUP', host.reload)
  closing.defer(() => void process.off('SIGHUP', host.reload))
  await stopped
  if (together === undefined) {
    await host.close()
    working.announcer.setWorld(aloneWorld(node, [], []))
  } else await together.leave()
  log.info('standalone stopped', { node })
}

/** Hosts have been called worse than Kubernetes takes; their addresses must not go for that. */
function nameFrom(name: string, log: Log): string {
  if (isUsage(parseNodeName(name))) {
    log.warn('hostname is no name of a Node: give --node-name', { node: name, see: 'RFC 1123' })
  }
  return name
}

async function openWork(base: Base, closing: AsyncDisposableStack): Promise<Working | undefined> {
  const { options, clock, log, metrics, node } = base
  const icmp6 = closing.use(await openIcmp6())
  const wire = {
    clock: { now: bootMs, wall: clock.wall }, log, metrics, node,
    openPackets: (...on: Parameters<AnnouncerOptions['openPackets']>) =>
      openPackets(on[0], { icmp6, onRead: on[1] }),
  }
  if (options.group === undefined) {
    let host: Host | undefined
    const announcer = closing.use(openAnnouncer({
      ...wire, onNote: createWireNews(base, () => host?.mark()),
      onRights: () => metrics.setAnnounced(host?.view().announcements ?? [], node),
    }))
    host = createHost({ ...base, announcer })
    return { host, announcer, links: closing.use(await openLinks()), together: undefined }
  }
  const links = closing.use(await openLinks())
  const together = await openTogether({ ...base, group: options.group, wire, links }, closing)
  if (together === undefined) return undefined
  return { host: together.host, announcer: together.announcer, links, together }
}

/** What other machines do to an address; that this host announces it, or does no more, its loop tells. */
function createWireNews(base: Base, mark: () => void): (note: Note) => void {
  const news = createHostNews(base, mark)
  return (note) => {
    if (note.kind !== 'claimed' && note.kind !== 'released') news(note)
  }
}

function notReady(view: HostView): string | undefined {
  if (view.isSettled) return undefined
  if (view.isLoaded) return 'configuration read, not applied yet'
  const [waiting] = view.findings
  if (view.problems.length === 0) return waiting?.message ?? 'configuration not read yet'
  return `no configuration in force: ${counted(view.problems.length, 'problem')}, see /status`
}

function statusOf(base: Base, { announcer, together, host }: Working, startedAt: Date): StatusDocument {
  const { metrics, node, forwarding } = base
  const view = host.view()
  return {
    program: 'arpeggio',
    version,
    role: 'standalone',
    node,
    startedAt: startedAt.toISOString(),
    config: {
      ok: view.isLoaded && !view.isStale,
      loadedAt: view.loadedAt?.toISOString() ?? null,
      problems: view.problems,
      warnings: view.warnings,
    },
    services: rowsOnWire(view.rows, muted(announcer.ownership, bootMs())),
    announcements: view.announcements.map((row) =>
      announcementStatus(row, { node, announcer, metrics })
    ),
    links: view.links.map(linkStatus),
    drops: metrics.drops(),
    responder: 'socket',
    ...together?.status(),
    forwarding: { state: forwarding.state(), findings: forwarding.findings() },
    findings: findingsOf(base, { announcer, host, together }),
  }
}

function findingsOf(
  { metrics }: Base, { announcer, host, together }: Pick<Working, 'announcer' | 'host' | 'together'>,
): readonly HostFinding[] {
  const ofWire = announcerFindings([...announcer.failures().values()], metrics)
  const ofOthers = conflictFindings(foreignVoices(announcer.ownership, bootMs()))
  return [...host.view().findings, ...ofOthers, ...ofWire, ...together?.findings() ?? []]
}
