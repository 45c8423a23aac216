/** IPAddressPool objects to pools: every field, every way to get it wrong. */
import type { Range } from '../net/model.ts'
import { parseAddress } from '../net/address.ts'
import { parseRange, rangesOverlap, trimBlanks } from '../net/range.ts'
import {
  addProblem, type At, checkKnown, field, type Fields, keyed, readBoolean, readFields,
  readInteger, readList, readNames, readText,
} from './fields.ts'
import type { Allocation, Labels, Pool } from './model.ts'
import { annotationsOf, labelsOf, partOf, type RawObject } from './object.ts'
import { matches, readSelectors } from './selector.ts'

/** Comma list in the syntax of `addresses`: never handed out to newcomers. */
export const excludeAnnotation = 'arpeggio.io/exclude'

/** One entry of `addresses` and where it stands, kept for the overlap check. */
export interface Entry {
  readonly pool: string
  readonly text: string
  readonly range: Range
  readonly at: At
}

export interface RawPool {
  readonly pool: Pool
  readonly entries: readonly Entry[]
}

/** Labels of a namespace, for namespace selectors. */
export type Namespaces = ReadonlyMap<string, Labels>

const specFields = ['addresses', 'autoAssign', 'avoidBuggyIPs', 'serviceAllocation']

/** The pool as far as it could be read; what could not is a problem. */
export function readPool(object: RawObject, namespaces: Namespaces): RawPool {
  const at = field(object.at, 'spec')
  const spec = partOf(object, 'spec') ?? {}
  checkKnown(spec, specFields, at)
  const entries = readEntries(spec['addresses'], { at: field(at, 'addresses'), pool: object.name })
  const autoAssign = readBoolean(spec['autoAssign'], field(at, 'autoAssign'))
  const avoidBuggyIPs = readBoolean(spec['avoidBuggyIPs'], field(at, 'avoidBuggyIPs'))
  const allocation = readAllocation(spec['serviceAllocation'], field(at, 'serviceAllocation'), namespaces)
  const labels = labelsOf(object)
  const excluded = readExcluded(annotationsOf(object)[excludeAnnotation], object)
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

const noAddresses = 'A pool needs at least one entry, for example 192.0.2.10-192.0.2.20'

/** The list `addresses` of a pool; an empty one is a problem. Shared with the legacy format. */
export function readEntries(
  value: unknown, context: { at: At; pool: string },
): readonly Entry[] {
  const { at, pool } = context
  if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) {
    addProblem(at, 'MissingField', noAddresses)
    return []
  }
  return readList(value, at, (each, place) => {
    const text = readText(each, place)
    const range = text === undefined ? undefined : readRange(text, place)
    return text === undefined || range === undefined ? undefined : { pool, text, range, at: place }
  })
}

function readRange(text: string, at: At): Range | undefined {
  const parsed = parseRange(text)
  if ('range' in parsed) return parsed.range
  const bare = parseAddress(text.trim())
  const bits = bare?.family === 'ipv6' ? 128 : 32
  const hint = bare === undefined ? '' : `; a single address is written "${text.trim()}/${bits}"`
  addProblem(at, 'BadAddress', `${parsed.message}${hint}`)
  return undefined
}

function readExcluded(text: string | undefined, object: RawObject): readonly Range[] {
  if (text === undefined) return []
  const at = keyed(field(object.at, 'metadata.annotations'), excludeAnnotation)
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

const maxPriority = 2 ** 31 - 1

/** `serviceAllocation`, with namespace selectors resolved against the namespaces there are. */
function readAllocation(
  value: unknown, at: At, namespaces: Namespaces,
): Allocation | undefined {
  const fields = readFields(value, at)
  if (fields === undefined) return undefined
  checkKnown(fields, ['priority', 'namespaces', 'namespaceSelectors', 'serviceSelectors'], at)
  const bounds = { min: 0, max: maxPriority }
  const priority = readInteger(fields['priority'], field(at, 'priority'), bounds) ?? 0
  const serviceSelectors = readSelectors(fields['serviceSelectors'], field(at, 'serviceSelectors'))
  return { priority, namespaces: readNamespaces(fields, at, namespaces), serviceSelectors }
}

/**
 * Named namespaces and those that match. Selectors that match none restrict to none; MetalLB
 * lifts the restriction then, which nobody can want.
 */
function readNamespaces(
  fields: Fields, at: At, namespaces: Namespaces,
): ReadonlySet<string> | undefined {
  const named = readNames(fields['namespaces'], field(at, 'namespaces'))
  const selectors = readSelectors(fields['namespaceSelectors'], field(at, 'namespaceSelectors'))
  if (named.length === 0 && selectors.length === 0) return undefined
  const matched = [...namespaces]
    .filter(([, labels]) => selectors.some((selector) => matches(selector, labels)))
    .map(([name]) => name)
  return new Set([...named, ...matched])
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
