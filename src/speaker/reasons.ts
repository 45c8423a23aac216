/** What is placed where and why else not, as a speaker explains it: made when it is asked for. */
import type { Announcer } from '../announcer.ts'
import type { Feed } from '../cluster/feed.ts'
import type { Intake } from '../cluster/intake.ts'
import { readMembers, withOwnLinks } from '../cluster/members.ts'
import type { SpeakerOptions } from '../config/role-options.ts'
import type { DemandPlan } from '../l2/demand.ts'
import type { Links } from '../l2/linux/links.ts'
import type { Member } from '../l2/model.ts'
import {
  type AnnouncementInput, type AnnouncementPlan, planAnnouncements, planInPieces, prepare,
} from '../l2/plan.ts'
import { holdingsWith, type Units } from '../l2/unit.ts'
import { ownersByAddress } from '../ownership/view.ts'
import type { HeldPlan } from '../plan/held.ts'
import { planWithdrawals, type WithdrawalOf } from '../plan/withdrawal.ts'

export interface ReasonParts {
  readonly options: SpeakerOptions
  readonly feed: Feed
  readonly intake: Intake
  readonly announcer: Announcer
  readonly links: Links
}

export interface Reasons {
  /** Of all that is held; the same until `forget`, since many turns need none of it. */
  plan(held: HeldPlan): AnnouncementPlan
  /** The same, with a pause between its pieces. */
  planSlowly(held: HeldPlan, pause: () => Promise<void>): Promise<AnnouncementPlan>
  /** Why these Services' addresses are withdrawn, from what has one owner with them. */
  withdrawals(held: HeldPlan, units: Units, services: Iterable<string>): WithdrawalOf
  forget(): void
}

export function createReasons(parts: ReasonParts): Reasons {
  const { feed, announcer, options } = parts
  let demand: DemandPlan | undefined
  let plan: AnnouncementPlan | undefined
  const inputOf = (given: Pick<AnnouncementInput, 'holdings' | 'owners'>): Input | undefined => {
    const { config } = parts.intake
    if (config === undefined) return undefined
    const input = {
      ...given, config, nodes: feed.nodes(), members: membersOf(parts), endpoints: feed.endpoints(),
      placement: options.placement, everywhere: options.announceEverywhere,
      ignoreExcludeLabel: options.ignoreExcludeLabel,
    }
    demand = prepare(input, demand)
    return { input, demand }
  }
  const wholeOf = ({ holdings }: HeldPlan): Input | undefined =>
    inputOf({ holdings, owners: ownersByAddress(announcer.ownership) })
  return {
    plan: (held) => plan ??= planOf(wholeOf(held)),
    planSlowly: async (held, pause) => {
      const given = plan === undefined ? wholeOf(held) : undefined
      if (plan !== undefined || given === undefined) return plan ?? nothing
      await pause()
      const pieces = planInPieces(given.input, given.demand)
      for (let piece = pieces.next();; piece = pieces.next()) {
        if (piece.done === true) return piece.value
        await pause()
      }
    },
    withdrawals: (held, units, services) => {
      // Why an address is silent hangs on its unit alone, and not on who owns it.
      const holdings = holdingsWith(units, services)
      return planWithdrawals({
        serviceOf: (key) => feed.services.get(key)?.intent, held: { ...held, holdings },
        plan: planOf(inputOf({ holdings })), node: options.nodeName,
      })
    },
    forget: () => void (plan = undefined),
  }
}

interface Input {
  readonly input: AnnouncementInput
  readonly demand: DemandPlan
}

const nothing: AnnouncementPlan = { placed: [], silent: [] }

function planOf(given: Input | undefined): AnnouncementPlan {
  return given === undefined ? nothing : planAnnouncements(given.input, given.demand)
}

/** Live speakers, with the interfaces they tell the API server of: what silence is explained with. */
function membersOf({ feed, options, links, announcer }: ReasonParts): readonly Member[] {
  const members = readMembers(feed.speakers(), feed.states)
  return withOwnLinks(members, options.nodeName, links.current(), new Set(announcer.failures().keys()))
}
