/** One entry of a pool's `addresses`: what it may be, for files and, in CEL, for API servers. */
import { parseAddress } from '../net/address.ts'
import type { Range } from '../net/model.ts'
import { parseRange } from '../net/range.ts'
import { addProblem, type At } from './fields.ts'
import { refine, type Rule, text } from './shape.ts'

/** An entry and where it stands, kept for the overlap check. */
export interface Placed {
  readonly text: string
  readonly range: Range
  readonly at: At
}

/** The range that is written, or a problem with what to write instead. */
export function readRange(written: string, at: At): Range | undefined {
  const parsed = parseRange(written)
  if ('range' in parsed) return parsed.range
  const bare = parseAddress(written.trim())
  const bits = bare?.family === 'ipv6' ? 128 : 32
  const hint = bare === undefined ? '' : `; a single address is written "${written.trim()}/${bits}"`
  addProblem(at, 'BadAddress', `${parsed.message}${hint}`)
  return undefined
}

// The same in CEL; `self` is the entry. Its library knows no IPv4-mapped IPv6 text
// (`::ffff:192.0.2.1`), which is IPv4 here. Entries that have it, or a dotted tail after another
// prefix, are left to the program.
const isNetwork = `!self.contains('-')`
const isForeign = `self.matches('(?i)(^|-)[ ]*[0:]*:ffff:|:[0-9]+[.]')`

// A network: address, slash, length.
const address = `self.substring(0, self.indexOf('/'))`
const length = `int(self.substring(self.indexOf('/') + 1))`
const isWritten = `self.matches('^[^/]+/[0-9]{1,9}$') && isIP(${address})`
const fits = `${length} <= (ip(${address}).family() == 4 ? 32 : 128)`
/** The block of mapped addresses has a neighbour in every network that contains it whole. */
const coversMapped = `${length} > 0 && ${length} < 96 && ip(${address}).family() == 6 && ` +
  `isCIDR(self) && cidr(self).containsIP('::fffe:0:0')`

// A range: both halves around the first dash.
const before = `self.substring(0, self.indexOf('-'))`
const after = `self.substring(self.indexOf('-') + 1)`
const start = `${before}.trim()`
const end = `${after}.trim()`
const hasBoth = `isIP(${start}) && isIP(${end})`
const isOneFamily = `ip(${start}).family() == ip(${end}).family()`
const isInFirst = (half: string): string => `cidr('::/80').containsIP(${half})`

// CEL cannot compare addresses, but it can tell the first bit in which two differ: the length of
// the shortest network around the one without the other. IPv4 is looked at as `::192.0.2.1`.
const wide = `(ip(${start}).family() == 4 ? '::' : '')`
/** A number up to 129 as text: CEL's own \`string\` has no bound that its cost could be told from. */
const decimal = (n: string): string =>
  `'   1 2 3 4 5 6 7 8 9101112'.substring((${n}) / 10 * 2, (${n}) / 10 * 2 + 2).trim() + ` +
  `'0123456789'.substring((${n}) % 10, (${n}) % 10 + 1)`
const network = (n: string): string => `cidr(${wide} + ${start} + '/' + ${decimal(n)})`
const isAround = (n: string): string => `${network(n)}.containsIP(${wide} + ${end})`
/** The length of the longest network around both, found bit by bit. */
const shared = `[0]${[64, 32, 16, 8, 4, 2, 1].map((step) =>
  `.map(n, ${isAround(`n + ${step}`)} ? n + ${step} : n)`).join('')}`
/** The one whose first differing bit is 0 comes first: then that bit changes nothing. */
const isOrdered = `ip(${start}) == ip(${end}) || ${shared}` +
  `.all(n, ${network('n')}.masked().ip() == ${network('n + 1')}.masked().ip())`

/** `rule` where `given` holds; elsewhere another rule speaks. */
const about = (given: string, rule: string): string => `${isForeign} || !(${given}) || (${rule})`
const invalid = (why: string): string => `'invalid IP range "' + self + '": ' + ${why}`

const rules: readonly Rule[] = [
  {
    rule: about(isNetwork, `${isWritten} && ${fits} && !(${coversMapped})`),
    message: `'invalid CIDR "' + self + '"' + (isIP(self.trim()) ? '; a single address is written "' + ` +
      `self.trim() + (ip(self.trim()).family() == 4 ? '/32"' : '/128"') : '')`,
  },
  {
    rule: about(`!(${isNetwork})`, `isIP(${start})`),
    message: invalid(`'invalid start IP "' + ${before} + '"'`),
  },
  {
    rule: about(`!(${isNetwork}) && isIP(${start})`, `isIP(${end})`),
    message: invalid(`'invalid end IP "' + ${after} + '"'`),
  },
  {
    rule: about(`!(${isNetwork}) && ${hasBoth}`, isOneFamily),
    message: invalid(`'start and end are of different families'`),
  },
  {
    rule: about(`!(${isNetwork}) && ${hasBoth} && ${isOneFamily}`, isOrdered),
    message: invalid(`'start IP "' + ${start} + '" is after the end IP "' + ${end} + '"'`),
  },
  {
    rule: about(
      `!(${isNetwork}) && ${hasBoth} && ${isOneFamily} && ip(${start}).family() == 6`,
      `!${isInFirst(start)} || ${isInFirst(end)}`,
    ),
    message: invalid(`'it contains IPv4-mapped addresses; write them as IPv4'`),
  },
]

/** A network in CIDR notation, or `start-end`. */
export const entryShape = refine(
  text({ description: 'A network (192.0.2.0/24) or a range (192.0.2.10-192.0.2.20).', max: 88 }),
  rules,
  (written, at): Placed | undefined => {
    const range = readRange(written, at)
    return range === undefined ? undefined : { text: written, range, at }
  },
)
