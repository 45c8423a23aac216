/** A host that stops hands over what it answers for, and lets go of the rest before it ends. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Announcer } from './announcer.ts'
import type { Millis } from './net/model.ts'
import type { Ring } from './ring.ts'

const lookMs: Millis = 10
/** The last beat leaves in a turn of its own. */
const letGoMs: Millis = 50

export interface DrainOptions {
  readonly announcer: Announcer
  /** undefined = nobody to be told. */
  readonly ring: Ring | undefined
  /** What the next turn tells ownership. */
  readonly state: { isDraining: boolean; isLeaving: boolean }
  readonly turn: () => void | Promise<void>
  /** What a hand-over of everything may take; after this the others notice by themselves. */
  readonly capMs: Millis
}

/** Settles when nothing is answered for any more, or the time is over and the rest was let go. */
export async function drain({ announcer, ring, state, turn, capMs }: DrainOptions): Promise<void> {
  state.isDraining = true
  ring?.sayGoodbye()
  await turn()
  const endMs = performance.now() + capMs
  while (announcer.rights().length > 0 && performance.now() < endMs) await sleep(lookMs)
  if (announcer.rights().length === 0) return
  // What is left is let go before the process ends: others claim it at once.
  state.isLeaving = true
  await turn()
  await sleep(letGoMs)
}
