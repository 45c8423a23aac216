/** Compares two decisions: what a user would recognise as a change, as values for the log. */
import { gistOf } from '../ipam/message.ts'
import type { Verdict } from '../ipam/model.ts'
import { formatAddress } from '../net/address.ts'
import type { Announcement } from '../l2/model.ts'
import { spanOf } from '../l2/span.ts'
import type { ServiceRow } from './report.ts'

export type Change =
  | { readonly kind: 'assigned'; readonly service: string; readonly pool: string
      readonly ips: readonly string[] }
  | { readonly kind: 'refused'; readonly service: string; readonly reason: string
      readonly message: string }
  | { readonly kind: 'released'; readonly service: string; readonly reason: string
      readonly ips: readonly string[] }
  | { readonly kind: 'left'; readonly service: string; readonly ip: string; readonly mac: string
      readonly ips: readonly string[] }
  | { readonly kind: 'silent'; readonly service: string; readonly ip: string
      readonly reason: string }
  | { readonly kind: 'announced'; readonly ip: string; readonly services: readonly string[]
      readonly interfaces: readonly string[] }
  | { readonly kind: 'withdrawn'; readonly ip: string; readonly services: readonly string[]
      /** Why, where it is known. */
      readonly reason?: string }

/** Changes of verdicts from `before` to `after`, in the order of `after`, gone Services last. */
export function compareRows(
  before: readonly ServiceRow[], after: readonly ServiceRow[],
): readonly Change[] {
  const old = new Map(before.map((row) => [keyOf(row), row]))
  const changes: Change[] = []
  for (const row of after) {
    const service = keyOf(row)
    const was = old.get(service)
    old.delete(service)
    if (was === undefined || summary(was) !== summary(row)) changes.push(...changesOf(row, was))
  }
  for (const [service, { addresses }] of old) {
    if (addresses.length === 0) continue
    changes.push({ kind: 'released', service, reason: 'serviceDeleted', ips: addresses })
  }
  return changes
}

function changesOf(row: ServiceRow, was: ServiceRow | undefined): Change[] {
  const service = keyOf(row)
  const changes: Change[] = []
  const ips = row.addresses
  if (ips.length > 0 && ips.join() !== was?.addresses.join()) {
    changes.push({ kind: 'assigned', service, pool: row.pool ?? '', ips })
  }
  if (row.verdict === 'refused') {
    changes.push({ kind: 'refused', service, reason: row.reason, message: row.message })
  }
  if (ips.length === 0 && was !== undefined && was.addresses.length > 0) {
    changes.push({ kind: 'released', service, reason: row.reason, ips: was.addresses })
  }
  for (const { address, reason } of row.silent) {
    changes.push({ kind: 'silent', service, ip: address, reason })
  }
  return changes
}

/** Addresses of the Service that machines have which are none of ours: it has others in their place. */
export function leftBehind(verdict: Verdict): readonly Change[] {
  if (verdict.kind !== 'assigned' && verdict.kind !== 'kept') return []
  const { service, addresses, dropped } = verdict
  return dropped.filter(({ reason }) => reason === 'foreignHost').map(({ address, mac = '' }) => ({
    kind: 'left', service, ip: formatAddress(address), mac, ips: addresses.map(formatAddress),
  }))
}

/**
 * Addresses that this node starts or stops announcing, and for whom: also a Service that comes to
 * an address that is shared already, or leaves one that others keep.
 */
export function compareAnnouncements(
  before: readonly Announcement[], after: readonly Announcement[],
): readonly Change[] {
  const { from, count, items } = spanOf(before, after)
  const old = new Map(before.slice(from, from + count).map((row) => [row.text, row]))
  const changes: Change[] = []
  for (const { text, services, interfaces } of items) {
    const was = old.get(text)
    old.delete(text)
    const isSame = was !== undefined && String(was.interfaces) === String(interfaces)
    const news = isSame ? without(services, was.services) : services
    const gone = was === undefined ? [] : without(was.services, services)
    const names = interfaces === 'all' ? ['*'] : interfaces
    if (gone.length > 0) changes.push({ kind: 'withdrawn', ip: text, services: gone })
    if (news.length > 0) changes.push({ kind: 'announced', ip: text, services: news, interfaces: names })
  }
  for (const { text, services } of old.values()) {
    changes.push({ kind: 'withdrawn', ip: text, services })
  }
  return changes
}

function without(all: readonly string[], some: readonly string[]): readonly string[] {
  return all.filter((one) => !some.includes(one))
}

function keyOf(row: ServiceRow): string {
  return `${row.namespace}/${row.name}`
}

/**
 * Everything of a row whose change is news. None are: `assigned` turning `kept`, another who is in the way,
 * another count of what is in use, and that a lost address is named no longer.
 */
function summary(row: ServiceRow): string {
  const silent = row.silent.map((s) => `${s.address} ${s.node ?? ''} ${s.reason}`)
  return JSON.stringify([row.addresses, row.reason, gistOf(row.message), silent])
}
