/** Decides what the condition `arpeggio.io/Announced` of a Service says. */
import type { ServiceRow, SilenceRow } from '../plan/report.ts'
import { conditionReason, describeSilence } from '../plan/why.ts'

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
  readonly confirmations: readonly Confirmation[]
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
      return isStale
        ? stale(`no address: ${row.message}`)
        : { status: 'False', reason: conditionReason(row.reason), message: `no address: ${row.message}` }
    case 'assigned':
    case 'kept': {
      const silent = silentRows(row, confirmations)
      const message = [...new Set([...announcedTexts(row, confirmations), ...silentTexts(silent)])].join('; ')
      const [first] = silent
      if (first === undefined) return { status: 'True', reason: 'Announced', message }
      return isStale ? stale(message) : { status: 'False', reason: conditionReason(first.reason), message }
    }
  }
}

function stale(message: string): ConditionText {
  const why = 'the configuration in the cluster is refused (see configurationstates), so an older ' +
    'one is in force'
  return { status: 'False', reason: conditionReason('configurationStale'), message: `${message}; ${why}` }
}

/** Planned silence, and addresses whose chosen node does not say that it announces. */
function silentRows(row: ServiceRow, confirmations: readonly Confirmation[]): readonly SilenceRow[] {
  const confirmed = new Set(confirmations.map(({ node }) => node))
  const missing = row.announcements.filter(({ node }) => !confirmed.has(node))
  return [
    ...row.silent,
    ...missing.map(({ address, node }) => ({ address, node, reason: 'speakerAbsent' as const })),
  ]
}

function announcedTexts(row: ServiceRow, confirmations: readonly Confirmation[]): readonly string[] {
  return row.announcements.flatMap(({ address, node }) => {
    const confirmation = confirmations.find((one) => one.node === node)
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
