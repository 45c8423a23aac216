/**
 * Shapes of fields: each reads an untrusted value and is an OpenAPI schema with CEL rules, so that
 * what `check` says of a file and what an API server says of an object are made from one text.
 */
import {
  addProblem, type At, type Bounds, checkKnown, field, type Fields, readBoolean, readFields,
  readInteger, readList, readNames, readText,
} from './fields.ts'
import type { ProblemReason } from './model.ts'

/** A structural schema as CustomResourceDefinitions have it. */
export type Schema = Readonly<Record<string, unknown>>

/** A CEL rule. Both texts are CEL: `rule` is true of good values, `message` is the sentence else. */
export interface Rule {
  readonly rule: string
  readonly message: string
  /** `.values`: the field that is to blame, where it is not the value itself. */
  readonly path?: string
}

export interface Shape<T> {
  /** The value; undefined where there is none (null counts as none), or one with problems. */
  readonly read: (value: unknown, at: At) => T | undefined
  readonly schema: Schema
  /** What a mapping lacks without it. */
  readonly missing?: Missing
}

/** What a shape reads. */
export type ValueOf<S> = S extends Shape<infer T> ? T : never

interface Missing {
  readonly message: string
  readonly reason: ProblemReason
  /** An empty list is as bad as none. */
  readonly isFilled: boolean
}

type Described = { readonly description: string; readonly rules?: readonly Rule[] }

/** Text of at most `max` characters. CEL bounds its own work by such limits, so all texts have one. */
export function text(options: Described & { readonly max: number }): Shape<string> {
  const { max } = options
  return {
    read: (value, at) => {
      const found = readText(value, at)
      if (found === undefined || found.length <= max || [...found].length <= max) return found
      addProblem(at, 'BadValue', `Want at most ${max} characters, found ${[...found].length}`)
      return undefined
    },
    schema: { ...describe('string', options), maxLength: max },
  }
}

/** One of these words, and no other. */
export function word<T extends string>(
  options: Described & { readonly of: readonly T[]; readonly reason: ProblemReason },
): Shape<T> {
  const { of, reason } = options
  const sentence = (found: string): string => `Want one of ${of.join(', ')}, found "${found}"`
  const rule = {
    rule: `self in [${of.map(quote).join(', ')}]`,
    message: celSentence(sentence, 'self'),
  }
  return {
    read: (value, at) => {
      const found = readText(value, at)
      const known = of.find((one) => one === found)
      if (found !== undefined && known === undefined) addProblem(at, reason, sentence(found))
      return known
    },
    schema: { ...describe('string', { ...options, rules: [rule] }), maxLength: 63 },
    missing: { message: sentence(''), reason, isFilled: false },
  }
}

/** True or false; the API server fills in what is absent where there is a `fallback`. */
export function flag(options: Described & { readonly fallback?: boolean }): Shape<boolean> {
  const { fallback } = options
  const filled = fallback === undefined ? {} : { default: fallback }
  return { read: readBoolean, schema: { ...describe('boolean', options), ...filled } }
}

/** A whole number within bounds. */
export function whole(options: Described & Bounds): Shape<number> {
  const { min, max } = options
  const rule = {
    rule: `self >= ${min} && self <= ${max}`,
    message: `'Want a number from ${min} to ${max}, found %d'.format([self])`,
  }
  return {
    read: (value, at) => readInteger(value, at, { min, max }),
    schema: { ...describe('integer', { ...options, rules: [rule] }), format: 'int32' },
  }
}

/** A list of at most `max` items; of a set, the API server itself refuses repetitions. */
export function list<T>(
  of: Shape<T>, options: Described & { readonly max: number; readonly isSet?: boolean },
): Shape<readonly T[]> {
  const type = options.isSet === true ? { 'x-kubernetes-list-type': 'set' } : {}
  return {
    read: (value, at) => {
      checkLength(value, at, options.max)
      return readList(value, at, of.read)
    },
    schema: { ...describe('array', options), ...type, items: of.schema, maxItems: options.max },
  }
}

/** A list of texts without repetitions. */
export function names(options: Described & { readonly max: number }): Shape<readonly string[]> {
  const of = text({ description: 'A name.', max: 253 })
  const twice = 'self.filter(x, !self.exists_one(y, y == x))[0]'
  const rule = {
    rule: 'self.all(x, self.exists_one(y, y == x))',
    message: `'"' + ${twice} + '" stands twice in the list: keep one'`,
  }
  const { schema } = list(of, { ...options, rules: [rule] })
  return {
    read: (value, at) => {
      checkLength(value, at, options.max)
      return readNames(value, at)
    },
    schema,
  }
}

/** A problem where a list has more than `max` items; they can be read nevertheless. */
export function checkLength(value: unknown, at: At, max: number): void {
  if (!Array.isArray(value) || value.length <= max) return
  addProblem(at, 'TooLarge', `Want at most ${max} items, found ${value.length}`)
}

/** Values by key, at most `max` of them; the API server lets in texts of `maxValue` characters. */
export function texts(
  options: Described & { readonly max: number; readonly maxValue: number },
): Shape<Fields> {
  return {
    read: (value, at) => {
      const found = readFields(value, at)
      if (found !== undefined) checkLength(Object.keys(found), at, options.max)
      return found
    },
    schema: {
      ...describe('object', options),
      additionalProperties: { type: 'string', maxLength: options.maxValue },
      maxProperties: options.max,
    },
  }
}

/** The fields that a mapping may have, by name. Others are problems, unless it is `open`. */
export function mapping<F extends object>(
  fields: { readonly [K in keyof F]: Shape<F[K]> },
  options: Described & { readonly isOpen?: boolean },
): Shape<Partial<F>> {
  const properties: Record<string, Schema> = {}
  const rules: Rule[] = [...options.rules ?? []]
  for (const name in fields) {
    const { schema, missing } = fields[name]
    properties[name] = schema
    if (missing === undefined) continue
    const filled = missing.isFilled ? ` && size(self.${name}) > 0` : ''
    const rule = `has(self.${name})${filled}`
    rules.push({ rule, message: quote(missing.message), path: `.${name}` })
  }
  const open = options.isOpen === true ? { 'x-kubernetes-preserve-unknown-fields': true } : {}
  return {
    read: (value, at) => {
      const found = readFields(value, at)
      if (found === undefined) return undefined
      if (options.isOpen !== true) checkKnown(found, Object.keys(fields), at)
      const read: Partial<F> = {}
      for (const name in fields) {
        const part = readPart(fields[name], found[name], field(at, name))
        if (part !== undefined) read[name] = part
      }
      return read
    },
    schema: { ...describe('object', { ...options, rules }), ...open, properties },
  }
}

function readPart<T>(shape: Shape<T>, value: unknown, at: At): T | undefined {
  const { missing } = shape
  const isAbsent = value === undefined || value === null ||
    (missing?.isFilled === true && Array.isArray(value) && value.length === 0)
  if (!isAbsent || missing === undefined) return shape.read(value, at)
  addProblem(at, missing.reason, missing.message)
  return undefined
}

/** The same, without which a mapping is not complete. */
export function needed<T>(
  shape: Shape<T>, message: string, how: Partial<Omit<Missing, 'message'>> = {},
): Shape<T> {
  return { ...shape, missing: { message, reason: 'MissingField', isFilled: false, ...how } }
}

/**
 * The same with a closer look: `read` gets what the shape has read, and its rules say in CEL what
 * `read` finds wrong, with the same words.
 */
export function refine<T, U>(
  shape: Shape<T>, rules: readonly Rule[], read: (value: T, at: At) => U | undefined,
): Shape<U> {
  const { schema } = shape
  const before = schema['x-kubernetes-validations']
  const all = [...(Array.isArray(before) ? before : []), ...rules.map(writeRule)]
  return {
    ...shape,
    read: (value, at) => {
      const found = shape.read(value, at)
      return found === undefined ? undefined : read(found, at)
    },
    schema: { ...schema, ...(all.length === 0 ? {} : { 'x-kubernetes-validations': all }) },
  }
}

function describe(type: string, { description, rules = [] }: Described): Schema {
  return {
    type, description,
    ...(rules.length === 0 ? {} : { 'x-kubernetes-validations': rules.map(writeRule) }),
  }
}

function writeRule({ rule, message, path }: Rule): Schema {
  const blame = path === undefined ? {} : { fieldPath: path }
  return { rule, messageExpression: message, ...blame }
}

/** A text as a CEL literal. */
export function quote(words: string): string {
  return `'${words.replace(/[\\']/g, '\\$&')}'`
}

/** A sentence about a value, as CEL that puts `variable` where the value goes. */
export function celSentence(sentence: (found: string) => string, variable: string): string {
  const [before = '', after = ''] = sentence('\0').split('\0')
  return [quote(before), variable, ...(after === '' ? [] : [quote(after)])].join(' + ')
}
