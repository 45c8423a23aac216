/** Writes DER, the encoding of certificates: only what one of them needs (ITU-T X.690). */

const tags = {
  boolean: 0x01, integer: 0x02, bits: 0x03, octets: 0x04, oid: 0x06, utf8: 0x0c, utcTime: 0x17,
  generalizedTime: 0x18, sequence: 0x30, set: 0x31,
} as const

function encode(tag: number, content: Uint8Array): Buffer {
  const { length } = content
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), content])
  const size = length < 0x1_00 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.of(tag, ...size), content])
}

export function sequence(...parts: readonly Uint8Array[]): Buffer {
  return encode(tags.sequence, Buffer.concat(parts))
}

export function setOf(part: Uint8Array): Buffer {
  return encode(tags.set, part)
}

/** Context-specific: constructed where it wraps others, else the bytes themselves. */
export function tagged(number: number, content: Uint8Array, isConstructed = true): Buffer {
  return encode((isConstructed ? 0xa0 : 0x80) | number, content)
}

/** Of bytes, the first one highest; not negative. */
export function integer(bytes: Uint8Array): Buffer {
  const start = bytes.findIndex((byte) => byte !== 0)
  const short = start === -1 ? Buffer.of(0) : bytes.subarray(start)
  const isHigh = (short[0] ?? 0) >= 0x80
  return encode(tags.integer, isHigh ? Buffer.concat([Buffer.of(0), short]) : short)
}

export function trueValue(): Buffer {
  return encode(tags.boolean, Buffer.of(0xff))
}

/** Named bits from the first, a list of whole bytes less `unused` of the last. */
export function bits(content: Uint8Array, unused = 0): Buffer {
  return encode(tags.bits, Buffer.concat([Buffer.of(unused), content]))
}

export function octets(content: Uint8Array): Buffer {
  return encode(tags.octets, content)
}

export function utf8(text: string): Buffer {
  return encode(tags.utf8, Buffer.from(text))
}

/** `1.2.840.10045.4.3.2` */
export function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number)
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const groups = [arc & 0x7f]
    for (let left = arc >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80)
    return groups
  })
  return encode(tags.oid, Buffer.from(bytes))
}

/** Whole seconds; two digits of the year before 2050 (RFC 5280 §4.1.2.5). */
export function time(at: Date): Buffer {
  const text = at.toISOString().replace(/[-:T]|\.\d+/g, '')
  return at.getUTCFullYear() < 2050
    ? encode(tags.utcTime, Buffer.from(text.slice(2)))
    : encode(tags.generalizedTime, Buffer.from(text))
}
