/** The annotations of our groups: which there are, which of two wins, and which mean nothing. */
import { addWarning, describeValue, field, type Fields, isFields, keyed } from './fields.ts'
import type { RawObject } from './object.ts'
import type { ProblemReason, RequestPaths } from './model.ts'
import { annotationKeys, ownPrefix, prefixes, serviceAnnotations } from './names.ts'
import { createSuggest } from './suggest.ts'

const { allocated, ...asked } = serviceAnnotations

export type Annotations = Readonly<Record<string, string>>

const askedNames = Object.values(asked)
const serviceKeys = prefixes.flatMap((prefix) =>
  [...askedNames, allocated].map((name) => prefix + name))
const configKeys = [annotationKeys.exclude, annotationKeys.allowLoss]

/** Kinds whose annotations are looked at, with those that mean something on them. */
const known = {
  service: knownOf(serviceKeys), pool: knownOf(configKeys),
  advertisement: knownOf([]),
} as const

function knownOf(keys: readonly string[]) {
  return { keys: new Set(keys), suggest: createSuggest(keys) }
}

export type Annotated = keyof typeof known
export const annotated = ['service', 'pool', 'advertisement'] as const satisfies readonly Annotated[]

const groups: readonly string[] = [...prefixes, ownPrefix]
const suggestGroup = createSuggest(groups)

/** The key that is in force of the two that `name` can have; undefined = neither is there. */
function keyOf(annotations: Fields, name: string): string | undefined {
  for (const prefix of prefixes) {
    const key = prefix + name
    if (Object.hasOwn(annotations, key)) return key
  }
  return undefined
}

export function annotation(annotations: Annotations, name: string): string | undefined {
  const key = keyOf(annotations, name)
  return key === undefined ? undefined : annotations[key]
}

/** Where a Service asks. Addresses have a field as well, which counts where no annotation says any. */
export function requestPaths(object: RawObject): RequestPaths {
  const annotations = fieldsOf(object)
  const pathOf = (name: string): string =>
    `metadata.annotations["${keyOf(annotations, name) ?? prefixes[0] + name}"]`
  const byAnnotation = annotations[keyOf(annotations, asked.requested) ?? ''] ?? ''
  return {
    addresses: byAnnotation === '' ? 'spec.loadBalancerIP' : pathOf(asked.requested),
    pool: pathOf(asked.pool),
    sharing: pathOf(asked.sharing),
  }
}

/** The annotations as they stand; what is wrong with them is told by those who read them. */
function fieldsOf(object: RawObject): Fields {
  const metadata = object.value['metadata']
  const annotations = isFields(metadata) ? metadata['annotations'] : undefined
  return isFields(annotations) ? annotations : {}
}

/**
 * Warnings about what would be ignored: keys of our groups that mean nothing on this kind, near misses of a
 * whole key, and a deprecated key whose value is not that of the stable one beside it.
 */
export function checkAnnotations(object: RawObject, kind: Annotated): void {
  const annotations = fieldsOf(object)
  const { keys, suggest } = known[kind]
  const warn = (key: string, reason: ProblemReason, message: string): void =>
    addWarning(keyed(field(object.at, 'metadata.annotations'), key), reason, message)
  for (const key of Object.keys(annotations)) {
    if (keys.has(key)) continue
    const group = key.slice(0, key.indexOf('/') + 1)
    const isReserved = groups.includes(group)
    // Most keys are of others' groups, and a whole key costs more to compare.
    if (!isReserved && suggestGroup(group) === undefined) continue
    const meant = suggest(key)
    if (!isReserved && meant === undefined) continue
    const hint = elsewhere(key) ?? (meant === undefined ? knownHint([...keys]) : `did you mean \`${meant}\`?`)
    warn(key, 'UnknownAnnotation', `Annotation \`${key}\` is ignored: ${hint}`)
  }
  if (kind !== 'service') return
  for (const name of askedNames) {
    const [stable = '', old = ''] = prefixes.map((prefix) => prefix + name)
    const isBoth = Object.hasOwn(annotations, stable) && Object.hasOwn(annotations, old)
    if (!isBoth || annotations[stable] === annotations[old]) continue
    const message = `${describeValue(annotations[old])} is ignored: \`${stable}\` says ` +
      `${describeValue(annotations[stable])}`
    warn(old, 'IgnoredAnnotation', message)
  }
}

/** Of a key that means something, but not here. */
function elsewhere(key: string): string | undefined {
  if (serviceKeys.includes(key)) return 'it is read from Services only'
  if (key === annotationKeys.exclude) return 'it is read from IPAddressPools only'
  return key === annotationKeys.allowLoss
    ? 'it is read from IPAddressPools and the older ConfigMap only'
    : undefined
}

function knownHint(own: readonly string[]): string {
  if (own.length === 0) return 'none means anything here'
  const shown = own.filter((key) => !key.startsWith(prefixes[1]))
  return `known here ${shown.length === 1 ? 'is' : 'are'} ${shown.join(', ')}`
}
