/** The loop of a host in a group: its input goes to the others, what they agree on is served here. */
import { describeError, readInput } from '../cli/input.ts'
import type { ClusterNode, Problem, Reading, Source, World } from '../config/model.ts'
import { readWorld, type ReadOptions } from '../config/read.ts'
import { findingOf } from '../finding.ts'
import { addressesOf as parseAddresses } from '../group/agreement.ts'
import { drain } from '../drain.ts'
import { createDiffering, type Differing } from '../group/differing.ts'
import { sharedOf, sourcesOf } from '../group/documents.ts'
import type { ForeignWord, GroupLedger, KnownShare } from '../group/model.ts'
import { optionsOf, type VoiceOptions } from '../group/options.ts'
import { logChanges } from '../journal.ts'
import type { Holding } from '../l2/demand.ts'
import { foreignFindings, outsideFinding } from '../http/rows.ts'
import { leftToOthers } from '../ipam/foreign.ts'
import { isUsable } from '../l2/eligible.ts'
import { bootMs } from '../l2/linux/libc.ts'
import { readGateways } from '../l2/linux/routes.ts'
import type { Announcement, LinkState } from '../l2/model.ts'
import { unitsFrom } from '../l2/unit.ts'
import { createLoop } from '../loop.ts'
import { formatAddress } from '../net/address.ts'
import type { Address } from '../net/model.ts'
import type { World as OwnershipWorld } from '../ownership/model.ts'
import { ownersByAddress, wireSigns } from '../ownership/view.ts'
import { compareAnnouncements, compareRows } from '../plan/change.ts'
import { type Decision, decide, holdingsOf } from '../plan/decision.ts'
import { reportRows, type ServiceRow } from '../plan/report.ts'
import { voicesOf } from '../plan/voices.ts'
import { legsOf, speakersOf, worldOf } from '../plan/world.ts'
import type { Ring } from '../ring.ts'
import { differencesOf, tellOptions } from './difference.ts'
import { sightingsOf } from './foreign.ts'
import { poolGauges } from './gauges.ts'
import { type Group, nameShare } from './group.ts'
import { writeOwners } from './group-state.ts'
import { addressesOf, type Host, type HostParts, withSelf } from './host.ts'
import { findEmptied, sameSources } from './intake.ts'
import { writeLastGood, writeLedger } from './state.ts'
import { forgetFindings, groupFindings, rowsAsOwned } from './view.ts'

export interface MemberParts extends HostParts {
  /** Opened with the last good input as this host's share. */
  readonly group: Group
  readonly ring: Ring
  readonly own: KnownShare
  /**
   * Last known owners, from the state folder: who comes late gets back what it had, though somebody else
   * owns it meanwhile.
   */
  readonly owners: ReadonlyMap<string, string>
}

export interface MemberHost extends Host {
  /** Other hosts' claims may be news: who owns what is kept on disk here too. */
  remember(): void
  /** Hands everything over; settles when nothing is answered for any more, or time is up. */
  drain(): Promise<void>
}

interface Memory {
  isInputDirty: boolean
  isRead: boolean
  isSettled: boolean
  isDraining: boolean
  isLeaving: boolean
  own: KnownShare
  reading: Pick<Reading, 'problems' | 'warnings'>
  lastGood: readonly Source[] | undefined
  /** In force, and what it means. */
  ledger: GroupLedger | undefined
  agreed: { readonly world: World; readonly ledger: ReadonlyMap<string, readonly Address[]> } | undefined
  loadedAt: Date | undefined
  warnings: readonly Problem[]
  owners: ReadonlyMap<string, string>
  links: readonly LinkState[]
  rows: readonly ServiceRow[]
  announcements: readonly Announcement[]
  /** Addresses for which rules are loaded. */
  ruled: ReadonlySet<string>
  outside: readonly string[]
  /** Options of hosts that differ, as the log has them. */
  readonly differing: Differing
}

/** What a hand-over of everything may take; after this the others notice by themselves. */
const drainMs = 1_500
/** Of a turn's time: a burst of changes is taken together. */
const rest = 1

export function createMemberHost(parts: MemberParts): MemberHost {
  const log = parts.log.from('standalone.ts')
  const memory: Memory = {
    isInputDirty: false, isRead: false, isSettled: false, isDraining: false, isLeaving: false, own: parts.own,
    reading: { problems: [], warnings: [] }, lastGood: parts.state.lastGood,
    ledger: undefined, agreed: undefined,
    loadedAt: undefined, warnings: [], owners: parts.owners, links: [], rows: [], announcements: [],
    ruled: new Set(), outside: [], differing: createDiffering(),
  }
  let isClosed = false
  const loop = createLoop(
    () => isClosed ? Promise.resolve() : turn({ ...parts, log }, memory),
    (error) => log.error('turn failed', { error: describeError(error) }),
    { rest },
  )
  const mark = (): void => {
    if (!isClosed) loop.mark()
  }
  return {
    mark,
    remember: () => {
      const now = ownersByAddress(parts.announcer.ownership)
      if ([...now].some(([text, owner]) => memory.owners.get(text) !== owner)) mark()
    },
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
      if (await parts.forwarding.isIntact()) return
      log.warn('forwarding rules are gone: loading them again', { event: 'rulesGone' })
      parts.forwarding.forget()
      mark()
    },
    drain: async () => {
      if (!hasHeirs(parts)) return
      const turn = (): Promise<void> => {
        mark()
        return loop.idle()
      }
      await drain({ ...parts, state: memory, turn, capMs: drainMs })
    },
    close: () => {
      isClosed = true
      return loop.idle()
    },
  }
}

/** Whether anybody is there to hand over to. */
function hasHeirs({ ring, node }: MemberParts): boolean {
  return ring.members().some(({ name, isAlive, legs }) => name !== node && isAlive && legs !== undefined)
}

async function turn(parts: MemberParts, memory: Memory): Promise<void> {
  if (memory.isInputDirty) {
    memory.isInputDirty = false
    await readOwn(parts, memory)
  }
  parts.announcer.setLinks(memory.links.filter((link) => isUsable(link) && link.hasCarrier))
  await takeLedger(parts, memory)
  tellOptions(parts, memory.differing, memory.ledger)
  const { agreed, ledger } = memory
  tellLegs(parts, memory)
  tellForeign(parts, memory)
  if (agreed === undefined || ledger === undefined) return
  const nodes = nodesOf(agreed.world, ledger)
  const owners = ownersByAddress(parts.announcer.ownership)
  const decision = decide({
    world: { ...agreed.world, nodes }, ledger: agreed.ledger,
    members: speakersOf({
      self: parts.node, links: memory.links, deaf: deafOf(parts), members: membersOf(parts, ledger),
    }),
    owners,
    ...optionsOf(parts.options, ledger.options),
  })
  const holdings = holdingsOf(agreed.world, decision.verdicts)
  await announce(parts, memory, { world: agreed.world, ledger, nodes, holdings })
  await publish(parts, memory, { world: agreed.world, decision, holdings, owners })
}

/** Own input: a problem in it leaves what this host has brought before. */
async function readOwn(parts: MemberParts, memory: Memory): Promise<void> {
  const { options, log, metrics } = parts
  const input = await readInput(options.paths)
  const reading = readWorld(input.sources, readOptions(options))
  const emptied = findEmptied(memory.lastGood, input.sources, options.paths)
  const problems = [...input.problems, ...emptied, ...reading.problems]
  const named = problems.length > 0 ? undefined : nameShare({
    ...memory.own.share, documents: sharedOf(input.sources),
  })
  if (named !== undefined && !('digest' in named)) problems.push(named)
  const wasBad = memory.reading.problems.length > 0
  // What an advertisement lacks here another host may have: warnings are of the whole.
  memory.reading = { problems, warnings: [] }
  memory.isRead = true
  metrics.countUpdate(problems.length > 0)
  for (const problem of problems.slice(0, maxLogged)) {
    log.error('failed to parse the configuration', { ...problem })
  }
  if (named === undefined || !('digest' in named)) return
  if (wasBad) log.info('configuration is good again')
  memory.own = named
  if (!sameSources(memory.lastGood, input.sources)) {
    memory.lastGood = input.sources
    await writeLastGood(options.stateDir, input.sources).catch((error: unknown) =>
      log.error('last good configuration not stored', { error: describeError(error) })
    )
  }
  parts.group.setOwn(named)
}

/** Problems that one reading writes to the log; /status has all. */
const maxLogged = 20

function readOptions({ namespace }: VoiceOptions): ReadOptions {
  return namespace === undefined ? {} : { namespace }
}

/** What the group has agreed on since the last turn. */
async function takeLedger(parts: MemberParts, memory: Memory): Promise<void> {
  const { group, clock, log, metrics, options } = parts
  const ledger = group.inForce()
  const isStale = memory.reading.problems.length > 0 || (ledger?.problems.length ?? 0) > 0
  metrics.setConfig({ isLoaded: memory.agreed !== undefined || ledger !== undefined, isStale })
  if (ledger === undefined || ledger === memory.ledger) return
  const known = new Set(memory.ledger?.problems.map(({ message }) => message))
  for (const problem of ledger.problems) {
    if (!known.has(problem.message)) log.error('hosts of the group disagree', { ...problem })
  }
  const reading = readWorld(sourcesOf(ledger.documents), readOptions(optionsOf(options, ledger.options)))
  memory.ledger = ledger
  memory.warnings = reading.warnings
  if (reading.world === undefined) {
    log.error('the agreed input cannot be read here', { count: reading.problems.length })
    return
  }
  const held = new Map(Object.entries(ledger.services).map(([key, texts]) => [key, parseAddresses(texts)]))
  memory.agreed = { world: reading.world, ledger: held }
  memory.loadedAt = clock.wall()
  // Should this host be alone one day, it keeps what the group has given.
  await writeLedger(options.stateDir, held).catch((error: unknown) =>
    log.error('ledger not stored', { error: describeError(error) })
  )
}

function deafOf({ announcer }: MemberParts): ReadonlySet<number> {
  return new Set(announcer.failures().keys())
}

function tellLegs(parts: MemberParts, { links, agreed }: Memory): void {
  const named = new Set(agreed?.world.config.advertisements.flatMap(({ interfaces }) => interfaces))
  parts.ring.setLegs(legsOf(links, deafOf(parts), named))
}

/** First what somebody may leave: a word tells of few. */
function tellForeign({ group, announcer }: MemberParts, { agreed }: Memory): void {
  const named = new Set(agreed?.world.services.flatMap(({ requested }) => requested.map(formatAddress)))
  const found = sightingsOf(announcer.ownership, bootMs())
    .map(({ address, mac }): ForeignWord => [formatAddress(address), mac])
  group.setForeign(found.toSorted(([a], [b]) => Number(named.has(a)) - Number(named.has(b))))
}

/** Hosts of the group as nodes, whatever documents there are of them, and Node documents of others. */
function nodesOf(world: World, ledger: GroupLedger): readonly ClusterNode[] {
  return ledger.members.reduce<readonly ClusterNode[]>(
    (nodes, { name, labels }) => withSelf(nodes, name, labels), world.nodes,
  )
}

/** Whoever is in the ring and not in the ledger owns nothing yet, and is a stranger on the wire. */
function membersOf({ ring }: MemberParts, ledger: GroupLedger): ReturnType<Ring['members']> {
  const names = new Set(ledger.members.map(({ name }) => name))
  return ring.members().filter(({ name }) => names.has(name))
}

interface Agreed {
  readonly world: World
  readonly ledger: GroupLedger
  readonly nodes: readonly ClusterNode[]
  readonly holdings: readonly Holding[]
}

/**
 * Rules for everything that this host may come to own, before it may: a take-over must not wait for
 * them. A host that may not own an address has none for it: its own programs reach it by the LAN.
 */
async function announce(parts: MemberParts, memory: Memory, agreed: Agreed): Promise<void> {
  const { announcer, forwarding, node } = parts
  const world = ownershipWorld(parts, memory, agreed)
  const mine = new Set(world.wishes.flatMap(({ addresses, nominees }) =>
    nominees.some((nominee) => nominee.node === node) ? addresses.map(({ text }) => text) : []))
  const isNews = [...mine].some((text) => !memory.ruled.has(text))
  if (isNews && memory.isSettled) {
    const ready = world.wishes.filter(({ addresses }) =>
      addresses.every(({ text }) => memory.ruled.has(text) || !mine.has(text)))
    announcer.setWorld({ ...world, wishes: ready })
  }
  await forwarding.apply({
    world: agreed.world, links: memory.links,
    addressesByService: addressesOf(agreed.holdings.filter(({ text }) => mine.has(text))
      .map(({ address, service }) => ({ address, services: [service.key] }))),
  })
  memory.ruled = mine
  announcer.setWorld(world)
}

function ownershipWorld(parts: MemberParts, memory: Memory, agreed: Agreed): OwnershipWorld {
  const { node, ring } = parts
  const options = optionsOf(parts.options, agreed.ledger.options)
  return worldOf({
    self: node, placement: options.placement, config: agreed.world.config, nodes: agreed.nodes,
    endpoints: agreed.world.endpoints, holdings: agreed.holdings, links: memory.links, deaf: deafOf(parts),
    members: membersOf(parts, agreed.ledger), expected: agreed.ledger.members.map(({ name }) => name),
    restarted: new Set(), gateways: readGateways(), hints: parts.owners,
    isDraining: memory.isDraining || ring.isYielding(), isLeaving: memory.isLeaving || ring.isYielding(),
    announceEverywhere: options.announceEverywhere, ignoreExcludeLabel: options.ignoreExcludeLabel,
  }).world
}

interface Turned {
  readonly world: World
  readonly decision: Decision
  readonly holdings: readonly Holding[]
  /** Those that the decision went by: whoever became one since makes another turn. */
  readonly owners: ReadonlyMap<string, string>
}

/** Log, metrics and status: after the wire, never before. */
async function publish(parts: MemberParts, memory: Memory, turned: Turned): Promise<void> {
  const { announcer, log, metrics, node } = parts
  const { world, decision, holdings, owners } = turned
  const rows = reportRows(decision, true)
  const announcements = voicesOf(announcer.rights(), unitsFrom(holdings), memory.links).list
  metrics.setPools(poolGauges(world.config, decision.verdicts))
  metrics.setAnnounced(announcements, node)
  logChanges(log, compareRows(memory.rows, rows))
  logChanges(log, compareAnnouncements(memory.announcements, announcements))
  memory.rows = rows
  memory.announcements = announcements
  memory.isSettled = true
  memory.outside = decision.announcements.placed.filter((placed) => placed.node === node && !placed.prefixed)
    .map(({ text }) => text)
  await keepOwners(parts, memory, { holdings, owners })
}

/** The last known owner of each held address, for a start of all hosts at once. */
async function keepOwners(
  parts: MemberParts, memory: Memory, { holdings, owners }: Pick<Turned, 'holdings' | 'owners'>,
): Promise<void> {
  if (memory.isDraining) return
  const next = new Map(holdings.flatMap(({ text }) => {
    const owner = owners.get(text) ?? memory.owners.get(text)
    return owner === undefined ? [] : [[text, owner] as const]
  }))
  const isSame = next.size === memory.owners.size && [...next].every(([text, owner]) =>
    memory.owners.get(text) === owner)
  if (isSame) return
  memory.owners = next
  await writeOwners(parts.options.stateDir, next).catch((error: unknown) =>
    parts.log.warn('owners not stored', { error: describeError(error) })
  )
}

function viewOf(parts: MemberParts, memory: Memory): ReturnType<Host['view']> {
  const { announcer, group } = parts
  const { reading, ledger, agreed } = memory
  const problems = [...reading.problems, ...ledger?.problems ?? []]
  const council = group.view()
  const isAllocator = council.allocator === parts.node
  return {
    isLoaded: agreed !== undefined, isSettled: memory.isSettled, isStale: problems.length > 0,
    loadedAt: memory.loadedAt, problems, warnings: memory.warnings,
    rows: rowsAsOwned(memory.rows, ownersByAddress(announcer.ownership)),
    announcements: memory.announcements, links: memory.links,
    findings: [
      ...findingOf('stateNotStored', group.failure()),
      ...groupFindings(council, waitingOf(memory), wireSigns(announcer.ownership, bootMs()), aliveOf(parts)),
      ...forgetFindings(group.forgets()),
      ...differencesOf(parts, ledger),
      // All remember it: whoever allocates goes by it.
      ...isAllocator ? foreignFindings(leftToOthers(group.foreign(), memory.rows)) : [],
      ...outsideFinding(memory.outside),
    ],
  }
}

function aliveOf({ ring }: MemberParts): ReadonlySet<string> {
  return new Set(ring.members().flatMap(({ name, isAlive }) => isAlive ? [name] : []))
}

/** Own objects that the group has not taken in yet. */
function waitingOf({ own, ledger }: Memory): readonly string[] {
  const known = new Set(ledger?.documents.map(({ key }) => key))
  return own.share.documents.map(({ key }) => key).filter((key) => !known.has(key))
}
