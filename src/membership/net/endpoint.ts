/** Addresses between three worlds: values of this program, bytes on the wire, text for sockets. */
import { formatAddress, parseAddress } from '../../net/address.ts'
import type { Address } from '../../net/model.ts'
import { plainAddress } from '../ring.ts'
import { type Bytes, toByteString } from '../wire/bytes.ts'

/** 4 or 16 bytes. */
export function toAddressBytes({ family, bits }: Address): Bytes {
  const bytes = new Uint8Array(family === 'ipv4' ? 4 : 16)
  let rest = bits
  for (let i = bytes.length - 1; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 255n)
  return bytes
}

/** The address in 4 or 16 bytes; mapped ones are IPv4. */
export function fromAddressBytes(bytes: Bytes): Address {
  const plain = plainAddress(bytes)
  let bits = 0n
  for (const byte of plain) bits = (bits << 8n) | BigInt(byte)
  return { family: plain.length === 4 ? 'ipv4' : 'ipv6', bits }
}

/** Why a socket could not be opened, as the end of a sentence. */
export function describeBinding(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = 'code' in error ? error.code : undefined
  if (code === 'EADDRINUSE') return 'another program uses it (a speaker of MetalLB?); see --ml-bindport'
  if (code === 'EADDRNOTAVAIL') return 'this host has no such address; see --ml-bindaddr'
  return error.message
}

/** More than a large ring has; then it starts afresh. */
const maxCached = 4_096

const none: Bytes = new Uint8Array()

/** Both conversions with a memory: every packet needs one. */
export interface AddressBook {
  textOf(address: Bytes): string
  /** Bytes of what a socket reports; no bytes for what is no address. */
  bytesOf(text: string): Bytes
}

export function createAddressBook(): AddressBook {
  const texts = new Map<string, string>()
  const bytes = new Map<string, Bytes>()
  const keep = <V>(map: Map<string, V>, key: string, value: V): V => {
    if (map.size >= maxCached) map.clear()
    map.set(key, value)
    return value
  }
  return {
    textOf: (address) => {
      const key = toByteString(address)
      return texts.get(key) ?? keep(texts, key, formatAddress(fromAddressBytes(address)))
    },
    bytesOf: (text) => {
      const known = bytes.get(text)
      if (known !== undefined) return known
      const address = parseAddress(text.replace(/%.*$/, ''))
      return keep(bytes, text, address === undefined ? none : toAddressBytes(address))
    },
  }
}
