/**
 * MessagePack as hashicorp's go-msgpack speaks it in the "old spec": text and bytes are both `raw`,
 * never str8 and never bin; structs are maps whose keys ascend. Reading is as lenient as its reader.
 */
import { type Bytes, copyBytes, fromByteString, toByteString, u16At, u32At } from './bytes.ts'

/** A signed Go integer, which is written in signed forms; plain numbers are unsigned. */
export interface Signed {
  readonly signed: number
}

/** What can be written. Bytes that are undefined become nil; a string is a byte string. */
export type Writable = boolean | number | Signed | string | Bytes | undefined

/** Fields in ascending order of their names, each with its value. */
export type WritableFields = readonly (readonly [name: string, value: Writable])[]

/** A map with these fields, in this order: the caller keeps the names ascending. At most 15. */
export function writeFields(fields: WritableFields): Bytes {
  const out: number[] = [0x80 | fields.length]
  for (const [name, value] of fields) {
    writeRaw(out, fromByteString(name))
    writeValue(out, value)
  }
  return Uint8Array.from(out)
}

function writeValue(out: number[], value: Writable): void {
  if (value === undefined) out.push(0xc0)
  else if (typeof value === 'boolean') out.push(value ? 0xc3 : 0xc2)
  else if (typeof value === 'number') writeUnsigned(out, value)
  else if (typeof value === 'string') writeRaw(out, fromByteString(value))
  else if ('signed' in value) writeSigned(out, value.signed)
  else writeRaw(out, value)
}

function writeUnsigned(out: number[], value: number): void {
  if (value < 0x80) out.push(value)
  else if (value < 0x100) out.push(0xcc, value)
  else if (value < 0x10000) out.push(0xcd, value >>> 8, value & 255)
  else out.push(0xce, value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255)
}

/** As go-msgpack 2: 16 or 32 signed bits beyond a positive fixint. Never negative here. */
function writeSigned(out: number[], value: number): void {
  if (value < 0x80) out.push(value)
  else if (value < 0x8000) out.push(0xd1, value >>> 8, value & 255)
  else out.push(0xd2, value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255)
}

function writeRaw(out: number[], bytes: Bytes): void {
  const { length } = bytes
  if (length < 32) out.push(0xa0 | length)
  else if (length < 0x10000) out.push(0xda, length >>> 8, length & 255)
  else out.push(0xdb, length >>> 24, (length >>> 16) & 255, (length >>> 8) & 255, length & 255)
  for (const byte of bytes) out.push(byte)
}

/** What can be read; NaN stands for what no field can be: floats, extensions, 64-bit excess. */
type Readable = boolean | number | Bytes | undefined | readonly Readable[] | ReadonlyMap<string, Readable>

/** `truncated`: more bytes might complete it; `malformed`: none will. */
export type Unreadable = 'truncated' | 'malformed'

/** Mutable position in bytes being read; `failure` is set once and then stays. */
interface Cursor {
  readonly bytes: Bytes
  at: number
  failure: Unreadable | undefined
}

/** Deeper nesting than any message of the protocol has. */
const maxDepth = 8

/** Fields of one map, narrowed by name; a field that does not fit makes the whole invalid. */
export interface Fields {
  /** Missing and nil are 0. */
  number(name: string, most: number): number
  flag(name: string): boolean
  /** Missing and nil are ''; a byte string. */
  text(name: string): string
  /** A copy; missing and nil are undefined. */
  bytes(name: string): Bytes | undefined
  isValid(): boolean
}

/** The map that starts at `at`, and where it ends. Never throws; memory is bounded by the input. */
export function readFields(
  bytes: Bytes, at: number,
): { readonly fields: Fields; readonly end: number } | Unreadable {
  const cursor: Cursor = { bytes, at, failure: undefined }
  const value = readValue(cursor, 0)
  if (cursor.failure !== undefined) return cursor.failure
  if (!(value instanceof Map)) return 'malformed'
  return { fields: openFields(value), end: cursor.at }
}

function openFields(map: ReadonlyMap<string, Readable>): Fields {
  let isValid = true
  const bad = <T>(instead: T): T => {
    isValid = false
    return instead
  }
  const bytesOf = (name: string): Bytes | undefined => {
    const value = map.get(name)
    if (value === undefined) return undefined
    if (value instanceof Uint8Array) return value
    if (!Array.isArray(value)) return bad(undefined)
    const items = value.map((item) => isByte(item) ? item : bad(0))
    return Uint8Array.from(items)
  }
  return {
    number: (name, most) => {
      const value = map.get(name) ?? 0
      const fits = typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most
      return fits ? value : bad(0)
    },
    flag: (name) => {
      const value = map.get(name) ?? false
      if (typeof value === 'boolean') return value
      return value === 0 || value === 1 ? value === 1 : bad(false)
    },
    text: (name) => toByteString(bytesOf(name) ?? new Uint8Array()),
    bytes: (name) => {
      const found = bytesOf(name)
      return found === undefined ? undefined : copyBytes(found)
    },
    isValid: () => isValid,
  }
}

function isByte(value: Readable): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 256
}

function fail(cursor: Cursor, why: Unreadable): undefined {
  cursor.failure ??= why
  return undefined
}

/** Takes `count` bytes: the unsigned number they are; at most 4. */
function take(cursor: Cursor, count: number): number {
  const { bytes, at } = cursor
  if (at + count > bytes.length) {
    fail(cursor, 'truncated')
    return 0
  }
  cursor.at = at + count
  return count === 1 ? bytes[at] ?? 0 : count === 2 ? u16At(bytes, at) : u32At(bytes, at)
}

function readValue(cursor: Cursor, depth: number): Readable {
  if (depth > maxDepth) return fail(cursor, 'malformed')
  const head = take(cursor, 1)
  if (cursor.failure !== undefined) return undefined
  if (head < 0x80) return head
  if (head < 0x90) return readMap(cursor, head & 15, depth)
  if (head < 0xa0) return readArray(cursor, head & 15, depth)
  if (head < 0xc0) return readRaw(cursor, head & 31)
  if (head >= 0xe0) return head - 256
  return readTagged(cursor, head, depth)
}

/** Heads c0..df: a width in bytes follows where the low bits say so. */
function readTagged(cursor: Cursor, head: number, depth: number): Readable {
  switch (head) {
    case 0xc0: return undefined
    case 0xc1: return fail(cursor, 'malformed')
    case 0xc2: return false
    case 0xc3: return true
    case 0xc4: case 0xc5: case 0xc6: return readRaw(cursor, take(cursor, 1 << (head - 0xc4)))
    case 0xc7: case 0xc8: case 0xc9: return skip(cursor, take(cursor, 1 << (head - 0xc7)) + 1)
    case 0xca: return skip(cursor, 4)
    case 0xcb: return skip(cursor, 8)
    case 0xcc: case 0xcd: case 0xce: return take(cursor, 1 << (head - 0xcc))
    case 0xcf: case 0xd3: return readWide(cursor, head === 0xd3)
    case 0xd0: return (take(cursor, 1) << 24) >> 24
    case 0xd1: return (take(cursor, 2) << 16) >> 16
    case 0xd2: return take(cursor, 4) | 0
    case 0xd9: case 0xda: case 0xdb: return readRaw(cursor, take(cursor, 1 << (head - 0xd9)))
    case 0xdc: case 0xdd: return readArray(cursor, take(cursor, 2 << (head - 0xdc)), depth)
    case 0xde: case 0xdf: return readMap(cursor, take(cursor, 2 << (head - 0xde)), depth)
    default: return skip(cursor, (1 << (head - 0xd4)) + 1) // d4..d8: fixed extensions
  }
}

function readWide(cursor: Cursor, isSigned: boolean): number {
  const high = take(cursor, 4)
  const low = take(cursor, 4)
  return (isSigned ? high | 0 : high) * 2 ** 32 + low
}

function skip(cursor: Cursor, count: number): number {
  readRaw(cursor, count)
  return Number.NaN
}

function readRaw(cursor: Cursor, length: number): Readable {
  const { bytes, at } = cursor
  if (cursor.failure !== undefined || at + length > bytes.length) return fail(cursor, 'truncated')
  cursor.at = at + length
  return bytes.subarray(at, at + length)
}

function readArray(cursor: Cursor, count: number, depth: number): Readable {
  const items: Readable[] = []
  for (let i = 0; i < count && cursor.failure === undefined; i++) {
    items.push(readValue(cursor, depth + 1))
  }
  return items
}

function readMap(cursor: Cursor, count: number, depth: number): Readable {
  const map = new Map<string, Readable>()
  for (let i = 0; i < count && cursor.failure === undefined; i++) {
    const key = readValue(cursor, depth + 1)
    if (cursor.failure === undefined && !(key instanceof Uint8Array)) return fail(cursor, 'malformed')
    const value = readValue(cursor, depth + 1)
    if (key instanceof Uint8Array) map.set(toByteString(key), value)
  }
  return map
}
