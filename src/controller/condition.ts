/** Decides what the condition `arpeggio.io/Announced` of a Service says. */
import type { ToldSilence } from '../cluster/members.ts'
import type { Silence } from '../l2/model.ts'
import type { AnnouncementRow, ServiceRow } from '../plan/report.ts'
import { describeSilence, isConfigured, mainReason, type Reason } from '../plan/why.ts'

export interface ConditionText {
  readonly status: 'True' | 'False'
  readonly reason: string
  readonly message: string
}

/** A speaker's own word that it announces the Service. */
export interface Confirmation {
  readonly node: string
  /** Empty = all interfaces. */
  readonly interfaces: readonly string[]
}

export interface ConditionInput {
  readonly row: ServiceRow
  /** undefined = speakers cannot say so here (their resource is not installed): they are believed. */
  readonly confirmations: readonly Confirmation[] | undefined
  /** What nodes say that the wire keeps them silent for, by formatted address. */
  readonly told?: ReadonlyMap<string, readonly ToldSilence[]>
  /** The configuration in the cluster is refused; an older one, or none, is in force. */
  readonly isStale: boolean
}

/** undefined = the Service is none of ours, or no LoadBalancer any more: no condition. */
export function planCondition(input: ConditionInput): ConditionText | undefined {
  const { row, isStale } = input
  switch (row.verdict) {
    case 'released':
    case 'ignored':
      return undefined
    case 'refused':
      return notAnnounced(row.reason, `no address: ${row.message}`, isStale)
    case 'assigned':
    case 'kept': {
      const silent = [...row.silent, ...missingOf(input).flatMap(({ reasons }) => reasons)]
      const message = [...new Set([...announcedTexts(input), ...silentTexts(silent)])].join('; ')
      const reason = mainReason(silent)
      if (reason === undefined) return { status: 'True', reason: 'announced', message }
      return notAnnounced(reason, message, isStale)
    }
  }
}

/** Where a refused configuration may be the cause, that is the reason; the message has both. */
function notAnnounced(reason: string, message: string, isStale: boolean): ConditionText {
  if (!isStale || !isConfigured(reason)) return { status: 'False', reason, message }
  const why = 'the configuration in the cluster is refused (see configurationstates) and not in force'
  return { status: 'False', reason: 'configurationStale', message: `${message}; ${why}` }
}

/** Nodes that alone are missing: all is planned well, and they do not say yet that they announce. */
export function awaitedNodes(input: ConditionInput): readonly string[] {
  if (!isPlanned(input)) return []
  return [...new Set(missingOf(input).flatMap(({ node, isTold }) => isTold ? [] : [node]))]
}

/** Where all that is missing is missing for what the wire shows: whether nobody can be mistaken about it. */
export function wireWord(input: ConditionInput): 'sure' | 'lasting' | undefined {
  const missing = isPlanned(input) ? missingOf(input) : []
  if (missing.length === 0 || missing.some(({ isTold }) => !isTold)) return undefined
  const isSure = missing.every(({ reasons }) => reasons.some(({ reason }) => reason === 'inConflict'))
  return isSure ? 'sure' : 'lasting'
}

function isPlanned({ row }: ConditionInput): boolean {
  return (row.verdict === 'assigned' || row.verdict === 'kept') && row.silent.length === 0
}

interface AddressReason extends Reason {
  readonly address: string
}

/** An address that its chosen node does not announce. */
interface Missing {
  readonly node: string
  /** Its owner has said why, whichever node that is. */
  readonly isTold: boolean
  readonly reasons: readonly AddressReason[]
}

/** Reasons of an owner; the others are of nodes that would take its place. */
const ofOwners: ReadonlySet<Silence> = new Set<Silence>(['inConflict', 'ownerDeaf', 'expired', 'contested'])

function missingOf(input: ConditionInput): readonly Missing[] {
  return input.row.announcements.flatMap((announcement): readonly Missing[] => {
    const { address, node } = announcement
    const told = input.told?.get(address) ?? []
    if (confirmationOf(input, announcement) !== undefined) return []
    const isTold = told.some((each) => each.node === node || ofOwners.has(each.reason))
    const absent = isTold ? [] : [{ address, node, reason: 'speakerAbsent' as const }]
    return [{ node, isTold, reasons: [...told.map((each) => ({ ...each, address })), ...absent] }]
  })
}

/** undefined = its node does not say that it announces the address, or says that it does not. */
function confirmationOf(
  { confirmations, told }: ConditionInput, { address, node, interfaces }: AnnouncementRow,
): Confirmation | undefined {
  if (told?.get(address)?.some((each) => each.node === node) === true) return undefined
  if (confirmations !== undefined) return confirmations.find((one) => one.node === node)
  return { node, interfaces: interfaces.filter((name) => name !== '*') }
}

function announcedTexts(input: ConditionInput): readonly string[] {
  return input.row.announcements.flatMap((announcement) => {
    const confirmation = confirmationOf(input, announcement)
    if (confirmation === undefined) return []
    const on = confirmation.interfaces.length === 0 ? '' : ` on ${confirmation.interfaces.join(', ')}`
    return [`${announcement.address} is announced from node "${announcement.node}"${on}`]
  })
}

function silentTexts(rows: readonly AddressReason[]): readonly string[] {
  const byAddress = new Map<string, AddressReason[]>()
  for (const row of rows) byAddress.set(row.address, [...byAddress.get(row.address) ?? [], row])
  return [...byAddress].map(([address, reasons]) => describeSilence(address, reasons))
}
