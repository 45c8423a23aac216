/** Services with policy Local: which node could serve a unit when, and what follows from it for checks. */
import type { Millis } from '../net/model.ts'
import type { Cluster } from './cluster.ts'
import type { Finding, Place, Record, Served, Tenure } from './record.ts'
import type { Gap, Move } from './tenure.ts'

interface Stretch extends Served {
  readonly untilMs: Millis
}

function stretchesOf({ served }: Record, unit: string): readonly Stretch[] {
  const list = served.get(unit) ?? []
  return list.map((each, i) => ({ ...each, untilMs: list[i + 1]?.atMs ?? Infinity }))
}

export function isLocal({ served }: Record, unit: string): boolean {
  return served.has(unit)
}

/** The nodes that had something to serve the unit with, of all. */
export function servingAt(
  record: Record, unit: string, atMs: Millis, all: readonly string[],
): readonly string[] {
  const stretch = stretchesOf(record, unit).find((each) => each.atMs <= atMs && atMs < each.untilMs)
  return stretch === undefined ? all : all.filter((node) => stretch.endpoints.has(node))
}

/** The place without answers of nodes that had nothing to serve it with: they are no answers. */
export function servedPlace(record: Record, place: Place): Place {
  if (!isLocal(record, place.unit)) return place
  const stretches = stretchesOf(record, place.unit)
  const tenures = place.tenures.flatMap((tenure): readonly Tenure[] =>
    stretches.filter(({ endpoints }) => endpoints.has(tenure.node)).map(({ atMs, untilMs }) => ({
      ...tenure, fromMs: Math.max(tenure.fromMs, atMs), toMs: Math.min(tenure.toMs, untilMs),
    })).filter(({ fromMs, toMs }) => fromMs < toMs))
  return { ...place, tenures }
}

/** The part of a gap since somebody of `able` could serve without a break; undefined = nobody at its end. */
export function servableGap(
  record: Record, unit: string, gap: Gap, isAble: (node: string) => boolean,
): Gap | undefined {
  let { fromMs } = gap
  for (const { atMs, untilMs, endpoints } of stretchesOf(record, unit)) {
    if (atMs >= gap.toMs || untilMs <= fromMs) continue
    if (![...endpoints.keys()].some(isAble)) fromMs = Math.min(untilMs, gap.toMs)
  }
  return fromMs >= gap.toMs ? undefined : { ...gap, fromMs }
}

/** For so long after it was so, what an endpoint was may be the reason of a move. */
const reasonMs: Millis = 1_000
/** Whoever hands over has learnt within this what an endpoint is, and the successor has taken over. */
const newsMs: Millis = 500

/** Whether all the time, until then, the node has had endpoints in one of these states. */
function hasBeen(
  record: Record, unit: string, { node, fromMs, toMs }: { node: string; fromMs: Millis; toMs: Millis },
  states: readonly string[],
): boolean {
  return stretchesOf(record, unit).every(({ atMs, untilMs, endpoints }) =>
    atMs > toMs || untilMs < fromMs || states.includes(endpoints.get(node) ?? 'gone'))
}

/** Whether the former owner's endpoints ended or went. */
export function isMovedByRollout(record: Record, { unit }: Place, { from, atMs, endedMs }: Move): boolean {
  const fromMs = Math.min(endedMs, atMs) - reasonMs
  return isLocal(record, unit) && !hasBeen(record, unit, { node: from, fromMs, toMs: atMs }, ['ready'])
}

/** Nothing moves by choice to a node where what would serve ends, from one that serves. */
export function checkEndings(
  { record, options }: Cluster, isHurt: (nodes: readonly string[], atMs: Millis) => boolean,
): readonly Finding[] {
  if (options.placement === 'hash') return []
  return record.notes.flatMap(({ atMs, node, note }): readonly Finding[] => {
    if (note.kind !== 'claimed' || (note.cause !== 'handOver' && note.cause !== 'restored')) return []
    const { unit, from } = note
    if (from === undefined || !isLocal(record, unit) || isHurt([from, node], atMs)) return []
    const span = { fromMs: atMs - newsMs, toMs: atMs }
    const isForced = !hasBeen(record, unit, { node: from, ...span }, ['ready', 'ending'])
    if (isForced || !hasBeen(record, unit, { node, ...span }, ['ending'])) return []
    return [{ check: 'move', atMs, text: `${unit} was handed from ${from} to ${node}, where all ends` }]
  })
}
