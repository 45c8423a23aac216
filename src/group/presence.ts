/** Which hosts are heard now: by this host, or by the one that it votes for, to which alone they speak. */
import type { Millis } from '../net/model.ts'
import { compareVersions, type Word } from './model.ts'
import { type Council, isOurs, silentMs } from './state.ts'

/** Others of our group that have said something a moment ago, here or there. Membership knows of it later. */
export function presentOf(c: Council, now: Millis): ReadonlySet<string> {
  const here = hereOf(c, now)
  const word = here.has(c.vote) ? c.others.get(c.vote)?.word : undefined
  if (word === undefined) return here
  return new Set([...here, ...presentThere(c, word)].filter((name) => name !== c.options.self))
}

function hereOf(c: Council, now: Millis): ReadonlySet<string> {
  return new Set([...c.others].flatMap(([name, { word, heardMs }]) =>
    word !== undefined && now - heardMs < silentMs && isOurs(c, word) ? [name] : []))
}

/** Of an older version, or with another ledger for a moment, it does not say: membership has to do. */
function presentThere({ stored, alive }: Council, { hears, version }: Word): readonly string[] {
  if (stored === undefined) return []
  if (hears === undefined || compareVersions(version, stored.version) !== 0) return alive
  return stored.members.flatMap(({ name }, i) => hasBit(hears, i) ? [name] : [])
}

const bitsADigit = 4

/** A bit for each member of the ledger, in its order, in hexadecimal digits: a word is one datagram. */
export function maskOfPresent(c: Council, now: Millis): string {
  const here = hereOf(c, now)
  const bits = (c.stored?.members ?? []).map(({ name }) => name === c.options.self || here.has(name))
  const digits = Array.from({ length: Math.ceil(bits.length / bitsADigit) }, (_, digit) =>
    bits.slice(digit * bitsADigit, (digit + 1) * bitsADigit)
      .reduce((value, isHere, i) => value + (isHere ? 1 << i : 0), 0).toString(16))
  return digits.join('')
}

function hasBit(mask: string, i: number): boolean {
  const digit = Number.parseInt(mask.charAt(Math.floor(i / bitsADigit)), 16)
  return !Number.isNaN(digit) && (digit >> i % bitsADigit & 1) === 1
}
