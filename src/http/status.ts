/** What `/status` tells: the shape of the document, and its text form for a terminal. */
import { formatProblem } from '../cli/check.ts'
import { formatServiceTable } from '../cli/plan.ts'
import { formatTable } from '../cli/table.ts'
import type { Problem } from '../config/model.ts'
import type { HostFinding } from '../finding.ts'
import type { OwnershipView } from '../ownership/view.ts'
import type { ServiceRow } from '../plan/report.ts'

export interface AnnouncementStatus {
  readonly address: string
  readonly services: readonly string[]
  readonly node: string
  readonly interfaces: readonly string[]
  /** RFC 3339 */
  readonly since: string
  readonly requests: number
  readonly replies: number
  readonly gratuitous: number
}

export interface LinkStatus {
  readonly name: string
  readonly index: number
  readonly mac: string
  readonly up: boolean
  readonly carrier: boolean
  /** Announcing is possible on it. */
  readonly usable: boolean
  /** `address/length` */
  readonly addresses: readonly string[]
}

/** A member of the ring of nodes. */
export interface MemberStatus {
  readonly name: string
  readonly address: string
  /** `alive`, `suspect`, `dead` or `left`, as gossip has it. */
  readonly state: string
  /** It takes part in ownership: false for a speaker of MetalLB. */
  readonly capable: boolean
}

/** Hosts without a cluster that share their addresses. */
export interface GroupStatus {
  /** null = the group has not come into being. */
  readonly id: string | null
  /** Of the ledger in force: `term.number`. */
  readonly version: string | null
  /** Names of the hosts in the ledger. */
  readonly members: readonly string[]
  /** How many hosts count, and how many of them are heard, this one included. */
  readonly size: number
  readonly heard: number
  readonly allocator: string | null
  /** Why nothing new is assigned: `minority`, `noAllocator` or `foreignGroup`. */
  readonly standstill: string | null
}

export interface StatusDocument {
  readonly program: 'arpeggio'
  readonly version: string
  readonly role: string
  readonly node: string
  /** RFC 3339 */
  readonly startedAt: string
  readonly config: {
    /** The input as it is now is in force. False: the last good one is. */
    readonly ok: boolean
    readonly loadedAt: string | null
    readonly problems: readonly Problem[]
    readonly warnings: readonly Problem[]
  }
  readonly services: readonly ServiceRow[]
  readonly announcements: readonly AnnouncementStatus[]
  readonly links: readonly LinkStatus[]
  /** Frames not answered, by reason, since the start. */
  readonly drops: Readonly<Record<string, number>>
  readonly responder: string
  /** Who owns what, since when and why, what is heard, and past moves; absent where nothing is announced. */
  readonly ownership?: OwnershipView
  readonly members?: readonly MemberStatus[]
  readonly group?: GroupStatus
  readonly forwarding: {
    readonly state: 'on' | 'off' | 'failed'
    readonly findings: readonly HostFinding[]
  }
  /** Other findings about this host. */
  readonly findings: readonly HostFinding[]
}

/** The document as a page of text for curl. */
export function formatStatus(status: StatusDocument): string {
  const { ok, loadedAt, problems } = status.config
  const state = ok
    ? `configuration in force since ${loadedAt ?? '-'}`
    : problems.length === 0
    ? 'configuration not read yet'
    : `CONFIGURATION REFUSED: ${problems.length} problems; ${
      loadedAt === null ? 'none' : 'the last good one'} is in force`
  const findings = [...status.forwarding.findings, ...status.findings]
  return [
    `${status.program} ${status.version} ${status.role} on ${status.node}, ${state}`,
    ...status.config.problems.map((row) => `  problem: ${formatProblem(row)}`),
    ...status.config.warnings.map((row) => `  warning: ${formatProblem(row)}`),
    ...findings.map((row) => `  ${row.reason}: ${row.message}`),
    '',
    formatServiceTable(status.services),
    '',
    formatTable(
      ['ADDRESS', 'NODE', 'INTERFACES', 'SINCE', 'REQUESTS', 'REPLIES', 'GRATUITOUS'],
      status.announcements.map((row) => [
        row.address, row.node, row.interfaces.join(','), row.since,
        String(row.requests), String(row.replies), String(row.gratuitous),
      ]),
    ),
    '',
    `forwarding ${status.forwarding.state}, responder ${status.responder}`,
    '',
  ].join('\n')
}
