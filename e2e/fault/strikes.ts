/** What many faults do: hurt, wait for what must come of it, and watch a little longer. */
import type { Bounds, Promised, Struck } from './fault.ts'
import type { Hurt } from './hurt.ts'
import { wallMs } from './instruments.ts'
import { lasting, type Stage } from './stage.ts'

export const stays: Bounds = { moves: [0, 0], overlapMs: 0, isSeamless: true }
export const movesOnce: Bounds = { moves: [1, 1], overlapMs: 0 }
/** A planned hand-over; counted from a heal (design §5, "What is promised, exactly"). */
export const handedMs = 50
export const healedMs = 250
export const lossyMs = 300
export const handedOver: Bounds = { moves: [1, 1], overlapMs: handedMs, isSeamless: true }

/** A dead owner: the middle, and the most of 20 trials. */
export const soon: Promised = { medianMs: 600, mostMs: 1_500 }
/** It only went deaf, or its monitors died with it. */
export const witnessed: Promised = { medianMs: 1_600, mostMs: 1_600 }

/**
 * Nobody died and nobody left: no rule of ours makes an owner silent. What is left is the machine, which
 * may keep any one program from running for 100 ms and more in a trial that is not void. Whoever falls
 * silent by a rule does so for longer: 275 ms before the first claim after a beat, 300 ms for a foreign
 * voice.
 */
export const unbroken: Promised = { medianMs: 150, mostMs: 250 }

/** How long the wire is watched when what was waited for has come. */
export const restMs = 1_500

/** Hurts, waits for a successor, and watches a little longer. */
export async function succeed(stage: Stage, owner: string, hurt: () => Promise<unknown>): Promise<void> {
  const struckMs = wallMs()
  await hurt()
  await stage.successor(owner, struckMs)
  await lasting(restMs)
}

/** Hurts for some time, heals, and watches a little longer. */
export async function endure(hurting: Promise<Hurt>, ms: number, afterMs = restMs): Promise<Struck> {
  let judgeFromMs: number
  {
    await using _ = await hurting
    await lasting(ms)
    judgeFromMs = wallMs()
  }
  await lasting(afterMs)
  return { judgeFromMs }
}
