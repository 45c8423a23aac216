/** The formulas of hashicorp/memberlist 0.5: suspicion, spreading, and exchange of states. */
import type { Millis } from '../net/model.ts'
import type { Settings } from './settings.ts'

export interface SuspicionTimes {
  readonly leastMs: Millis
  readonly mostMs: Millis
  /** Confirmations that shorten the wait from most to least. */
  readonly wanted: number
}

/**
 * How long a suspicion lasts among `count` known nodes, dead ones included:
 * least = mult × max(1, log10 count) × probe interval, cut to thousandths.
 */
export function suspicionTimes(settings: Settings, count: number): SuspicionTimes {
  const { suspicionMult, suspicionMaxTimeoutMult, probeIntervalMs } = settings
  const scale = Math.max(1, Math.log10(Math.max(1, count)))
  const leastMs = suspicionMult * Math.trunc(1_000 * scale) * probeIntervalMs / 1_000
  const wanted = suspicionMult - 2
  return { leastMs, mostMs: suspicionMaxTimeoutMult * leastMs, wanted: count - 2 < wanted ? 0 : wanted }
}

/** Time from the start of a suspicion to its end, after `confirmed` confirmations by others. */
export function suspicionMs({ leastMs, mostMs, wanted }: SuspicionTimes, confirmed: number): Millis {
  if (wanted < 1) return leastMs
  const share = Math.log(confirmed + 1) / Math.log(wanted + 1)
  return Math.max(leastMs, Math.floor(mostMs - (mostMs - leastMs) * share))
}

/** How many times a broadcast is handed out: mult × ⌈log10(count + 1)⌉. */
export function retransmitLimit(mult: number, count: number): number {
  return mult * Math.ceil(Math.log10(count + 1))
}

/** From 33 nodes on, exchanges are rarer: ×2 up to 64, ×3 up to 128, and so on. */
export function pushPullMs(intervalMs: Millis, count: number): Millis {
  if (count <= 32) return intervalMs
  return intervalMs * (Math.ceil(Math.log2(count) - 5) + 1)
}
