/** Keeps the host's forwarding rules in step with what it announces; failing, it says so. */
import type { Intent, World } from '../config/model.ts'
import type { HostFinding } from '../finding.ts'
import type { LinkState } from '../l2/model.ts'
import type { Log } from '../log.ts'
import type { Address, Family } from '../net/model.ts'
import { checkSysctls, findBlockers, setSysctls } from './host.ts'
import { hasTable, listOtherTables, loadRuleset } from './nft.ts'
import { type ForwardPlan, planForwarding } from './rules.ts'
import { encodeRemoval, encodeRuleset, tableName } from './ruleset.ts'

export interface ForwardingOptions {
  readonly isEnabled: boolean
  readonly setSysctls: boolean
  readonly node: string
  readonly log: Log
}

export interface ForwardingTurn {
  readonly world: World
  readonly addressesByService: ReadonlyMap<string, readonly Address[]>
  readonly links: readonly LinkState[]
}

export interface Forwarding extends AsyncDisposable {
  /** Removes rules left by an earlier run that was killed; to be called before the first `apply`. */
  clear(): Promise<void>
  /** False when our table was there and is gone: somebody flushed the ruleset. */
  isIntact(): Promise<boolean>
  /** The next `apply` loads the rules, changed or not. */
  forget(): void
  /** Loads rules if they changed. Never throws: announcing goes on without forwarding. */
  apply(turn: ForwardingTurn): Promise<void>
  readonly state: () => 'on' | 'off' | 'failed'
  readonly findings: () => readonly HostFinding[]
}

/** Touches nothing yet: the table may still belong to another instance. */
export function createForwarding(options: ForwardingOptions): Forwarding {
  const log = options.log.from('forwarding.ts')
  let loaded: string | undefined
  let hasRules = false
  let isOurs = false
  let state: 'on' | 'off' | 'failed' = options.isEnabled ? 'on' : 'off'
  let findings: readonly HostFinding[] = []

  const report = (next: readonly HostFinding[]): void => {
    const known = new Set(findings.map(({ message }) => message))
    for (const { reason, message } of next) {
      if (!known.has(message)) log.warn('forwarding problem', { reason, error: message })
    }
    findings = next
  }
  const load = async (plan: ForwardPlan): Promise<readonly HostFinding[]> => {
    const ruleset = plan.addresses.length === 0 ? encodeRemoval() : encodeRuleset(plan)
    const text = JSON.stringify(ruleset)
    if (text === loaded) return []
    const result = await loadRuleset(ruleset)
    state = result.ok ? 'on' : 'failed'
    loaded = result.ok ? text : undefined
    hasRules = plan.addresses.length > 0
    return result.ok ? [] : [{ reason: 'rulesNotLoaded', message: result.message }]
  }
  return {
    clear: async () => {
      if (!options.isEnabled) return
      isOurs = true
      // Without the right to do so this fails; the first `apply` will say why.
      await loadRuleset(encodeRemoval())
    },
    isIntact: async () =>
      loaded === undefined || !hasRules || await hasTable(tableName) !== false,
    forget: () => void (loaded = undefined),
    apply: async (turn) => {
      if (!options.isEnabled) return
      const plan = planForwarding(inputOf(turn, options.node))
      const failures = await load(plan)
      const around = await checkHost(plan, options.setSysctls)
      const own = plan.problems.map(({ service, reason, message }) =>
        ({ reason, message: `${service}: ${message}` })
      )
      report([...failures, ...around, ...own])
    },
    state: () => state,
    findings: () => findings,
    [Symbol.asyncDispose]: async () => {
      if (isOurs) await loadRuleset(encodeRemoval())
    },
  }
}

function inputOf(turn: ForwardingTurn, node: string): Parameters<typeof planForwarding>[0] {
  const services: readonly Intent[] = turn.world.services
  return {
    services,
    addressesByService: turn.addressesByService,
    endpoints: turn.world.endpoints,
    node,
    ownAddresses: turn.links.flatMap((link) => link.addresses.map(({ address }) => address)),
  }
}

/** Sysctls and other tables matter only where an endpoint is not on this host itself. */
async function checkHost(
  plan: ForwardPlan, maySet: boolean,
): Promise<readonly HostFinding[]> {
  const families = new Set<Family>(plan.forwards.flatMap(({ targets }) =>
    targets.filter((target) => !target.isOwn).map((target) => target.address.family)
  ))
  if (families.size === 0) return []
  const failed = maySet ? await setSysctls(families) : []
  const off = failed.length > 0 ? failed : await checkSysctls(families)
  const listings = await listOtherTables(tableName)
  return [...off, ...listings.flatMap((listing) => findBlockers(listing, families))]
}
