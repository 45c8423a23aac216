/** How a group agrees on a ledger and how it spreads: one step function, without I/O. */
import { rememberForeign } from '../ipam/foreign.ts'
import { parseAddress } from '../net/address.ts'
import type { Millis } from '../net/model.ts'
import { carryOptions, joinOptions, optionsVersion, stampOptions } from './carry.ts'
import {
  type Agreement, compareVersions, type Effect, type Event, type GroupLedger, type KnownShare, noVersion,
  type Word,
} from './model.ts'
import { maskOfPresent } from './presence.ts'
import { type Council, isOurs, longSleepMs, otherOf, patienceMs, wordMs } from './state.ts'
import { claimTerm, decideVote, heard, isElected, isVoter, majority } from './vote.ts'

/** The same ledger or share is sent again after this, if its reader still lacks it. */
const againMs: Millis = 1_000

/** Takes one event at `now` (any monotonic clock, ms); the effects are in order. */
export function step(c: Council, event: Event, now: Millis): readonly Effect[] {
  c.out = []
  noticeSleep(c, now)
  take(c, event, now)
  decideVote(c, now)
  claimTerm(c, now)
  noticeForeign(c, now)
  count(c, now)
  propose(c, now)
  speak(c, now)
  c.out.push({ kind: 'wake', atMs: Math.max(now + 1, c.wordAtMs) })
  return c.out
}

/** Wakes come every `wordMs`: a gap is a sleep, of the process or of the machine. */
function noticeSleep(c: Council, now: Millis): void {
  if (now - c.steppedMs > longSleepMs) {
    c.sleptSinceMs = c.steppedMs
    c.sortedAtMs = now + wordMs
  }
  c.steppedMs = now
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
    case 'foreign': {
      if (JSON.stringify(c.found) !== JSON.stringify(event.foreign)) c.isWordDue = true
      c.found = event.foreign
      return
    }
    case 'word':
      return takeWord(c, event, now)
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

/**
 * What it says counts from when it came: this host may read it seconds later. What is read first after a
 * long sleep came nobody knows when.
 */
function takeWord(
  c: Council, { from, word, atMs }: Extract<Event, { readonly kind: 'word' }>, now: Millis,
): void {
  const other = otherOf(c, from)
  const isNews = JSON.stringify(other.word) !== JSON.stringify(word)
  const cameMs = now < c.sortedAtMs ? Math.min(atMs, c.sleptSinceMs) : atMs
  other.word = word
  other.heardMs = Math.max(other.heardMs, cameMs)
  if (!isOurs(c, word)) return
  if (word.term > c.maxTerm) {
    c.maxTerm = word.term
    c.isWordDue = true
  }
  if (from === c.vote) {
    c.voteHeardMs = Math.max(c.voteHeardMs, cameMs)
    // Whoever is voted for says where things stand; an answer is due when that is news.
    if (isNews) c.isWordDue = true
  }
  if (c.stored !== undefined && lacks(word, c.stored)) {
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

/** An older version cannot keep options: it lacks none. */
function lacks({ version, optionsFrom }: Word, mine: GroupLedger): boolean {
  const order = compareVersions(version, mine.version)
  if (order !== 0 || optionsFrom === undefined) return order < 0
  return compareVersions(optionsFrom, optionsVersion(mine)) < 0
}

function takeLedger(c: Council, ledger: GroupLedger): void {
  const { stored } = c
  if (c.storing !== undefined) return
  if (stored === undefined) return store(c, ledger)
  if (ledger.group !== stored.group) return
  const order = compareVersions(ledger.version, stored.version)
  if (order > 0) return store(c, carryOptions(stored, ledger))
  if (order < 0) return
  const joined = joinOptions(stored, ledger)
  if (joined === stored) return
  c.proposedFrom = ''
  store(c, joined)
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

/** What hosts that are heard tell of; kept in mind by each, since each may allocate next. */
function noticeForeign(c: Council, now: Millis): void {
  const told = heard(c, now).flatMap((name) => c.others.get(name)?.word?.foreign ?? [])
  const seen = [...c.found, ...told].flatMap(([text, mac]) => {
    const address = parseAddress(text)
    return address === undefined ? [] : [{ address, mac }]
  })
  c.foreign = rememberForeign(c.foreign, seen, now)
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
  const { foreign } = c.foreign
  const from = JSON.stringify([
    stored?.version, shares.map(({ share, digest }) => [share.host, digest]),
    [...foreign].map(([key, mac]) => `${key} ${mac}`),
  ])
  if (from === c.proposedFrom) return
  c.proposedFrom = from
  const next = options.propose(stored, shares.map(({ share }) => share), foreign)
  if (stored !== undefined && isSame(stored, next)) return
  const version = { term: c.ownTerm, n: (stored?.version ?? noVersion).n + 1 }
  const group = stored?.group ?? options.freshGroup
  store(c, stampOptions(stored, { ...next, group, version, by: options.self }))
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
  const text = ({ members, options, documents, services, problems }: Agreement): string =>
    JSON.stringify([members, options, documents, Object.entries(services).toSorted(), problems])
  return text(a) === text(b)
}

/**
 * A candidate speaks to everybody, anybody else to the one it votes for. Where that one is of an older
 * version it cannot give options that are lacking: others may. Nor can anybody say who is heard, by their
 * place in a ledger, before there is one.
 */
function speak(c: Council, now: Millis): void {
  if (!c.isWordDue && now < c.wordAtMs) return
  c.isWordDue = false
  c.wordAtMs = now + wordMs
  const { self } = c.options
  const isOlder = c.others.get(c.vote)?.word?.optionsFrom === undefined
  const isForAll = c.vote === self || c.vote === '' || isOlder || c.stored === undefined
  const to = isForAll ? c.alive : c.alive.filter((name) => name === c.vote)
  if (to.length > 0) c.out.push({ kind: 'sendWord', to, word: wordOf(c, now) })
}

function wordOf(c: Council, now: Millis): Word {
  return {
    group: c.stored?.group ?? '', version: c.stored?.version ?? noVersion, digest: c.own.digest,
    term: c.maxTerm, vote: c.vote, isElected: isElected(c, now), agreed: c.agreed,
    optionsFrom: c.stored === undefined ? noVersion : optionsVersion(c.stored),
    hears: maskOfPresent(c, now), ...(c.found.length === 0 ? {} : { foreign: c.found }),
  }
}
