/** From texts to one world, or to every problem in them: the only way configuration comes in. */
import {
  type PoolChoice, readAdvertisement, readPoolChoice, type RawAdvertisement, resolvePools,
  warnUnknownPools,
} from './advertisement.ts'
import { annotated, checkAnnotations, requestPaths } from './annotation.ts'
import { readNode, readSlice } from './cluster.ts'
import { isLegacyMap, keepDisjoint, readLegacies } from './configmap.ts'
import {
  addProblem, addWarning, type At, checkKnown, field, type Findings, isSameValue,
} from './fields.ts'
import { readIntent, showsClusterIPs } from './intent.ts'
import { group, type Role, roleOf } from './kind.ts'
import type { Legacy } from './legacy.ts'
import type {
  Advertisement, Config, Endpoint, Labels, PlacedService, Pool, Problem, Reading, Source, World,
} from './model.ts'
import { labelKeys } from './names.ts'
import { type BareLegacy, checkNamed, labelsOf, type RawObject, readObjects } from './object.ts'
import { choosesNamespaces, type RawPool, readPool, reportOverlaps } from './pool.ts'
import { warnSlice } from './slice.ts'
import { parseDocuments } from './yaml.ts'

export interface ReadOptions {
  /** Release namespace; without it, the one that the configuration objects share. */
  readonly namespace?: string
}

/** Where configuration lives when nobody says otherwise. */
export const defaultNamespace = 'metallb-system'
/** A misspelt `spec` would silently mean the default of everything. */
const topFields = ['apiVersion', 'kind', 'metadata', 'spec', 'status']

export type ByRole = ReadonlyMap<Role, readonly RawObject[]>

/**
 * Reads everything, collects every problem; `world` is there iff there is none. The order of
 * sources does not matter beyond which of two conflicting objects is named.
 */
export function readWorld(sources: readonly Source[], options: ReadOptions = {}): Reading {
  const findings: Findings = { problems: [], warnings: [] }
  const { objects, legacy } = readContents(sources, findings)
  const byRole = sortByRole(objects, options.namespace)
  const config = readConfig(byRole, legacy)
  for (const role of annotated) for (const object of of(byRole, role)) checkAnnotations(object, role)
  const placed = placeServices(byRole)
  const nodes = of(byRole, 'node').map(readNode)
  const slices = of(byRole, 'slice')
  const serviceKeys = new Set(placed.map(({ intent }) => intent.key))
  for (const object of slices) warnSlice(object, serviceKeys)
  const world: World = {
    config,
    services: placed.map(({ intent }) => intent).toSorted((a, b) => compareText(a.key, b.key)),
    nodes: nodes.toSorted((a, b) => compareText(a.name, b.name)),
    endpoints: slices.length === 0 ? undefined : mergeSlices(slices),
  }
  const files = new Map(sources.map(({ file }, i) => [file, i]))
  const place = ({ file, document }: Problem): number => (files.get(file) ?? 0) * 1e9 + document
  const inOrder = (list: readonly Problem[]): readonly Problem[] =>
    list.toSorted((a, b) => place(a) - place(b))
  const problems = inOrder(findings.problems)
  const warnings = inOrder(findings.warnings)
  return {
    world: problems.length === 0 ? world : undefined, config, services: placed, problems, warnings,
  }
}

function placeServices(byRole: ByRole): readonly PlacedService[] {
  const areLabelsAsked = of(byRole, 'pool').some(choosesNamespaces)
  const shown = new Set(of(byRole, 'namespace').map(({ name }) => name))
  return of(byRole, 'service').flatMap((object, order) => {
    const intent = readIntent(object, order)
    if (intent === undefined) return []
    const { file, document, object: name } = object.at
    const namespace = areLabelsAsked && !shown.has(intent.namespace)
    const unseen = { clusterIPs: !showsClusterIPs(object), namespace }
    return [{ intent, file, document, object: name, paths: requestPaths(object), unseen }]
  })
}

/** The objects and bare legacy texts of all sources, in their order; what cannot be read is found. */
export function readContents(
  sources: readonly Source[], findings: Findings,
): { objects: readonly RawObject[]; legacy: readonly BareLegacy[] } {
  const objects: RawObject[] = []
  const legacy: BareLegacy[] = []
  for (const source of sources) {
    const { file } = source
    const parsed = parseDocuments(source)
    for (const { document, reason, message } of parsed.problems) {
      findings.problems.push({ file, document, object: '', path: '', reason, message })
    }
    for (const document of parsed.documents) {
      const contents = readObjects(findings, file, document)
      // One push per object: spreading 10,000 arguments can overflow the stack.
      for (const object of contents.objects) objects.push(object)
      for (const bare of contents.legacy) legacy.push(bare)
    }
  }
  return { objects, legacy }
}

/** The objects that mean something here, each under its role; the others are found or left out. */
export function sortByRole(objects: readonly RawObject[], namespace: string | undefined): ByRole {
  const release = namespace ?? releaseNamespace(objects)
  const seen = new Map<string, RawObject>()
  const byRole = new Map<Role, RawObject[]>()
  for (const object of objects) {
    const role = roleOf(object)
    if (role === undefined || (role === 'configMap' && !isLegacyMap(object, release))) continue
    if (!checkNamed(object) || isElsewhere(object, role, release)) continue
    if (isCopy(object, seen, release)) continue
    if (object.group === group) checkKnown(object.value, topFields, object.at)
    const list = byRole.get(role)
    if (list === undefined) byRole.set(role, [object])
    else list.push(object)
  }
  return byRole
}

function isConfigMap(object: RawObject): boolean {
  return object.group === '' && object.kind === 'ConfigMap'
}

/** `metallb-system` if any configuration object is there, else the one namespace they share. */
function releaseNamespace(objects: readonly RawObject[]): string {
  const ours = objects.filter((object) => object.group === group ||
    (isConfigMap(object) && isLegacyMap(object, defaultNamespace)))
  const names = new Set(ours.map((object) => object.namespace))
  names.delete('')
  const [first] = names
  return names.size === 1 && first !== undefined ? first : defaultNamespace
}

/** Configuration outside the release namespace is invisible in a cluster: ignored, with a warning. */
function isElsewhere(object: RawObject, role: Role, release: string): boolean {
  const { namespace } = object
  if (namespace === '' || namespace === release) return false
  if (object.group !== group && role !== 'configMap') return false
  const message = `${object.kind} is ignored: configuration is read from namespace "${release}" only`
  addWarning(field(object.at, 'metadata.namespace'), 'ForeignNamespace', message)
  return true
}

/** The same object twice is one; two that differ under one name are a problem. */
function isCopy(object: RawObject, seen: Map<string, RawObject>, release: string): boolean {
  const fallback = object.group === group || isConfigMap(object) ? release : 'default'
  const namespace = object.namespace === '' ? fallback : object.namespace
  const key = `${object.group}/${object.kind}/${namespace}/${object.name}`
  const other = seen.get(key)
  if (other === undefined) {
    seen.set(key, object)
    return false
  }
  if (!isSameValue(other.value, object.value)) {
    const { file, document } = other.at
    const message = `${object.at.object} is defined differently in ${file}, document ${document}: ` +
      'keep one'
    addProblem(field(object.at, 'metadata.name'), 'DuplicateName', message)
  }
  return true
}

/**
 * Labels of the namespaces there are: those with an object, and those of Services, which exist in
 * a cluster too. The API server labels each with its name.
 */
function readNamespaces(byRole: ByRole): ReadonlyMap<string, Labels> {
  const named = of(byRole, 'service').map(({ namespace }) => namespace || 'default')
  const namespaces = new Map<string, Labels>(named.map((name) => [name, { [labelKeys.namespaceName]: name }]))
  for (const object of of(byRole, 'namespace')) {
    namespaces.set(object.name, { [labelKeys.namespaceName]: object.name, ...labelsOf(object) })
  }
  return namespaces
}

function of(byRole: ByRole, role: Role): readonly RawObject[] {
  return byRole.get(role) ?? []
}

/** Pools and advertisements of all sources, settled beside each other. */
export function readConfig(byRole: ByRole, bare: readonly BareLegacy[]): Config {
  const namespaces = readNamespaces(byRole)
  const crdPools = of(byRole, 'pool').map((object) => readPool(object, namespaces))
  const raws = of(byRole, 'advertisement').map(readAdvertisement)
  const bgpChoices = of(byRole, 'bgpAdvertisement').map(readPoolChoice)
  const legacy = readLegacies(of(byRole, 'configMap'), bare)
  const legacyPools = keepDisjoint(legacy, crdPools)
  const pools = [...crdPools, ...legacyPools]
  reportOverlaps(pools.flatMap((raw) => raw.entries))
  return buildConfig({ pools: pools.map((raw) => raw.pool), raws, bgpChoices, legacy, crdPools })
}

interface Parts {
  readonly pools: readonly Pool[]
  readonly raws: readonly RawAdvertisement[]
  readonly bgpChoices: readonly PoolChoice[]
  readonly legacy: readonly Legacy[]
  readonly crdPools: readonly RawPool[]
}

function buildConfig(parts: Parts): Config {
  const pools = parts.pools.toSorted((a, b) => compareText(a.name, b.name))
  const names = new Set(pools.map((pool) => pool.name))
  for (const raw of parts.raws) warnUnknownPools(raw, pools)
  const crdNames = new Set(parts.crdPools.map((raw) => raw.pool.name))
  const isLegacy = (name: string): boolean => names.has(name) && !crdNames.has(name)
  const fromCrds = parts.raws.map((raw) => ({ ...raw.rest, pools: resolvePools(raw.choice, pools) }))
  const fromLegacy = parts.legacy.flatMap(({ layer2 }) => layer2).filter(isLegacy).map(advertiseAll)
  const advertisements = [...fromCrds, ...fromLegacy]
  const advertised = new Set(advertisements.flatMap((one) => [...one.pools]))
  const byBgp = new Set([
    ...parts.bgpChoices.flatMap((choice) => [...resolvePools(choice, pools)]),
    ...parts.legacy.flatMap(({ bgp }) => bgp).filter(isLegacy),
  ])
  const bgpOnlyPools = new Set([...byBgp].filter((name) => !advertised.has(name)))
  warnUnadvertised(parts, advertised, bgpOnlyPools)
  return {
    pools,
    advertisements: advertisements.toSorted((a, b) => compareText(a.name, b.name)),
    bgpOnlyPools,
  }
}

/** A legacy `layer2` pool is announced on all nodes and interfaces. */
function advertiseAll(pool: string): Advertisement {
  return {
    name: pool,
    pools: new Set([pool]),
    nodeSelectors: [],
    interfaces: [],
    serviceSelectors: [],
    preferred: [],
  }
}

function warnUnadvertised(
  parts: Parts, advertised: ReadonlySet<string>, bgpOnly: ReadonlySet<string>,
): void {
  const places = new Map<string, At>()
  const legacy = parts.legacy.flatMap(({ pools }) => pools)
  for (const raw of [...parts.crdPools, ...legacy]) {
    const at = raw.entries[0]?.at
    if (at !== undefined) places.set(raw.pool.name, { ...at, path: '' })
  }
  for (const { name } of parts.pools) {
    const at = places.get(name)
    if (advertised.has(name) || at === undefined) continue
    const message = bgpOnly.has(name)
      ? `Pool "${name}" is advertised by BGP only, which this program does not speak: its ` +
        'addresses are assigned and announced by nobody; add an L2Advertisement'
      : `No L2Advertisement selects pool "${name}": its addresses are announced by nobody`
    addWarning(at, 'NotAdvertised', message)
  }
}

function mergeSlices(slices: readonly RawObject[]): ReadonlyMap<string, readonly Endpoint[]> {
  const merged = new Map<string, Endpoint[]>()
  for (const object of slices) {
    const { service, endpoints } = readSlice(object)
    if (service === undefined) continue
    const list = merged.get(service)
    if (list === undefined) merged.set(service, [...endpoints])
    else for (const endpoint of endpoints) list.push(endpoint)
  }
  return merged
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

