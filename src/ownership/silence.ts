/** What a node should answer for and does not, for a reason that the wire alone shows. */
import type { WireReason, WireSilence } from '../l2/silences.ts'
import type { Mac } from '../l2/model.ts'
import type { Millis } from '../net/model.ts'
import type { Attempt, Hush, Own } from './ongoing.ts'
import { isUnheard } from './placing.ts'
import type { Ownership, Unit } from './state.ts'
import { mayOwn } from './units.ts'

/** What ends sooner is a failover, and no news; that a foreign machine answers has been asked twice. */
const lastingMs: Millis = 1_000

interface Found {
  readonly reason: WireReason
  readonly sinceMs: Millis
  /** Who answers for which address of the unit. */
  readonly foreign?: { readonly mac: Mac; readonly text: string } | undefined
  /** Nobody can be mistaken about it. */
  readonly isSure?: boolean
}

/** One entry for each address that has been silent for long enough to be told of, in the order of units. */
export function wireSilences(o: Ownership, now: Millis): readonly WireSilence[] {
  const isNobodyHeard = isUnheard(o, now)
  const silences: WireSilence[] = []
  for (const unit of o.units.values()) {
    const { wish } = unit
    const found = wish === undefined ? undefined : causeOf(o, unit, { isNobodyHeard, now })
    if (found === undefined || (found.isSure !== true && now - found.sinceMs < lastingMs)) continue
    const { reason, foreign } = found
    const name = reason === 'ownerDeaf' || reason === 'segmentUnheard' ? deafLeg(o, unit) : undefined
    const why = { reason, ...(name === undefined ? {} : { interface: name }) }
    for (const { text } of wish?.addresses ?? []) {
      // The controller takes an address with a MAC for another machine's: no member's, nor one beside it.
      const isForeign = foreign?.text === text && !o.macs.has(foreign.mac)
      silences.push({ text, ...why, ...(isForeign ? { mac: foreign.mac } : {}) })
    }
  }
  return silences
}

function causeOf(
  o: Ownership, unit: Unit,
  { isNobodyHeard, now }: { readonly isNobodyHeard: boolean; readonly now: Millis },
): Found | undefined {
  const { own, attempt, owner } = unit
  if (own !== undefined) return ownersCause(own)
  if (attempt !== undefined) return claimersCause(attempt)
  if (!isNobodyHeard || owner !== undefined || !mayOwn(o, unit, now)) return undefined
  return { reason: 'segmentUnheard', sinceMs: o.startedMs }
}

function ownersCause({ hush, hushedMs: sinceMs, conflict }: Own): Found | undefined {
  const reason = reasonOf(hush)
  if (reason !== 'inConflict') return reason === undefined ? undefined : { reason, sinceMs }
  return { reason, sinceMs, foreign: conflict, isSure: conflict !== undefined }
}

/** Why an owner is silent, as others are told; undefined where it answers, or its successor does. */
export function reasonOf(hush: Hush | undefined): WireReason | undefined {
  if (hush === undefined || hush === 'handOver') return undefined
  return hush === 'conflict' ? 'inConflict' : hush
}

function claimersCause({ told, foreign, sinceMs }: Attempt): Found | undefined {
  switch (told) {
    case undefined:
      return undefined
    case 'inConflict':
      return { reason: told, sinceMs, foreign, isSure: true }
    case 'contested': // its owner has said that a foreign machine answers
      return { reason: 'inConflict', sinceMs }
    case 'ownerAnswers':
    case 'memberAnswers':
    case 'segmentUnheard':
      return { reason: told, sinceMs }
  }
}

/** The interface where nobody is heard: the only one, or one that is known to be deaf. */
function deafLeg(o: Ownership, { legs }: Unit): string | undefined {
  const deaf = [...legs].filter((ifindex) => legs.size === 1 || o.hearing.get(ifindex)?.isDeaf === true)
  const names = deaf.flatMap((ifindex) => o.legs.get(ifindex)?.name ?? []).toSorted()
  return names[0]
}
