/** The address values every part of the program shares. After parsing there is no textual address. */

/** The two address families, named as Kubernetes metrics and status fields name them. */
export type Family = 'ipv4' | 'ipv6'

/** One host address; `bits` is its unsigned value (32 or 128 bits). IPv4-mapped IPv6 is never stored. */
export interface Address {
  readonly family: Family
  readonly bits: bigint
}

/** An inclusive run of addresses of one family, `first <= last`. */
export interface Range {
  readonly family: Family
  readonly first: bigint
  readonly last: bigint
}

/** A network: `bits` has all host bits cleared, `length` counts from the left (0..32 or 0..128). */
export interface Prefix {
  readonly family: Family
  readonly bits: bigint
  readonly length: number
}

/** Integer milliseconds: a duration, or an instant of the monotonic clock. */
export type Millis = number
