/** What a host remembers of its group: its own side, the others', and the times that govern votes. */
import { emptyForeignMemory, type Foreign, type ForeignMemory } from '../ipam/foreign.ts'
import type { Millis } from '../net/model.ts'
import {
  type Agreement, type Effect, type ForeignWord, type GroupLedger, type KnownShare, noVersion, type Share,
  type Version, type Word,
} from './model.ts'

/** Between two words of a host to the one it votes for, and of a candidate to all. */
export const wordMs: Millis = 300
/** A vote counts for so long after it came, however late it is read. */
export const freshMs: Millis = 1_000
/**
 * A host that has voted votes for nobody else for so long: half a second more than its vote
 * counts, so that no two hosts are elected at a time unless a datagram is on the wire for longer.
 */
export const leaseMs: Millis = 1_500
/** Who is voted for and says nothing for so long is passed over, for twice this time. */
export const silentMs: Millis = 1_500
/** After a longer sleep the kernel's stamps no longer tell how long something lay there. */
export const longSleepMs: Millis = 30_000
/** A group comes into being when all hosts of --join are heard, or after this with more than half. */
export const patienceMs: Millis = 5_000

export interface CouncilOptions {
  readonly self: string
  /** Hosts that --join names, this one included: half of them are no majority. */
  readonly expected: number
  /** Names a new group. */
  readonly freshGroup: string
  /** From the state folder. */
  readonly ledger: GroupLedger | undefined
  readonly own: KnownShare
  readonly now: Millis
  readonly propose: (
    before: Agreement | undefined, shares: readonly Share[], foreign: Foreign,
  ) => Agreement
}

export interface Other {
  word: Word | undefined
  heardMs: Millis
  known: KnownShare | undefined
  askedMs: Millis
  ledgerSentMs: Millis
  /** Passed over until then. */
  silentUntilMs: Millis
}

/** Mutable; owned by the shell, changed by `step` alone. */
export interface Council {
  readonly options: CouncilOptions
  own: KnownShare
  stored: GroupLedger | undefined
  inForce: GroupLedger | undefined
  storing: GroupLedger | undefined
  agreed: Version
  /** When `step` ran last; and a long sleep, with when all that lay in the socket will have been read. */
  steppedMs: Millis
  sleptSinceMs: Millis
  sortedAtMs: Millis
  /** The highest term heard of, and the one that this host allocates under; 0 = none. */
  maxTerm: number
  ownTerm: number
  alive: readonly string[]
  /** What this host has found, and what all have, for as long as it counts. */
  found: readonly ForeignWord[]
  foreign: ForeignMemory
  readonly others: Map<string, Other>
  /** '' = nobody. */
  vote: string
  /** When the vote was given, or last renewed by a word of its holder. */
  voteHeardMs: Millis
  /** No vote for another before. */
  leaseUntilMs: Millis
  wordAtMs: Millis
  isWordDue: boolean
  /** What the last proposal was made from. */
  proposedFrom: string
  out: Effect[]
}

/** A host that has just started: it may have voted just before. */
export function createCouncil(options: CouncilOptions): Council {
  const { ledger, own, now } = options
  return {
    options, own, stored: ledger, inForce: ledger, storing: undefined,
    agreed: ledger?.version ?? noVersion, steppedMs: now, sleptSinceMs: now, sortedAtMs: now,
    maxTerm: ledger?.version.term ?? 0, ownTerm: 0, alive: [], others: new Map(),
    found: [], foreign: emptyForeignMemory,
    vote: '', voteHeardMs: now, leaseUntilMs: now + leaseMs, wordAtMs: now, isWordDue: true,
    proposedFrom: '', out: [],
  }
}

export function otherOf(c: Council, name: string): Other {
  const known = c.others.get(name)
  if (known !== undefined) return known
  const long = Number.NEGATIVE_INFINITY
  const other: Other = {
    word: undefined, heardMs: long, known: undefined, askedMs: long, ledgerSentMs: long,
    silentUntilMs: long,
  }
  c.others.set(name, other)
  return other
}

/** Hosts without a ledger may join; those of another group are none of ours. */
export function isOurs(c: Council, word: Word): boolean {
  return word.group === '' || c.stored === undefined || word.group === c.stored.group
}
