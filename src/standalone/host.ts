/** The standalone loop: input files and interfaces in, ledger, announcements and rules out. */
import type { Announcer } from '../announcer.ts'
import { describeError, readInput } from '../cli/input.ts'
import type { Clock } from '../clock.ts'
import type { ClusterNode, Reading, Source, World } from '../config/model.ts'
import { labelKeys } from '../config/names.ts'
import type { StandaloneOptions } from '../config/options.ts'
import { readWorld } from '../config/read.ts'
import { findingOf } from '../finding.ts'
import type { Forwarding } from '../forward/forwarding.ts'
import { isUsable } from '../l2/eligible.ts'
import { bootMs } from '../l2/linux/libc.ts'
import type { Announcement, LinkState } from '../l2/model.ts'
import type { Log } from '../log.ts'
import { createLoop, type Loop } from '../loop.ts'
import type { Metrics } from '../metrics.ts'
import { emptyForeignMemory, type ForeignMemory, leftToOthers, rememberForeign } from '../ipam/foreign.ts'
import type { Address } from '../net/model.ts'
import { type Decision, decide } from '../plan/decision.ts'
import { reportRows, type ServiceRow } from '../plan/report.ts'
import { compareAnnouncements, compareRows, leftBehind } from '../plan/change.ts'
import { aloneWorld } from '../ownership/alone.ts'
import { sightingsOf } from './foreign.ts'
import { poolGauges } from './gauges.ts'
import { findEmptied, sameSources } from './intake.ts'
import { foreignFindings, outsideFinding } from '../http/rows.ts'
import { logChanges } from '../journal.ts'
import { type Ledger, sameLedger, type State, writeLastGood, writeLedger } from './state.ts'
import type { HostView } from './view.ts'

export interface HostParts {
  readonly options: StandaloneOptions
  readonly node: string
  readonly state: State
  readonly announcer: Announcer
  readonly forwarding: Forwarding
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
}

export interface Host {
  /** Input files may have changed. */
  reload(): void
  /** Interfaces changed: the whole new set. */
  setLinks(links: readonly LinkState[]): void
  /** The loop looks at everything again: the wire may have shown something. */
  mark(): void
  view(): HostView
  idle(): Promise<void>
  /** Forwarding rules may be gone: looks, and loads them again if so. */
  verify(): Promise<void>
  /** Waits for the turn under way and takes no other: nothing is announced after this. */
  close(): Promise<void>
}

/** Everything the loop remembers between turns; replaced field by field, never shared. */
interface Memory {
  isInputDirty: boolean
  /** A whole turn has been performed: rules, sockets and announcements are what they should be. */
  isSettled: boolean
  world: World | undefined
  loadedAt: Date | undefined
  reading: Pick<Reading, 'problems' | 'warnings'>
  lastGood: readonly Source[] | undefined
  ledger: Ledger
  links: readonly LinkState[]
  rows: readonly ServiceRow[]
  announcements: readonly Announcement[]
  storeFailure: string | undefined
  /** Addresses announced though no interface has a prefix that covers them. */
  outside: readonly string[]
  foreign: ForeignMemory
  /** For what comes out otherwise by itself. */
  later: ReturnType<typeof setTimeout> | undefined
}

/** A failed write of the state folder is tried again after this time. */
const storeRetryMs = 5_000

/** Builds the host; nothing happens before the first `reload` or `setLinks`. */
export function createHost(parts: HostParts): Host {
  const log = parts.log.from('standalone.ts')
  const memory: Memory = {
    isInputDirty: false,
    isSettled: false,
    world: undefined,
    loadedAt: undefined,
    reading: { problems: [], warnings: [] },
    lastGood: parts.state.lastGood,
    ledger: parts.state.ledger,
    links: [],
    rows: [],
    announcements: [],
    storeFailure: undefined,
    outside: [],
    foreign: emptyForeignMemory,
    later: undefined,
  }
  let isClosed = false
  const mark = (): void => {
    if (!isClosed) loop.mark()
  }
  const retry = (afterMs = storeRetryMs): ReturnType<typeof setTimeout> => setTimeout(mark, afterMs).unref()
  const loop: Loop = createLoop(
    () => isClosed ? Promise.resolve() : turn({ ...parts, log }, memory, retry),
    (error) => log.error('turn failed', { error: describeError(error) }),
  )
  return {
    mark,
    reload: () => {
      memory.isInputDirty = true
      mark()
    },
    setLinks: (links) => {
      memory.links = links
      mark()
    },
    view: () => viewOf(parts, memory),
    idle: () => loop.idle(),
    verify: async () => {
      if (await reloadIfGone({ ...parts, log })) mark()
    },
    close: () => {
      isClosed = true
      clearTimeout(memory.later)
      return loop.idle()
    },
  }
}

/** Makes the next `apply` load rules that somebody has flushed; true if so. */
async function reloadIfGone({ forwarding, log }: HostParts): Promise<boolean> {
  if (await forwarding.isIntact()) return false
  log.warn('forwarding rules are gone: loading them again', { event: 'rulesGone' })
  forwarding.forget()
  return true
}

type Retry = (afterMs?: number) => ReturnType<typeof setTimeout>

async function turn(parts: HostParts, memory: Memory, retry: Retry): Promise<void> {
  if (memory.isInputDirty) {
    memory.isInputDirty = false
    await readNew(parts, memory)
    await reloadIfGone(parts)
  }
  const { world } = memory
  if (world === undefined) return
  // Sockets first: an interface without one is none to announce on.
  parts.announcer.setLinks(memory.links.filter((link) => isUsable(link) && link.hasCarrier))
  lookAround(parts, memory, retry)
  const decision = decideHere(parts, memory, world)
  const ledger = nextLedger(decision)
  // An address is on disk before anybody hears of it: a crash cannot hand it to another.
  if (!await store(parts, memory, ledger)) return void retry()
  await apply(parts, memory, world, decision)
}

/** Which addresses other machines have by now. */
function lookAround({ announcer }: HostParts, memory: Memory, retry: Retry): void {
  const now = bootMs()
  memory.foreign = rememberForeign(memory.foreign, sightingsOf(announcer.ownership, now), now)
  const { nextMs } = memory.foreign
  clearTimeout(memory.later)
  memory.later = nextMs === undefined ? undefined : retry(Math.ceil(nextMs - now))
}

/** Reads the input; a problem leaves the world in force, or brings back the last good one. */
async function readNew(parts: HostParts, memory: Memory): Promise<void> {
  const { options, log, metrics, clock } = parts
  const input = await readInput(options.paths)
  const readOptions = options.namespace === undefined ? {} : { namespace: options.namespace }
  const reading = readWorld(input.sources, readOptions)
  const emptied = findEmptied(memory.lastGood, input.sources, options.paths)
  const problems = [...input.problems, ...emptied, ...reading.problems]
  const wasBad = memory.reading.problems.length > 0
  memory.reading = { problems, warnings: reading.warnings }
  const isGood = problems.length === 0 && reading.world !== undefined
  metrics.countUpdate(!isGood)
  for (const problem of problems.slice(0, maxLogged)) {
    log.error('failed to parse the configuration', { ...problem })
  }
  if (problems.length > maxLogged) {
    log.error('more problems', { count: problems.length - maxLogged, see: '/status' })
  }
  if (isGood) {
    if (wasBad) log.info('configuration is good again')
    for (const warning of reading.warnings) log.warn('configuration warning', { ...warning })
    memory.world = reading.world
    memory.loadedAt = clock.wall()
    if (!sameSources(memory.lastGood, input.sources)) {
      memory.lastGood = input.sources
      await writeLastGood(options.stateDir, input.sources).catch((error: unknown) =>
        log.error('last good configuration not stored', { error: describeError(error) })
      )
    }
  } else if (memory.world === undefined && memory.lastGood !== undefined) {
    memory.world = readWorld(memory.lastGood, readOptions).world
    if (memory.world !== undefined) log.warn('last good configuration restored')
  }
  metrics.setConfig({ isLoaded: memory.world !== undefined, isStale: !isGood })
}

/** Problems that one reading writes to the log; /status has all. */
const maxLogged = 20

function decideHere(parts: HostParts, memory: Memory, world: World): Decision {
  const { options, node } = parts
  return decide({
    world: { ...world, nodes: withSelf(world.nodes, node, options.nodeLabels) },
    ledger: memory.ledger,
    foreign: memory.foreign.foreign,
    members: [{ name: node, links: memory.links, deaf: new Set(parts.announcer.failures().keys()) }],
    owners: new Map(memory.announcements.map(({ text }) => [text, node])),
    loadBalancerClass: options.loadBalancerClass,
    placement: options.placement,
    announceEverywhere: options.announceEverywhere,
    ignoreExcludeLabel: options.ignoreExcludeLabel,
  })
}

/** The Node documents, and this host: its own flags win over its document. */
export function withSelf(
  nodes: readonly ClusterNode[], name: string, labels: ClusterNode['labels'],
): readonly ClusterNode[] {
  const own = nodes.find((node) => node.name === name)
  const self = {
    name,
    labels: { [labelKeys.hostname]: name, ...own?.labels, ...labels },
    networkUnavailable: own?.networkUnavailable ?? false,
    excluded: own?.excluded ?? false,
  }
  return [...nodes.filter((node) => node.name !== name), self]
}

function nextLedger(decision: Decision): Ledger {
  const ledger = new Map<string, readonly Address[]>()
  for (const verdict of decision.verdicts) {
    const isHeld = verdict.kind === 'assigned' || verdict.kind === 'kept'
    if (isHeld) ledger.set(verdict.service, verdict.addresses)
  }
  return ledger
}

async function store(parts: HostParts, memory: Memory, ledger: Ledger): Promise<boolean> {
  if (sameLedger(memory.ledger, ledger)) {
    memory.storeFailure = undefined
    return true
  }
  try {
    await writeLedger(parts.options.stateDir, ledger)
    memory.ledger = ledger
    memory.storeFailure = undefined
    return true
  } catch (error) {
    const failure = `Cannot store assigned addresses in "${parts.options.stateDir}": ` +
      `${describeError(error)}; nothing changes until it works`
    if (failure !== memory.storeFailure) parts.log.error('ledger not stored', { error: failure })
    memory.storeFailure = failure
    return false
  }
}

async function apply(
  parts: HostParts, memory: Memory, world: World, decision: Decision,
): Promise<void> {
  const { announcer, forwarding, log, metrics, node } = parts
  const rows = reportRows(decision, true)
  const announcements = decision.announcements.placed
    .filter((placed) => placed.node === node)
    .map(({ address, text, interfaces, services }) => ({ address, text, interfaces, services }))
  const addressesByService = addressesOf(announcements)
  const links = memory.links
  const before = new Set(memory.announcements.map(({ text }) => text))
  metrics.setPools(poolGauges(world.config, decision.verdicts))
  // Withdrawals, then rules, then news: whoever hears an announcement may connect at once.
  announcer.setWorld(aloneWorld(node, announcements.filter(({ text }) => before.has(text)), links))
  await forwarding.apply({ world, addressesByService, links })
  announcer.setWorld(aloneWorld(node, announcements, links))
  metrics.setAnnounced(answered(announcer, announcements), node)
  // Status and log never run ahead of the wire.
  for (const verdict of decision.verdicts) logChanges(log, leftBehind(verdict))
  logChanges(log, compareRows(memory.rows, rows))
  logChanges(log, compareAnnouncements(memory.announcements, announcements))
  memory.rows = rows
  memory.announcements = announcements
  memory.isSettled = true
  memory.outside = decision.announcements.placed
    .filter((placed) => placed.node === node && !placed.prefixed)
    .map(({ text }) => text)
}

/** Those that this host answers for now: another machine may keep it from that. */
function answered(announcer: Announcer, announcements: readonly Announcement[]): readonly Announcement[] {
  const texts = new Set(announcer.rights().map(({ text }) => text))
  return announcements.filter(({ text }) => texts.has(text))
}

/** Addresses by Service, for forwarding. */
export function addressesOf(
  announcements: readonly Pick<Announcement, 'address' | 'services'>[],
): ReadonlyMap<string, readonly Address[]> {
  const byService = new Map<string, Address[]>()
  for (const { address, services } of announcements) {
    for (const service of services) {
      const list = byService.get(service)
      if (list === undefined) byService.set(service, [address])
      else list.push(address)
    }
  }
  return byService
}

function viewOf({ announcer }: HostParts, memory: Memory): HostView {
  const { world, reading, storeFailure } = memory
  return {
    isLoaded: world !== undefined,
    isSettled: memory.isSettled,
    isStale: reading.problems.length > 0,
    loadedAt: memory.loadedAt,
    problems: reading.problems,
    warnings: reading.warnings,
    rows: memory.rows,
    announcements: answered(announcer, memory.announcements),
    links: memory.links,
    findings: [
      ...findingOf('stateNotStored', storeFailure),
      ...foreignFindings(leftToOthers(memory.foreign.foreign, memory.rows)),
      ...outsideFinding(memory.outside),
    ],
  }
}
