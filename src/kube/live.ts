/** Narrows live objects to the fields that decisions read: nothing else is kept in memory. */
import { readNode, readSlice, type Slice } from '../config/cluster.ts'
import { type Fields, isFields } from '../config/fields.ts'
import { readIntent } from '../config/intent.ts'
import { liveFile } from '../config/live.ts'
import type { ClusterNode, Endpoint, Intent } from '../config/model.ts'
import { annotationKeys, conditionTypes, labelKeys, prefixes } from '../config/names.ts'
import { readObjects, type RawObject } from '../config/object.ts'
import { decodeSilences, type WireSilence } from '../l2/silences.ts'
import { metadataOf, textOf, textsOf } from './object.ts'

/** A Service, with what is compared before its status is written. */
export interface LiveService {
  readonly intent: Intent
  readonly uid: string
  readonly version: string
  /** `status.loadBalancer.ingress[].ip` as written; entries with a host name only are ''. */
  readonly ingress: readonly string[]
  /** The annotation that names the pool, as we write it. */
  readonly pool: string | undefined
  /** Annotation keys under the prefix that MetalLB gave up. */
  readonly deprecated: readonly string[]
  readonly condition: Condition | undefined
}

/** The condition of ours, as far as it is compared. */
export interface Condition {
  readonly status: string
  readonly reason: string
  readonly message: string
  /** RFC 3339 */
  readonly since: string
}

/** undefined for Services that have nothing to do with load balancers. */
export function narrowService(value: Fields): LiveService | undefined {
  const object = identify(value, 'v1', 'Service')
  const intent = object === undefined ? undefined : readIntent(object, 0)
  if (intent === undefined) return undefined
  const metadata = metadataOf(value)
  const annotations = textsOf(metadata['annotations'])
  const ingress = readIngress(value)
  const condition = readCondition(value)
  const pool = annotations[annotationKeys.allocated]
  const isOurs = intent.isLoadBalancer || ingress.length > 0 || pool !== undefined
  if (!isOurs && condition === undefined) return undefined
  return {
    intent,
    uid: textOf(metadata, 'uid'),
    version: textOf(metadata, 'resourceVersion'),
    ingress,
    pool,
    deprecated: Object.keys(annotations).filter((key) => key.startsWith(prefixes[1])),
    condition,
  }
}

function identify(value: Fields, apiVersion: string, kind: string): RawObject | undefined {
  const document = { document: 1, value: asObject(value, apiVersion, kind) }
  return readObjects({ problems: [], warnings: [] }, liveFile, document).objects[0]
}

/** Items of a list do not say what they are; `managedFields` is read by nobody here. */
export function asObject(value: Fields, apiVersion: string, kind: string): Fields {
  const { managedFields: _, ...metadata } = metadataOf(value)
  return { ...value, apiVersion, kind, metadata }
}

function statusOf(value: Fields): Fields {
  return isFields(value['status']) ? value['status'] : {}
}

function readIngress(value: Fields): readonly string[] {
  const balancer = statusOf(value)['loadBalancer']
  const ingress = isFields(balancer) ? balancer['ingress'] : undefined
  if (!Array.isArray(ingress)) return []
  return ingress.map((entry) => isFields(entry) ? textOf(entry, 'ip') : '')
}

function readCondition(value: Fields): Condition | undefined {
  const { conditions } = statusOf(value)
  if (!Array.isArray(conditions)) return undefined
  const found: unknown = conditions.find((one) =>
    isFields(one) && one['type'] === conditionTypes.announced
  )
  if (!isFields(found)) return undefined
  return {
    status: textOf(found, 'status'),
    reason: textOf(found, 'reason'),
    message: textOf(found, 'message'),
    since: textOf(found, 'lastTransitionTime'),
  }
}

/** The node with the labels and conditions that placement reads. */
export function narrowNode(value: Fields): ClusterNode | undefined {
  const object = identify(value, 'v1', 'Node')
  return object === undefined ? undefined : readNode(object)
}

/** Which nodes have endpoints that can serve: addresses and ports are kube-proxy's business. */
export function narrowSlice(value: Fields): Slice | undefined {
  const object = identify(value, 'discovery.k8s.io/v1', 'EndpointSlice')
  const slice = object === undefined ? undefined : readSlice(object)
  if (slice === undefined || slice.service === undefined) return undefined
  const distinct = new Map<string, Endpoint>()
  for (const { nodeName, canServe, isReady } of slice.endpoints) {
    distinct.set(`${nodeName ?? ''}|${canServe}|${isReady}`, {
      nodeName, canServe, isReady, addresses: [], ports: [],
    })
  }
  return { service: slice.service, endpoints: [...distinct.values()] }
}

/** A Namespace with its labels only, as an object of the configuration. */
export function narrowNamespace(value: Fields): Fields {
  const { name, labels } = metadataOf(value)
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } }
}

/** A speaker's Pod. */
export interface LivePod {
  readonly node: string
  readonly ip: string
  /** Running, and not being deleted. */
  readonly isAlive: boolean
  /** Which edition of the DaemonSet's template it was made from; '' = made by hand. */
  readonly revision: string
}

export function narrowPod(value: Fields): LivePod | undefined {
  const spec = isFields(value['spec']) ? value['spec'] : {}
  const node = textOf(spec, 'nodeName')
  if (node === '') return undefined
  const status = statusOf(value)
  const isAlive = status['phase'] === 'Running' &&
    metadataOf(value)['deletionTimestamp'] === undefined
  const revision = textsOf(metadataOf(value)['labels'])[labelKeys.podRevision] ?? ''
  return { node, ip: textOf(status, 'podIP'), isAlive, revision }
}

/** A ServiceL2Status: who says to announce what. */
export interface LiveL2Status {
  readonly name: string
  /** Node of the speaker that wrote it; until it is filled, as a label, which may be cut. */
  readonly node: string
  /** `namespace/name` */
  readonly service: string
  /** Its status has been written: creation and status are two steps. */
  readonly isFilled: boolean
  /** Sorted; empty = all. */
  readonly interfaces: readonly string[]
}

export function narrowL2Status(value: Fields): LiveL2Status | undefined {
  const metadata = metadataOf(value)
  const labels = textsOf(metadata['labels'])
  const status = statusOf(value)
  const interfaces = Array.isArray(status['interfaces']) ? status['interfaces'] : []
  return {
    name: textOf(metadata, 'name'),
    node: textOf(status, 'node') || (labels[labelKeys.statusNode] ?? ''),
    service: `${labels[labelKeys.statusNamespace] ?? ''}/${labels[labelKeys.statusService] ?? ''}`,
    isFilled: textOf(status, 'node') !== '',
    interfaces: interfaces.map((one: unknown) => isFields(one) ? textOf(one, 'name') : '').toSorted(),
  }
}

/** A ConfigurationState: what one process makes of the configuration. */
export interface LiveState {
  readonly version: string
  readonly labels: Readonly<Record<string, string>>
  readonly owner: string
  readonly links: string | undefined
  /** What the wire keeps the node silent for. */
  readonly silences: readonly WireSilence[]
  readonly result: string
  readonly errorSummary: string
}

export function narrowState(value: Fields): LiveState {
  const metadata = metadataOf(value)
  const status = statusOf(value)
  const owners = Array.isArray(metadata['ownerReferences']) ? metadata['ownerReferences'] : []
  const [owner]: readonly unknown[] = owners
  const annotations = textsOf(metadata['annotations'])
  return {
    version: textOf(metadata, 'resourceVersion'),
    labels: textsOf(metadata['labels']),
    owner: isFields(owner) ? textOf(owner, 'uid') : '',
    links: annotations[annotationKeys.links],
    silences: decodeSilences(annotations[annotationKeys.silent]),
    result: textOf(status, 'result'),
    errorSummary: textOf(status, 'errorSummary'),
  }
}

/** A pool as an object of the configuration; its status is read by `narrowPoolStatus`. */
export function narrowConfig(apiVersion: string, kind: string): (value: Fields) => Fields {
  return (value) => asObject(value, apiVersion, kind)
}

