/** Values of ownership: what a node is told, what it answers with, and what it remembers of the others. */
import type { Drop, Mac } from '../l2/model.ts'
import type { Packet } from '../l2/packet.ts'
import type { Placement } from '../l2/placement.ts'
import type { Address, Millis, Prefix } from '../net/model.ts'

/** One interface of a node, as far as the others need it. */
export interface Leg {
  readonly name: string
  /** Interface index; only meaningful for our own legs. */
  readonly ifindex: number
  readonly mac: Mac
  /** Own addresses there with their prefixes, link-local ones included. */
  readonly addresses: readonly { readonly address: Address; readonly prefix: Prefix }[]
}

/** Another node, or this one, as membership and the API see it. */
export interface Peer {
  readonly name: string
  /** Gossip says alive or suspect (never acted on early: only dead or left is "gone"). */
  readonly isAlive: boolean
  /** It speaks beats; a MetalLB speaker does not. */
  readonly isCapable: boolean
  /** Its process has started after the present rollout began; successors prefer such. */
  readonly isRestarted: boolean
  /** It is leaving: nothing goes to it any more. */
  readonly isDraining?: boolean
  readonly legs: readonly Leg[]
}

/** An address of a unit. */
export interface UnitAddress {
  readonly address: Address
  readonly text: string
}

/** A node that may own a unit, and on which of its interfaces it would answer each address. */
export interface Nominee {
  readonly node: string
  /** Sum of preferred-node weights; higher wins. */
  readonly score: number
  /** All that it could serve a Service of the unit with terminates: another goes first, and gets it. */
  readonly isEnding?: boolean
  /** By `text` of the address; 'all' = each usable interface. */
  readonly interfaces: ReadonlyMap<string, 'all' | readonly string[]>
}

/**
 * Addresses that Services connect: they have one owner on all their segments. What somebody
 * should announce; the whole list is given each time.
 */
export interface Wish {
  /** First address of its oldest Service: names the unit, and is the hash key. */
  readonly key: string
  readonly addresses: readonly UnitAddress[]
  /** Eligible nodes, by name. Empty = nobody may. */
  readonly nominees: readonly Nominee[]
  /**
   * The same without the prefix rule, as MetalLB sees it: used while a member that is not capable
   * lives, and 10 s longer. undefined = the same as `nominees`.
   */
  readonly wideNominees?: readonly Nominee[] | undefined
  /** Node that owned it last as far as stored anywhere (ServiceL2Status, state directory). */
  readonly hint: string | undefined
}

/** Everything outside the wire that ownership depends on. Replaces the last one. */
export interface World {
  readonly self: string
  readonly placement: Placement
  readonly wishes: readonly Wish[]
  /** All known nodes, ourselves included. */
  readonly peers: readonly Peer[]
  /** Nodes that have a speaker Pod: a start waits for them to join, 3 s at most. */
  readonly expected: readonly string[]
  /** Routers on our own legs, by ifindex: the first to be asked whether we are heard. */
  readonly gateways: ReadonlyMap<number, readonly Address[]>
  /** This node is leaving: hand everything over. */
  readonly isDraining: boolean
  /** It goes now: what is not handed over is let go, so that others claim it at once. */
  readonly isLeaving?: boolean
  /** Units that somebody asked to move: key → node. */
  readonly moves: ReadonlyMap<string, string>
}

/**
 * What happens to a node. Frames and messages that were queued together come together.
 *
 * Duty of the shell, in each turn of its loop, whatever woke it (the stall rule of design §5):
 *   1. read every socket of frames to its end, then every queue of messages to its end;
 *   2. `step` with `frames` (if any), then with `messages` (if any), then `world` if it changed,
 *      and perform the effects of each at once: `rights` may take back what is now forbidden;
 *   3. answer those of the frames that `isAnswerable` lets through, from the rights of that instant,
 *      reading the clock immediately before each answer;
 *   4. only then, if the instant of the last `wake` effect has come, `step` with `wake`.
 * Beats leave, and claims are made, in `wake` alone. A wake that comes more than 40 ms late does
 * nothing but ask for another turn, so that the queues are read first.
 */
export type Event =
  | { readonly kind: 'world'; readonly world: World }
  | { readonly kind: 'frames'; readonly frames: readonly ReadFrame[] }
  | { readonly kind: 'messages'; readonly messages: readonly ReceivedMessage[] }
  | { readonly kind: 'wake' }

export interface ReceivedFrame {
  readonly ifindex: number
  readonly frame: Uint8Array
  /** When the kernel took it in (not when it was read), on the clock of `now`. */
  readonly receivedAtMs: Millis
}

/** Decoded once, for all who look at it. */
export interface ReadFrame extends ReceivedFrame {
  readonly packet: Packet | Drop
}

export interface ReceivedMessage {
  /** Authenticated name of the sender. */
  readonly from: string
  /** Through gossip (relayed, late, possibly twice), not straight from the sender. */
  readonly isGossip: boolean
  readonly bytes: Uint8Array
  readonly receivedAtMs: Millis
}

/** One address this node answers for, until when, on which interfaces. */
export interface Right {
  readonly unit: string
  readonly address: Address
  readonly text: string
  readonly ifindexes: ReadonlySet<number>
  /** Last instant at which an answer may leave; Infinity when no other node can ever claim. */
  readonly notAfterMs: Millis
}

/** What the shell has to do, in this order. */
export type Effect =
  /** The responder answers exactly these from now on; announcements of others stop at once. */
  | { readonly kind: 'rights'; readonly rights: readonly Right[] }
  /** The same of what has changed: texts that are answered for no more, and rights new or with other legs. */
  | { readonly kind: 'rightsChanged'; readonly gone: readonly string[]; readonly come: readonly Right[] }
  /** A beat is about to leave: this is the new `notAfterMs` of all present rights. */
  | { readonly kind: 'extend'; readonly notAfterMs: Millis }
  /**
   * Start the announcement burst of these addresses on this interface (engine), or start it again.
   * Each round of it may leave only while the right lasts.
   */
  | { readonly kind: 'announce'; readonly texts: readonly string[]; readonly ifindex: number
      /** One round is enough: nobody else can have been heard meanwhile. */
      readonly isBrief?: boolean }
  /** Leaves only before `notAfterMs`, read from the clock immediately before. */
  | { readonly kind: 'send'; readonly ifindex: number; readonly frame: Uint8Array
      readonly notAfterMs: Millis }
  /** Straight to a member; on a leg where given (from our address there to its address there). */
  | { readonly kind: 'tell'; readonly to: string; readonly ifindex: number | undefined
      readonly bytes: Uint8Array }
  | { readonly kind: 'gossip'; readonly bytes: Uint8Array }
  /** Call `step` with `wake` at this instant, in place of any earlier request. */
  | { readonly kind: 'wake'; readonly atMs: Millis }
  /** Something that people should know: history, log, metrics, events. */
  | { readonly kind: 'note'; readonly note: Note }

/** Why a unit came to us or left us. */
export type Cause =
  | 'placed' // nobody owned it
  | 'restored' // owned before a total restart, by the hint
  | 'ownerSilent' // beats stopped and the wire confirmed it
  | 'ownerDeaf' // a witness or a claimer took it from an owner that no longer hears
  | 'ownerLeft' // the owner let it go, and nobody had taken it over
  | 'handOver' // planned: drain, move, exclude label, preferred node
  | 'contested' // somebody has a higher term
  | 'conflict' // a foreign host answers for it
  | 'arpSuppression' // a dead owner's MAC goes on answering and does not exist
  | 'election' // hash placement elected us
  | 'ineligible' // we may not any more
  | 'unwanted' // no Service holds it any more
  | 'expired' // our fence ran out: we stalled or were not heard

export type Note =
  | { readonly kind: 'claimed' | 'released'; readonly unit: string; readonly cause: Cause
      readonly from: string | undefined; readonly to: string | undefined
      /** Time without an owner as far as known. */
      readonly darkMs: Millis | undefined }
  | { readonly kind: 'silenced' | 'resumed'; readonly unit: string; readonly cause: Cause }
  | { readonly kind: 'inConflict' | 'conflictEnded'; readonly unit: string; readonly text: string
      readonly mac: Mac | undefined }
  | { readonly kind: 'strictARP'; readonly node: string; readonly text: string; readonly mac: Mac }
  | { readonly kind: 'postponed'; readonly unit: string
      readonly reason: Postponement }

/** Why a claim has to wait. */
export type Postponement =
  | 'ownerAnswers' // no beats, but its MAC answers on the wire
  | 'segmentUnheard' // nobody answered this node's control requests
  | 'memberAnswers' // another member owns it already
  | 'contested' // its owner is silent because a foreign host answered
  | 'inConflict' // a foreign host answers
