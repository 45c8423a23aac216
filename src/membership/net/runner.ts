/** Steps the ring on real time: one timer, and events one after the other. */
import type { Millis } from '../../net/model.ts'
import { step } from '../engine.ts'
import type { Effect, Event } from '../model.ts'
import type { Ring } from '../ring.ts'

export interface Runner {
  /** Steps the ring and performs what it says; nothing once stopped. */
  take(event: Event): void
  stop(): void
}

/** `perform` gets every effect but the wake-ups, in order. */
export function createRunner(
  ring: Ring, now: () => Millis, perform: (effect: Exclude<Effect, { readonly kind: 'wake' }>) => void,
): Runner {
  let timer: NodeJS.Timeout | undefined
  let armedMs = Number.POSITIVE_INFINITY
  let isStopped = false
  const wake = (): void => {
    armedMs = Number.POSITIVE_INFINITY
    take({ kind: 'wake' })
  }
  const arm = (atMs: Millis): void => {
    if (atMs === armedMs || isStopped) return
    armedMs = atMs
    clearTimeout(timer)
    // After the timer, sockets are read once more: what arrived while we were late counts first.
    timer = setTimeout(() => setImmediate(wake), Math.max(0, Math.ceil(atMs - now())))
  }
  const take = (event: Event): void => {
    if (isStopped) return
    for (const effect of step(ring, event, now())) {
      if (effect.kind === 'wake') arm(effect.atMs)
      else perform(effect)
    }
  }
  return {
    take,
    stop: () => {
      isStopped = true
      clearTimeout(timer)
    },
  }
}
