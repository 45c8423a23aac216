/** Hexadecimal text to bytes and back, for golden frames in tests. */

/** Bytes of a hex string; blanks and line breaks are skipped. */
export function fromHex(text: string): Uint8Array {
  const digits = text.replace(/\s+/g, '')
  const bytes = new Uint8Array(digits.length / 2)
  for (let i = 0; i < bytes.length; i++) {
    bytes[i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16)
  }
  return bytes
}

/** Lower-case hex without separators. */
export function toHex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0')
  return text
}
