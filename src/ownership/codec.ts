/** Messages of ownership between members: values to bytes and back, versioned and bounded. */
import { decodeMac, encodeMac, noMac, readBits, writeBits } from '../l2/frame.ts'
import type { Mac } from '../l2/model.ts'
import { messageBytes } from './limits.ts'

/** First bytes of each message: told apart from anything else that gossip carries. */
const magic = 0xa9
const version = 1

/** Kinds by their number on the wire; a new kind is added at the end. */
const kinds = [
  'beat', 'list', 'ask', 'contested', 'suspicion', 'pick', 'offer', 'refusal', 'claims', 'query',
  'reply', 'withdrawal',
] as const

export type MessageKind = (typeof kinds)[number]

/** Flags of an entry. */
export const isForeign = 1 // the owner is silent because of a foreign host
export const isRemoved = 2 // no longer in the owner's list
// beat, list, contested, claims: some of its segments are another's
export const isPart = 4
export const isFresh = 4 // pick: nobody can have owned it: announce at once
export const isHeld = 8 // reply: the sender owns it
export const isHushed = 16 // reply, beat, list: the sender owns it, and is silent
// offer: the receiver lost it since everything was restarted, while it stood still
export const isReturn = 16
export const isOptional = 8 // offer: the sender could stay: not for one that is cut off on a segment
// offer: the sender cannot answer any more; beat, removed: it has let go for good
export const isBroken = 32
const hasNode = 64
const hasValue = 128

/** What a message says of one unit; fields that a kind has no use for are '' and 0. */
export interface Entry {
  readonly unit: string
  readonly term: number
  readonly flags: number
  /** claims, contested: the owner; beat, removed: who has it now. */
  readonly node: string
  /** claims: age in ms; offer: digest of the addresses. */
  readonly value: number
}

/**
 * One shape for all kinds: four numbers, a MAC, a name, entries.
 * - beat: the sender's list has `digest` at `revision` of `incarnation`; entries turn the list of
 *   revision `base` into it. `mac` is the leg it leaves on, zeros where it takes any way.
 *   Flag `isLast`: you are no monitor any more.
 * - list: page `base & 0xffff` of `base >>> 16` of the list at `revision`.
 * - ask: send your list.
 * - contested: entries' terms are higher than those of your beat.
 * - suspicion: no beat from `name` on its leg `mac` for `base` ms; `digest` is the cause's number.
 * - pick: you are placed. offer, refusal: hand-over. claims: who owns what. query, reply: do you?
 * - withdrawal: `name` beats again.
 */
export interface Message {
  readonly kind: MessageKind
  readonly flags: number
  readonly incarnation: number
  readonly revision: number
  readonly base: number
  readonly digest: number
  readonly mac: Mac
  readonly name: string
  readonly entries: readonly Entry[]
}

export const isLast = 1

const headBytes = 4 + 4 * 4 + 6
const nameBytes = 253

export function entryOf(unit: string, rest: Partial<Entry> = {}): Entry {
  return { unit, term: 0, flags: 0, node: '', value: 0, ...rest }
}

export function messageOf(kind: MessageKind, rest: Partial<Message> = {}): Message {
  return {
    kind, flags: 0, incarnation: 0, revision: 0, base: 0, digest: 0, mac: noMac, name: '',
    entries: [], ...rest,
  }
}

/** The bytes of a message; its caller has split the entries by `pagesOf`. */
export function encodeMessage(message: Message): Uint8Array {
  const { entries } = message
  let size = headBytes + 1 + sizeOf(message.name) + 2
  for (const entry of entries) size += sizeOfEntry(entry)
  const bytes = new Uint8Array(size)
  bytes[0] = magic
  bytes[1] = version
  bytes[2] = kinds.indexOf(message.kind)
  bytes[3] = message.flags
  const numbers = [message.incarnation, message.revision, message.base, message.digest]
  numbers.forEach((value, i) => writeUint32(bytes, 4 + 4 * i, value))
  encodeMac(message.mac, bytes, 20)
  let at = writeText(bytes, headBytes, message.name)
  writeBits(bytes, at, 2, BigInt(entries.length))
  at += 2
  for (const entry of entries) at = writeEntry(bytes, at, entry)
  return bytes
}

/** The message in `bytes`; undefined when it is not one, cut short or of another version. */
export function decodeMessage(bytes: Uint8Array): Message | undefined {
  const kind = kinds[bytes[2] ?? 255]
  if (bytes.length < headBytes + 3 || bytes[0] !== magic || bytes[1] !== version) return undefined
  if (kind === undefined) return undefined
  const name = readText(bytes, headBytes)
  if (name === undefined || name.next + 2 > bytes.length) return undefined
  const count = Number(readBits(bytes, name.next, 2))
  let at = name.next + 2
  const entries: Entry[] = []
  for (let i = 0; i < count; i++) {
    const found = readEntry(bytes, at)
    if (found === undefined) return undefined
    entries.push(found.entry)
    at = found.next
  }
  if (at !== bytes.length) return undefined
  return {
    kind,
    flags: bytes[3] ?? 0,
    incarnation: readUint32(bytes, 4),
    revision: readUint32(bytes, 8),
    base: readUint32(bytes, 12),
    digest: readUint32(bytes, 16),
    mac: decodeMac(bytes, 20),
    name: name.text,
    entries,
  }
}

/** Entries in runs that fit one message each; at least one run, which may be empty. */
export function pagesOf(entries: readonly Entry[]): readonly (readonly Entry[])[] {
  const pages: Entry[][] = [[]]
  let left = messageBytes
  for (const entry of entries) {
    // Worst case of UTF-8 without encoding twice; names are ASCII in practice.
    const size = entry.unit.length + entry.node.length + 11
    if (size > left) {
      pages.push([])
      left = messageBytes
    }
    left -= size
    pages.at(-1)?.push(entry)
  }
  return pages
}

function sizeOfEntry({ unit, node, value }: Entry): number {
  return 1 + sizeOf(unit) + 5 + (node === '' ? 0 : 1 + sizeOf(node)) + (value === 0 ? 0 : 4)
}

/** Returns where the next begins: a suspicion of thousands of units is written without a copy of any. */
function writeEntry(into: Uint8Array, from: number, { unit, term, flags, node, value }: Entry): number {
  let at = writeText(into, from, unit)
  writeUint32(into, at, term)
  into[at + 4] = (flags & 63) | (node === '' ? 0 : hasNode) | (value === 0 ? 0 : hasValue)
  at += 5
  if (node !== '') at = writeText(into, at, node)
  if (value === 0) return at
  writeUint32(into, at, value)
  return at + 4
}

function readEntry(bytes: Uint8Array, from: number): { entry: Entry; next: number } | undefined {
  const unit = readText(bytes, from)
  if (unit === undefined || unit.next + 5 > bytes.length) return undefined
  const term = readUint32(bytes, unit.next)
  const flags = bytes[unit.next + 4] ?? 0
  let at = unit.next + 5
  let node = ''
  if ((flags & hasNode) !== 0) {
    const found = readText(bytes, at)
    if (found === undefined) return undefined
    node = found.text
    at = found.next
  }
  let value = 0
  if ((flags & hasValue) !== 0) {
    if (at + 4 > bytes.length) return undefined
    value = readUint32(bytes, at)
    at += 4
  }
  return { entry: { unit: unit.text, term, flags: flags & 63, node, value }, next: at }
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Addresses and names are ASCII in practice: the encoder is asked where they are not. */
function cutBytesOf(text: string): Uint8Array {
  return encoder.encode(text).subarray(0, nameBytes)
}

function sizeOf(text: string): number {
  const size = Math.min(text.length, nameBytes)
  for (let i = 0; i < size; i++) if (text.charCodeAt(i) > 127) return cutBytesOf(text).length
  return size
}

/** Its length in a byte, then its bytes; returns where the next begins. */
function writeText(into: Uint8Array, at: number, text: string): number {
  const size = Math.min(text.length, nameBytes)
  into[at] = size
  for (let i = 0; i < size; i++) {
    const code = text.charCodeAt(i)
    if (code > 127) return writeBytes(into, at, cutBytesOf(text))
    into[at + 1 + i] = code
  }
  return at + 1 + size
}

function writeBytes(into: Uint8Array, at: number, bytes: Uint8Array): number {
  into[at] = bytes.length
  into.set(bytes, at + 1)
  return at + 1 + bytes.length
}

function readText(bytes: Uint8Array, at: number): { text: string; next: number } | undefined {
  const length = bytes[at]
  if (length === undefined || at + 1 + length > bytes.length) return undefined
  const next = at + 1 + length
  return { text: decoder.decode(bytes.subarray(at + 1, next)), next }
}

function readUint32(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16)
  return (high | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0
}

function writeUint32(into: Uint8Array, at: number, value: number): void {
  into[at] = (value >>> 24) & 255
  into[at + 1] = (value >>> 16) & 255
  into[at + 2] = (value >>> 8) & 255
  into[at + 3] = value & 255
}

/** A 32-bit digest of text (FNV-1a): for lists that must agree, not against enemies. */
export function digestOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  }
  return hash >>> 0
}
