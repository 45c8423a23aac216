/** L2Advertisement objects to advertisements, and which pools each of them means. */
import {
  addProblem, addWarning, type At, checkKnown, field, type Fields, item, readFields, readInteger,
  readList, readNames, readText,
} from './fields.ts'
import type { Advertisement, Pool, Preference, Selector } from './model.ts'
import { partOf, type RawObject } from './object.ts'
import { matches, readSelector, readSelectors } from './selector.ts'
import { suggest } from './suggest.ts'

/** Which pools an advertisement selects, before it is known which exist. */
export interface PoolChoice {
  readonly names: readonly string[]
  readonly selectors: readonly Selector[]
}

export interface RawAdvertisement {
  readonly object: RawObject
  readonly choice: PoolChoice
  readonly rest: Omit<Advertisement, 'pools'>
}

const specFields = [
  'ipAddressPools', 'ipAddressPoolSelectors', 'nodeSelectors', 'interfaces', 'serviceSelectors',
  'preferredNodeSelectors',
]

/** The advertisement as far as it could be read. No spec means all pools, nodes, interfaces. */
export function readAdvertisement(object: RawObject): RawAdvertisement {
  const at = field(object.at, 'spec')
  const spec = partOf(object, 'spec') ?? {}
  checkKnown(spec, specFields, at)
  const choice = readChoice(spec, at)
  const rest = {
    name: object.name,
    nodeSelectors: readSelectors(spec['nodeSelectors'], field(at, 'nodeSelectors')),
    // MetalLB takes a repeated interface, so it is no problem here either.
    interfaces: [...new Set(readList(spec['interfaces'], field(at, 'interfaces'), readText))],
    serviceSelectors: readSelectors(spec['serviceSelectors'], field(at, 'serviceSelectors')),
    preferred: readList(
      spec['preferredNodeSelectors'], field(at, 'preferredNodeSelectors'), readPreference,
    ),
  }
  return { object, choice, rest }
}

/** Which pools a BGPAdvertisement selects: all that is read of it. */
export function readPoolChoice(object: RawObject): PoolChoice {
  return readChoice(partOf(object, 'spec') ?? {}, field(object.at, 'spec'))
}

function readChoice(spec: Fields, at: At): PoolChoice {
  return {
    names: readNames(spec['ipAddressPools'], field(at, 'ipAddressPools')),
    selectors: readSelectors(spec['ipAddressPoolSelectors'], field(at, 'ipAddressPoolSelectors')),
  }
}

function readPreference(value: unknown, at: At): Preference | undefined {
  const fields = readFields(value, at)
  if (fields === undefined) return undefined
  checkKnown(fields, ['weight', 'preference'], at)
  const bounds = { min: 1, max: 100 }
  const weight = readInteger(fields['weight'], field(at, 'weight'), bounds)
  if (fields['weight'] === undefined) {
    addProblem(field(at, 'weight'), 'MissingField', 'A preference needs a weight from 1 to 100')
  }
  const selector = readSelector(fields['preference'], field(at, 'preference'))
  if (fields['preference'] === undefined || fields['preference'] === null) {
    const message = 'A preference needs a selector; {} prefers every node'
    addProblem(field(at, 'preference'), 'MissingField', message)
  }
  return weight === undefined || selector === undefined ? undefined : { weight, selector }
}

/** Names of the existing pools a choice selects: all if it names none and selects by no label. */
export function resolvePools(choice: PoolChoice, pools: readonly Pool[]): ReadonlySet<string> {
  const isOpen = choice.names.length === 0 && choice.selectors.length === 0
  const selected = pools.filter((pool) =>
    isOpen || choice.names.includes(pool.name) ||
    choice.selectors.some((selector) => matches(selector, pool.labels))
  )
  return new Set(selected.map((pool) => pool.name))
}

/** A warning for every pool name that no pool has: such names select nothing, silently so far. */
export function warnUnknownPools(raw: RawAdvertisement, pools: readonly Pool[]): void {
  const at = field(raw.object.at, 'spec.ipAddressPools')
  const known = pools.map((pool) => pool.name)
  const existing = new Set(known)
  raw.choice.names.forEach((name, i) => {
    if (existing.has(name)) return
    const meant = known.length <= 50 ? suggest(name, known) : undefined
    const few = known.length > 0 && known.length <= 5 ? `; pools are ${known.join(', ')}` : ''
    const hint = meant === undefined ? few : `; did you mean "${meant}"?`
    addWarning(item(at, i), 'UnknownPool', `There is no pool "${name}"${hint}`)
  })
}
