/** Legacy configuration (MetalLB up to 0.12) to manifests of custom resources, or why it cannot be. */
import { isLegacyMap, parseConfigMap } from './configmap.ts'
import {
  addProblem, addWarning, type At, field, type Fields, type Findings, isFields, item,
} from './fields.ts'
import { readLegacy } from './legacy.ts'
import type { Problem, Source } from './model.ts'
import type { BareLegacy, RawObject } from './object.ts'
import { reportOverlaps } from './pool.ts'
import { defaultNamespace, readContents, type ReadOptions } from './read.ts'
import { isDnsSubdomain } from './selector.ts'

export interface Manifest {
  readonly apiVersion: 'metallb.io/v1beta1'
  readonly kind: 'IPAddressPool' | 'L2Advertisement'
  readonly metadata: { readonly name: string; readonly namespace: string }
  readonly spec: Fields
}

export interface Conversion {
  /** Pools in their order, then one advertisement for each layer2 pool. Empty if there are problems. */
  readonly manifests: readonly Manifest[]
  readonly problems: readonly Problem[]
  /** What is not carried over, and which pools change their name. */
  readonly warnings: readonly Problem[]
}

/** One legacy text with the namespace its objects go to. */
interface Text extends BareLegacy {
  readonly namespace: string
}

/** A pool on its way: `name` can be that of an object. */
interface NamedPool {
  readonly name: string
  readonly given: string
  readonly namespace: string
  readonly isLayer2: boolean
  readonly raw: Fields
  readonly at: At
}

/**
 * The manifests that say what the legacy texts said. All ConfigMaps that hold one are taken, and
 * bare text; BGP parts and other objects are reported, not converted. Nothing half done: any
 * problem leaves no manifests.
 */
export function convertLegacy(sources: readonly Source[], options: ReadOptions = {}): Conversion {
  const findings: Findings = { problems: [], warnings: [] }
  const texts = readTexts(sources, options, findings)
  const seen = new Set<string>()
  const legacies = texts.map((text) => ({ text, legacy: readLegacy(text.value, text.at, seen) }))
  reportOverlaps(legacies.flatMap(({ legacy }) => legacy.pools.flatMap((pool) => pool.entries)))
  const named = findings.problems.length > 0
    ? []
    : legacies.flatMap(({ text, legacy }) => namePools(text, new Set(legacy.layer2)))
  checkDistinct(named)
  const { problems, warnings } = findings
  return { manifests: problems.length > 0 ? [] : buildManifests(named), problems, warnings }
}

function readTexts(
  sources: readonly Source[], options: ReadOptions, findings: Findings,
): readonly Text[] {
  const { objects, legacy } = readContents(sources, findings)
  const fallback = options.namespace ?? defaultNamespace
  const maps = objects.filter((object) => isLegacyMap(object, object.namespace))
  const texts = maps.flatMap((object): readonly Text[] => {
    const before = findings.problems.length
    const parsed = parseConfigMap(object)
    if (parsed !== undefined) {
      return [{ ...parsed, namespace: options.namespace ?? (object.namespace || fallback) }]
    }
    if (findings.problems.length === before) addEmpty(object)
    return []
  })
  const bare = legacy.map((text) => ({ ...text, namespace: fallback }))
  const others = objects.filter((object) => !maps.includes(object))
  if (maps.length + bare.length === 0) addNothing(sources[0]?.file ?? '', others, findings)
  else others.forEach(warnLeftOut)
  return [...texts, ...bare]
}

function addEmpty(object: RawObject): void {
  const message = 'The ConfigMap holds no configuration: want `address-pools` in its key `config`'
  addProblem(field(object.at, 'data.config'), 'MissingField', message)
}

/** Broken input is told by its own problems; only input that parses is told what it lacks. */
function addNothing(file: string, others: readonly RawObject[], findings: Findings): void {
  if (findings.problems.length > 0) return
  const map = others.find(({ group, kind }) => group === '' && kind === 'ConfigMap')
  if (map !== undefined) return addEmpty(map)
  const at: At = { findings, file, document: 1, object: '', path: '' }
  const message = 'Found no legacy configuration: want a ConfigMap with the key `config`, or its text'
  addProblem(at, 'NotAnObject', message)
}

function warnLeftOut(object: RawObject): void {
  const message = `${object.kind} is no legacy configuration: it is left out of the output`
  addWarning(object.at, 'ForeignKind', message)
}

/** The pools of a text that has no problems, under names that objects can have. */
function namePools(text: Text, layer2: ReadonlySet<string>): readonly NamedPool[] {
  const list = text.value['address-pools']
  const raws: readonly unknown[] = Array.isArray(list) ? list : []
  return raws.flatMap((raw, i) => {
    const given = isFields(raw) ? raw['name'] : undefined
    if (!isFields(raw) || typeof given !== 'string') return []
    const at = item(field(text.at, 'address-pools'), i)
    const name = formatName(given)
    if (name === undefined) {
      addProblem(field(at, 'name'), 'BadValue', `"${given}" has no letter to make an object's name of`)
      return []
    }
    if (name !== given) {
      const message = `Pool "${given}" is now "${name}": change the annotation address-pool of ` +
        'Services that name it'
      addWarning(field(at, 'name'), 'Renamed', message)
    }
    const isLayer2 = layer2.has(given)
    if (!isLayer2) {
      const message = `Pool "${given}" was advertised by BGP, which this program does not speak: it ` +
        'is written without an advertisement'
      addWarning(field(at, 'protocol'), 'NotAdvertised', message)
    }
    return [{ name, given, namespace: text.namespace, isLayer2, raw, at }]
  })
}

const nameBytes = 63
const keptName = /^[a-z][-a-z0-9]{0,61}[a-z0-9]$/

/**
 * The name as that of an object: cut to 63 bytes, in lower case, from its first letter on; undefined
 * without any. MetalLB's converter leaves other characters, which the API server then refuses; here
 * they become dashes.
 */
export function formatName(name: string): string | undefined {
  if (keptName.test(name)) return name
  const bytes = new TextEncoder().encode(name).subarray(0, nameBytes)
  const lower = new TextDecoder().decode(bytes).toLowerCase().replaceAll('_', '-')
  const start = lower.search(/[a-z]/)
  if (start === -1) return undefined
  const plain = lower.slice(start)
  return isDnsSubdomain(plain) ? plain : plain.replaceAll(/[^a-z0-9]/g, '-').replace(/-+$/, '')
}

/** Different names can become equal: one of them has to be changed by hand. */
function checkDistinct(pools: readonly NamedPool[]): void {
  const seen = new Map<string, NamedPool>()
  for (const pool of pools) {
    const key = `${pool.namespace}/${pool.name}`
    const other = seen.get(key)
    seen.set(key, pool)
    if (other === undefined) continue
    const message = `Pools "${other.given}" and "${pool.given}" would both be called ` +
      `"${pool.name}": rename one`
    addProblem(field(pool.at, 'name'), 'DuplicateName', message)
  }
}

function buildManifests(pools: readonly NamedPool[]): readonly Manifest[] {
  const layer2 = pools.filter((pool) => pool.isLayer2)
  return [
    ...pools.map((pool) => manifest('IPAddressPool', pool.name, pool.namespace, {
      addresses: pool.raw['addresses'],
      ...carry(pool.raw, 'auto-assign', 'autoAssign'),
      ...carry(pool.raw, 'avoid-buggy-ips', 'avoidBuggyIPs'),
    })),
    ...layer2.map((pool, i) => manifest('L2Advertisement', `l2advertisement${i + 1}`, pool.namespace, {
      ipAddressPools: [pool.name],
    })),
  ]
}

function carry(raw: Fields, from: string, to: string): Fields {
  const value = raw[from]
  return value === undefined || value === null ? {} : { [to]: value }
}

function manifest(
  kind: Manifest['kind'], name: string, namespace: string, spec: Fields,
): Manifest {
  return { apiVersion: 'metallb.io/v1beta1', kind, metadata: { name, namespace }, spec }
}
