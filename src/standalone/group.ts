/** The shell around a group's council: messages, disk and timer; performs what it decides. */
import { createHash, randomBytes } from 'node:crypto'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { describeError } from '../cli/input.ts'
import type { Problem } from '../config/model.ts'
import { judge, keepAgreement } from '../group/agreement.ts'
import {
  frameMessage, groupMagic, maxForeign, maxPackedBytes, maxUnpackedBytes, parseJson, parseLedger, parseShare,
  parseWord, unframeMessage,
} from '../group/codec.ts'
import { step } from '../group/council.ts'
import type { Forgetting } from '../group/forget.ts'
import type { Agreement, Effect, Event, ForeignWord, GroupLedger, KnownShare, Share } from '../group/model.ts'
import type { VoiceOptions } from '../group/options.ts'
import { createStanding, standingNews } from '../group/standing.ts'
import { type Council, type CouncilOptions, createCouncil } from '../group/state.ts'
import { type CouncilView, viewCouncil } from '../group/vote.ts'
import type { Foreign } from '../ipam/foreign.ts'
import { logChanges } from '../journal.ts'
import type { Log } from '../log.ts'
import type { Millis } from '../net/model.ts'
import { leftBehind } from '../plan/change.ts'
import type { ReceivedMessage } from '../ownership/model.ts'
import { writeGroupLedger } from './group-state.ts'
import { createForgetting } from './forgetting.ts'
import { groupFindings } from './view.ts'

export interface GroupPort {
  /** As one datagram. */
  tell(to: string, bytes: Uint8Array): void
  /** Over TCP. */
  deliver(to: string, bytes: Uint8Array): void
}

export interface GroupParts {
  readonly node: string
  readonly options: VoiceOptions
  readonly stateDir: string
  readonly expected: number
  readonly ledger: GroupLedger | undefined
  readonly own: KnownShare
  readonly now: () => Millis
  readonly log: Log
  readonly port: () => GroupPort | undefined
  /** Addresses of --join at which none of these is: all that is known of hosts before there is a ledger. */
  readonly absent: (present: ReadonlySet<string>) => readonly string[]
  /** Another ledger is in force. */
  readonly onLedger: () => void
  /** Others are heard, or fewer. */
  readonly onPresent: () => void
}

export interface Group extends Disposable {
  setOwn(own: KnownShare): void
  /** Addresses that machines have which are none of ours, as this host finds. */
  setForeign(foreign: readonly ForeignWord[]): void
  setAlive(names: readonly string[]): void
  /** Takes messages of the group out; the rest is somebody else's. */
  hear(messages: readonly ReceivedMessage[]): readonly ReceivedMessage[]
  inForce(): GroupLedger | undefined
  view(): CouncilView
  /** Addresses that other machines have, as any host of the group has told lately. */
  foreign(): Foreign
  /** What became of hosts that this one was told to forget, by name. */
  forgets(): ReadonlyMap<string, Forgetting>
  /** Why the ledger cannot be stored; undefined = it can. */
  failure(): string | undefined
}

/** A failed write is not tried more often. */
const storeRetryMs = 1_000

export function openGroup(parts: GroupParts): Group {
  const { node, now, ledger, expected, own } = parts
  const log = parts.log.from('group.ts')
  const forgetting = createForgetting({ log, node, own, now: now(), nameShare })
  const freshGroup = randomBytes(8).toString('hex')
  const council = createCouncil({
    self: node, expected, ledger, own: forgetting.share(now()), now: now(), freshGroup,
    propose: (...of) => proposeBounded({ ...parts, log }, ...of),
  })
  let timer: ReturnType<typeof setTimeout> | undefined
  let isClosed = false
  let failure: string | undefined
  const tell = createTeller(log, parts.onPresent)
  const viewNow = (): CouncilView => viewFor(parts, council)
  const take = (event: Event): void => {
    if (isClosed) return
    for (const effect of step(council, event, now())) perform(effect)
    tell(viewNow(), now())
    forgetting.look(council, now(), (share) => take({ kind: 'own', own: share }))
  }
  const store = async (next: GroupLedger): Promise<void> => {
    try {
      await writeGroupLedger(parts.stateDir, next)
      failure = undefined
      take({ kind: 'stored' })
    } catch (error) {
      failure = `Cannot store the group's ledger in "${parts.stateDir}": ${describeError(error)}; ` +
        'nothing changes until it works'
      log.error('ledger not stored', { error: failure })
      setTimeout(() => take({ kind: 'notStored' }), storeRetryMs).unref()
    }
  }
  const perform = (effect: Effect): void => {
    switch (effect.kind) {
      case 'store':
        return void store(effect.ledger)
      case 'agreed':
        return parts.onLedger()
      case 'wake':
        clearTimeout(timer)
        timer = setTimeout(() => take({ kind: 'wake' }), Math.max(1, Math.ceil(effect.atMs - now())))
        return
      default:
        return send(parts, council, effect)
    }
  }
  queueMicrotask(() => take({ kind: 'wake' }))
  return {
    setOwn: (next) => take({ kind: 'own', own: forgetting.give(next, now()) }),
    setForeign: (foreign) => take({ kind: 'foreign', foreign: foreign.slice(0, maxForeign) }),
    setAlive: (names) => take({ kind: 'alive', names }),
    hear: (messages) => messages.filter((message) => {
      if (message.bytes[0] !== groupMagic) return true
      const event = readMessage(message)
      if (event === 'askShare') send(parts, council, { kind: 'sendShare', to: message.from })
      else if (event !== undefined) take(event)
      return false
    }),
    inForce: () => council.inForce,
    view: viewNow,
    foreign: () => council.foreign.foreign,
    forgets: forgetting.states,
    failure: () => failure,
    [Symbol.dispose]: () => {
      isClosed = true
      clearTimeout(timer)
    },
  }
}

function viewFor({ now, absent }: GroupParts, council: Council): CouncilView {
  const view = viewCouncil(council, now())
  return council.stored === undefined ? { ...view, missing: absent(view.present) } : view
}

/** Tells the log who allocates, and why nobody does; and that others are heard. */
function createTeller(log: Log, onPresent: () => void): (view: CouncilView, now: Millis) => void {
  const standing = createStanding()
  let allocator: string | undefined
  let present = ''
  return (view, now) => {
    const names = [...view.present].toSorted().join()
    if (names !== present) onPresent()
    present = names
    const news = standingNews(standing, view, now)
    if (news !== undefined) logStanding(log, news, view)
    if (view.allocator === allocator) return
    allocator = view.allocator
    log.info('allocator of the group', { event: 'allocator', node: allocator ?? 'none' })
  }
}

/** At the level that everybody reads: a host that waits for others must not look as if it worked. */
function logStanding(log: Log, news: 'standstill' | 'over', view: CouncilView): void {
  const { heard, members, needed, missing } = view
  if (news === 'over') return log.info('group goes on', { event: 'standstillOver', heard, members })
  for (const { reason, message } of groupFindings(view, [])) {
    log.warn('group stands still', {
      event: 'standstill', reason, heard, members, needed, missing, error: message,
    })
  }
}

type Sending = Exclude<Effect, { readonly kind: 'store' | 'agreed' | 'wake' }>

function send({ port }: GroupParts, { own }: Council, effect: Sending): void {
  const ring = port()
  if (ring === undefined) return
  switch (effect.kind) {
    case 'sendWord': {
      const bytes = frameMessage('word', new TextEncoder().encode(JSON.stringify(effect.word)))
      for (const to of effect.to) ring.tell(to, bytes)
      return
    }
    case 'askShare': return ring.tell(effect.to, frameMessage('askShare', new Uint8Array()))
    case 'sendShare': return ring.deliver(effect.to, frameMessage('share', pack(own)))
    case 'sendLedger': return ring.deliver(effect.to, frameMessage('ledger', pack(effect.ledger)))
  }
}

function readMessage({ from, bytes, receivedAtMs: atMs }: ReceivedMessage): Event | 'askShare' | undefined {
  const message = unframeMessage(bytes)
  switch (message?.kind) {
    case undefined:
      return undefined
    case 'askShare':
      return 'askShare'
    case 'word': {
      const word = parseWord(parseJson(new TextDecoder().decode(message.body)))
      return word === undefined ? undefined : { kind: 'word', from, word, atMs }
    }
    case 'share': {
      const known = parseShare(unpack(message.body))
      return known === undefined ? undefined : { kind: 'share', from, known }
    }
    case 'ledger': {
      const ledger = parseLedger(unpack(message.body))
      return ledger === undefined ? undefined : { kind: 'ledger', from, ledger }
    }
  }
}

function pack(value: unknown): Uint8Array {
  return deflateRawSync(JSON.stringify(value))
}

/** undefined = broken, or larger than anybody of ours sends. */
function unpack(bytes: Uint8Array): unknown {
  if (bytes.length > 2 * maxPackedBytes) return undefined
  try {
    return parseJson(inflateRawSync(bytes, { maxOutputLength: maxUnpackedBytes }).toString())
  } catch {
    return undefined
  }
}

/** Whether a value is more than a group carries; its packed size if so. */
function excessOf(value: unknown): number | undefined {
  const text = JSON.stringify(value)
  const { length } = deflateRawSync(text)
  return length > maxPackedBytes || text.length > maxUnpackedBytes ? length : undefined
}

/** A share with the name of its state, or why a group cannot carry it. */
export function nameShare(share: Share): KnownShare | Problem {
  const excess = excessOf(share)
  if (excess !== undefined) return tooLarge(`The input of host "${share.host}"`, excess)
  const digest = createHash('sha256').update(JSON.stringify(share)).digest('hex').slice(0, 32)
  return { digest, share }
}

/** What would be too much for one message leaves everything as it is. */
function proposeBounded(
  { options: own, log }: GroupParts, ...[before, shares, foreign]: Parameters<CouncilOptions['propose']>
): Agreement {
  const { agreement: next, verdicts } = judge({ before, shares, foreign, own })
  const excess = excessOf(next)
  for (const verdict of excess === undefined ? verdicts : []) logChanges(log, leftBehind(verdict))
  if (excess === undefined) return next
  const problems = [tooLarge('The input of all hosts', excess)]
  return keepAgreement({ before, members: next.members, agreed: next.options, problems })
}

function tooLarge(what: string, packedBytes: number): Problem {
  const message = `${what} has ${packedBytes} bytes after compression: a group carries at most ` +
    `${maxPackedBytes} (${maxUnpackedBytes} before); remove what is not needed`
  return { file: '', document: 1, object: '', path: '', reason: 'TooLarge', message }
}
