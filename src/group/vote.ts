/** Who is voted for, whose votes count, and whether this host may allocate. */
import { rankByHash } from '../l2/placement.ts'
import type { Millis } from '../net/model.ts'
import { compareVersions, noVersion, type Standstill } from './model.ts'
import { presentOf } from './presence.ts'
import { type Council, freshMs, isOurs, leaseMs, silentMs } from './state.ts'

/** Like a unit: whoever has the task keeps it; an orphan goes to the first in the order of the hash. */
export function decideVote(c: Council, now: Millis): void {
  const { self } = c.options
  const wanted = wantedVote(c, now)
  if (wanted === c.vote) {
    if (c.vote !== '') c.leaseUntilMs = now + leaseMs
    return
  }
  if (c.vote !== '') {
    // The old vote still counts there: nobody gets it before that has ended.
    c.vote = ''
    c.isWordDue = true
  }
  if (now < c.leaseUntilMs || wanted === '') return
  c.vote = wanted
  c.voteHeardMs = now
  c.leaseUntilMs = now + leaseMs
  c.isWordDue = true
  if (wanted === self) c.proposedFrom = ''
}

function wantedVote(c: Council, now: Millis): string {
  const { self } = c.options
  const { vote } = c
  if (vote !== '' && vote !== self) {
    const other = c.others.get(vote)
    if (c.alive.includes(vote) && now - c.voteHeardMs < silentMs) {
      const next = other?.word?.vote ?? ''
      // Whom we follow follows somebody else.
      return next !== '' && next !== vote && isCandidate(c, next, now) ? next : vote
    }
    if (other !== undefined) other.silentUntilMs = now + 2 * silentMs
  }
  if (vote === self && votes(c, now, 0) >= majority(c, now)) return self
  const elected = [...c.others].find(([name, { word, heardMs }]) =>
    word?.isElected === true && now - heardMs < freshMs && isCandidate(c, name, now))
  if (elected !== undefined) return elected[0]
  const names = [...c.alive, self].filter((name) => isCandidate(c, name, now))
  return rankByHash(names.map((node) => ({ node, score: 0 })), 'allocator')[0]?.node ?? ''
}

function isCandidate(c: Council, name: string, now: Millis): boolean {
  if (!isVoter(c, name)) return false
  if (name === c.options.self) return true
  const other = c.others.get(name)
  if (!c.alive.includes(name) || now < (other?.silentUntilMs ?? 0)) return false
  return other?.word === undefined ? c.stored !== undefined : isOurs(c, other.word)
}

/** Members, as far as nobody has given them up; before there is a group, everybody who is heard. */
export function isVoter(c: Council, name: string): boolean {
  return c.stored === undefined || c.stored.members.some((member) => member.name === name)
}

/** Names of hosts whose word is fresh and of our group. */
export function heard(c: Council, now: Millis): readonly string[] {
  return [...c.others].flatMap(([name, { word, heardMs }]) =>
    word !== undefined && now - heardMs < freshMs && isOurs(c, word) ? [name] : [])
}

/** How many make more than half. */
export function majority(c: Council, now: Millis): number {
  if (c.stored === undefined) return Math.floor(c.options.expected / 2) + 1
  return Math.floor(countedMembers(c, now).length / 2) + 1
}

/** Members without those that an operator gave up and that are not heard. */
function countedMembers(c: Council, now: Millis): readonly string[] {
  const here = new Set(heard(c, now))
  const forgets = new Set([c.own, ...[...here].map((name) => c.others.get(name)?.known)]
    .flatMap((known) => known?.share.forgets ?? []))
  return (c.stored?.members ?? []).map(({ name }) => name)
    .filter((name) => name === c.options.self || here.has(name) || !forgets.has(name))
}

/** Votes that count now, this host's own included, of those who have heard of `term`. */
function votes(c: Council, now: Millis, term: number): number {
  const { self } = c.options
  if (c.vote !== self) return 0
  const mine = c.stored?.version ?? noVersion
  const others = heard(c, now).filter((name) => {
    const word = c.others.get(name)?.word
    return isVoter(c, name) && word?.vote === self && word.term >= term &&
      compareVersions(word.version, mine) <= 0
  })
  return others.length + (isVoter(c, self) ? 1 : 0)
}

/** Whether this host may allocate now. */
export function isElected(c: Council, now: Millis): boolean {
  return c.ownTerm > 0 && c.vote === c.options.self && votes(c, now, c.ownTerm) >= majority(c, now)
}

/**
 * Whoever has the votes takes a term of its own, and allocates when its voters have heard of it:
 * a ledger that it leaves behind unfinished is older than any that comes after.
 */
export function claimTerm(c: Council, now: Millis): void {
  if (c.vote !== c.options.self) c.ownTerm = 0
  if (c.storing !== undefined || votes(c, now, 0) < majority(c, now)) return
  if (c.ownTerm >= c.maxTerm && c.ownTerm > 0) return
  c.maxTerm += 1
  c.ownTerm = c.maxTerm
  c.isWordDue = true
}

export interface CouncilView {
  readonly allocator: string | undefined
  readonly standstill: Standstill | undefined
  /** Members heard, this host included, how many there are, and how many make more than half. */
  readonly heard: number
  readonly members: number
  readonly needed: number
  /** Members that are not heard, sorted; none before there is a ledger: then they have no names. */
  readonly missing: readonly string[]
  /** A ledger is in force. */
  readonly isAgreed: boolean
  readonly foreign: readonly string[]
  /** Names of the others that are heard, members or not. */
  readonly present: ReadonlySet<string>
}

/** Whether the one that is voted for says it allocates; what it said before it fell silent is nothing. */
function isFollowed(c: Council, now: Millis): boolean {
  const other = c.others.get(c.vote)
  return other?.word?.isElected === true && now - other.heardMs < silentMs
}

/** This host; the one it votes for; or one that it hears and cannot vote for yet, as after a split. */
function allocatorOf(c: Council, now: Millis): string | undefined {
  const { self } = c.options
  if (c.vote === self && isElected(c, now)) return self
  if (c.vote !== self && isFollowed(c, now)) return c.vote
  return electedOf(c, now)
}

/** Whoever says now that it allocates, in our group. */
function electedOf(c: Council, now: Millis): string | undefined {
  return [...c.others].find(([name, { word, heardMs }]) => word?.isElected === true &&
    now - heardMs < freshMs && isOurs(c, word) && isVoter(c, name))?.[0]
}

/** For status. */
export function viewCouncil(c: Council, now: Millis): CouncilView {
  const { self } = c.options
  const foreign = [...c.others].flatMap(([name, { word, heardMs }]) =>
    word !== undefined && now - heardMs < freshMs && !isOurs(c, word) ? [name] : [])
  const allocator = allocatorOf(c, now)
  const present = presentOf(c, now)
  const here = [self, ...present].filter((name) => isVoter(c, name))
  const missing = countedMembers(c, now).filter((name) => !here.includes(name)).toSorted()
  const members = c.stored === undefined ? c.options.expected : here.length + missing.length
  const needed = Math.floor(members / 2) + 1
  const standstill = allocator !== undefined ? undefined
    : foreign.length > 0 ? 'foreignGroup'
      : here.length < needed ? 'minority' : 'noAllocator'
  return {
    allocator, standstill, heard: here.length, members, needed, missing,
    isAgreed: c.inForce !== undefined, foreign: foreign.toSorted(), present,
  }
}
