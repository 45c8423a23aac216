/** Why a node is silent by the wire's word, as text for the others: the condition of a Service names it. */
import { parseMac } from './frame.ts'
import type { Mac, Silence } from './model.ts'

/** One address that this node should answer for, and does not, for a reason that only the wire shows. */
export interface WireSilence {
  /** Formatted address. */
  readonly text: string
  readonly reason: Silence
  /** Of the machine that answers in its place. */
  readonly mac?: Mac
  /** Name of the one where nobody is heard. */
  readonly interface?: string
}

/** Most addresses told about: more have one cause, and the first of them name it. */
export const maxSilences = 100
const longestName = 64

const wireReasons = [
  'inConflict', 'ownerDeaf', 'segmentUnheard', 'expired', 'contested', 'ownerAnswers', 'memberAnswers',
] as const satisfies readonly Silence[]

/** Reasons that the wire alone gives. */
export type WireReason = (typeof wireReasons)[number]

/** JSON, the same for the same silences, '' for none; conflicts come first, since they need somebody. */
export function encodeSilences(silences: readonly WireSilence[]): string {
  if (silences.length === 0) return ''
  const told = silences.toSorted(compareSilences).slice(0, maxSilences)
  return JSON.stringify(told.map(({ text, reason, mac, interface: name }) => ({
    text, reason, ...(mac === undefined ? {} : { mac }), ...(name === undefined ? {} : { interface: name }),
  })))
}

function compareSilences(a: WireSilence, b: WireSilence): number {
  const [first, second] = [a, b].map(({ reason }) => reason === 'inConflict' ? 0 : 1)
  return (first ?? 0) - (second ?? 0) || (a.text < b.text ? -1 : a.text > b.text ? 1 : 0)
}

/** What a node has told of; entries that are not ours, or of a later version, are left out. */
export function decodeSilences(text: string | undefined): readonly WireSilence[] {
  if (text === undefined || text === '') return []
  try {
    const told: unknown = JSON.parse(text)
    return Array.isArray(told) ? told.slice(0, maxSilences).flatMap(decodeSilence) : []
  } catch {
    return []
  }
}

function decodeSilence(value: unknown): readonly WireSilence[] {
  if (typeof value !== 'object' || value === null || !('text' in value) || !('reason' in value)) return []
  const { text } = value
  const reason = wireReasons.find((one) => one === value.reason)
  if (typeof text !== 'string' || text === '' || text.length > longestName || reason === undefined) return []
  const mac = 'mac' in value && typeof value.mac === 'string' ? parseMac(value.mac) : undefined
  const name = 'interface' in value && typeof value.interface === 'string' &&
      value.interface.length <= longestName
    ? value.interface
    : undefined
  return [{
    text, reason, ...(mac === undefined ? {} : { mac }), ...(name === undefined ? {} : { interface: name }),
  }]
}
