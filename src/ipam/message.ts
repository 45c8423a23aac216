/** Sentences about refusals: what is free, who is in the way, what would help. */
import type { Intent, Pool } from '../config/model.ts'
import { prefixes, serviceAnnotations } from '../config/names.ts'
import { counted } from '../config/words.ts'
import { formatAddress } from '../net/address.ts'
import type { Address, Family } from '../net/model.ts'
import { type Clash, countUsed, type Ledger } from './ledger.ts'
import { admits } from './pools.ts'
import { poolCapacity } from './usage.ts'

/** `IPv4`, `IPv6` or `IPv4 and IPv6`. */
export function familyNames(families: readonly Family[]): string {
  return families.map((family) => (family === 'ipv4' ? 'IPv4' : 'IPv6')).join(' and ')
}

/**
 * What of a sentence is about the Service itself: all before the names and numbers of others, which come and
 * go while its state stays the same. Here, and where addresses lost are added, they stand after `; `, ` by `
 * or in parentheses.
 */
export function gistOf(message: string): string {
  return message.split(/; | by | \(/, 1)[0] ?? ''
}

/** Who is in the way of a requested address. MetalLB's words where it has some. */
export function describeClash(clash: Clash, address: Address, service: Intent): string {
  const text = formatAddress(address)
  const more = clash.unnamed > 0 ? ` and ${clash.unnamed} more` : ''
  const holders = clash.holders.join(',') + more
  switch (clash.reason) {
    case 'addressInUse':
      return `"${text}" is in use by ${holders}; to share it, give both the annotation ` +
        `${prefixes[0]}${serviceAnnotations.sharing} with the same value`
    case 'sharingKeyMismatch':
      return `can't change sharing key for "${service.key}", address also in use by ${holders}: ` +
        'allow-shared-ip, externalTrafficPolicy and, if it is Local, the selector must be the same'
    case 'portInUse':
      return `port ${clash.port} is already in use on "${text}" by ${holders}`
  }
}

/** No free address in any of `pools`, with counts. */
export function describeExhausted(
  ledger: Ledger, pools: readonly Pool[], service: Intent,
): string {
  const counts = pools.slice(0, maxNamed).map((pool) =>
    service.families.map((family) => describeFamily(ledger, pool, family)).join(', ')
  )
  const more = pools.length > maxNamed ? ` and ${counted(pools.length - maxNamed, 'more pool')}` : ''
  const wanted = familyNames(service.families)
  return `no available IPs: no free ${wanted} address in ${counts.join('; ')}${more}; ` +
    'widen a pool or release a Service'
}

/** Pools named in one sentence. */
const maxNamed = 5

function describeFamily(ledger: Ledger, pool: Pool, family: Family): string {
  const capacity = poolCapacity(pool)[family]
  const used = countUsed(ledger, pool.name, family)
  return `"${pool.name}" (${used} of ${capacity} ${familyNames([family])} in use)`
}

/** Pools exist, but none may be chosen without being asked for. */
export function describeNoAutoPool(pools: readonly Pool[], service: Intent): string {
  const manual = pools.filter((pool) => !pool.autoAssign && admits(pool, service))
  const [first] = manual
  if (first === undefined) {
    return `no available IPs: no pool admits namespace "${service.namespace}" and these labels`
  }
  return 'no available IPs: no pool is assigned automatically; ask for one with the annotation ' +
    `${prefixes[0]}${serviceAnnotations.pool}: ${first.name}`
}
