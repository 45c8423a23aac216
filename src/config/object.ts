/** Identifies Kubernetes objects: kind, namespace, name, labels, annotations, and where they stand. */
import {
  addProblem, type At, describeValue, field, type Fields, type Findings, isFields, item, readFields,
  readText, readTexts,
} from './fields.ts'
import type { Labels } from './model.ts'
import type { Document } from './yaml.ts'

export interface RawObject {
  readonly at: At
  readonly apiVersion: string
  /** '' for the core group. */
  readonly group: string
  readonly kind: string
  /** '' when the object does not say. */
  readonly namespace: string
  readonly name: string
  readonly value: Fields
}

/** A legacy configuration as bare text: a mapping without kind. */
export interface BareLegacy {
  readonly at: At
  readonly value: Fields
}

export interface Contents {
  readonly objects: readonly RawObject[]
  readonly legacy: readonly BareLegacy[]
}

const legacyKeys = ['address-pools', 'peers', 'bgp-communities', 'bfd-profiles']

/** The objects of one document; items of a List are taken as documents of their own. */
export function readObjects(findings: Findings, file: string, document: Document): Contents {
  const at: At = { findings, file, document: document.document, object: '', path: '' }
  return readValue(at, document.value)
}

function readValue(at: At, value: unknown): Contents {
  const none: Contents = { objects: [], legacy: [] }
  if (value === null || value === undefined) return none
  if (!isFields(value)) {
    addProblem(at, 'NotAnObject', `Want a Kubernetes object, found ${describeValue(value)}`)
    return none
  }
  const isBare = !('kind' in value) && !('apiVersion' in value)
  if (isBare && legacyKeys.some((key) => key in value)) {
    return { objects: [], legacy: [{ at, value }] }
  }
  const kind = readRequired(value, 'kind', at)
  const apiVersion = readRequired(value, 'apiVersion', at)
  if (kind === undefined || apiVersion === undefined) return none
  if (kind.endsWith('List') && Array.isArray(value['items'])) return readItems(at, value['items'])
  const object = readIdentity(at, { kind, apiVersion, value })
  return object === undefined ? none : { objects: [object], legacy: [] }
}

function readItems(at: At, items: readonly unknown[]): Contents {
  const parts = items.map((each, i) => readValue(item(field(at, 'items'), i), each))
  return {
    objects: parts.flatMap((part) => part.objects),
    legacy: parts.flatMap((part) => part.legacy),
  }
}

function readRequired(value: Fields, name: string, at: At): string | undefined {
  if (value[name] === undefined || value[name] === null || value[name] === '') {
    addProblem(field(at, name), 'MissingField', `A Kubernetes object needs \`${name}\``)
    return undefined
  }
  return readText(value[name], field(at, name))
}

function readIdentity(
  at: At, found: { kind: string; apiVersion: string; value: Fields },
): RawObject | undefined {
  const { kind, apiVersion, value } = found
  const slash = apiVersion.indexOf('/')
  const group = slash === -1 ? '' : apiVersion.slice(0, slash)
  const place = field(at, 'metadata')
  const metadata = readFields(value['metadata'], place) ?? {}
  const name = readText(metadata['name'], field(place, 'name')) ?? ''
  const namespace = readText(metadata['namespace'], field(place, 'namespace')) ?? ''
  const object = [kind, namespace, name].filter((part) => part !== '').join('/')
  return { at: { ...at, object }, apiVersion, group, kind, namespace, name, value }
}

/** A problem if the object has no name: kinds we read need one. */
export function checkNamed(object: RawObject): boolean {
  if (object.name !== '') return true
  addProblem(field(object.at, 'metadata.name'), 'MissingField', `${object.kind} needs a name`)
  return false
}

function metadataOf(object: RawObject): { fields: Fields; at: At } {
  const at = field(object.at, 'metadata')
  const value = object.value['metadata']
  return { fields: isFields(value) ? value : {}, at }
}

export function labelsOf(object: RawObject): Labels {
  const { fields, at } = metadataOf(object)
  return readTexts(fields['labels'], field(at, 'labels'))
}

export function annotationsOf(object: RawObject): Readonly<Record<string, string>> {
  const { fields, at } = metadataOf(object)
  return readTexts(fields['annotations'], field(at, 'annotations'))
}

/** A field of metadata as text, '' when absent. */
export function metadataText(object: RawObject, name: string): string {
  const { fields, at } = metadataOf(object)
  return readText(fields[name], field(at, name)) ?? ''
}

/** `spec` or `status` as a mapping; undefined when absent or of the wrong type (a problem). */
export function partOf(object: RawObject, name: 'spec' | 'status' | 'data'): Fields | undefined {
  return readFields(object.value[name], field(object.at, name))
}
