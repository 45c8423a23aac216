/** L2Advertisement objects to advertisements, and which pools each of them means. */
import { addWarning, field, item } from './fields.ts'
import type { Advertisement, Pool, Preference, Selector } from './model.ts'
import { partOf, type RawObject } from './object.ts'
import { matches, selectors, selectorShape } from './selector.ts'
import { list, mapping, names, needed, refine, whole } from './shape.ts'
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

const choiceFields = {
  ipAddressPools: names({ description: 'Names of pools.', max: 256 }),
  ipAddressPoolSelectors: selectors('Pools with these labels, beside those named.'),
}

interface ChoiceFields {
  ipAddressPools: readonly string[]
  ipAddressPoolSelectors: readonly Selector[]
}

const preferenceShape = refine(mapping<{ weight: number; preference: Selector }>({
  weight: needed(
    whole({ description: 'How much a match is worth.', min: 1, max: 100 }),
    'A preference needs a weight from 1 to 100',
  ),
  preference: needed(selectorShape, 'A preference needs a selector; {} prefers every node'),
}, { description: 'Nodes that are preferred.' }), [], ({ weight, preference }): Preference | undefined =>
  weight === undefined || preference === undefined ? undefined : { weight, selector: preference })

/** What `spec` of an L2Advertisement may say. */
export const advertisementShape = mapping<ChoiceFields & {
  nodeSelectors: readonly Selector[]
  interfaces: readonly string[]
  serviceSelectors: readonly Selector[]
  preferredNodeSelectors: readonly Preference[]
}>({
  ...choiceFields,
  nodeSelectors: selectors('Nodes with these labels; none means every node.'),
  interfaces: names({ description: 'Names of interfaces; none means all.', max: 100 }),
  serviceSelectors: selectors('Services with these labels; none means every Service.'),
  preferredNodeSelectors: list(preferenceShape, {
    description: 'Nodes to prefer; a node has the sum of the weights that match it.', max: 64,
  }),
}, { description: 'Which addresses are announced, where, for which Services.' })

/** What is read of `spec` of a BGPAdvertisement. */
export const bgpAdvertisementShape = mapping<ChoiceFields>(choiceFields, {
  description: 'Which addresses are advertised by BGP, which this program does not speak.', isOpen: true,
})

/** The advertisement as far as it could be read. No spec means all pools, nodes, interfaces. */
export function readAdvertisement(object: RawObject): RawAdvertisement {
  const spec = advertisementShape.read(partOf(object, 'spec'), field(object.at, 'spec')) ?? {}
  const { nodeSelectors = [], interfaces = [], serviceSelectors = [] } = spec
  const { preferredNodeSelectors: preferred = [] } = spec
  const rest = { name: object.name, nodeSelectors, interfaces, serviceSelectors, preferred }
  return { object, choice: choiceOf(spec), rest }
}

/** Which pools a BGPAdvertisement selects: all that is read of it. */
export function readPoolChoice(object: RawObject): PoolChoice {
  return choiceOf(bgpAdvertisementShape.read(partOf(object, 'spec'), field(object.at, 'spec')) ?? {})
}

function choiceOf(spec: Partial<ChoiceFields>): PoolChoice {
  return { names: spec.ipAddressPools ?? [], selectors: spec.ipAddressPoolSelectors ?? [] }
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
