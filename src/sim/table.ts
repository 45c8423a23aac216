/** The figures of `hack/sim --figures` as one table, with the bounds that they have to keep. */
import type { Millis } from '../net/model.ts'
import { overlapBounds } from './bounds.ts'
import {
  type Burst, type Loss, measureBurst, measureLosses, measureRest, type Rate, type Rest,
} from './figures.ts'

/** Issue "One voice": a dead owner without packet loss, and 100 addresses of one of ten. */
export const figureBounds = { darkMiddleMs: 400, darkMostMs: 600, burstMostMs: 2_000 }

/** Nodes, and addresses where there is not one a node. */
const rests: readonly (Parameters<typeof measureRest>)[] = [
  [3], [10], [20], [50], [10, { addresses: 1_000 }], [50, { isOneMissing: true }],
]

/** A line of the table, and whether it keeps its bounds. */
export interface Line {
  readonly text: string
  readonly isKept: boolean
}

/** Of a sorted list, `at` 0.5 for the middle and 1 for the most; rounded to whole ms. */
export function quantile(sorted: readonly Millis[], at: number): Millis {
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(at * sorted.length))] ?? 0)
}

/** Everything, one line after the other as it is measured. */
export function* figureLines(trials: number): Generator<Line> {
  for (const loss of measureLosses(trials)) yield lossLine(loss)
  for (const placement of ['sticky', 'hash'] as const) yield burstLine(measureBurst(placement))
  yield { text: 'at rest, of one node a second, mean (most of any):', isKept: true }
  for (const rest of rests) yield { text: restText(measureRest(...rest)), isKept: true }
}

export function lossLine({ fault, placement, nodes, trials, darks }: Loss): Line {
  const [middle, most] = [quantile(darks, 0.5), quantile(darks, 1)]
  return {
    text: `${fault.padEnd(15)} ${placement.padEnd(7)}${cell(nodes, 3)} nodes, ${cell(trials, 3)} trials,` +
      `${cell(darks.length, 4)} addresses: dark p50 ${cell(middle, 4)}, max ${cell(most, 4)} ms`,
    isKept: middle <= figureBounds.darkMiddleMs && most <= figureBounds.darkMostMs,
  }
}

export function burstLine({ placement, nodes, addresses, darks }: Burst): Line {
  const [middle, most] = [quantile(darks, 0.5), quantile(darks, 1)]
  return {
    text: `${darks.length} of ${addresses} addresses, ${placement}, ${nodes} nodes: ` +
      `dark p50 ${middle}, max ${most} ms`,
    isKept: most <= figureBounds.burstMostMs,
  }
}

/**
 * Overlaps where 30 % of the frames are lost: 99 of 100 within their bound (design §5). Of fewer than 100,
 * one may be beyond.
 */
export function overlapLine(overlapsMs: readonly Millis[]): Line {
  const count = overlapsMs.length
  const sorted = overlapsMs.toSorted((a, b) => a - b)
  const beyond = sorted.filter((ms) => ms > overlapBounds.lossMs).length
  const figures = count === 0 ? '' : `, p99 ${quantile(sorted, 0.99)} ms, max ${quantile(sorted, 1)} ms`
  return {
    text: `overlaps at 30 % loss: n=${count}${figures}, ${beyond} above ${overlapBounds.lossMs} ms`,
    isKept: beyond <= Math.max(1, Math.floor(count / 100)),
  }
}

function restText({ nodes, addresses, isOneMissing, words, asks, voices, frames }: Rest): string {
  return `${cell(nodes, 3)} nodes,${cell(addresses, 5)} addresses${isOneMissing ? ', one node dead' : ''}: ` +
    `words sent ${both(words.sent)}, received ${both(words.received)}; asks sent ${both(asks)}; ` +
    `answers and announcements ${both(voices)}; frames received ${both(frames)}`
}

function both({ mean, most }: Rate): string {
  return `${mean.toFixed(1)} (${most.toFixed(1)})`
}

function cell(value: number, width: number): string {
  return String(value).padStart(width)
}
