/** Decides whether a change of the configuration may be made: what takes more than one object to see. */
import { type Fields, isFields, isSameValue } from '../config/fields.ts'
import { readLiveConfig } from '../config/live.ts'
import type { Config, Intent, Problem } from '../config/model.ts'
import { annotationKeys } from '../config/names.ts'
import type { Release } from '../ipam/model.ts'
import { planAllocation } from '../ipam/plan.ts'
import { formatAddress } from '../net/address.ts'
import type { Address } from '../net/model.ts'

/** A change that somebody asks for: an object before and after it. */
export interface Change {
  /** undefined = it is created. */
  readonly before: Fields | undefined
  /** undefined = it is deleted. */
  readonly after: Fields | undefined
}

export interface AdmissionInput {
  readonly change: Change
  /** The objects of the configuration as they are, the changed one included. */
  readonly objects: readonly Fields[]
  readonly namespace: string
  /** What is in force: a bad edit that got past has not taken its place. */
  readonly inForce: Config | undefined
  readonly services: readonly Intent[]
  readonly loadBalancerClass: string
}

export interface Judgement {
  readonly isAllowed: boolean
  /** Why not: a line for each problem, in the words of `check`. '' = allowed. */
  readonly message: string
  /** What `check` warns of, and did not before. */
  readonly warnings: readonly string[]
}

/** Only what a pool does to a Service counts: what the Service asks for itself is no loss. */
const losses: readonly Release[] = ['notInPool', 'poolNotForService', 'addressExcluded']
const maxNamed = 5
/** Of one refusal; kubectl prints all of it. */
const maxProblems = 20

/**
 * Refuses what brings a new problem, and what takes addresses from Services. Problems that were
 * there before are no reason: else a configuration that is bad in two places could not be mended.
 */
export function judgeChange(input: AdmissionInput): Judgement {
  const { objects, change, namespace } = input
  const now = readLiveConfig(objects, namespace)
  const next = readLiveConfig(apply(objects, change), namespace)
  const warnings = newOf(next.warnings, now.warnings).map(formatFinding)
  const problems = newOf(next.problems, now.problems)
  if (problems.length > 0) {
    const lines = problems.slice(0, maxProblems).map(formatFinding)
    const rest = problems.length - lines.length
    const message = [...lines, ...(rest > 0 ? [`and ${rest} more`] : [])].join('\n')
    return { isAllowed: false, message, warnings }
  }
  // A configuration with an older problem does not come into force: nothing is lost by it yet.
  const isMeant = allowsLoss(change.after ?? change.before)
  const lost = next.problems.length > 0 ? [] : findLosses(input, next.config)
  if (lost.length === 0 || isMeant) return { isAllowed: true, message: '', warnings }
  return { isAllowed: false, message: describeLosses(change, lost), warnings }
}

function apply(objects: readonly Fields[], { before, after }: Change): readonly Fields[] {
  const id = idOf(after ?? before)
  const others = objects.filter((object) => idOf(object) !== id)
  if (after === undefined) return others
  // In its place, so that of two that overlap the same one is named as later.
  const place = objects.findIndex((object) => idOf(object) === id)
  return place === -1 ? [...others, after] : others.toSpliced(place, 0, after)
}

/** `IPAddressPool/metallb-system/lan` */
function idOf(object: Fields | undefined): string {
  const metadata = isFields(object?.['metadata']) ? object['metadata'] : {}
  return [object?.['kind'], metadata['namespace'], metadata['name']].map(String).join('/')
}

function newOf(now: readonly Problem[], before: readonly Problem[]): readonly Problem[] {
  return now.filter((problem) => !before.some((one) => isSameValue(one, problem)))
}

function formatFinding({ object, path, reason, message }: Problem): string {
  const where = [object, path].filter((part) => part !== '').join(' ')
  return `${where === '' ? '' : `${where}: `}${reason}: ${message}`
}

function allowsLoss(object: Fields | undefined): boolean {
  const metadata = isFields(object?.['metadata']) ? object['metadata'] : {}
  const annotations = isFields(metadata['annotations']) ? metadata['annotations'] : {}
  return annotations[annotationKeys.allowLoss] === 'true'
}

interface Loss {
  readonly service: string
  readonly address: Address
  readonly reason: Release
}

/** Addresses that Services hold under the configuration in force, and would not under `next`. */
function findLosses(input: AdmissionInput, next: Config): readonly Loss[] {
  if (input.inForce === undefined) return []
  const keyOf = ({ service, address, reason }: Loss): string =>
    `${service} ${formatAddress(address)} ${reason}`
  const known = new Set(lossesUnder(input, input.inForce).map(keyOf))
  return lossesUnder(input, next).filter((loss) => !known.has(keyOf(loss)))
}

function lossesUnder({ services, loadBalancerClass }: AdmissionInput, config: Config): readonly Loss[] {
  return planAllocation({ config, services, loadBalancerClass }).flatMap((verdict) => {
    if (verdict.kind === 'ignored') return []
    const { service } = verdict
    return verdict.dropped.filter(({ reason }) => losses.includes(reason))
      .map(({ address, reason }) => ({ service, address, reason }))
  })
}

function describeLosses({ before, after }: Change, lost: readonly Loss[]): string {
  const named = lost.slice(0, maxNamed).map(({ service, address, reason }) =>
    `${formatAddress(address)} of Service "${service}" (${reason})`
  )
  const rest = lost.length - named.length
  const list = [...named, ...(rest > 0 ? [`${rest} more`] : [])].join(', ')
  return `${idOf(after ?? before)}: InUse: Services would lose ${list}; if that is meant, set the ` +
    `annotation ${annotationKeys.allowLoss}: "true" on the object first`
}
