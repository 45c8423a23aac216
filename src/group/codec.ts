/** What hosts of a group send each other, and keep on disk: values to JSON and back, checked. */
import { isFields } from '../config/fields.ts'
import type { Labels, Problem } from '../config/model.ts'
import { maxDocuments } from '../config/yaml.ts'
import type {
  AgreedDocument, ForeignWord, GroupLedger, GroupMember, KnownShare, OptionTexts, Shared, Version, Word,
} from './model.ts'

/** First byte of each message: ownership's messages begin otherwise. */
export const groupMagic = 0xa7

/** Kinds by their number on the wire; a new kind is added at the end. */
const kinds = ['word', 'askShare', 'share', 'ledger'] as const

export type MessageKind = (typeof kinds)[number]

/** Most bytes of a share or a ledger, packed; a host with more is told so and shares its last. */
export const maxPackedBytes = 2 * 1_024 * 1_024
/** Most bytes that one may unfold to. */
export const maxUnpackedBytes = 32 * 1_024 * 1_024

/** Magic, kind, then what the kind has: JSON for a word, packed JSON for share and ledger. */
export function frameMessage(kind: MessageKind, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(body.length + 2)
  bytes[0] = groupMagic
  bytes[1] = kinds.indexOf(kind)
  bytes.set(body, 2)
  return bytes
}

/** undefined = not one of ours. */
export function unframeMessage(
  bytes: Uint8Array,
): { readonly kind: MessageKind; readonly body: Uint8Array } | undefined {
  const kind = bytes[0] === groupMagic ? kinds[bytes[1] ?? 255] : undefined
  return kind === undefined ? undefined : { kind, body: bytes.subarray(2) }
}

/** The value behind JSON text; undefined where it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** undefined = not a word. */
export function parseWord(value: unknown): Word | undefined {
  if (!isFields(value)) return undefined
  const { group, digest, vote, isElected, term } = value
  const [version, agreed] = [parseVersion(value['version']), parseVersion(value['agreed'])]
  if (typeof group !== 'string' || typeof digest !== 'string' || typeof vote !== 'string') return undefined
  if (typeof isElected !== 'boolean' || version === undefined || agreed === undefined) return undefined
  const from = parseOptionsFrom(value)
  if (from === undefined || !isCount(term)) return undefined
  const hears = value['hears']
  return {
    group, version, digest, term, vote, isElected, agreed, ...from,
    ...(typeof hears === 'string' ? { hears } : {}),
    ...parseForeign(value['foreign']),
  }
}

/** Most that a word tells of: it is one datagram. */
export const maxForeign = 8
const longestText = 64

/** What is none is left out: the rest of the word counts all the same. */
function parseForeign(value: unknown): { readonly foreign?: readonly ForeignWord[] } {
  if (!Array.isArray(value)) return {}
  const foreign = value.slice(0, maxForeign).flatMap((each: unknown): readonly ForeignWord[] => {
    const [address, mac]: readonly unknown[] = Array.isArray(each) ? each : []
    if (typeof address !== 'string' || typeof mac !== 'string') return []
    return address.length > longestText || mac.length > longestText ? [] : [[address, mac]]
  })
  return foreign.length === 0 ? {} : { foreign }
}

/** undefined = not a share with its digest. */
export function parseShare(value: unknown): KnownShare | undefined {
  if (!isFields(value) || typeof value['digest'] !== 'string') return undefined
  const share = value['share']
  if (!isFields(share) || typeof share['host'] !== 'string') return undefined
  const { host } = share
  const labels = parseTexts(share['labels'])
  const held = parseLists(share['held'])
  const forgets = parseNames(share['forgets'])
  const documents = parseAll(share['documents'], parseShared)
  const options = parseOptions(share)
  if (labels === undefined || held === undefined || forgets === undefined) return undefined
  if (documents === undefined || options === undefined) return undefined
  return { digest: value['digest'], share: { host, labels, ...options, held, forgets, documents } }
}

/** undefined = not a ledger. */
export function parseLedger(value: unknown): GroupLedger | undefined {
  if (!isFields(value)) return undefined
  const { group, by } = value
  const version = parseVersion(value['version'])
  const members = parseAll(value['members'], parseMember)
  const documents = parseAll(value['documents'], parseAgreed)
  const problems = parseAll(value['problems'], parseProblem)
  const services = parseLists(value['services'])
  const options = parseOptions(value)
  const from = parseOptionsFrom(value)
  if (typeof group !== 'string' || group === '' || typeof by !== 'string') return undefined
  if (version === undefined || members === undefined || documents === undefined) return undefined
  if (problems === undefined || services === undefined || options === undefined) return undefined
  if (from === undefined) return undefined
  return { group, version, by, members, ...options, ...from, documents, services, problems }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function parseVersion(value: unknown): Version | undefined {
  if (!isFields(value)) return undefined
  const { term, n } = value
  return isCount(term) && isCount(n) ? { term, n } : undefined
}

function parseMember(value: unknown): GroupMember | undefined {
  const labels = isFields(value) ? parseTexts(value['labels']) : undefined
  if (!isFields(value) || typeof value['name'] !== 'string' || labels === undefined) return undefined
  const options = parseOptions(value)
  return options === undefined ? undefined : { name: value['name'], labels, ...options }
}

/** A host of an older version tells none. */
function parseOptions(
  value: Readonly<Record<string, unknown>>,
): { readonly options?: OptionTexts } | undefined {
  return parseOptional(value['options'], parseTexts, (options) => ({ options }))
}

/** Nor when they were agreed on. */
function parseOptionsFrom(
  value: Readonly<Record<string, unknown>>,
): { readonly optionsFrom?: Version } | undefined {
  return parseOptional(value['optionsFrom'], parseVersion, (optionsFrom) => ({ optionsFrom }))
}

/** Nothing where there is nothing; undefined = it is there, and is not what it should be. */
function parseOptional<T, F extends object>(
  value: unknown, parse: (value: unknown) => T | undefined, field: (parsed: T) => F,
): F | { readonly [key: string]: never } | undefined {
  if (value === undefined) return {}
  const parsed = parse(value)
  return parsed === undefined ? undefined : field(parsed)
}

function parseShared(value: unknown): Shared | undefined {
  if (!isFields(value)) return undefined
  const { key, file, document } = value
  if (typeof key !== 'string' || typeof file !== 'string') return undefined
  if (!isCount(document) || document < 1 || document > maxDocuments) return undefined
  return { key, file, document, value: value['value'] }
}

function parseAgreed(value: unknown): AgreedDocument | undefined {
  const shared = parseShared(value)
  if (shared === undefined || !isFields(value) || typeof value['host'] !== 'string') return undefined
  const from = parseNames(value['from'])
  return from === undefined ? undefined : { ...shared, host: value['host'], from }
}

/** Our own words again: whoever has the key of the ring has written them. */
function parseProblem(value: unknown): Problem | undefined {
  if (!isFields(value)) return undefined
  const { file, document, object, path, reason, message } = value
  if (typeof file !== 'string' || typeof object !== 'string' || typeof path !== 'string') return undefined
  if (!isCount(document) || typeof message !== 'string') return undefined
  const known = problemReasons.find((one) => one === reason)
  return { file, document, object, path, reason: known ?? 'BadValue', message }
}

/** Those that a union of good inputs can have. */
const problemReasons = [
  'DuplicateName', 'Overlap', 'TooMany', 'TooLarge', 'BadAddress', 'DuplicateEntry', 'BadValue',
] as const

function parseAll<T>(value: unknown, parse: (each: unknown) => T | undefined): readonly T[] | undefined {
  if (!Array.isArray(value)) return undefined
  const parsed = value.map(parse)
  return parsed.includes(undefined) ? undefined : parsed.filter((one) => one !== undefined)
}

function parseNames(value: unknown): readonly string[] | undefined {
  return parseAll(value, (each) => typeof each === 'string' ? each : undefined)
}

function parseTexts(value: unknown): Labels | undefined {
  if (!isFields(value)) return undefined
  const entries: (readonly [string, string])[] = []
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') return undefined
    entries.push([key, text])
  }
  return Object.fromEntries(entries)
}

function parseLists(value: unknown): Readonly<Record<string, readonly string[]>> | undefined {
  if (!isFields(value)) return undefined
  const entries: (readonly [string, readonly string[]])[] = []
  for (const [key, list] of Object.entries(value)) {
    const names = parseNames(list)
    if (names === undefined) return undefined
    entries.push([key, names])
  }
  return Object.fromEntries(entries)
}
