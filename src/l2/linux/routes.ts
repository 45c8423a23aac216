/** Reads which routers this host has, from the kernel's tables of routes. */
import { readFileSync } from 'node:fs'
import type { Address } from '../../net/model.ts'

/** Default routers by name of the interface that leads to them. */
export type Gateways = ReadonlyMap<string, readonly Address[]>

/** Of both families; empty where a table cannot be read. */
export function readGateways(): Gateways {
  return parseGateways(readOr('/proc/self/net/route'), readOr('/proc/self/net/ipv6_route'))
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** RTF_GATEWAY (linux/route.h). */
const viaGateway = 0x2

/** The text of the two files, as the kernel prints them (proc(5)); what it does not print is skipped. */
export function parseGateways(ipv4: string, ipv6: string): Gateways {
  const found = new Map<string, Address[]>()
  const add = (name: string, address: Address): void => {
    found.set(name, [...found.get(name) ?? [], address])
  }
  for (const line of ipv4.split('\n').slice(1)) {
    const [name, target, gateway = '', flags = '0'] = line.split('\t')
    const isDefault = target === '00000000' && (Number.parseInt(flags, 16) & viaGateway) !== 0
    if (name === undefined || !isDefault || !/^[0-9A-F]{8}$/.test(gateway)) continue
    // The bytes stand in the order of the host's memory: little-endian on all that Node.js runs on.
    const bytes = gateway.match(/../g)?.toReversed().join('') ?? '0'
    add(name, { family: 'ipv4', bits: BigInt(`0x${bytes}`) })
  }
  for (const line of ipv6.split('\n')) {
    const words = line.trim().split(/ +/)
    const [target, length, , , gateway = '', , , , flags = '0', name] = words
    const isDefault = target === '0'.repeat(32) && length === '00' &&
      (Number.parseInt(flags, 16) & viaGateway) !== 0
    if (name === undefined || !isDefault || !/^[0-9a-f]{32}$/.test(gateway)) continue
    add(name, { family: 'ipv6', bits: BigInt(`0x${gateway}`) })
  }
  return found
}
