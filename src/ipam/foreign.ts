/** Addresses of ours that machines have which are none of ours: known for how long, and of whom. */
import { formatAddress } from '../net/address.ts'
import type { Address, Millis } from '../net/model.ts'
import { type AddressKey, addressKey } from './pools.ts'

/** The MAC of the machine that has the address, by key of the address; '' = not known. */
export type Foreign = ReadonlyMap<AddressKey, string>

export const noForeign: Foreign = new Map()

export function sameForeign(a: Foreign, b: Foreign): boolean {
  return a === b || (a.size === b.size && [...a].every(([key, mac]) => b.get(key) === mac))
}

/** More addresses than this at one MAC: it answers for whatever it is asked, as a router with proxy ARP. */
const mostOfOne = 8

/** MACs that would answer for the next address as well: nobody moves away from them. */
export function answerersForAll(foreign: Foreign): ReadonlySet<string> {
  const counts = new Map<string, number>()
  for (const mac of foreign.values()) counts.set(mac, (counts.get(mac) ?? 0) + 1)
  return new Set([...counts].flatMap(([mac, count]) => mac !== '' && count > mostOfOne ? [mac] : []))
}

/** MACs by formatted address, of those that no Service holds any more. */
export function leftToOthers(
  foreign: Foreign, rows: readonly { readonly addresses: readonly string[] }[],
): ReadonlyMap<string, string> {
  const held = new Set(rows.flatMap(({ addresses }) => addresses))
  const left = new Map<string, string>()
  for (const [key, mac] of foreign) {
    const text = formatAddress({ family: typeof key === 'bigint' ? 'ipv6' : 'ipv4', bits: BigInt(key) })
    if (mac !== '' && !held.has(text)) left.set(text, mac)
  }
  return left
}

/** A machine that is none of ours has answered for an address. */
export interface Sighting {
  readonly address: Address
  readonly mac: string
}

/** What is remembered of that; replaced as a whole. */
export interface ForeignMemory {
  readonly rows: ReadonlyMap<AddressKey, Row>
  /** The same value as before where nothing has changed. */
  readonly foreign: Foreign
  /** When something of it is forgotten; undefined = only after another report. */
  readonly nextMs: Millis | undefined
}

interface Row {
  readonly mac: string
  /** undefined = it is reported now. */
  readonly untilMs: Millis | undefined
}

export const emptyForeignMemory: ForeignMemory = { rows: new Map(), foreign: noForeign, nextMs: undefined }

/** Where nobody has the address any more nobody asks for it: that it is free again is not seen. */
export const foreignMs: Millis = 600_000

/** Takes all that is reported now, in place of what was reported before. */
export function rememberForeign(
  before: ForeignMemory, seen: readonly Sighting[], now: Millis,
): ForeignMemory {
  if (before.rows.size === 0 && seen.length === 0) return before
  const rows = new Map<AddressKey, Row>()
  const lasting = lastingRows(before, seen)
  for (const [key, { mac, untilMs = now + foreignMs }] of before.rows) {
    if (lasting.has(key)) rows.set(key, { mac, untilMs: undefined })
    else if (untilMs > now) rows.set(key, { mac, untilMs })
  }
  for (const { address, mac } of seen) rows.set(addressKey(address), { mac, untilMs: undefined })
  const foreign = new Map([...rows].map(([key, { mac }]) => [key, mac] as const))
  const ends = [...rows.values()].flatMap(({ untilMs }) => untilMs ?? [])
  return {
    rows, foreign: sameForeign(before.foreign, foreign) ? before.foreign : foreign,
    nextMs: ends.length === 0 ? undefined : Math.min(...ends),
  }
}

/**
 * While a machine that answers for all is reported for any address it stays one: as many of its addresses are
 * kept in mind as make it that, else Services would wander on whenever the first of them are forgotten.
 */
function lastingRows({ rows, foreign }: ForeignMemory, seen: readonly Sighting[]): ReadonlySet<AddressKey> {
  const stayers = answerersForAll(foreign)
  const macs = new Set(seen.map(({ mac }) => mac).filter((mac) => stayers.has(mac)))
  return new Set([...macs].flatMap((mac) =>
    [...rows].filter(([, row]) => row.mac === mac).slice(0, mostOfOne + 1).map(([key]) => key)))
}
