/** Turns a decision into the rows that `/status` and, without sentences, `plan -o json` show. */
import type { Intent } from '../config/model.ts'
import type { Verdict } from '../ipam/model.ts'
import { isOurs } from '../ipam/plan.ts'
import type { Silence } from '../l2/model.ts'
import type { AnnouncementPlan, Placed, Silent } from '../l2/plan.ts'
import { formatAddress } from '../net/address.ts'
import type { Decision } from './decision.ts'
import type { HeldPlan } from './held.ts'

export interface AnnouncementRow {
  readonly address: string
  readonly node: string
  /** `['*']` = every interface. */
  readonly interfaces: readonly string[]
}

export interface SilenceRow {
  readonly address: string
  readonly node: string | null
  readonly reason: Silence
}

/** One Service. `reason` is '' for addresses assigned or kept; `pool` is null without one. */
export interface ServiceRow {
  readonly namespace: string
  readonly name: string
  readonly verdict: Verdict['kind']
  readonly reason: string
  /** The reason as a sentence; '' when there is nothing to say. */
  readonly message: string
  readonly pool: string | null
  readonly addresses: readonly string[]
  readonly announcements: readonly AnnouncementRow[]
  readonly silent: readonly SilenceRow[]
}

/** Rows sorted by namespace, then name. `hasNodes` false: nothing is called silent. */
export function reportRows(decision: Decision, hasNodes: boolean): readonly ServiceRow[] {
  const placed = groupBy(decision.announcements.placed, (row) => row.services)
  const silent = groupBy(decision.announcements.silent, (row) => [row.service])
  const rows = decision.verdicts.map((verdict) => ({
    ...splitKey(verdict.service),
    ...describe(verdict),
    announcements: hasNodes ? announcementRows(placed.get(verdict.service) ?? []) : [],
    silent: hasNodes ? silenceRows(silent.get(verdict.service) ?? []) : [],
  }))
  return rows.toSorted((a, b) => compareText(a.namespace, b.namespace) || compareText(a.name, b.name))
}

/** Rows of Services as a speaker sees them: the addresses in their status, and who announces them. */
export function heldRows(held: HeldPlan, announcements: AnnouncementPlan): readonly ServiceRow[] {
  const placed = groupBy(announcements.placed, (row) => row.services)
  const silent = groupBy(announcements.silent, (row) => [row.service])
  const byService = groupBy(held.holdings, (holding) => [holding.service.key])
  return [...byService].toSorted(([a], [b]) => compareText(a, b)).map(([key, holdings]) => ({
    ...splitKey(key),
    verdict: 'kept',
    reason: '',
    message: '',
    pool: holdings[0]?.pool ?? null,
    addresses: holdings.map(({ text }) => text),
    announcements: announcementRows(placed.get(key) ?? []),
    silent: silenceRows(silent.get(key) ?? []),
  }))
}

/** Rows where no configuration was ever good: nothing is assigned, nothing taken, nothing announced. */
export function unreadRows(
  services: ReadonlyMap<string, { readonly intent: Intent }>, loadBalancerClass: string,
): readonly ServiceRow[] {
  const ours = [...services.values()].filter(({ intent }) => isOurs(intent, loadBalancerClass))
  return ours.map(({ intent }) => {
    const addresses = intent.held.map(formatAddress)
    const hasNone = addresses.length === 0
    return {
      namespace: intent.namespace, name: intent.name,
      verdict: hasNone ? 'refused' : 'kept',
      reason: hasNone ? 'configurationStale' : '',
      message: hasNone ? 'no configuration was ever accepted' : '',
      pool: null, addresses, announcements: [],
      silent: addresses.map((address) => ({ address, node: null, reason: 'configurationStale' })),
    }
  })
}

/** Whether a row is bad news: refused, or an address that nobody announces. */
export function isBadNews(row: ServiceRow): boolean {
  return row.verdict === 'refused' || row.silent.length > 0
}

function describe(
  verdict: Verdict,
): Pick<ServiceRow, 'verdict' | 'reason' | 'message' | 'pool' | 'addresses'> {
  switch (verdict.kind) {
    case 'assigned':
    case 'kept':
      return {
        verdict: verdict.kind,
        reason: '',
        message: verdict.lacking ?? '',
        pool: verdict.pool,
        addresses: verdict.addresses.map(formatAddress),
      }
    case 'refused':
      return { ...noAddress(verdict.kind, verdict.reason), message: verdict.message }
    case 'released':
    case 'ignored':
      return noAddress(verdict.kind, verdict.reason)
  }
}

function noAddress(verdict: Verdict['kind'], reason: string): ReturnType<typeof describe> {
  return { verdict, reason, message: '', pool: null, addresses: [] }
}

function announcementRows(placed: readonly Placed[]): readonly AnnouncementRow[] {
  return placed.map((row) => ({
    address: row.text,
    node: row.node,
    interfaces: row.interfaces === 'all' ? ['*'] : row.interfaces,
  }))
}

function silenceRows(silent: readonly Silent[]): readonly SilenceRow[] {
  return silent.map((row) => ({
    address: row.text,
    node: row.node ?? null,
    reason: row.reason,
  }))
}

function groupBy<T>(
  rows: readonly T[], keysOf: (row: T) => readonly string[],
): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>()
  for (const row of rows) {
    for (const key of keysOf(row)) {
      const group = groups.get(key)
      if (group === undefined) groups.set(key, [row])
      else group.push(row)
    }
  }
  return groups
}

function splitKey(key: string): { namespace: string; name: string } {
  const slash = key.indexOf('/')
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
