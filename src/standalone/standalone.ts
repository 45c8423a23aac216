/** Assembles the standalone role: opens everything, runs until told to stop, closes in reverse. */
import { hostname } from 'node:os'
import { openAnnouncer } from '../announcer.ts'
import { systemClock } from '../clock.ts'
import type { StandaloneOptions } from '../config/options.ts'
import { createForwarding } from '../forward/forwarding.ts'
import { createApp } from '../http/app.ts'
import { announcementStatus, announcerFindings, linkStatus } from '../http/rows.ts'
import { openListener } from '../http/listen.ts'
import type { StatusDocument } from '../http/status.ts'
import { openIcmp6 } from '../l2/linux/icmp6.ts'
import { openLinks } from '../l2/linux/links.ts'
import { bootMs } from '../l2/linux/libc.ts'
import { openPackets } from '../l2/linux/packets.ts'
import type { Log } from '../log.ts'
import { createMetrics } from '../metrics.ts'
import { raisePriority } from '../priority.ts'
import { version } from '../version.ts'
import { aloneWorld } from '../ownership/alone.ts'
import { createHost, type HostParts } from './host.ts'
import { logOwned } from '../journal.ts'
import { lockState } from './lock.ts'
import { readState } from './state.ts'
import type { HostView } from './view.ts'
import { watchPaths } from './watch.ts'

const minuteMs = 60_000

/** Serves until `stopped` settles. Throws an Error that says what could not be opened. */
export async function runStandalone(
  options: StandaloneOptions, log: Log, stopped: Promise<unknown>,
): Promise<void> {
  await using closing = new AsyncDisposableStack()
  const clock = systemClock()
  const startedAt = clock.wall()
  const node = options.nodeName ?? hostname()
  const metrics = createMetrics()
  raisePriority()
  const state = await readState(options.stateDir)
  closing.use(lockState(options.stateDir))
  for (const finding of state.findings) log.warn('state file ignored', { error: finding })

  const forwarding = closing.use(createForwarding({
    isEnabled: options.forward, setSysctls: options.setSysctls, node, log,
  }))
  const icmp6 = closing.use(await openIcmp6())
  const announcer = closing.use(openAnnouncer({
    clock: { now: bootMs, wall: clock.wall }, log, metrics, node,
    openPackets: (onFrame, onRead) => openPackets(onFrame, { icmp6, onRead }),
  }))
  const parts = { options, node, state, announcer, forwarding, clock, log, metrics }
  const host = createHost(parts)
  closing.defer(() => host.close())
  // The port before the wire and the rules: a second instance ends here, before it touches them.
  const app = createApp({
    notReady: () => notReady(host.view()),
    status: () => statusOf(parts, host.view(), startedAt),
    metrics,
  })
  const listener = closing.use(await openListener({
    fetch: (request) => app.fetch(request), host: options.httpHost, port: options.httpPort,
  }))
  await forwarding.clear()
  const links = closing.use(await openLinks())
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
  await host.close()
  announcer.setWorld(aloneWorld(node, [], []))
  log.info('standalone stopped', { node })
}

function notReady(view: HostView): string | undefined {
  if (view.isSettled) return undefined
  if (view.isLoaded) return 'configuration read, not applied yet'
  return view.problems.length === 0
    ? 'configuration not read yet'
    : `no configuration in force: ${view.problems.length} problems, see /status`
}

function statusOf(parts: HostParts, view: HostView, startedAt: Date): StatusDocument {
  const { announcer, metrics, node } = parts
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
    services: view.rows,
    announcements: view.announcements.map((row) =>
      announcementStatus(row, { node, announcer, metrics })
    ),
    links: view.links.map(linkStatus),
    drops: metrics.drops(),
    responder: 'socket',
    forwarding: { state: parts.forwarding.state(), findings: parts.forwarding.findings() },
    findings: [...view.findings, ...announcerFindings([...announcer.failures().values()], metrics)],
  }
}
