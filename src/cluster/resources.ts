/** The kinds of object that both roles follow, and how little of each is kept. */
import { type Fields, isFields, isSameValue } from '../config/fields.ts'
import type { Slice } from '../config/cluster.ts'
import type { ClusterNode } from '../config/model.ts'
import {
  asObject, type LiveL2Status, type LivePod, type LiveService, type LiveState, narrowL2Status,
  narrowNamespace, narrowNode, narrowPod, narrowService, narrowSlice, narrowState,
} from '../kube/live.ts'
import type { Resource } from '../kube/reflector.ts'
import { metadataOf, textOf, textsOf } from '../kube/object.ts'

export const group = 'metallb.io/v1beta1'
export const groupPath = `/apis/${group}`

/** An object of the configuration. */
export interface ConfigObject {
  /** Identity, labels, annotations and spec: what configuration is made of. */
  readonly object: Fields
  /** As somebody wrote it last. */
  readonly status: Fields
}

const kinds = {
  ipaddresspools: 'IPAddressPool',
  l2advertisements: 'L2Advertisement',
  bgpadvertisements: 'BGPAdvertisement',
} as const

export type ConfigResource = keyof typeof kinds

/** One of the custom resources that hold configuration, in the release namespace only. */
export function configResource(
  plural: ConfigResource, namespace: string,
): Resource<ConfigObject> {
  const kind = kinds[plural]
  return {
    name: plural,
    path: `${groupPath}/namespaces/${namespace}/${plural}`,
    isCustom: true,
    narrow: (value) => narrowConfig(value, group, kind),
    isSame: (a, b) => isSameValue(a.object, b.object) && isSameValue(a.status, b.status),
  }
}

/** Name of the ConfigMap that MetalLB up to 0.12 read, and of the one that keeps what was good. */
export const legacyMapName = 'config'
export const lastGoodName = 'arpeggio-last-good'

/** The two ConfigMaps of the release namespace that concern us; of the others nothing is kept. */
export function configMapResource(namespace: string): Resource<ConfigObject> {
  return {
    name: 'configmaps',
    path: `/api/v1/namespaces/${namespace}/configmaps`,
    narrow: (value) => {
      const name = textOf(metadataOf(value), 'name')
      if (name !== legacyMapName && name !== lastGoodName) return undefined
      return narrowConfig(value, 'v1', 'ConfigMap')
    },
    isSame: (a, b) => isSameValue(a.object, b.object),
  }
}

/** What configuration reads of an object that says what it is. */
export function configObjectOf(value: Fields): Fields {
  return narrowConfig(value, textOf(value, 'apiVersion'), textOf(value, 'kind')).object
}

function narrowConfig(value: Fields, apiVersion: string, kind: string): ConfigObject {
  const { status, ...rest } = asObject(value, apiVersion, kind)
  const metadata = metadataOf(value)
  const annotations = Object.fromEntries(
    // kubectl keeps a copy of the whole object there.
    Object.entries(textsOf(metadata['annotations'])).filter(([key]) => !key.startsWith('kubectl.')),
  )
  const { name, namespace, labels } = metadata
  return {
    object: { ...rest, metadata: { name, namespace, labels: labels ?? {}, annotations } },
    status: isFields(status) ? status : {},
  }
}

/** Namespaces with their labels, for namespace selectors. */
export const namespaceResource: Resource<Fields> = {
  name: 'namespaces', path: '/api/v1/namespaces', narrow: narrowNamespace, isSame: isSameValue,
}

/** Services that have to do with load balancing. */
export const serviceResource: Resource<LiveService> = {
  name: 'services', path: '/api/v1/services', narrow: narrowService,
}

/** The same for those who only announce: what the controller says of a Service is no change to them. */
export const heldServiceResource: Resource<LiveService> = {
  ...serviceResource,
  isSame: (a, b) => a.uid === b.uid && isSameValue(a.ingress, b.ingress) && isSameValue(a.intent, b.intent),
}

/** Nodes with labels and the conditions that placement reads. */
export const nodeResource: Resource<ClusterNode> = {
  name: 'nodes', path: '/api/v1/nodes', narrow: narrowNode, isSame: isSameValue,
}

/** Which nodes have endpoints of which Service. */
export const sliceResource: Resource<Slice> = {
  name: 'endpointslices', path: '/apis/discovery.k8s.io/v1/endpointslices', narrow: narrowSlice,
  isSame: isSameValue,
}

/** The speakers' Pods. */
export function podResource(namespace: string, labels: string): Resource<LivePod> {
  return {
    name: 'pods',
    path: `/api/v1/namespaces/${namespace}/pods`,
    query: `labelSelector=${encodeURIComponent(labels)}`,
    narrow: narrowPod,
    isSame: isSameValue,
  }
}

/** What processes make of the configuration. */
export function stateResource(namespace: string): Resource<LiveState> {
  return {
    name: 'configurationstates', path: `${groupPath}/namespaces/${namespace}/configurationstates`,
    isCustom: true,
    narrow: narrowState, isSame: isSameValue,
  }
}

/** Who says to announce what. */
export function l2StatusResource(namespace: string): Resource<LiveL2Status> {
  return {
    name: 'servicel2statuses', path: `${groupPath}/namespaces/${namespace}/servicel2statuses`,
    isCustom: true,
    narrow: narrowL2Status, isSame: isSameValue,
  }
}
