/** Reads fields of untrusted values: the right type, or a problem that says where and what. */
import type { Problem, ProblemReason } from './model.ts'
import { suggest } from './suggest.ts'

/** Findings in the making; one per reading. */
export interface Findings {
  readonly problems: Problem[]
  readonly warnings: Problem[]
}

/** A place in the input: where the next problem would point. */
export interface At {
  readonly findings: Findings
  readonly file: string
  readonly document: number
  readonly object: string
  readonly path: string
}

export type Fields = Readonly<Record<string, unknown>>

export function field(at: At, name: string): At {
  return { ...at, path: at.path === '' ? name : `${at.path}.${name}` }
}

/** A key that is itself a path, like an annotation: `metadata.annotations["a/b"]`. */
export function keyed(at: At, key: string): At {
  return { ...at, path: `${at.path}["${key}"]` }
}

export function item(at: At, index: number): At {
  return { ...at, path: `${at.path}[${index}]` }
}

/** Problems, and warnings, of one reading that are kept: a file can hold millions of mistakes. */
export const maxFindings = 1_000

export function addProblem(at: At, reason: ProblemReason, message: string): void {
  addTo(at.findings.problems, at, reason, message)
}

export function addWarning(at: At, reason: ProblemReason, message: string): void {
  addTo(at.findings.warnings, at, reason, message)
}

function addTo(list: Problem[], at: At, reason: ProblemReason, message: string): void {
  if (list.length < maxFindings) list.push(finding(at, reason, message))
  else if (list.length === maxFindings) {
    const more = `There are more findings than the ${maxFindings} shown: mend these first`
    list.push({ ...finding(at, 'TooMany', more), path: '' })
  }
}

function finding(at: At, reason: ProblemReason, message: string): Problem {
  const { file, document, object, path } = at
  return { file, document, object, path, reason, message }
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whether two plain values say the same, whatever the order of keys. */
export function isSameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length &&
      a.every((each, i) => isSameValue(each, b[i]))
  }
  if (!isFields(a) || !isFields(b)) return false
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && isSameValue(a[key], b[key]))
}

/** The value as words for a message, cut short. */
export function describeValue(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (isFields(value)) return 'a mapping'
  const text = JSON.stringify(value)
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}

function wrongType(at: At, wanted: string, value: unknown): undefined {
  const hint = wanted === 'text' && (typeof value === 'boolean' || typeof value === 'number')
    ? `; put it in quotes: "${String(value)}"`
    : ''
  addProblem(at, 'BadType', `Want ${wanted}, found ${describeValue(value)}${hint}`)
  return undefined
}

/** undefined when absent (null counts as absent, as in the API server) or of the wrong type. */
export function readFields(value: unknown, at: At): Fields | undefined {
  if (value === undefined || value === null) return undefined
  return isFields(value) ? value : wrongType(at, 'a mapping', value)
}

export function readText(value: unknown, at: At): string | undefined {
  if (value === undefined || value === null) return undefined
  return typeof value === 'string' ? value : wrongType(at, 'text', value)
}

export function readBoolean(value: unknown, at: At): boolean | undefined {
  if (value === undefined || value === null) return undefined
  return typeof value === 'boolean' ? value : wrongType(at, 'true or false', value)
}

export interface Bounds {
  readonly min: number
  readonly max: number
}

export function readInteger(value: unknown, at: At, bounds: Bounds): number | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'number' || !Number.isInteger(value)) {
    return wrongType(at, 'a whole number', value)
  }
  if (value >= bounds.min && value <= bounds.max) return value
  addProblem(at, 'BadValue', `Want a number from ${bounds.min} to ${bounds.max}, found ${value}`)
  return undefined
}

/** The items that `read` accepts, in order; an absent list is empty. */
export function readList<T>(
  value: unknown, at: At, read: (value: unknown, at: At) => T | undefined,
): readonly T[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) {
    wrongType(at, 'a list', value)
    return []
  }
  const items: T[] = []
  value.forEach((each: unknown, i) => {
    const place = item(at, i)
    if (each === null) addProblem(place, 'BadType', 'Want a value, found nothing')
    const read1 = each === null ? undefined : read(each, place)
    if (read1 !== undefined) items.push(read1)
  })
  return items
}

/** A list of texts without repetitions; a repeated one is a DuplicateEntry problem. */
export function readNames(value: unknown, at: At): readonly string[] {
  const seen = new Set<string>()
  return readList(value, at, (each, place) => {
    const text = readText(each, place)
    if (text === undefined) return undefined
    if (seen.has(text)) {
      addProblem(place, 'DuplicateEntry', `"${text}" stands twice in the list: keep one`)
      return undefined
    }
    seen.add(text)
    return text
  })
}

/** A problem for every field that is not among `known`, with the field probably meant. */
export function checkKnown(fields: Fields, known: readonly string[], at: At): void {
  for (const name of Object.keys(fields)) {
    if (known.includes(name)) continue
    const meant = suggest(name, known)
    const hint = meant === undefined ? `known are ${known.join(', ')}` : `did you mean \`${meant}\`?`
    addProblem(field(at, name), 'UnknownField', `Unknown field \`${name}\`: ${hint}`)
  }
}

/** Texts by key; other values are problems. Absent = empty. */
export function readTexts(value: unknown, at: At): Readonly<Record<string, string>> {
  const fields = readFields(value, at)
  const texts: Record<string, string> = {}
  for (const [key, each] of Object.entries(fields ?? {})) {
    const text = readText(each, keyed(at, key))
    if (text !== undefined) texts[key] = text
  }
  return texts
}
