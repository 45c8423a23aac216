/** Plans again from the last plan: where every holder is as it was, newcomers alone are judged. */
import { isSameValue } from '../config/fields.ts'
import type { Intent } from '../config/model.ts'
import type { Family } from '../net/model.ts'
import type { Allocator } from './allocate.ts'
import { noForeign, sameForeign } from './foreign.ts'
import { take } from './ledger.ts'
import type { Verdict } from './model.ts'
import {
  type AllocationInput, compareAge, compareVerdicts, createHolder, isOurs, judgeOther, meetsRequest,
  planAfresh, serveNewcomer,
} from './plan.ts'

/** Verdicts, and what the next plan may be made from. */
export interface Plan {
  /** As `planAllocation` returns them; one that has not changed is the same value as before. */
  readonly verdicts: readonly Verdict[]
  readonly config: AllocationInput['config']
  readonly loadBalancerClass: string | undefined
  /** All that is held is taken in it. It goes over to the next plan, and changes with it. */
  readonly allocator: Allocator
  /** By Service, as the allocator. */
  readonly rows: Map<string, Row>
}

interface Row {
  readonly service: Intent
  /** undefined = none of ours. */
  readonly verdict: Verdict | undefined
}

/**
 * The verdicts of `planAllocation`, word for word. What is held stays held whatever newcomers want: with
 * the same configuration, and holders that keep all they have and ask for nothing else, only the others are
 * judged, in the order of a whole plan. Anything else is planned from the start. `before` is spent by this.
 */
export function replan(input: AllocationInput, before?: Plan): Plan {
  return (before && planNewcomers(input, before)) ?? planAll(input)
}

function planAll(input: AllocationInput): Plan {
  const { verdicts, allocator } = planAfresh(input)
  const byKey = new Map(verdicts.map((verdict) => [verdict.service, verdict]))
  const rows = new Map(input.services.map((service) =>
    [service.key, { service, verdict: byKey.get(service.key) }]))
  return { verdicts, config: input.config, loadBalancerClass: input.loadBalancerClass, allocator, rows }
}

/** undefined = a holder has changed. */
function planNewcomers(input: AllocationInput, before: Plan): Plan | undefined {
  const { config, loadBalancerClass, services } = input
  const { allocator, rows } = before
  const isSame = before.config === config && before.loadBalancerClass === loadBalancerClass &&
    sameForeign(allocator.foreign, input.foreign ?? noForeign)
  if (!isSame || config.pools.length === 0) return undefined
  const newcomers: Intent[] = []
  const verdicts: Verdict[] = []
  const settle = (service: Intent, found: Verdict | undefined): void => {
    const row = rows.get(service.key)
    const verdict = isSameValue(row?.verdict, found) ? row?.verdict : found
    if (row?.service !== service || row.verdict !== verdict) rows.set(service.key, { service, verdict })
    if (verdict !== undefined) verdicts.push(verdict)
  }
  for (const service of services) {
    const row = rows.get(service.key)
    if (row !== undefined && holds(row)) {
      if (!isSettled(input, allocator, row, service)) return undefined
      settle(service, confirmAgain(allocator, row, service))
    } else if (!isOurs(service, loadBalancerClass)) {
      settle(service, judgeOther(service, input))
    } else {
      if (createHolder(service, input).held.length > 0) return undefined
      newcomers.push(service)
    }
  }
  for (const service of newcomers.toSorted(compareAge)) {
    const verdict = serveNewcomer(allocator, createHolder(service, input), input)
    // The sentence names sharers of an address in the order in which a whole plan meets them.
    if (verdict.kind === 'refused' && verdict.reason === 'sharingKeyMismatch') return undefined
    settle(service, verdict)
  }
  // Whoever has gone may have held something.
  if (rows.size !== services.length) return undefined
  return { ...before, verdicts: verdicts.toSorted(compareVerdicts) }
}

type Holding = Row & { readonly verdict: Extract<Verdict, { kind: 'assigned' | 'kept' }> }

function holds(row: Row): row is Holding {
  return row.verdict?.kind === 'assigned' || row.verdict?.kind === 'kept'
}

/** It is known to hold what it was given, lost nothing, lacks nothing, and asks for nothing else. */
function isSettled(
  { ledger }: AllocationInput, allocator: Allocator, { service: was, verdict }: Holding, service: Intent,
): boolean {
  if (verdict.lacking !== undefined || verdict.dropped.length > 0) return false
  const { addresses } = verdict
  if (ledger?.get(service.key) !== addresses) return false
  // One that asks for an address by name is given that first: its families are looked at after it.
  const hasFamily = (family: Family): boolean => addresses.some((address) => address.family === family)
  if (addresses.length !== service.families.length || !service.families.every(hasFamily)) return false
  if (!meetsRequest(allocator, { service, kept: addresses })) return false
  // What its status says by now is what the ledger has said before.
  return was === service ||
    isSameValue(was, { ...service, held: was.held, allocatedFromPool: was.allocatedFromPool })
}

function confirmAgain(allocator: Allocator, { service: was, verdict }: Holding, service: Intent): Verdict {
  // The older value of the Service is kept by nobody.
  if (was !== service) for (const address of verdict.addresses) take(allocator.ledger, address, service)
  return verdict.kind === 'kept' ? verdict : { ...verdict, kind: 'kept' }
}
