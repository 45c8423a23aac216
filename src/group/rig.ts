/** A group on a virtual clock for the tests of the council: hosts, their disks and their network. */
import { address } from '../config/builders.ts'
import { type Foreign, noForeign } from '../ipam/foreign.ts'
import { addressKey } from '../ipam/pools.ts'
import { step } from './council.ts'
import type {
  Agreement, Effect, Event, ForeignWord, GroupLedger, KnownShare, OptionTexts, Share,
  Word,
} from './model.ts'
import { agreeOnOptions } from './options.ts'
import { type Council, createCouncil } from './state.ts'
import { type CouncilView, isElected, viewCouncil } from './vote.ts'

const delayMs = 5
const diskMs = 3

export interface Station {
  readonly name: string
  council: Council
  wakeMs: number
  disk: GroupLedger | undefined
  isUp: boolean
  /** What comes lies in its socket, and is read when it goes on. */
  isFrozen: boolean
  /** A program that knows no options: it tells none, drops a ledger's, and does not say whom it hears. */
  isOlder: boolean
}

export interface Net {
  nowMs: number
  readonly stations: Station[]
  queue: { readonly atMs: number; readonly to: Station; readonly council: Council; readonly event: Event }[]
  /** Whether a message passes. */
  passes: (from: string, to: string) => boolean
  readonly inForce: Map<string, GroupLedger>
  most: number
}

/** Each share brings one Service: it gets the lowest free address, and leaves what machines have. */
export function propose(
  before: Agreement | undefined, shares: readonly Share[], foreign: Foreign = noForeign,
): Agreement {
  const names = new Set([...(before?.members ?? []).map(({ name }) => name)])
  const fresh = shares.map(({ host }) => host).filter((host) => !names.has(host)).toSorted()
  for (const host of before === undefined ? fresh : fresh.slice(0, 1)) names.add(host)
  const services: Record<string, readonly string[]> = { ...before?.services }
  for (const { documents } of shares) {
    for (const { key } of documents) services[key] ??= [freeAddress(services, foreign)]
  }
  for (const [key, [text = '']] of Object.entries(services)) {
    if (foreign.has(addressKey(address(text)))) services[key] = [freeAddress(services, foreign)]
  }
  const known = new Map(before?.members.map(({ name, options }) => [name, options]))
  for (const { host, options } of shares) known.set(host, options)
  const members = [...names].toSorted().map((name) =>
    ({ name, labels: {}, ...withOptions(known.get(name)) }))
  const options = withOptions(agreeOnOptions(before?.options, members))
  return { members, ...options, documents: [], services, problems: [] }
}

function freeAddress(services: Readonly<Record<string, readonly string[]>>, foreign: Foreign): string {
  const used = new Set(Object.values(services).flat())
  for (let i = 1;; i++) {
    const text = `192.0.2.${i}`
    if (!used.has(text) && !foreign.has(addressKey(address(text)))) return text
  }
}

function withOptions(options: OptionTexts | undefined): { readonly options?: OptionTexts } {
  return options === undefined ? {} : { options }
}

export function shareOf(host: string, keys: readonly string[], options?: OptionTexts): KnownShare {
  const documents = keys.map((key) => ({ key, file: 'f', document: 1, value: {} }))
  const digest = `${host} ${keys.join()} ${JSON.stringify(options)}`
  return { digest, share: { host, labels: {}, ...withOptions(options), held: {}, forgets: [], documents } }
}

/** What such a program keeps of a ledger. */
export function withoutOptions({ options: _, optionsFrom: __, members, ...rest }: GroupLedger): GroupLedger {
  return { ...rest, members: members.map(({ name, labels }) => ({ name, labels })) }
}

/** What a program of that age reads of an event. */
function readBy({ isOlder }: Station, event: Event): Event {
  if (!isOlder) return event
  if (event.kind === 'ledger') return { ...event, ledger: withoutOptions(event.ledger) }
  if (event.kind !== 'share') return event
  const { options: _, ...share } = event.known.share
  return { ...event, known: { ...event.known, share } }
}

function saidBy({ isOlder }: Station, word: Word): Word {
  const { optionsFrom: _, hears: __, foreign: ___, ...older } = word
  return isOlder ? older : word
}

export function open(net: Net, station: Station, expected: number, keys: readonly string[]): void {
  station.isUp = true
  station.council = createCouncil({
    self: station.name, expected, freshGroup: `group of ${station.name}`, ledger: station.disk,
    own: shareOf(station.name, keys), now: net.nowMs, propose,
  })
  station.wakeMs = net.nowMs
  tellAlive(net)
}

/** Membership notices at once: what the council does without it is tested by silence. */
export function tellAlive(net: Net): void {
  for (const to of net.stations.filter(({ isUp }) => isUp)) {
    const names = net.stations.filter((other) => other !== to && other.isUp).map(({ name }) => name)
    net.queue.push({ atMs: net.nowMs, to, council: to.council, event: { kind: 'alive', names } })
  }
}

export function createNet(
  names: readonly string[], keys: Readonly<Record<string, readonly string[]>> = {},
): Net {
  const net: Net = { nowMs: 0, stations: [], queue: [], passes: () => true, inForce: new Map(), most: 0 }
  for (const name of names) {
    const own = shareOf(name, [])
    const council = createCouncil({
      self: name, expected: names.length, freshGroup: '', ledger: undefined, own, now: 0, propose,
    })
    net.stations.push({
      name, council, wakeMs: 0, disk: undefined, isUp: false, isFrozen: false, isOlder: false,
    })
  }
  for (const station of net.stations) open(net, station, names.length, keys[station.name] ?? [])
  return net
}

function perform(net: Net, from: Station, effect: Effect): void {
  const send = (to: string, event: Event): void => {
    const station = net.stations.find(({ name, isUp }) => name === to && isUp)
    if (station === undefined || !net.passes(from.name, to)) return
    net.queue.push({ atMs: net.nowMs + delayMs, to: station, council: station.council, event })
  }
  switch (effect.kind) {
    case 'sendWord':
      return effect.to.forEach((to) => send(to, {
        kind: 'word', from: from.name, word: saidBy(from, effect.word), atMs: net.nowMs + delayMs,
      }))
    case 'askShare': {
      const known = net.stations.find(({ name }) => name === effect.to)?.council.own
      if (known === undefined || !net.passes(from.name, effect.to)) return
      const event: Event = { kind: 'share', from: effect.to, known }
      return void net.queue.push({ atMs: net.nowMs + 2 * delayMs, to: from, council: from.council, event })
    }
    case 'sendShare': return
    case 'sendLedger': return send(effect.to, { kind: 'ledger', from: from.name, ledger: effect.ledger })
    case 'store': {
      const { council } = from
      from.disk = effect.ledger
      return void net.queue.push({ atMs: net.nowMs + diskMs, to: from, council, event: { kind: 'stored' } })
    }
    case 'agreed': return void net.inForce.set(from.name, effect.ledger)
    case 'wake': from.wakeMs = effect.atMs
  }
}

/** Runs for `ms`; after each event at most one host may be elected. */
export function run(net: Net, ms: number): void {
  const endMs = net.nowMs + ms
  for (;;) {
    const up = net.stations.filter(({ isUp, isFrozen }) => isUp && !isFrozen)
    const ready = net.queue.filter(({ to }) => !to.isFrozen)
    const next = Math.min(...ready.map(({ atMs }) => atMs), ...up.map(({ wakeMs }) => wakeMs))
    if (next > endMs) break
    net.nowMs = Math.max(net.nowMs, next)
    const due = ready.filter(({ atMs }) => atMs <= net.nowMs)
    net.queue = net.queue.filter((each) => !due.includes(each))
    for (const { to, council, event } of due) {
      if (!to.isUp || to.council !== council) continue
      for (const effect of step(council, readBy(to, event), net.nowMs)) perform(net, to, effect)
    }
    for (const station of up.filter(({ wakeMs }) => wakeMs <= net.nowMs)) {
      for (const effect of step(station.council, { kind: 'wake' }, net.nowMs)) perform(net, station, effect)
    }
    const elected = up.filter(({ council }) => isElected(council, net.nowMs))
    net.most = Math.max(net.most, elected.length)
  }
  net.nowMs = endMs
}

/** A host finds that machines have these addresses, and no others. */
export function find(net: Net, name: string, foreign: readonly ForeignWord[]): void {
  const station = stationOf(net, name)
  for (const effect of step(station.council, { kind: 'foreign', foreign }, net.nowMs)) {
    perform(net, station, effect)
  }
}

/** A host's input is edited. */
export function bring(net: Net, name: string, keys: readonly string[], options?: OptionTexts): void {
  const station = stationOf(net, name)
  const event: Event = { kind: 'own', own: shareOf(name, keys, options) }
  for (const effect of step(station.council, event, net.nowMs)) perform(net, station, effect)
}

export function kill(net: Net, name: string): void {
  const station = stationOf(net, name)
  station.isUp = false
  tellAlive(net)
}

export function stationOf(net: Net, name: string): Station {
  const station = net.stations.find((each) => each.name === name)
  if (station === undefined) throw new RangeError(`No host "${name}"`)
  return station
}

export function view(net: Net, name: string): CouncilView {
  return viewCouncil(stationOf(net, name).council, net.nowMs)
}

/** Who allocates, as every host that is up sees it. */
export function allocators(net: Net): readonly string[] {
  const up = net.stations.filter(({ isUp }) => isUp)
  return [...new Set(up.map(({ name }) => view(net, name).allocator ?? 'none'))]
}

export function services(net: Net, name: string): Readonly<Record<string, readonly string[]>> {
  return stationOf(net, name).council.inForce?.services ?? {}
}
