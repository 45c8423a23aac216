/**
 * LZW as Go's compress/lzw writes it with least-significant-bit-first packing and 8-bit literals:
 * codes 0..255 literal, 256 clear, 257 end; widths 9 to 12 bits.
 */
import type { Bytes } from './bytes.ts'

const clearCode = 256
const endCode = 257
const maxWidth = 12
const maxCode = (1 << maxWidth) - 1

/** Whole input to whole output; the inverse of `decompressLzw`. */
export function compressLzw(input: Bytes): Bytes {
  const out: number[] = []
  let bits = 0
  let count = 0
  let width = 9
  let high = endCode
  let overflow = 512
  /** Codes by prefix code and next byte: `prefix << 8 | byte`. */
  let table = new Map<number, number>()
  const emit = (code: number): void => {
    bits |= code << count
    count += width
    for (; count >= 8; count -= 8, bits >>>= 8) out.push(bits & 255)
  }
  /** After each code of content; false when the table has just been cleared. */
  const grow = (): boolean => {
    high++
    if (high === overflow) {
      width++
      overflow <<= 1
    }
    if (high < maxCode) return true
    emit(clearCode)
    width = 9
    high = endCode
    overflow = 512
    table = new Map()
    return false
  }
  emit(clearCode)
  let prefix = -1
  for (const byte of input) {
    if (prefix < 0) {
      prefix = byte
      continue
    }
    const key = (prefix << 8) | byte
    const longer = table.get(key)
    if (longer !== undefined) {
      prefix = longer
      continue
    }
    emit(prefix)
    if (grow()) table.set(key, high)
    prefix = byte
  }
  if (prefix >= 0) {
    emit(prefix)
    grow()
  }
  emit(endCode)
  if (count > 0) out.push(bits & 255)
  return Uint8Array.from(out)
}

export type LzwFailure = 'badCompression' | 'tooLarge'

/** The original, or why not: at most `mostBytes` come out, so that a bomb stops there. */
export function decompressLzw(input: Bytes, mostBytes: number): Bytes | LzwFailure {
  const table = { suffix: new Uint8Array(maxCode + 1), prefix: new Uint16Array(maxCode + 1) }
  const out = { bytes: new Uint8Array(Math.min(mostBytes, input.length * 4 + 64)), length: 0 }
  const stack = new Uint8Array(maxCode + 1)
  let bits = 0
  let count = 0
  let width = 9
  let high = endCode
  let overflow = 512
  let last = -1
  let at = 0
  for (;;) {
    for (; count < width; count += 8) {
      const byte = input[at++]
      if (byte === undefined) return 'badCompression' // no end code
      bits |= byte << count
    }
    const code = bits & ((1 << width) - 1)
    bits >>>= width
    count -= width
    if (code === endCode) return out.bytes.subarray(0, out.length)
    if (code === clearCode) {
      width = 9
      high = endCode
      overflow = 512
      last = -1
      continue
    }
    if (code > high) return 'badCompression'
    // The expansion is read backwards from the end of its chain.
    let top = stack.length
    let link = code
    if (code === high && last >= 0) {
      top--
      link = last
    }
    for (; link > endCode; link = table.prefix[link] ?? 0) stack[--top] = table.suffix[link] ?? 0
    stack[--top] = link
    if (code === high && last >= 0) stack[stack.length - 1] = link
    if (last >= 0) {
      table.suffix[high] = link
      table.prefix[high] = last
    }
    if (!append(out, stack.subarray(top), mostBytes)) return 'tooLarge'
    last = code
    high++
    if (high < overflow) continue
    if (width === maxWidth) {
      last = -1
      high--
    } else {
      width++
      overflow = 1 << width
    }
  }
}

function append(out: { bytes: Bytes; length: number }, more: Bytes, mostBytes: number): boolean {
  const length = out.length + more.length
  if (length > mostBytes) return false
  if (length > out.bytes.length) {
    const bytes = new Uint8Array(Math.min(mostBytes, Math.max(length, out.bytes.length * 2)))
    bytes.set(out.bytes.subarray(0, out.length))
    out.bytes = bytes
  }
  out.bytes.set(more, out.length)
  out.length = length
  return true
}
