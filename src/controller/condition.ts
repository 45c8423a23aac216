/** Decides what the condition `arpeggio.io/Announced` of a Service says. */
import type { ServiceRow, SilenceRow } from '../plan/report.ts'
import { describeSilence, isConfigured, mainReason } from '../plan/why.ts'

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
  /** The configuration in the cluster is refused; an older one, or none, is in force. */
  readonly isStale: boolean
}

/** undefined = the Service is none of ours, or no LoadBalancer any more: no condition. */
export function planCondition({ row, confirmations, isStale }: ConditionInput): ConditionText | undefined {
  switch (row.verdict) {
    case 'released':
    case 'ignored':
      return undefined
    case 'refused':
      return notAnnounced(row.reason, `no address: ${row.message}`, isStale)
    case 'assigned':
    case 'kept': {
      const silent = silentRows(row, confirmations)
      const message = [...new Set([...announcedTexts(row, confirmations), ...silentTexts(silent)])].join('; ')
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
export function awaitedNodes({ row, confirmations }: ConditionInput): readonly string[] {
  const isPlanned = row.verdict === 'assigned' || row.verdict === 'kept'
  if (!isPlanned || confirmations === undefined || row.silent.length > 0) return []
  return [...new Set(missing(row, confirmations).map(({ node }) => node))]
}

function missing(
  row: ServiceRow, confirmations: readonly Confirmation[],
): ServiceRow['announcements'] {
  return row.announcements.filter(({ node }) => !confirmations.some((one) => one.node === node))
}

/** Planned silence, and addresses whose chosen node does not say that it announces. */
function silentRows(
  row: ServiceRow, confirmations: ConditionInput['confirmations'],
): readonly SilenceRow[] {
  if (confirmations === undefined) return row.silent
  const absent = missing(row, confirmations)
  return [
    ...row.silent,
    ...absent.map(({ address, node }) => ({ address, node, reason: 'speakerAbsent' as const })),
  ]
}

function announcedTexts(
  row: ServiceRow, confirmations: ConditionInput['confirmations'],
): readonly string[] {
  return row.announcements.flatMap(({ address, node, interfaces }) => {
    const confirmation = confirmations === undefined
      ? { interfaces: interfaces.filter((name) => name !== '*') }
      : confirmations.find((one) => one.node === node)
    if (confirmation === undefined) return []
    const on = confirmation.interfaces.length === 0 ? '' : ` on ${confirmation.interfaces.join(', ')}`
    return [`${address} is announced from node "${node}"${on}`]
  })
}

function silentTexts(rows: readonly SilenceRow[]): readonly string[] {
  const byAddress = new Map<string, SilenceRow[]>()
  for (const row of rows) byAddress.set(row.address, [...byAddress.get(row.address) ?? [], row])
  return [...byAddress].map(([address, reasons]) => describeSilence(address, reasons))
}
