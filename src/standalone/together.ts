/** Assembles what a host of a group has beyond one that is alone: ring, council, ownership with others. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Announcer, type AnnouncerOptions, openAnnouncer } from '../announcer.ts'
import type { GroupOptions } from '../config/group-options.ts'
import type { KnownShare } from '../group/model.ts'
import { sharedOf } from '../group/documents.ts'
import { textsOf } from '../group/options.ts'
import { memberStatus, nameFindings, secretFindings } from '../http/rows.ts'
import type { HostFinding } from '../finding.ts'
import type { StatusDocument } from '../http/status.ts'
import type { Links } from '../l2/linux/links.ts'
import { formatAddress, sameAddress } from '../net/address.ts'
import type { Address, Millis } from '../net/model.ts'
import { exportClaims } from '../ownership/ownership.ts'
import { view as viewOwnership } from '../ownership/view.ts'
import type { Ring, RingMember } from '../ring.ts'
import { openSpeakerRing } from '../speaker/membership.ts'
import { readGroupState } from './group-state.ts'
import { type Group, nameShare, openGroup } from './group.ts'
import type { Host, HostParts } from './host.ts'
import { createMemberHost, type MemberHost } from './member.ts'
import { createHostNews } from './news.ts'
import { chooseAddress, otherHosts } from './seeds.ts'

/** What every standalone host has. */
export interface Base extends Omit<HostParts, 'announcer'> {
  readonly stopped: Promise<unknown>
}

export interface TogetherParts extends Base {
  readonly group: GroupOptions
  readonly wire: Omit<AnnouncerOptions, 'members' | 'onNote' | 'onRights'>
  readonly links: Links
}

export interface Together {
  readonly host: Host
  readonly announcer: Announcer
  status(): Pick<StatusDocument, 'ownership' | 'members' | 'group'>
  findings(): readonly HostFinding[]
  /** Hands everything over, forwards what is under way, and leaves. */
  leave(): Promise<void>
}

/** How old the memory of who owned what may be, after a crash. */
const rememberEveryMs = 1_000
/** Connections that still arrive here after the last hand-over are forwarded for so long. */
const afterMs = 2_000

/** undefined = told to stop before it had begun. Throws where address or port are not to be had. */
export async function openTogether(
  parts: TogetherParts, closing: AsyncDisposableStack,
): Promise<Together | undefined> {
  const { options, node, log, metrics, wire, stopped, group: choice } = parts
  const address = choice.bindAddress ?? chooseAddress(choice.join, parts.links.current())
  const stored = await readGroupState(options.stateDir)
  for (const finding of stored.findings) log.warn('state file ignored', { error: finding })
  const own = firstShare(parts)
  let host: MemberHost | undefined
  let ring: Ring | undefined
  const announcer = closing.use(openAnnouncer({
    ...wire,
    members: {
      tell: (to, ifindex, bytes) => ring?.tell(to, ifindex, bytes),
      gossip: (bytes) => ring?.gossip(bytes),
    },
    onNote: createHostNews({ log, metrics, node }, () => host?.mark()),
    onRights: () => host?.mark(),
  }))
  const others = otherHosts(choice.join, address, parts.links.current())
  if (others.length === 0) {
    log.warn('no other host to join', {
      event: 'noOthers', node, error: 'all addresses of --join are of this host',
    })
  }
  const group = closing.use(openGroup({
    node, stateDir: options.stateDir, expected: others.length + 1, ledger: stored.ledger, own,
    now: wire.clock.now, log, options,
    port: () => ring && { tell: (to, bytes) => ring?.tell(to, undefined, bytes), deliver: ring.deliver },
    absent: (present) => absentFrom(others, (ring?.members() ?? []).filter(({ name }) => present.has(name))),
    onLedger: () => host?.mark(), onPresent: () => host?.mark(),
  }))
  const opened = await openSpeakerRing({
    node, address, clock: wire.clock, log, stopped, isSecretAwaited: false,
    choice: { ...choice, bindAddress: address, profile: 'lan' },
    onMessages: (messages) => {
      const rest = group.hear(messages)
      if (rest.length > 0) announcer.hear(rest)
    },
    onChange: () => {
      if (ring !== undefined) group.setAlive(capable(ring, node))
      host?.mark()
    },
    onMember: (change, name) => log.info('memberlist event', { event: change, node: name }),
  })
  if (opened === undefined) return undefined
  ring = closing.use(opened)
  opened.setPeers(others)
  metrics.watchMembership(opened.membership)
  host = createMemberHost({ ...parts, announcer, group, ring: opened, own, owners: stored.owners })
  const work = host
  opened.setClaims(() => exportClaims(announcer.ownership, wire.clock.now()))
  const timer = setInterval(() => work.remember(), rememberEveryMs)
  closing.defer(() => clearInterval(timer))
  const met: Met = { announcer, group, ring: opened }
  return {
    host: work, announcer,
    findings: () => [...secretFindings(opened.unreadable()), ...nameFindings(opened.conflicts())],
    status: () => statusOf(met, wire.clock.now()),
    leave: () => {
      log.info('this host leaves: the group counts it until it is back, or forgotten', {
        event: 'leaving', node, see: '--forget',
      })
      return leave(met, work)
    },
  }
}

interface Met {
  readonly announcer: Announcer
  readonly group: Group
  readonly ring: Ring
}

function statusOf({ announcer, group, ring }: Met, now: Millis): ReturnType<Together['status']> {
  const { allocator, standstill, heard, members: size, needed, missing } = group.view()
  const ledger = group.inForce()
  const version = ledger === undefined ? null : `${ledger.version.term}.${ledger.version.n}`
  return {
    ownership: viewOwnership(announcer.ownership, now),
    members: ring.members().map(memberStatus),
    group: {
      id: ledger?.group ?? null, version, members: ledger?.members.map(({ name }) => name) ?? [],
      options: ledger?.options ?? null,
      size, heard, needed, missing, allocator: allocator ?? null, standstill: standstill ?? null,
    },
  }
}

async function leave({ announcer, ring }: Met, host: MemberHost): Promise<void> {
  const hadRights = announcer.rights().length > 0
  await host.drain()
  await host.close()
  const isHandedOver = hadRights && announcer.rights().length === 0
  await Promise.all([ring[Symbol.asyncDispose](), isHandedOver ? sleep(afterMs) : undefined])
}

/** Members that take part in ownership, without this host. */
function capable(ring: Ring, node: string): readonly string[] {
  return ring.members().flatMap(({ name, isAlive, legs }) =>
    name !== node && isAlive && legs !== undefined ? [name] : [])
}

/** Addresses at which none of these hosts is. */
function absentFrom(join: readonly Address[], members: readonly RingMember[]): readonly string[] {
  const here = members.flatMap(({ address, legs = [] }) =>
    [address, ...legs.flatMap(({ addresses }) => addresses.map((each) => each.address))])
  return join.filter((target) => !here.some((each) => sameAddress(each, target))).map(formatAddress)
}

/** What this host brings until it has read its input: the last good one, if there ever was one. */
function firstShare({ options, node, state }: TogetherParts): KnownShare {
  const held = Object.fromEntries([...state.ledger].map(([key, addresses]) =>
    [key, addresses.map(formatAddress)]))
  const share = {
    host: node, labels: options.nodeLabels, options: textsOf(options), held,
    forgets: options.group?.forgets ?? [],
    documents: sharedOf(state.lastGood ?? []),
  }
  const named = nameShare(share)
  return state.lastGood === undefined || !('digest' in named) ? { digest: '', share } : named
}
