/** IPAddressPool objects to pools: every field, every way to get it wrong. */
import { parseAddress } from '../net/address.ts'
import type { Range } from '../net/model.ts'
import { rangesOverlap, trimBlanks } from '../net/range.ts'
import { entryShape, type Placed, readRange } from './entry.ts'
import { addProblem, type At, field, isFields, keyed, readList } from './fields.ts'
import type { Allocation, Labels, Pool, Selector } from './model.ts'
import { annotationKeys } from './names.ts'
import { annotationsOf, labelsOf, partOf, type RawObject } from './object.ts'
import { matches, selectors } from './selector.ts'
import { flag, list, mapping, names, needed, type ValueOf, whole } from './shape.ts'

/** One entry of `addresses` of a pool. */
export interface Entry extends Placed {
  readonly pool: string
}

export interface RawPool {
  readonly pool: Pool
  readonly entries: readonly Entry[]
}

/** Labels of a namespace, for namespace selectors. */
export type Namespaces = ReadonlyMap<string, Labels>

const noAddresses = 'A pool needs at least one entry, for example 192.0.2.10-192.0.2.20'
const maxPriority = 2 ** 31 - 1

const allocationShape = mapping<{
  priority: number
  namespaces: readonly string[]
  namespaceSelectors: readonly Selector[]
  serviceSelectors: readonly Selector[]
}>({
  priority: whole({
    description: 'A smaller number is preferred; 0, or none, comes last.', min: 0, max: maxPriority,
  }),
  namespaces: names({ description: 'Namespaces whose Services may have addresses.', max: 256 }),
  namespaceSelectors: selectors('Namespaces with these labels, beside those named.'),
  serviceSelectors: selectors('Services with these labels; none means every Service.'),
}, { description: 'For whom the pool is; without it, for everyone.' })

/** What `spec` may say. */
export const poolShape = needed(mapping<{
  addresses: readonly Placed[]
  autoAssign: boolean
  avoidBuggyIPs: boolean
  serviceAllocation: ValueOf<typeof allocationShape>
}>({
  addresses: needed(
    list(entryShape, { description: 'Networks and ranges; earlier ones are given out first.', max: 1_000 }),
    noAddresses, { isFilled: true },
  ),
  autoAssign: flag({
    description: 'Whether Services get addresses that do not ask for the pool.', fallback: true,
  }),
  avoidBuggyIPs: flag({
    description: 'Whether IPv4 addresses that end in .0 or .255 are left out.', fallback: false,
  }),
  serviceAllocation: allocationShape,
}, { description: 'Addresses, and who may have them.' }), noAddresses)

/** The pool as far as it could be read; what could not is a problem. */
export function readPool(object: RawObject, namespaces: Namespaces): RawPool {
  const at = field(object.at, 'spec')
  const spec = partOf(object, 'spec') ?? {}
  const { addresses = [], autoAssign, avoidBuggyIPs, serviceAllocation } = poolShape.read(spec, at) ?? {}
  const entries = addresses.map((entry) => ({ ...entry, pool: object.name }))
  const allocation = serviceAllocation === undefined
    ? undefined
    : resolveAllocation(serviceAllocation, namespaces)
  const labels = labelsOf(object)
  const excluded = readExcluded(annotationsOf(object)[annotationKeys.exclude], object)
  const pool: Pool = {
    name: object.name,
    ranges: entries.map((entry) => entry.range),
    excluded,
    autoAssign: autoAssign ?? true,
    avoidBuggyIPs: avoidBuggyIPs ?? false,
    labels,
    allocation,
  }
  return { pool, entries }
}

/** The list `addresses` of a pool; an empty one is a problem. Shared with the legacy format. */
export function readEntries(
  value: unknown, context: { at: At; pool: string },
): readonly Entry[] {
  const { at, pool } = context
  if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) {
    addProblem(at, 'MissingField', noAddresses)
    return []
  }
  return readList(value, at, entryShape.read).map((entry) => ({ ...entry, pool }))
}

function readExcluded(text: string | undefined, object: RawObject): readonly Range[] {
  if (text === undefined) return []
  const at = keyed(field(object.at, 'metadata.annotations'), annotationKeys.exclude)
  const parts = text.split(',').map(trimBlanks).filter((part) => part !== '')
  return parts.flatMap((part) => {
    // A bare address is what people write here; elsewhere MetalLB's grammar forbids it.
    const address = parseAddress(part)
    if (address !== undefined) {
      return [{ family: address.family, first: address.bits, last: address.bits }]
    }
    return readRange(part, at) ?? []
  })
}

/** Whether labels of namespaces count; what is wrong with them is told by `readPool`. */
export function choosesNamespaces({ value }: RawObject): boolean {
  const { spec } = value
  const allocation = isFields(spec) ? spec['serviceAllocation'] : undefined
  const chosen = isFields(allocation) ? allocation['namespaceSelectors'] : undefined
  return Array.isArray(chosen) && chosen.length > 0
}

/**
 * Named namespaces and those that match. Selectors that match none restrict to none; MetalLB
 * lifts the restriction then, which nobody can want.
 */
function resolveAllocation(
  found: ValueOf<typeof allocationShape>, namespaces: Namespaces,
): Allocation {
  const { priority = 0, namespaces: named = [], namespaceSelectors = [], serviceSelectors = [] } = found
  const isOpen = named.length === 0 && namespaceSelectors.length === 0
  const matched = [...namespaces]
    .filter(([, labels]) => namespaceSelectors.some((selector) => matches(selector, labels)))
    .map(([name]) => name)
  return { priority, namespaces: isOpen ? undefined : new Set([...named, ...matched]), serviceSelectors }
}

/** A problem for each entry that overlaps an earlier one, naming both. */
export function reportOverlaps(entries: readonly Entry[]): void {
  for (const { entry, other } of findOverlaps(entries)) {
    addProblem(entry.at, 'Overlap', describeOverlap(entry, other))
  }
}

/** Entries that overlap an earlier one, with that one; linear after sorting. */
function findOverlaps(
  entries: readonly Entry[],
): readonly { readonly entry: Entry; readonly other: Entry }[] {
  const order = new Map(entries.map((entry, i) => [entry, i]))
  const sorted = entries.toSorted((a, b) => compareStarts(a.range, b.range))
  const overlaps: { entry: Entry; other: Entry }[] = []
  let widest: Entry | undefined
  for (const entry of sorted) {
    const touches = widest !== undefined && widest.range.family === entry.range.family &&
      entry.range.first <= widest.range.last
    if (touches && widest !== undefined) {
      const isLater = (order.get(entry) ?? 0) > (order.get(widest) ?? 0)
      overlaps.push(isLater ? { entry, other: widest } : { entry: widest, other: entry })
    }
    if (!touches || widest === undefined || entry.range.last > widest.range.last) widest = entry
  }
  return overlaps
}

/** Finds the one of `entries` that a range overlaps; they must be disjoint. Logarithmic. */
export function overlapFinder(entries: readonly Entry[]): (range: Range) => Entry | undefined {
  const sorted = entries.toSorted((a, b) => compareStarts(a.range, b.range))
  return (range) => {
    const end = { ...range, first: range.last }
    let low = 0
    let high = sorted.length
    while (low < high) {
      const middle = (low + high) >> 1
      const entry = sorted[middle]
      if (entry !== undefined && compareStarts(entry.range, end) <= 0) low = middle + 1
      else high = middle
    }
    const nearest = sorted[low - 1]
    return nearest !== undefined && rangesOverlap(nearest.range, range) ? nearest : undefined
  }
}

function compareStarts(a: Range, b: Range): number {
  if (a.family !== b.family) return a.family < b.family ? -1 : 1
  return a.first < b.first ? -1 : a.first > b.first ? 1 : 0
}

/** The sentence about two entries that overlap, with the words MetalLB's users know. */
export function describeOverlap(entry: Entry, other: Entry): string {
  const where = other.pool === entry.pool ? 'the same pool' : `pool "${other.pool}" (${other.at.file})`
  return `CIDR "${entry.text}" in pool "${entry.pool}" overlaps with already defined CIDR ` +
    `"${other.text}" of ${where}`
}
