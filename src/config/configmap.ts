/** Finds legacy configuration in ConfigMaps and in bare text, and settles it beside custom resources. */
import { addProblem, addWarning, field, isFields } from './fields.ts'
import { type Legacy, readLegacy } from './legacy.ts'
import type { BareLegacy, RawObject } from './object.ts'
import { describeOverlap, overlapFinder, type RawPool } from './pool.ts'
import { parseDocuments } from './yaml.ts'

/** Name and key that MetalLB up to 0.12 read. */
const legacyName = 'config'
const legacyKey = 'config'
const legacyWord = /^(address-pools|peers|bgp-communities|bfd-profiles)[ \t]*:/m

/**
 * Whether a ConfigMap holds a legacy configuration: its key `config` speaks of address pools, or
 * it is the one that MetalLB read, `config` in the release namespace.
 */
export function isLegacyMap(object: RawObject, release: string): boolean {
  const content = object.value['data']
  if (!isFields(content) || !Object.hasOwn(content, legacyKey)) return false
  const text = content[legacyKey]
  const isHome = object.namespace === '' || object.namespace === release
  if (object.name === legacyName && isHome) return true
  return typeof text === 'string' && legacyWord.test(text)
}

/** All legacy texts of the input. A pool name that two of them define is a problem. */
export function readLegacies(
  maps: readonly RawObject[], bare: readonly BareLegacy[],
): readonly Legacy[] {
  const seen = new Set<string>()
  const fromMaps = maps.flatMap((object) => readConfigMap(object, seen) ?? [])
  return [...fromMaps, ...bare.map(({ at, value }) => readLegacy(value, at, seen))]
}

function readConfigMap(object: RawObject, seen: Set<string>): Legacy | undefined {
  const text = parseConfigMap(object)
  return text === undefined ? undefined : readLegacy(text.value, text.at, seen)
}

/** The configuration inside a ConfigMap; undefined if it is empty or, with problems, broken. */
export function parseConfigMap(object: RawObject): BareLegacy | undefined {
  const content = object.value['data']
  const text = isFields(content) ? content[legacyKey] : undefined
  const at = field(field(object.at, 'data'), legacyKey)
  if (typeof text !== 'string') {
    addProblem(at, 'BadType', 'Want the legacy configuration as text: write `config: |`')
    return undefined
  }
  const parsed = parseDocuments({ file: object.at.file, bytes: new TextEncoder().encode(text) })
  for (const { reason, message } of parsed.problems) addProblem(at, reason, message)
  const value = parsed.documents[0]?.value
  // As in MetalLB 0.12, an empty text is a valid configuration without pools.
  if (parsed.problems.length > 0 || value === undefined || value === null) return undefined
  if (isFields(value)) return { at, value }
  addProblem(at, 'BadType', 'Want a mapping with `address-pools`')
  return undefined
}

/**
 * Legacy pools beside those from custom resources: clusters keep dead ConfigMaps, so one that
 * overlaps or repeats a name is ignored with a warning.
 */
export function keepDisjoint(
  legacies: readonly Legacy[], crdPools: readonly RawPool[],
): readonly RawPool[] {
  const pools = legacies.flatMap((legacy) => legacy.pools)
  if (crdPools.length === 0) return pools
  const names = new Set(crdPools.map((raw) => raw.pool.name))
  const findOverlapped = overlapFinder(crdPools.flatMap((raw) => raw.entries))
  return pools.filter((raw) => {
    const { name } = raw.pool
    const clash = raw.entries.map((entry) => ({ entry, other: findOverlapped(entry.range) }))
      .find(({ other }) => other !== undefined)
    if (!names.has(name) && clash?.other === undefined) return true
    const why = clash?.other === undefined
      ? `there is an IPAddressPool "${name}"`
      : describeOverlap(clash.entry, clash.other)
    const at = clash?.entry.at ?? raw.entries[0]?.at
    if (at !== undefined) addWarning(at, 'IgnoredPool', `The legacy pool is ignored: ${why}`)
    return false
  })
}
