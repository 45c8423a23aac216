/** What is under way for one address's unit: owning, offering, claiming, asking. */
import type { Mac } from '../l2/model.ts'
import type { Millis } from '../net/model.ts'
import type { Cause, Postponement } from './model.ts'

/** Why an owner is silent. */
export type Hush = 'contested' | 'conflict' | 'ownerDeaf' | 'expired' | 'handOver'

/** A frame that asserts an address of a unit. */
export interface Voice {
  readonly text: string
  readonly mac: Mac
  readonly ifindex: number
  readonly atMs: Millis
  /** It was sent to this node alone. */
  readonly isToUs: boolean
}

/** An owner that fell silent, or answers again: one entry of the history of that, newest last. */
export interface Pause {
  readonly atMs: Millis
  readonly unit: string
  readonly kind: 'silenced' | 'resumed'
  readonly cause: Hush
  /** Where it answers again: how long it did not. */
  readonly lastedMs: Millis | undefined
}

/** A hand-over under way. */
export interface Offer {
  readonly to: string
  readonly cause: Cause
  readonly sinceMs: Millis
  /** Where it is refused, it is not made again for so long. */
  readonly againMs: Millis
  /** Nothing is wrong with this owner: a successor that is cut off on a segment refuses. */
  readonly isOptional: boolean
  /** It was the successor's since everything was restarted: not for one that has started again since. */
  readonly isReturn: boolean
  /** The successor owns the other segments: the wire has said that it lives, whatever membership says. */
  readonly isJoining: boolean
  /** How often it was asked for on the wire before. */
  asks: number
  tries: number
  nextMs: Millis
}

/** This node owns the unit. */
export interface Own {
  /** undefined = it answers. */
  hush: Hush | undefined
  /** Carried by our beats; below the unit's when somebody has claimed after us. */
  term: number
  readonly sinceMs: Millis
  /** When it saw that it has to be silent. */
  hushedMs: Millis
  /** Since when it is silent, at the latest: earlier than that where it stood still. For telling alone. */
  silentMs: Millis
  /** Another was heard for it since. */
  isDisputed: boolean
  /** When it was taken, or last resumed with a whole burst. */
  burstMs: Millis
  /** When a silent owner probes (again). */
  probeMs: Millis
  /** It was handed to us: frames of the old owner that are under way until then mean nothing. */
  graceUntilMs: Millis
  /** Who handed it to us last. */
  handedBy: string | undefined
  /** Only these legs were claimed, the others are another's; undefined = all. */
  scope: ReadonlySet<number> | undefined
  /** Since when nobody has answered for it on the other legs; undefined = somebody has, or none was asked. */
  unansweredMs: Millis | undefined
  /** Placed here, and announced before anybody was asked, at this instant: not heard on all legs yet. */
  trialMs: Millis | undefined
  /** It fell silent on trial: the round of probes before it answers again is its next one. */
  hasTrialLeft: boolean
  /** How often it has still to be said that it is not answered for on a leg that was given up. */
  pleas: number
  provisionalUntilMs: Millis
  offer: Offer | undefined
  /** Successors that refused or did not answer, until when. */
  readonly refused: Map<string, Millis>
  /** Its part may be offered to another's again: what was refused as a whole says nothing of parts. */
  joinMs: Millis
  better: { readonly node: string; readonly sinceMs: Millis } | undefined
  defendedMs: Millis
  /** It lost one of its segments, and has not been offered to a node with more. */
  isCut: boolean
  /** It has fewer legs than when it came to own it. */
  hasLost: boolean
  /** Since when this node may not own it any more. */
  ineligibleMs: Millis | undefined
  conflict: { readonly mac: Mac; readonly text: string; everyMs: Millis; isTold: boolean } | undefined
  /** Told that another's kernel answers for it, while this owner goes on. */
  isStrictTold: boolean
}

/** A claim that waits for its turn. */
export interface Attempt {
  readonly suspect: string | undefined
  readonly cause: Cause
  /** L: no beat of the owner was received after this. */
  lastBeatMs: Millis
  startMs: Millis
  readonly sinceMs: Millis
  /** Legs on which the owner is silent; undefined = all. */
  segments: Set<number> | undefined
  backoffMs: Millis
  told: Postponement | undefined
  /**
   * When its MAC was asked by unicast (ARP suppression), by leg and address: all that it has answered for.
   * undefined = it is not being asked so.
   */
  unicastMs: Map<string, Millis> | undefined
  /** How often in a row it was silent by unicast. */
  unicasts: number
  readonly isProvisional: boolean
  /** When it was last said that the suspect is silent. */
  toldMs: Millis
  /** Whose probes made it wait, since when: each only once for a while. */
  yielded: Map<Mac, Millis> | undefined
  /** Who answered for which address of the unit, where `told` is `inConflict`. */
  foreign: { readonly mac: Mac; readonly text: string } | undefined
}

/** One that has not begun. */
export function createAttempt(
  { isProvisional = false, ...begun }:
    Pick<Attempt, 'suspect' | 'cause' | 'lastBeatMs' | 'startMs' | 'segments'> & { isProvisional?: boolean },
  now: Millis,
): Attempt {
  return {
    ...begun, isProvisional, sinceMs: now, toldMs: now, backoffMs: 0, told: undefined, unicastMs: undefined,
    unicasts: 0, yielded: undefined, foreign: undefined,
  }
}

/** A pick that came before the unit it speaks of. */
export interface EarlyPick {
  readonly from: string
  readonly term: number
  readonly flags: number
  readonly atMs: Millis
}

/**
 * Probes under way: for a claim, by a silent owner, by an owner that answers all the while, or by an
 * owner of some segments on the others.
 */
export interface Round {
  readonly purpose: 'claim' | 'resume' | 'check' | 'widen'
  readonly startMs: Millis
  readonly legs: ReadonlySet<number>
  sent: number
  /** There was no credit for it: it has no start yet, and is decided anew when its turn comes. */
  readonly isInLine: boolean
}

/** The own address that was asked for last on a leg, and the member that answered, if any has. */
export interface Asked {
  readonly text: string
  readonly atMs: Millis
  answer: { readonly node: string; readonly mac: Mac } | undefined
}

/** How fast probe rounds may begin: `nextMs` spaces them, `credit` is what is left of a batch. */
export interface Starts {
  nextMs: Millis
  credit: number
  atMs: Millis
}
