/** Decides, for one address of one Service, which nodes may announce it, and why the others not. */
import type {
  Advertisement, ClusterNode, Config, Endpoint, Intent,
} from '../config/model.ts'
import { matches, matchesAny } from '../config/selector.ts'
import type { Address, Prefix } from '../net/model.ts'
import { prefixContains } from '../net/range.ts'
import { type Eligibility, eligibleOn, type InterfaceChoice } from './eligible.ts'
import type { Member, Silence } from './model.ts'

/** An address that a Service holds, from the pool that contains it. */
export interface Holding {
  readonly service: Intent
  readonly address: Address
  readonly text: string
  readonly pool: string
}

/** A node that may announce, where, and how much it is preferred. */
export interface Bid extends Eligibility {
  readonly node: string
  readonly score: number
  /** Policy Local, and its endpoints only terminate: it may, but another with a ready one is better. */
  readonly isEnding: boolean
}

export interface NodeSilence {
  readonly node: string | undefined
  readonly reason: Silence
}

export interface Demand {
  readonly holding: Holding
  /** In order of node name. */
  readonly bids: readonly Bid[]
  /** Why each other node may not; node undefined = the reason holds for all. */
  readonly silent: readonly NodeSilence[]
}

export interface DemandInput {
  readonly config: Config
  /** Advertisements by pool name, built once a plan. */
  readonly advertisementsByPool: ReadonlyMap<string, readonly Advertisement[]>
  /** Known nodes by name; a member without a Node object is taken as bare. */
  readonly nodes: ReadonlyMap<string, ClusterNode>
  readonly members: ReadonlyMap<string, Member>
  /** Names of nodes and members together, sorted. */
  readonly names: readonly string[]
  readonly endpoints: ReadonlyMap<string, readonly Endpoint[]> | undefined
  readonly ignoreExcludeLabel: boolean
  /** Announce also where no connected prefix covers the address. */
  readonly everywhere: boolean
}

/** An input with what all its demands share. */
export interface DemandPlan extends DemandInput {
  /** Distinct prefixes of all members' interfaces. */
  readonly prefixes: readonly Prefix[]
  /** Pools whose advertisements look at labels of Services. */
  readonly choosyPools: ReadonlySet<string>
  /** Outcomes so far, by profile: thousands of Services are alike in all that is looked at. */
  readonly known: Map<string, Pick<Demand, 'bids' | 'silent'>>
  /** Outcomes by holding, good while the endpoints of its Service are the same list. */
  readonly told: WeakMap<Holding, Told>
}

interface Told {
  readonly serving: readonly Endpoint[] | undefined
  readonly demand: Demand
}

/** Profiles that are remembered from one plan to the next. */
const profileLimit = 10_000

/**
 * Ready for `planDemand`; good for as long as nothing in the input changes. Endpoints may change from
 * one to the next: `continueDemands` keeps what was found out.
 */
export function startDemands(input: DemandInput): DemandPlan {
  const prefixes = new Map<string, Prefix>()
  for (const { links } of input.members.values()) {
    for (const { prefix } of links?.flatMap((link) => link.addresses) ?? []) {
      prefixes.set(`${prefix.family} ${prefix.bits}/${prefix.length}`, prefix)
    }
  }
  const choosy = [...input.advertisementsByPool].filter(([, ads]) =>
    ads.some((ad) => ad.serviceSelectors.length > 0))
  return {
    ...input, prefixes: [...prefixes.values()], choosyPools: new Set(choosy.map(([pool]) => pool)),
    known: new Map(), told: new WeakMap(),
  }
}

/** The same question with other endpoints. */
export function continueDemands(
  before: DemandPlan, endpoints: DemandInput['endpoints'],
): DemandPlan {
  const isSmall = before.known.size < profileLimit
  if (before.endpoints === endpoints && isSmall) return before
  const known = isSmall ? before.known : new Map()
  const isAlike = (before.endpoints === undefined) === (endpoints === undefined)
  return { ...before, endpoints, known, told: isAlike ? before.told : new WeakMap() }
}

/** Advertisements by the pools they select. */
export function advertisementsByPool(
  config: Config,
): ReadonlyMap<string, readonly Advertisement[]> {
  const byPool = new Map<string, Advertisement[]>()
  for (const advertisement of config.advertisements) {
    for (const pool of advertisement.pools) {
      const list = byPool.get(pool)
      if (list === undefined) byPool.set(pool, [advertisement])
      else list.push(advertisement)
    }
  }
  return byPool
}

/**
 * Who may announce the holding. Tests are those of MetalLB 0.16's speaker in its order, then ours
 * about interfaces. If any node has a connected prefix for the address, only such nodes bid. The same
 * value as before, where nothing that it depends on has changed.
 */
export function planDemand(plan: DemandPlan, holding: Holding): Demand {
  const serving = plan.endpoints?.get(holding.service.key)
  const before = plan.told.get(holding)
  if (before !== undefined && before.serving === serving) return before.demand
  const demand = planAfresh(plan, holding)
  plan.told.set(holding, { serving, demand })
  return demand
}

function planAfresh(plan: DemandPlan, holding: Holding): Demand {
  const profile = profileOf(plan, holding)
  const known = plan.known.get(profile) ?? judge(plan, holding)
  plan.known.set(profile, known)
  return { holding, bids: known.bids, silent: known.silent }
}

/** Everything of a holding that its demand depends on. */
function profileOf(plan: DemandPlan, { service, address, pool }: Holding): string {
  const labels = plan.choosyPools.has(pool)
    ? JSON.stringify(Object.entries(service.labels).toSorted())
    : ''
  const covering = plan.prefixes.map((prefix) => prefixContains(prefix, address) ? '1' : '0').join('')
  return `${pool}|${covering}|${service.hasSharingKey}|${servingNodes(plan, service)}|${labels}`
}

/** Where the Service can be served, as far as its policy asks for it. */
function servingNodes({ endpoints }: DemandInput, service: Intent): string {
  if (endpoints === undefined) return 'anywhere'
  const serving = (endpoints.get(service.key) ?? []).filter((endpoint) => endpoint.canServe)
  if (service.trafficPolicy === 'Cluster' || serving.length === 0) return String(serving.length > 0)
  const names = serving.map(({ nodeName, isReady }) => `${nodeName ?? ''}${isReady ? '' : ' ending'}`)
  return [...new Set(names)].toSorted().join()
}

function judge(input: DemandInput, holding: Holding): Demand {
  const { service } = holding
  const ofPool = input.advertisementsByPool.get(holding.pool) ?? []
  if (ofPool.length === 0) return silentFor(holding, 'noL2Advertisement')
  const matching = ofPool.filter((ad) => matchesAny(ad.serviceSelectors, service.labels))
  if (matching.length === 0) return silentFor(holding, 'noServiceMatch')
  const hasServiceSelector = matching.some((ad) => ad.serviceSelectors.length > 0)
  if (service.hasSharingKey && hasServiceSelector) {
    return silentFor(holding, 'sharedIPWithServiceSelector')
  }
  const endpoints = input.endpoints?.get(service.key) ?? []
  const hasServing = endpoints.some((endpoint) => endpoint.canServe)
  if (input.endpoints !== undefined && !hasServing) return silentFor(holding, 'noEndpoints')
  if (input.names.length === 0) return silentFor(holding, 'noNodes')

  const bids: Bid[] = []
  const silent: NodeSilence[] = []
  for (const name of input.names) {
    const bid = bidOf(input, holding, matching, name)
    if (typeof bid === 'string') silent.push({ node: name, reason: bid })
    else bids.push(bid)
  }
  if (bids.length === 0 && silent.every(({ reason }) => reason === 'nodeNotSelected')) {
    return silentFor(holding, 'noNodeMatch')
  }
  return keepPrefixed(input, { holding, bids, silent })
}

function silentFor(holding: Holding, reason: Silence): Demand {
  return { holding, bids: [], silent: [{ node: undefined, reason }] }
}

function keepPrefixed(input: DemandInput, demand: Demand): Demand {
  if (input.everywhere || !demand.bids.some((bid) => bid.prefixed)) return demand
  const bids = demand.bids.filter((bid) => bid.prefixed)
  const outside = demand.bids.filter((bid) => !bid.prefixed)
  if (outside.length === 0) return demand
  const reasons = outside.map((bid) => ({ node: bid.node, reason: 'noPrefix' as const }))
  return { ...demand, bids, silent: [...demand.silent, ...reasons] }
}

function bidOf(
  input: DemandInput, holding: Holding, ads: readonly Advertisement[], name: string,
): Bid | Silence {
  const member = input.members.get(name)
  if (member === undefined) return 'speakerAbsent'
  const node = input.nodes.get(name)
  const labels = node?.labels ?? {}
  if (node?.networkUnavailable === true) return 'networkUnavailable'
  if (node?.excluded === true && !input.ignoreExcludeLabel) return 'nodeExcluded'
  const covering = ads.filter((ad) => matchesAny(ad.nodeSelectors, labels))
  if (covering.length === 0) return 'nodeNotSelected'
  if (!servesLocally(input, holding.service, name)) return 'noLocalEndpoints'
  const eligible = eligibleOn(member, holding.address, chooseInterfaces(covering), input.everywhere)
  if (typeof eligible === 'string') return eligible
  const isEnding = !servesLocally(input, holding.service, name, 'isReady')
  return { ...eligible, node: name, score: scoreOf(covering, labels), isEnding }
}

function servesLocally(
  input: DemandInput, service: Intent, node: string, how: 'canServe' | 'isReady' = 'canServe',
): boolean {
  if (service.trafficPolicy === 'Cluster' || input.endpoints === undefined) return true
  const endpoints = input.endpoints.get(service.key) ?? []
  return endpoints.some((endpoint) => endpoint[how] && endpoint.nodeName === node)
}

/** All interfaces if any advertisement restricts none, else the union of their lists. */
function chooseInterfaces(ads: readonly Advertisement[]): InterfaceChoice {
  if (ads.some((ad) => ad.interfaces.length === 0)) return 'all'
  return new Set(ads.flatMap((ad) => ad.interfaces))
}

function scoreOf(ads: readonly Advertisement[], labels: ClusterNode['labels']): number {
  let score = 0
  for (const ad of ads) {
    for (const { weight, selector } of ad.preferred) if (matches(selector, labels)) score += weight
  }
  return score
}
