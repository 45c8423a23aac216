/** What `/status` tells: the shape of the document, and its text form for a terminal. */
import { formatProblem } from '../cli/check.ts'
import { formatServiceTable } from '../cli/plan.ts'
import { refusedWords } from '../cli/status.ts'
import { formatTable } from '../cli/table.ts'
import type { Problem } from '../config/model.ts'
import { counted } from '../config/words.ts'
import type { HostFinding } from '../finding.ts'
import type { ServiceRow } from '../plan/report.ts'
import { type OwnershipStatus, ownershipTables, summariseOwnership } from './ownership.ts'

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

export interface StatusDocument extends OwnershipStatus {
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
  readonly forwarding: {
    readonly state: 'on' | 'off' | 'failed'
    readonly findings: readonly HostFinding[]
  }
  /** Other findings about this host. */
  readonly findings: readonly HostFinding[]
}

/** Members, owners, hearing and moves, where there are others at all. */
function ownershipLines(status: StatusDocument): readonly string[] {
  const summary = summariseOwnership(status)
  if (summary === undefined) return []
  const tables = ownershipTables(status).filter(({ rows }) => rows.length > 0)
  return [
    summary, '',
    ...tables.flatMap(({ header, rows, rest }) =>
      [formatTable(header, rows), ...(rest === '' ? [] : [rest]), '']),
  ]
}

/** Where the input stands. */
export type ConfigState =
  | 'inForce'
  | 'refused'
  | 'notAgreed' // hosts of a group have not agreed on any yet
  | 'notRead'

export function configStateOf({ config, group }: StatusDocument): ConfigState {
  if (config.ok) return 'inForce'
  if (config.problems.length > 0) return 'refused'
  return group !== undefined && group.version === null ? 'notAgreed' : 'notRead'
}

/** Without its beginning, which people write in several ways. */
export const notAgreed = 'the hosts of the group have not agreed on any yet'

function describeConfig(status: StatusDocument): string {
  const { loadedAt, problems } = status.config
  switch (configStateOf(status)) {
    case 'inForce': return `configuration in force since ${loadedAt ?? '-'}`
    case 'refused': return `${refusedWords}: ${counted(problems.length, 'problem')}; ${
      loadedAt === null ? 'none' : 'the last good one'} is in force`
    case 'notAgreed': return `NO CONFIGURATION IN FORCE: ${notAgreed}`
    case 'notRead': return 'configuration not read yet'
  }
}

/** The document as a page of text for curl. */
export function formatStatus(status: StatusDocument): string {
  const findings = [...status.forwarding.findings, ...status.findings]
  return [
    `${status.program} ${status.version} ${status.role} on ${status.node}, ${describeConfig(status)}`,
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
    ...ownershipLines(status),
    `forwarding ${status.forwarding.state}, responder ${status.responder}`,
    '',
  ].join('\n')
}
