/** Who allocates for a group, and how its ledger spreads: one step function, without I/O. */
import { rankByHash } from '../l2/placement.ts'
import type { Millis } from '../net/model.ts'
import {
  type Agreement, compareVersions, type Effect, type Event, type GroupLedger, type KnownShare, noVersion,
  type Share, type Standstill, type Version, type Word,
} from './model.ts'

/** Between two words of a host to the one it votes for, and of a candidate to all. */
export const wordMs: Millis = 300
/** A vote counts for so long after it was heard. */
export const freshMs: Millis = 1_000
/**
 * A host that has voted votes for nobody else for so long: half a second more than its vote
 * counts, so that no two hosts are elected at a time unless a datagram is under way for longer.
 */
export const leaseMs: Millis = 1_500
/** Who is voted for and says nothing for so long is passed over, for twice this time. */
export const silentMs: Millis = 1_500
/** A group comes into being when all hosts of --join are heard, or after this with more than half. */
export const patienceMs: Millis = 5_000
/** The same ledger or share is sent again after this, if its reader still lacks it. */
const againMs: Millis = 1_000

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
  readonly propose: (before: Agreement | undefined, shares: readonly Share[]) => Agreement
}

interface Other {
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
  /** The highest term heard of, and the one that this host allocates under; 0 = none. */
  maxTerm: number
  ownTerm: number
  alive: readonly string[]
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
    agreed: ledger?.version ?? noVersion, maxTerm: ledger?.version.term ?? 0, ownTerm: 0, alive: [], others: new Map(),
    vote: '', voteHeardMs: now, leaseUntilMs: now + leaseMs, wordAtMs: now, isWordDue: true,
    proposedFrom: '', out: [],
  }
}

/** Takes one event at `now` (any monotonic clock, ms); the effects are in order. */
export function step(c: Council, event: Event, now: Millis): readonly Effect[] {
  c.out = []
  take(c, event, now)
  decideVote(c, now)
  claimTerm(c, now)
  count(c, now)
  propose(c, now)
  speak(c, now)
  c.out.push({ kind: 'wake', atMs: Math.max(now + 1, c.wordAtMs) })
  return c.out
}

function take(c: Council, event: Event, now: Millis): void {
  switch (event.kind) {
    case 'alive': {
      c.alive = event.names
      for (const name of c.others.keys()) if (!event.names.includes(name)) c.others.delete(name)
      return
    }
    case 'own':
      c.own = event.own
      c.isWordDue = true
      return
    case 'word':
      return takeWord(c, event.from, event.word, now)
    case 'share':
      if (event.known.share.host === event.from) otherOf(c, event.from).known = event.known
      return
    case 'ledger':
      return takeLedger(c, event.ledger)
    case 'stored': {
      c.stored = c.storing
      c.storing = undefined
      c.maxTerm = Math.max(c.maxTerm, c.stored?.version.term ?? 0)
      c.isWordDue = true
      return enforce(c)
    }
    case 'notStored':
      c.storing = undefined
      c.proposedFrom = ''
      return
    case 'wake':
      return
  }
}

function otherOf(c: Council, name: string): Other {
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
function isOurs(c: Council, word: Word): boolean {
  return word.group === '' || c.stored === undefined || word.group === c.stored.group
}

function takeWord(c: Council, from: string, word: Word, now: Millis): void {
  const other = otherOf(c, from)
  const isNews = JSON.stringify(other.word) !== JSON.stringify(word)
  other.word = word
  other.heardMs = now
  if (!isOurs(c, word)) return
  if (word.term > c.maxTerm) {
    c.maxTerm = word.term
    c.isWordDue = true
  }
  if (from === c.vote) {
    c.voteHeardMs = now
    // Whoever is voted for says where things stand; an answer is due when that is news.
    if (isNews) c.isWordDue = true
  }
  const mine = c.stored?.version ?? noVersion
  if (c.stored !== undefined && compareVersions(word.version, mine) < 0) {
    if (now - other.ledgerSentMs >= againMs || isNews) {
      other.ledgerSentMs = now
      c.out.push({ kind: 'sendLedger', to: from, ledger: c.stored })
    }
  }
  if (word.isElected && word.group === c.stored?.group && compareVersions(word.agreed, c.agreed) > 0) {
    c.agreed = word.agreed
    enforce(c)
  }
}

function takeLedger(c: Council, ledger: GroupLedger): void {
  const latest = c.storing ?? c.stored
  if (latest !== undefined && ledger.group !== latest.group) return
  if (latest !== undefined && compareVersions(ledger.version, latest.version) <= 0) return
  if (c.storing !== undefined) return
  store(c, ledger)
}

function store(c: Council, ledger: GroupLedger): void {
  c.storing = ledger
  c.out.push({ kind: 'store', ledger })
}

/** What more than half have stored is announced; a host's first ledger is all it has. */
function enforce(c: Council): void {
  const { stored, inForce } = c
  if (stored === undefined || stored === inForce) return
  if (compareVersions(stored.version, c.agreed) > 0) return
  c.inForce = stored
  c.out.push({ kind: 'agreed', ledger: stored })
}

/** Members, as far as nobody has given them up; before there is a group, everybody who is heard. */
function isVoter(c: Council, name: string): boolean {
  return c.stored === undefined || c.stored.members.some((member) => member.name === name)
}

/** Like a unit: whoever has the task keeps it; an orphan goes to the first in the order of the hash. */
function decideVote(c: Council, now: Millis): void {
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

/** Names of hosts whose word is fresh and of our group. */
function heard(c: Council, now: Millis): readonly string[] {
  return [...c.others].flatMap(([name, { word, heardMs }]) =>
    word !== undefined && now - heardMs < freshMs && isOurs(c, word) ? [name] : [])
}

/** How many make more than half. */
function majority(c: Council, now: Millis): number {
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
function claimTerm(c: Council, now: Millis): void {
  if (c.vote !== c.options.self) c.ownTerm = 0
  if (c.storing !== undefined || votes(c, now, 0) < majority(c, now)) return
  if (c.ownTerm >= c.maxTerm && c.ownTerm > 0) return
  c.maxTerm += 1
  c.ownTerm = c.maxTerm
  c.isWordDue = true
}

/** The elected one counts who has stored what. */
function count(c: Council, now: Millis): void {
  const { stored } = c
  if (stored === undefined || !isElected(c, now)) return
  const has = heard(c, now).filter((name) => {
    const word = c.others.get(name)?.word
    return isVoter(c, name) && word?.group === stored.group &&
      compareVersions(word.version, stored.version) === 0
  })
  if (has.length + 1 < majority(c, now) || compareVersions(stored.version, c.agreed) <= 0) return
  c.agreed = stored.version
  c.isWordDue = true
  enforce(c)
}

/** One change at a time: the next one waits until more than half have stored the last. */
function propose(c: Council, now: Millis): void {
  const { stored, options } = c
  if (c.storing !== undefined || !isElected(c, now)) return
  if (stored !== undefined && compareVersions(stored.version, c.agreed) > 0) return
  const names = heard(c, now).filter((name) => c.others.get(name)?.word?.vote === options.self)
  if (stored === undefined && names.length + 1 < options.expected && now < options.now + patienceMs) return
  const known = names.flatMap((name) => knownShare(c, name, now) ?? [])
  const shares = [c.own, ...known].filter(({ digest }) => digest !== '')
  // A group begins when everybody has said what it brings.
  if (stored === undefined && shares.length < names.length + 1) return
  const from = JSON.stringify([stored?.version, shares.map(({ share, digest }) => [share.host, digest])])
  if (from === c.proposedFrom) return
  c.proposedFrom = from
  const next = options.propose(stored, shares.map(({ share }) => share))
  if (stored !== undefined && isSame(stored, next)) return
  const version = { term: c.ownTerm, n: (stored?.version ?? noVersion).n + 1 }
  store(c, { ...next, group: stored?.group ?? options.freshGroup, version, by: options.self })
}

/** The share behind the digest that the host tells; asked for where it is not here. */
function knownShare(c: Council, name: string, now: Millis): KnownShare | undefined {
  const other = otherOf(c, name)
  if (other.word?.digest === '') return undefined
  if (other.known !== undefined && other.known.digest === other.word?.digest) return other.known
  if (now - other.askedMs >= againMs) {
    other.askedMs = now
    c.out.push({ kind: 'askShare', to: name })
  }
  return undefined
}

function isSame(a: Agreement, b: Agreement): boolean {
  const text = ({ members, documents, services, problems }: Agreement): string =>
    JSON.stringify([members, documents, Object.entries(services).toSorted(), problems])
  return text(a) === text(b)
}

/** A candidate speaks to everybody, anybody else to the one it votes for. */
function speak(c: Council, now: Millis): void {
  if (!c.isWordDue && now < c.wordAtMs) return
  c.isWordDue = false
  c.wordAtMs = now + wordMs
  const { self } = c.options
  const to = c.vote === self || c.vote === '' ? c.alive : c.alive.filter((name) => name === c.vote)
  if (to.length > 0) c.out.push({ kind: 'sendWord', to, word: wordOf(c, now) })
}

function wordOf(c: Council, now: Millis): Word {
  return {
    group: c.stored?.group ?? '', version: c.stored?.version ?? noVersion, digest: c.own.digest,
    term: c.maxTerm, vote: c.vote, isElected: isElected(c, now), agreed: c.agreed,
  }
}

export interface CouncilView {
  readonly allocator: string | undefined
  readonly standstill: Standstill | undefined
  /** Members heard, this host included, and how many there are. */
  readonly heard: number
  readonly members: number
  readonly foreign: readonly string[]
}

/** For status. */
export function viewCouncil(c: Council, now: Millis): CouncilView {
  const { self } = c.options
  const foreign = [...c.others].flatMap(([name, { word, heardMs }]) =>
    word !== undefined && now - heardMs < freshMs && !isOurs(c, word) ? [name] : [])
  const followed = c.vote === self ? isElected(c, now) : c.others.get(c.vote)?.word?.isElected === true
  const members = c.stored === undefined ? c.options.expected : c.stored.members.length
  const here = c.alive.filter((name) => isVoter(c, name) && !foreign.includes(name)).length + 1
  const standstill = foreign.length > 0 && !followed
    ? 'foreignGroup' as const
    : followed ? undefined : here * 2 <= members ? 'minority' as const : 'noAllocator' as const
  return { allocator: followed ? c.vote : undefined, standstill, heard: here, members, foreign: foreign.toSorted() }
}
