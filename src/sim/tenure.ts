/** Reads the record of one place: overlaps, gaps and moves. */
import type { Millis } from '../net/model.ts'
import type { Place, Tenure } from './record.ts'

export interface Overlap {
  readonly older: Tenure
  readonly newer: Tenure
  readonly fromMs: Millis
  readonly toMs: Millis
}

export interface Gap {
  readonly fromMs: Millis
  readonly toMs: Millis
  /** Who answered last; undefined before the first. */
  readonly last: string | undefined
}

export interface Move {
  readonly from: string
  readonly to: string
  readonly atMs: Millis
  /** When the former owner ended. */
  readonly endedMs: Millis
}

function inOrder({ tenures }: Place): readonly Tenure[] {
  return tenures.toSorted((a, b) => a.fromMs - b.fromMs || a.toMs - b.toMs)
}

/** Times in which two nodes would have answered on the same side of the segment. */
export function overlapsOf(place: Place): readonly Overlap[] {
  const overlaps: Overlap[] = []
  let active: Tenure[] = []
  for (const newer of inOrder(place)) {
    active = active.filter(({ toMs }) => toMs > newer.fromMs)
    for (const older of active) {
      if (older.node === newer.node || older.side !== newer.side) continue
      const toMs = Math.min(older.toMs, newer.toMs)
      if (toMs > newer.fromMs) overlaps.push({ older, newer, fromMs: newer.fromMs, toMs })
    }
    active.push(newer)
  }
  return overlaps
}

/** Times in which nobody on the gateway's side would have answered, while the unit was wanted. */
export function gapsOf(place: Place, endMs: Millis): readonly Gap[] {
  const untilMs = Math.min(place.untilMs, endMs)
  const gaps: Gap[] = []
  let at = place.fromMs
  let last: string | undefined
  for (const tenure of inOrder(place)) {
    if (tenure.side !== 0) continue
    if (tenure.fromMs > at && at < untilMs) {
      gaps.push({ fromMs: at, toMs: Math.min(tenure.fromMs, untilMs), last })
    }
    if (tenure.toMs < at) continue
    at = tenure.toMs
    last = tenure.node
  }
  if (at < untilMs) gaps.push({ fromMs: at, toMs: untilMs, last })
  return gaps
}

/** Changes of the owner on the gateway's side. */
export function movesOf(place: Place): readonly Move[] {
  const moves: Move[] = []
  let owner: Tenure | undefined
  for (const tenure of inOrder(place)) {
    if (tenure.side !== 0) continue
    if (owner !== undefined && owner.node !== tenure.node) {
      moves.push({
        from: owner.node, to: tenure.node, atMs: tenure.fromMs,
        endedMs: Math.min(owner.toMs, tenure.fromMs),
      })
    }
    if (owner === undefined || owner.node !== tenure.node || tenure.toMs > owner.toMs) owner = tenure
  }
  return moves
}
