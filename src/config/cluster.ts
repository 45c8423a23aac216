/** Nodes, Namespaces and EndpointSlices, narrowed to what planners read. */
import { parseAddress } from '../net/address.ts'
import {
  type At, field, isFields, readFields, readInteger, readList, readText,
} from './fields.ts'
import type { ClusterNode, Endpoint, Protocol } from './model.ts'
import { conditionTypes, labelKeys } from './names.ts'
import { labelsOf, type RawObject } from './object.ts'

/** The node, with the condition NetworkUnavailable and the exclude label resolved. */
export function readNode(object: RawObject): ClusterNode {
  const labels = labelsOf(object)
  const status = object.value['status']
  const conditions = isFields(status) ? status['conditions'] : undefined
  const isUnavailable = Array.isArray(conditions) && conditions.some((condition) =>
    isFields(condition) && condition['type'] === conditionTypes.networkUnavailable &&
    condition['status'] === 'True'
  )
  return {
    name: object.name,
    labels,
    networkUnavailable: isUnavailable,
    excluded: Object.hasOwn(labels, labelKeys.excludeNode),
  }
}

export interface Slice {
  /** `namespace/name` of the Service; undefined without the label: the slice is nobody's. */
  readonly service: string | undefined
  readonly endpoints: readonly Endpoint[]
}

/** The endpoints of one slice. Addresses that do not parse (FQDN slices) are left out. */
export function readSlice(object: RawObject): Slice {
  const service = labelsOf(object)[labelKeys.sliceService]
  const namespace = object.namespace === '' ? 'default' : object.namespace
  const ports = readList(object.value['ports'], field(object.at, 'ports'), readSlicePort)
  const endpoints = readList(
    object.value['endpoints'], field(object.at, 'endpoints'),
    (value, at) => readEndpoint(value, at, ports),
  )
  return { service: service === undefined ? undefined : `${namespace}/${service}`, endpoints }
}

function readSlicePort(value: unknown, at: At): Endpoint['ports'][number] | undefined {
  const fields = readFields(value, at)
  const bounds = { min: 1, max: 65_535 }
  const port = readInteger(fields?.['port'], field(at, 'port'), bounds)
  if (fields === undefined || port === undefined) return undefined
  const protocol: Protocol = fields['protocol'] === 'UDP' || fields['protocol'] === 'SCTP'
    ? fields['protocol']
    : 'TCP'
  return { name: readText(fields['name'], field(at, 'name')) ?? '', protocol, port }
}

function readEndpoint(
  value: unknown, at: At, ports: Endpoint['ports'],
): Endpoint | undefined {
  const fields = readFields(value, at)
  if (fields === undefined) return undefined
  const texts = readList(fields['addresses'], field(at, 'addresses'), readText)
  const conditions = readFields(fields['conditions'], field(at, 'conditions')) ?? {}
  const { ready, serving } = conditions
  const isReady = ready === undefined || ready === null || ready === true
  return {
    addresses: texts.map(parseAddress).filter((address) => address !== undefined),
    nodeName: readText(fields['nodeName'], field(at, 'nodeName')),
    canServe: isReady || serving === true,
    isReady,
    ports,
  }
}
