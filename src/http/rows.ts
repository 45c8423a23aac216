/** Rows of the status document, made from what the wire side knows. */
import { findingOf, type HostFinding } from '../finding.ts'
import { isUsable } from '../l2/eligible.ts'
import type { Announcement, LinkState } from '../l2/model.ts'
import { listSome } from '../config/words.ts'
import { formatAddress } from '../net/address.ts'
import type { Address } from '../net/model.ts'
import type { NameConflict } from '../namesake.ts'
import type { ForeignVoice, Muted } from '../ownership/view.ts'
import type { AnnouncementRow, ServiceRow } from '../plan/report.ts'
import type { RingMember } from '../ring.ts'
import type { MemberStatus } from './ownership.ts'
import type { AnnouncementStatus, LinkStatus, StatusDocument } from './status.ts'

/** Totals of an address, and of what could not be sent. */
export interface Counts {
  countsOf(ip: string): { requests: number; replies: number; gratuitous: number }
  lastSendFailure(): string | undefined
}

export interface Speaking {
  readonly node: string
  readonly announcer: { sinceOf(text: string): Date | undefined }
  readonly metrics: Counts
}

/** One announced address with its totals. */
export function announcementStatus(
  { text, services, interfaces }: Announcement, { node, announcer, metrics }: Speaking,
): AnnouncementStatus {
  return {
    address: text,
    services,
    node,
    interfaces: interfaces === 'all' ? ['*'] : interfaces,
    since: announcer.sinceOf(text)?.toISOString() ?? '',
    ...metrics.countsOf(text),
  }
}

/** What the sockets could not do. */
export function announcerFindings(
  failures: readonly string[], metrics: Counts,
): StatusDocument['findings'] {
  return [
    ...failures.flatMap((message) => findingOf('socketFailed', message)),
    ...findingOf('sendFailed', metrics.lastSendFailure()),
  ]
}

export const otherSecret = 'otherSecret'

/** Hosts with another secret, or one of several that has none, are never met. */
export function secretFindings(from: readonly Address[]): StatusDocument['findings'] {
  if (from.length === 0) return []
  const send = from.length === 1 ? 'sends' : 'send'
  const message = `What ${listSome(from.map(formatAddress))} ${send} cannot be read here: one of us has ` +
    'another secret, or none; give all the same --ml-secret-key-path'
  return findingOf(otherSecret, message)
}

/** Addresses that another machine has: one sentence, for what to do is the same. */
export function conflictFindings(voices: readonly ForeignVoice[]): StatusDocument['findings'] {
  if (voices.length === 0) return []
  const pairs = voices.map(({ text, mac, node }) =>
    `${mac}${node === undefined ? '' : ` of ${node}, which is no member any more,`} answers for ${text}`)
  const message = `${listSome(pairs)}: this host is silent there until that ends; give that machine ` +
    'another address, or the Service'
  return [{ reason: 'inConflict', message }]
}

/** Addresses that Services have left to other machines, with their MACs, as long as that is remembered. */
export function foreignFindings(left: ReadonlyMap<string, string>): StatusDocument['findings'] {
  if (left.size === 0) return []
  const pairs = [...left].map(([text, mac]) => `${mac} answers for ${text}`)
  const message = `${listSome(pairs)}: left by Services that did not ask for it by name, and given last ` +
    'until ten minutes after it was last reported; give that machine another address, or exclude this one ' +
    'from its pool (arpeggio.io/exclude)'
  return [{ reason: 'foreignHost', message }]
}

/** Rows as the wire has them: an owner that does not answer is silent, and says why. */
export function rowsOnWire(
  rows: readonly ServiceRow[], silences: readonly Muted[],
): readonly ServiceRow[] {
  if (silences.length === 0) return rows
  const byText = new Map(silences.map((each) => [each.text, each]))
  return rows.map((row) => {
    const silent = row.addresses.flatMap((address) => byText.get(address) ?? [])
      .filter((each) => isSilent(row, each))
    if (silent.length === 0) return row
    const isMuted = ({ address, node }: AnnouncementRow): boolean =>
      silent.some((each) => each.text === address && each.node === node)
    const told = silent.map(({ text: address, node, reason }) => ({ address, node, reason }))
    const announcements = row.announcements.filter((each) => !isMuted(each))
    return { ...row, announcements, silent: [...row.silent, ...told] }
  })
}

/** Whoever only would answer is named where it is said to, or nobody is. */
function isSilent({ announcements }: ServiceRow, { text, node, isOwner }: Muted): boolean {
  const nodes = announcements.filter(({ address }) => address === text).map((each) => each.node)
  return isOwner || nodes.length === 0 || nodes.includes(node)
}

export const sameName = 'sameName'

/** A sentence for each pair of hosts that have one name. */
export function nameFindings(conflicts: readonly NameConflict[]): StatusDocument['findings'] {
  return conflicts.map(({ name, here, ...pair }) => {
    const [first, second] = [formatAddress(pair.first), formatAddress(pair.second)]
    const who = {
      first: `Host ${second} has the name of this one (${first}), "${name}": it is no member`,
      second: `Host ${first} has the name of this one (${second}), "${name}", and is the one that others ` +
        'know: this host announces nothing',
      neither: `Hosts ${first} and ${second} have one name, "${name}": the second is no member`,
    }[here]
    return { reason: sameName, message: `${who}; give each its own --node-name` }
  })
}

/** An interface as the kernel shows it. */
export function linkStatus(link: LinkState): LinkStatus {
  return {
    name: link.name,
    index: link.index,
    mac: link.mac,
    up: link.isUp,
    carrier: link.hasCarrier,
    usable: isUsable(link),
    addresses: link.addresses.map(({ address, prefix }) =>
      `${formatAddress(address)}/${prefix.length}`
    ),
  }
}

/** A member as gossip has it. */
export function memberStatus({ name, address, state, legs }: RingMember): MemberStatus {
  return { name, address: formatAddress(address), state, capable: legs !== undefined }
}

/** Addresses that are announced though no connected prefix covers them. */
export function outsideFinding(texts: readonly string[]): readonly HostFinding[] {
  if (texts.length === 0) return []
  const message = `No interface has a connected prefix that covers ${listSome(texts)}: announced on all ` +
    'usable interfaces; give the right one an address of that network'
  return [{ reason: 'outsidePrefix', message }]
}
