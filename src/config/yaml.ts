/** YAML and JSON text to plain values, bounded and with positions; the only import of js-yaml. */
import {
  CORE_SCHEMA, defineScalarTag, dump, loadAll, mergeTag, NOT_RESOLVED, YAMLException,
} from 'js-yaml'
import type { ProblemReason, Source } from './model.ts'

export interface Document {
  /** Counts from 1 within the file. */
  readonly document: number
  readonly value: unknown
}

export interface TextProblem {
  readonly document: number
  readonly reason: ProblemReason
  readonly message: string
}

export interface ParsedText {
  readonly documents: readonly Document[]
  readonly problems: readonly TextProblem[]
}

/** Largest text that is read: 16 MiB hold some 50,000 Services. */
export const maxTextBytes = 16 * 1024 * 1024
/** Most documents of one text; each costs memory, even an empty one. */
export const maxDocuments = 100_000
/** Values a document may have once its aliases are written out: bounds what readers walk. */
export const maxValues = 2_000_000
/** A parser's sentence may quote a whole line of the input. */
const maxSentence = 160
/** Deepest nesting: real objects have some 15 levels. */
const maxDepth = 60

/** kubectl's YAML takes yes, no, on and off for booleans; YAML 1.2 does not. */
const booleanTag = defineScalarTag('tag:yaml.org,2002:bool', {
  implicit: true,
  implicitFirstChars: [...'tTfFyYnNoO'],
  resolve: (text) => {
    if (/^(true|True|TRUE|yes|Yes|YES|on|On|ON)$/.test(text)) return true
    return /^(false|False|FALSE|no|No|NO|off|Off|OFF)$/.test(text) ? false : NOT_RESOLVED
  },
  identify: (value) => typeof value === 'boolean',
})

const options = { schema: CORE_SCHEMA.withTags(booleanTag, mergeTag), maxDepth }

/**
 * All documents of a file. A broken document is a problem of its own; the others are still given.
 * Timestamps stay text. Reasons: Unreadable, BadSyntax, DuplicateKey, TooLarge.
 */
export function parseDocuments(source: Source): ParsedText {
  const text = decodeText(source.bytes)
  if ('reason' in text) return { documents: [], problems: [text] }
  const count = countSeparators(text.text)
  if (count > maxDocuments) {
    const message = `File has ${count} documents: the limit is ${maxDocuments}; split it`
    return { documents: [], problems: [{ document: 1, reason: 'TooLarge', message }] }
  }
  let values: readonly unknown[]
  try {
    values = loadAll(text.text, options)
  } catch {
    return parseApart(text.text)
  }
  return checkValues(text.text, values.map((value, i) => ({ document: i + 1, value })))
}

function decodeText(bytes: Uint8Array): { readonly text: string } | TextProblem {
  const unreadable = (message: string): TextProblem =>
    ({ document: 1, reason: 'Unreadable', message })
  const { length } = bytes
  if (length > maxTextBytes) {
    const message = `File has ${length} bytes: the limit is ${maxTextBytes}; split it`
    return { document: 1, reason: 'TooLarge', message }
  }
  const nul = bytes.indexOf(0)
  if (nul !== -1) return unreadable(`File is not text: NUL byte at offset ${nul}`)
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) }
  } catch {
    return unreadable('File is not UTF-8: save it in that encoding')
  }
}

function countSeparators(text: string): number {
  let count = 0
  for (let at = text.indexOf('\n---'); at !== -1; at = text.indexOf('\n---', at + 1)) count++
  return count
}

/** Loads documents one by one, so that one broken document does not hide the others. */
function parseApart(text: string): ParsedText {
  const documents: Document[] = []
  const problems: TextProblem[] = []
  let number = 0
  for (const { text: part, line } of splitDocuments(text)) {
    number++
    try {
      // A part holds none if it has no content, and several if `...` ends one of them.
      for (const [i, value] of loadAll(part, options).entries()) {
        if (i > 0) number++
        documents.push({ document: number, value })
      }
    } catch (error) {
      problems.push({ document: number, ...describeFailure(error, line) })
    }
  }
  const checked = checkValues(text, documents)
  return { documents: checked.documents, problems: [...problems, ...checked.problems] }
}

/** Cuts at `---` lines; only comments and directives before the first are no document. */
function splitDocuments(text: string): readonly { readonly text: string; readonly line: number }[] {
  const parts: { text: string; line: number }[] = []
  let lines: string[] = []
  let startLine = 0
  let isOpen = false
  const close = (): void => {
    const hasContent = lines.some((line) => !/^(%|\s*(#|$))/.test(line))
    if (isOpen || hasContent) parts.push({ text: lines.join('\n'), line: startLine })
  }
  text.split('\n').forEach((line, i) => {
    if (/^---(\s|$)/.test(line)) {
      close()
      lines = [line.slice(3)]
      startLine = i
      isOpen = true
    } else {
      lines.push(line)
    }
  })
  close()
  return parts
}

function describeFailure(error: unknown, line: number): Omit<TextProblem, 'document'> {
  if (!(error instanceof YAMLException)) {
    return { reason: 'BadSyntax', message: `Cannot parse: ${cut(String(error))}` }
  }
  const { mark } = error
  const where = mark === undefined ? '' : ` at line ${line + mark.line + 1}, column ${mark.column + 1}`
  if (error.reason.includes('duplicated mapping key')) {
    return { reason: 'DuplicateKey', message: `The same key stands twice${where}: keep one` }
  }
  if (/depth|exceeded/i.test(error.reason)) {
    return { reason: 'TooLarge', message: `Too deep: ${cut(error.reason)}${where}` }
  }
  return { reason: 'BadSyntax', message: `Not valid YAML: ${cut(error.reason)}${where}` }
}

function cut(sentence: string): string {
  return sentence.length > maxSentence ? `${sentence.slice(0, maxSentence)}...` : sentence
}

/** Takes out documents whose aliases make them endless or huge. */
function checkValues(text: string, documents: readonly Document[]): ParsedText {
  if (!text.includes('*')) return { documents, problems: [] }
  const kept: Document[] = []
  const problems: TextProblem[] = []
  for (const document of documents) {
    const count = countValues(document.value)
    if (count <= maxValues) kept.push(document)
    else problems.push({ document: document.document, reason: 'TooLarge', message: tooLarge(count) })
  }
  return { documents: kept, problems }
}

function tooLarge(count: number): string {
  return count === Number.POSITIVE_INFINITY
    ? 'An alias contains itself: write the value out'
    : `Aliases expand to more than ${maxValues} values: write them out`
}

/** Values in the tree with aliases written out; Infinity for a cycle. Linear in the text. */
function countValues(root: unknown): number {
  const counts = new Map<object, number>()
  const count = (value: unknown): number => {
    if (typeof value !== 'object' || value === null) return 1
    const known = counts.get(value)
    if (known !== undefined) return known
    counts.set(value, Number.POSITIVE_INFINITY)
    let total = 1
    for (const child of Object.values(value)) total += count(child)
    counts.set(value, total)
    return total
  }
  return count(root)
}

/** A plain value as YAML text, long lines unfolded. */
export function dumpYaml(value: unknown): string {
  return dump(value, { lineWidth: -1, noRefs: true })
}
