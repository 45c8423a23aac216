/** Narrows a Service to what it asks for: the annotations and fields this program honours. */
import { formatAddress, parseAddress } from '../net/address.ts'
import type { Address, Family } from '../net/model.ts'
import { trimBlanks } from '../net/range.ts'
import { annotation } from './annotation.ts'
import {
  addProblem, type At, describeValue, field, type Fields, isFields, readFields, readList, readText,
} from './fields.ts'
import type { FamilyPolicy, Intent, IntentRefusal, Port } from './model.ts'
import { serviceAnnotations } from './names.ts'
import { annotationsOf, labelsOf, metadataText, partOf, type RawObject } from './object.ts'
import { suggest } from './suggest.ts'

interface Refused {
  readonly reason: IntentRefusal
  readonly message: string
}

/** The intent of a Service, or undefined with problems about fields of the wrong type. */
export function readIntent(object: RawObject, order: number): Intent | undefined {
  const before = object.at.findings.problems.length
  const at = field(object.at, 'spec')
  const spec = partOf(object, 'spec') ?? {}
  const annotations = annotationsOf(object)
  const namespace = object.namespace === '' ? 'default' : object.namespace
  const ports = readList(spec['ports'], field(at, 'ports'), readPort)
  const policy = readWord(spec['ipFamilyPolicy'], field(at, 'ipFamilyPolicy'), familyPolicies) ??
    'SingleStack'
  const trafficPolicy = readWord(
    spec['externalTrafficPolicy'], field(at, 'externalTrafficPolicy'), trafficPolicies,
  ) ?? 'Cluster'
  const byField = readText(spec['loadBalancerIP'], field(at, 'loadBalancerIP')) ?? ''
  const requested = readRequested(annotation(annotations, serviceAnnotations.requested) ?? '', byField)
  const cluster = readClusterFamilies(spec, at)
  const addresses = 'reason' in requested ? [] : requested.addresses
  const families = familiesOf({ cluster, spec, policy, addresses })
  const sharing = annotation(annotations, serviceAnnotations.sharing)
  const createdAtMs = Date.parse(metadataText(object, 'creationTimestamp'))
  const selector = readFields(spec['selector'], field(at, 'selector'))
  const intent: Intent = {
    key: `${namespace}/${object.name}`,
    namespace,
    name: object.name,
    uid: metadataText(object, 'uid') || undefined,
    isLoadBalancer: readWord(spec['type'], field(at, 'type'), serviceTypes) === 'LoadBalancer',
    loadBalancerClass: readText(spec['loadBalancerClass'], field(at, 'loadBalancerClass')),
    labels: labelsOf(object),
    createdAtMs: Number.isNaN(createdAtMs) ? undefined : createdAtMs,
    order,
    families,
    policy,
    requested: addresses,
    requestedPool: annotation(annotations, serviceAnnotations.pool) || undefined,
    sharingKey: sharing ?? '',
    hasSharingKey: sharing !== undefined,
    backendKey: trafficPolicy === 'Local' ? `Local ${renderSelector(selector ?? {})}` : '',
    ports,
    trafficPolicy,
    held: readHeld(object),
    allocatedFromPool: annotation(annotations, serviceAnnotations.allocated) || undefined,
    refusal: findRefusal({ cluster, policy, requested, families }),
  }
  return object.at.findings.problems.length > before ? undefined : intent
}

const serviceTypes = ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'] as const
const trafficPolicies = ['Cluster', 'Local'] as const
const familyPolicies = ['SingleStack', 'PreferDualStack', 'RequireDualStack'] as const
const protocols = ['TCP', 'UDP', 'SCTP'] as const

/** One of `words`; absent and empty are undefined, anything else is a problem. */
function readWord<T extends string>(value: unknown, at: At, words: readonly T[]): T | undefined {
  const text = readText(value, at)
  if (text === undefined || text === '') return undefined
  const word = words.find((one) => one === text)
  if (word !== undefined) return word
  const meant = suggest(text, words)
  const hint = meant === undefined ? '' : `; did you mean "${meant}"?`
  addProblem(at, 'BadValue', `Want one of ${words.join(', ')}, found "${text}"${hint}`)
  return undefined
}

function readPort(value: unknown, at: At): Port | undefined {
  const fields = readFields(value, at)
  if (fields === undefined) return undefined
  const port = readPortNumber(fields['port'], field(at, 'port'))
  const protocol = readWord(fields['protocol'], field(at, 'protocol'), protocols) ?? 'TCP'
  if (port === undefined) return undefined
  const target = fields['targetPort']
  return {
    name: readText(fields['name'], field(at, 'name')) ?? '',
    protocol,
    port,
    targetPort: typeof target === 'number' || typeof target === 'string' ? target : undefined,
    nodePort: typeof fields['nodePort'] === 'number' ? fields['nodePort'] : undefined,
  }
}

/** A port from 1 to 65535; anything else is a problem. */
export function readPortNumber(value: unknown, at: At): number | undefined {
  const isPort = typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 65_536
  if (isPort) return value
  addProblem(at, 'BadValue', `Want a port from 1 to 65535, found ${describeValue(value)}`)
  return undefined
}

/** Families of the cluster addresses; undefined when the object does not show any yet. */
function readClusterFamilies(spec: Fields, at: At): readonly Family[] | 'none' | undefined {
  const list = readList(spec['clusterIPs'], field(at, 'clusterIPs'), readText)
  const single = readText(spec['clusterIP'], field(at, 'clusterIP')) ?? ''
  const texts = list.length > 0 ? list : single === '' ? [] : [single]
  if (texts.includes('None')) return 'none'
  const families = texts.map((text) => parseAddress(text)?.family)
    .filter((family) => family !== undefined)
  return families.length === 0 ? undefined : [...new Set(families)]
}

/** Of whatever family: an object of a file has none as a rule. */
export function showsClusterIPs({ value: { spec } }: RawObject): boolean {
  if (!isFields(spec)) return false
  const { clusterIP, clusterIPs } = spec
  return (typeof clusterIP === 'string' && clusterIP !== '') ||
    (Array.isArray(clusterIPs) && clusterIPs.length > 0)
}

/** Without cluster addresses: `ipFamilies`, else those asked for, else IPv4; both if dual. */
function familiesOf(given: {
  cluster: readonly Family[] | 'none' | undefined
  spec: Fields
  policy: FamilyPolicy
  addresses: readonly Address[]
}): readonly Family[] {
  const { cluster, spec, policy, addresses } = given
  if (cluster !== undefined && cluster !== 'none') return cluster
  const listed = Array.isArray(spec['ipFamilies']) ? spec['ipFamilies'] : []
  const named = [...new Set(listed.flatMap((name): Family[] =>
    name === 'IPv4' ? ['ipv4'] : name === 'IPv6' ? ['ipv6'] : []
  ))]
  const asked = [...new Set(addresses.map((address) => address.family))]
  const first: readonly Family[] = named.length > 0 ? named : asked.length > 0 ? asked : ['ipv4']
  if (policy === 'SingleStack' || first.length > 1) return first
  return first[0] === 'ipv6' ? ['ipv6', 'ipv4'] : ['ipv4', 'ipv6']
}

type Requested = { readonly addresses: readonly Address[] } | Refused

/** Addresses asked for by annotation or by `spec.loadBalancerIP`, not by both (MetalLB 0.12+). */
function readRequested(byAnnotation: string, byField: string): Requested {
  if (byAnnotation !== '' && byField !== '') {
    const message = 'service can not have both metallb.io/loadBalancerIPs and spec.loadBalancerIP'
    return { reason: 'conflictingRequest', message }
  }
  const parts = byField === '' ? byAnnotation.split(',').map(trimBlanks) : [byField]
  if (byAnnotation === '' && byField === '') return { addresses: [] }
  const parsed = parts.map(parseAddress)
  const addresses = parsed.filter((address) => address !== undefined)
  if (addresses.length < parsed.length) {
    const message = byField === ''
      ? `invalid metallb.io/loadBalancerIPs: "${byAnnotation}"`
      : `invalid spec.loadBalancerIP "${byField}"`
    return { reason: 'badRequestedAddress', message }
  }
  const families = new Set(addresses.map((address) => address.family))
  if (families.size < addresses.length) {
    const list = addresses.map((address) => `"${formatAddress(address)}"`).join(' ')
    return { reason: 'tooManyRequested', message: `at most one address of each family: [${list}]` }
  }
  return { addresses }
}

function findRefusal(given: {
  cluster: readonly Family[] | 'none' | undefined
  policy: FamilyPolicy
  requested: Requested
  families: readonly Family[]
}): Refused | undefined {
  const { cluster, policy, requested, families } = given
  if (cluster === 'none') {
    const message = 'a headless Service (clusterIP: None) gets no load balancer address'
    return { reason: 'noClusterIP', message }
  }
  if (policy === 'RequireDualStack' && families.length < 2) {
    const message = 'Service requires dual stack but has one cluster address only'
    return { reason: 'notEnoughClusterIPs', message }
  }
  if ('reason' in requested) return requested
  const asked = requested.addresses.map((address) => address.family)
  const isSame = asked.length === families.length && asked.every((one) => families.includes(one))
  if (asked.length > 0 && !isSame) {
    const list = requested.addresses.map((address) => `"${formatAddress(address)}"`).join(' ')
    const message = `requested loadBalancer IP(s) [${list}] does not match the ipFamily of the ` +
      `service, which is ${families.join(' and ')}`
    return { reason: 'requestedFamilyMismatch', message }
  }
  return undefined
}

/** `a=1,b=2`, sorted by key: Local sharers must have the same. */
function renderSelector(selector: Fields): string {
  return Object.entries(selector)
    .map(([key, value]) => `${key}=${String(value)}`)
    .toSorted()
    .join(',')
}

/** Addresses of the status, as the cluster wrote them; others' notes there are not our problem. */
function readHeld(object: RawObject): readonly Address[] {
  const status = object.value['status']
  const balancer = isFields(status) ? status['loadBalancer'] : undefined
  const ingress = isFields(balancer) ? balancer['ingress'] : undefined
  if (!Array.isArray(ingress)) return []
  const held: Address[] = []
  for (const entry of ingress) {
    const text: unknown = isFields(entry) ? entry['ip'] : undefined
    const address = typeof text === 'string' ? parseAddress(text) : undefined
    if (address === undefined) continue
    const isNew = !held.some((one) => one.bits === address.bits && one.family === address.family)
    if (isNew) held.push(address)
  }
  return held
}

