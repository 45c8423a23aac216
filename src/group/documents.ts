/** Takes input apart into objects that hosts can compare, and puts agreed ones together again. */
import { isLegacyMap } from '../config/configmap.ts'
import { isFields } from '../config/fields.ts'
import { roleOf } from '../config/kind.ts'
import type { Problem, Source } from '../config/model.ts'
import type { RawObject } from '../config/object.ts'
import { readContents } from '../config/read.ts'
import type { AgreedDocument, Shared } from './model.ts'

/** The objects of a host's input that mean something here; its problems are read elsewhere. */
export function sharedOf(sources: readonly Source[]): readonly Shared[] {
  const findings = { problems: [], warnings: [] }
  const { objects, legacy } = readContents(sources, findings)
  const seen = new Set<string>()
  const shared: Shared[] = []
  const add = (key: string, { file, document }: RawObject['at'], value: unknown): void => {
    if (seen.has(key)) return
    seen.add(key)
    shared.push({ key, file, document, value })
  }
  for (const object of objects) if (isShared(object)) add(keyOf(object), object.at, object.value)
  // A configuration as bare text has no name: hosts compare the first, the second, and so on.
  legacy.forEach(({ at, value }, i) => add(`legacy text ${i + 1}`, at, value))
  return shared
}

/** Others' objects, and what a ConfigMap says to somebody else, stay on the host. */
function isShared(object: RawObject): boolean {
  const role = roleOf(object)
  if (role === undefined || object.name === '') return false
  return role !== 'configMap' || isLegacyMap(object, object.namespace)
}

/** As people write it; the namespace that kubectl would take for a Service is the one of a Service. */
function keyOf({ group, kind, namespace, name }: RawObject): string {
  const isConfig = group === 'metallb.io' || kind === 'ConfigMap'
  const place = namespace === '' && !isConfig ? 'default' : namespace
  return [group, kind, place, name].filter((part) => part !== '').join('/')
}

/**
 * The agreed objects as input again. Each file is named `host:path` and each object keeps its
 * number, so that findings name the place where somebody can mend it.
 */
export function sourcesOf(documents: readonly AgreedDocument[]): readonly Source[] {
  const files = new Map<string, Map<number, unknown[]>>()
  for (const { host, file, document, value } of documents) {
    const name = placeOf({ host, file })
    const byNumber = files.get(name) ?? new Map<number, unknown[]>()
    files.set(name, byNumber)
    byNumber.set(document, [...byNumber.get(document) ?? [], value])
  }
  return [...files].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([file, byNumber]) => ({
    file, bytes: new TextEncoder().encode(textOf(byNumber)),
  }))
}

/** JSON is YAML; empty documents keep the numbers. */
function textOf(byNumber: ReadonlyMap<number, readonly unknown[]>): string {
  const last = Math.max(...byNumber.keys())
  const parts: string[] = []
  for (let n = 1; n <= last; n++) parts.push(`---\n${documentText(byNumber.get(n) ?? [])}\n`)
  return parts.join('')
}

function documentText(values: readonly unknown[]): string {
  if (values.length === 0) return 'null'
  const [first] = values
  if (values.length === 1) return JSON.stringify(first)
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items: values })
}

/** A file of a host, as findings name it. */
export function placeOf({ host, file }: { readonly host: string; readonly file: string }): string {
  return `${host}:${file}`
}

/** A sentence names both places; the copy that was agreed on before stays in force. */
export function differingCopies(
  key: string, a: Shared & { readonly host: string }, b: Shared & { readonly host: string },
  isKept: boolean,
): Problem {
  const there = `${placeOf(a)}, document ${a.document}`
  const what = isKept ? 'the one agreed on before stays in force' : 'neither is in force'
  const message = `${key} differs between host "${a.host}" (${there}) and host "${b.host}" ` +
    `(${placeOf(b)}, document ${b.document}): ${what}; make them the same, or keep one`
  return {
    file: placeOf(b), document: b.document, object: objectOf(b), path: 'metadata.name',
    reason: 'DuplicateName', message,
  }
}

function objectOf({ key, value }: Shared): string {
  if (!isFields(value)) return key
  const metadata = isFields(value['metadata']) ? value['metadata'] : {}
  return [value['kind'], metadata['namespace'], metadata['name']]
    .filter((part) => typeof part === 'string' && part !== '').join('/') || key
}
