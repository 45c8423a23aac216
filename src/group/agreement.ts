/** Decides what a group agrees on next: members, the union of their input, and who holds what. */
import type { Problem } from '../config/model.ts'
import { readWorld } from '../config/read.ts'
import { counted } from '../config/words.ts'
import type { Foreign } from '../ipam/foreign.ts'
import type { Verdict } from '../ipam/model.ts'
import { planAllocation } from '../ipam/plan.ts'
import { formatAddress, parseAddress } from '../net/address.ts'
import type { Address } from '../net/model.ts'
import { sourcesOf } from './documents.ts'
import type { Agreement, GroupMember, OptionTexts, Share } from './model.ts'
import { agreeOnOptions, optionsOf, type VoiceOptions } from './options.ts'
import { uniteShares } from './union.ts'

export interface ProposalInput {
  /** undefined = the group is about to come into being. */
  readonly before: Agreement | undefined
  /** Of hosts that are heard now and may be members. */
  readonly shares: readonly Share[]
  /** This host's own, for what nobody tells. */
  readonly own: VoiceOptions
  /** Addresses that other machines have. */
  readonly foreign?: Foreign
}

/** Problems that travel with a ledger; the rest is counted. */
const maxProblems = 50

/**
 * The next agreement; equal to `before` where there is nothing to do. Input that is wrong as a
 * whole (two hosts' pools that overlap, say) leaves documents and addresses as they are. With what was found
 * of each Service.
 */
export function judge(
  input: ProposalInput,
): { readonly agreement: Agreement; readonly verdicts: readonly Verdict[] } {
  const { before, shares, own, foreign } = input
  const members = nextMembers(before?.members ?? [], shares)
  const union = uniteShares({
    documents: before?.documents ?? [], shares, members: new Set(members.map(({ name }) => name)),
  })
  const agreed = agreeOnOptions(before?.options, members)
  const { namespace, loadBalancerClass } = optionsOf(own, agreed)
  const sources = sourcesOf(union.documents)
  const reading = readWorld(sources, namespace === undefined ? {} : { namespace })
  const problems = bounded([...union.problems, ...reading.problems])
  const { world } = reading
  if (world === undefined) {
    return { agreement: keepAgreement({ before, members, agreed, problems }), verdicts: [] }
  }
  const verdicts = planAllocation({
    config: world.config, services: world.services, loadBalancerClass,
    ledger: heldBefore(before, shares), ...(foreign === undefined ? {} : { foreign }),
  })
  const services = verdicts.flatMap((verdict) =>
    verdict.kind === 'assigned' || verdict.kind === 'kept'
      ? [[verdict.service, verdict.addresses.map(formatAddress)] as const]
      : []
  )
  const agreement = {
    members, ...(agreed === undefined ? {} : { options: agreed }), documents: union.documents,
    services: Object.fromEntries(services), problems,
  }
  return { agreement, verdicts }
}

/** Members and problems are news; the rest is as it was. */
export function keepAgreement({ before, members, agreed, problems }: {
  readonly before: Agreement | undefined
  readonly agreed: OptionTexts | undefined
} & Pick<Agreement, 'members' | 'problems'>): Agreement {
  const { documents = [], services = {}, options = agreed } = before ?? {}
  return { members, ...(options === undefined ? {} : { options }), documents, services, problems }
}

/**
 * One host more at a time, so that a majority of the old members and one of the new ones always
 * have a host in common; a member that was given up goes in the same way.
 */
function nextMembers(
  before: readonly GroupMember[], shares: readonly Share[],
): readonly GroupMember[] {
  const heard = new Map(shares.map((share) => [share.host, share]))
  const isFirst = before.length === 0
  const forgotten = new Set(shares.flatMap(({ forgets }) => forgets).filter((name) => !heard.has(name)))
  const gone = before.find(({ name }) => forgotten.has(name))
  const kept = before.filter((member) => member !== gone).map((member) => {
    const share = heard.get(member.name)
    return share === undefined ? member : memberOf(share)
  })
  const known = new Set(before.map(({ name }) => name))
  const fresh = [...heard.values()].filter(({ host }) => !known.has(host))
    .map(memberOf)
    .toSorted(compareNames)
  const news = isFirst ? fresh : gone === undefined ? fresh.slice(0, 1) : []
  return [...kept, ...news].toSorted(compareNames)
}

function memberOf({ host, labels, options }: Share): GroupMember {
  return { name: host, labels, ...(options === undefined ? {} : { options }) }
}

function compareNames(a: GroupMember, b: GroupMember): number {
  return a.name < b.name ? -1 : 1
}

/** The ledger's addresses, and those that hosts held when each was alone. */
function heldBefore(
  before: Agreement | undefined, shares: readonly Share[],
): ReadonlyMap<string, readonly Address[]> {
  const held = new Map<string, readonly Address[]>()
  if (before === undefined) {
    for (const { held: own } of shares.toSorted((a, b) => (a.host < b.host ? -1 : 1))) {
      for (const [key, texts] of Object.entries(own)) if (!held.has(key)) held.set(key, addressesOf(texts))
    }
  }
  for (const [key, texts] of Object.entries(before?.services ?? {})) held.set(key, addressesOf(texts))
  return held
}

/** Texts that are no addresses are left out. */
export function addressesOf(texts: readonly string[]): readonly Address[] {
  return texts.flatMap((text) => parseAddress(text) ?? [])
}

function bounded(problems: readonly Problem[]): readonly Problem[] {
  if (problems.length <= maxProblems) return problems
  const message = counted(problems.length - maxProblems, 'more problem')
  const rest: Problem = { file: '', document: 1, object: '', path: '', reason: 'TooMany', message }
  return [...problems.slice(0, maxProblems), rest]
}
