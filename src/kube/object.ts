/** Identity of live objects: keys, versions, owners. */
import { type Fields, isFields } from '../config/fields.ts'

/** The metadata, empty where there is none. */
export function metadataOf(object: Fields): Fields {
  return isFields(object['metadata']) ? object['metadata'] : {}
}

export function textOf(fields: Fields, name: string): string {
  const value = fields[name]
  return typeof value === 'string' ? value : ''
}

/** `namespace/name`, or `name` where there is no namespace. */
export function keyOf(object: Fields): string {
  const metadata = metadataOf(object)
  const namespace = textOf(metadata, 'namespace')
  const name = textOf(metadata, 'name')
  return namespace === '' ? name : `${namespace}/${name}`
}

/** A mapping of texts, empty where there is none. */
export function textsOf(value: unknown): Readonly<Record<string, string>> {
  if (!isFields(value)) return {}
  return Object.fromEntries(Object.entries(value).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  ))
}
