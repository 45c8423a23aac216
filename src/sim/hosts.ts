/** Machines that run nothing of ours: clients, a gateway, foreign hosts, fabrics that answer for others. */
import { sameAddress } from '../net/address.ts'
import type { Address, Millis } from '../net/model.ts'
import { answerKey } from '../l2/responder.ts'
import type { Mac } from '../l2/model.ts'
import { after, type Clock } from './clock.ts'
import { announceFrames, answerFrame, askFrame, hear, type Voice } from './frames.ts'
import { inject, plug, type Port, type Segment, transmit } from './segment.ts'

/** NUD constants of a Linux client, shortened: entries go stale sooner, so that a run sees it. */
export interface NeighbourTiming {
  /** An entry that old is confirmed by unicast (`base_reachable_time`). */
  readonly reachableMs: Millis
  /** Between two asks (`retrans_time_ms`). */
  readonly retransMs: Millis
  /** Unanswered unicast asks before broadcast (`ucast_solicit`). */
  readonly unicastAsks: number
}

export const linuxTiming: NeighbourTiming = { reachableMs: 30_000, retransMs: 1_000, unicastAsks: 3 }

/** What a host believes of one address. */
export interface Entry {
  mac: Mac | undefined
  confirmedAtMs: Millis
  askedAtMs: Millis
  /** Asks since the last answer. */
  asks: number
}

export interface Host {
  readonly port: Port
  readonly segment: Segment
  addresses: readonly Address[]
  readonly cache: Map<bigint, Entry>
  isUp: boolean
}

/** An ordinary host: it answers for its own addresses, and learns where others are. */
export function plugHost(
  segment: Segment, name: string, mac: Mac, addresses: readonly Address[],
): Host {
  const host: Host = {
    segment, addresses, cache: new Map(), isUp: true,
    port: plug(segment, { name, mac, receive: (frame) => receive(host, frame) }),
  }
  return host
}

function receive(host: Host, frame: Uint8Array): void {
  if (!host.isUp) return
  const speech = hear(frame)
  if (speech === undefined) return
  if (speech.kind === 'voice') {
    learn(host, speech.voice)
    return
  }
  if (!host.addresses.some((address) => sameAddress(address, speech.target))) return
  const answer = answerFrame(speech, host.port.mac)
  const { clock, random } = host.segment
  after(clock, random.between(0.02, 0.2), () => {
    if (host.isUp) transmit(host.segment, host.port, answer)
  })
}

/** Linux takes unasked news only into entries it has (`arp_accept` 0). */
function learn(host: Host, { address, mac }: Voice): void {
  const entry = host.cache.get(answerKey(address))
  if (entry === undefined) return
  entry.mac = mac
  entry.confirmedAtMs = host.segment.clock.nowMs
  entry.asks = 0
}

/**
 * The host has a packet for `address`: it asks by broadcast if it knows no MAC, by unicast if what
 * it knows is old. Returns the MAC the packet goes to.
 */
export function resolve(
  host: Host, address: Address, timing: NeighbourTiming,
): Mac | undefined {
  const { cache, segment, port, addresses } = host
  const { nowMs } = segment.clock
  const key = answerKey(address)
  const entry: Entry = cache.get(key) ??
    { mac: undefined, confirmedAtMs: -Infinity, askedAtMs: -Infinity, asks: 0 }
  cache.set(key, entry)
  const isFresh = entry.mac !== undefined && nowMs - entry.confirmedAtMs < timing.reachableMs
  if (isFresh || nowMs - entry.askedAtMs < timing.retransMs) return entry.mac
  const from = addresses.find(({ family }) => family === address.family)
  if (from === undefined) return undefined
  if (entry.asks >= timing.unicastAsks) entry.mac = undefined
  entry.asks++
  entry.askedAtMs = nowMs
  transmit(segment, port, askFrame(address, { address: from, mac: port.mac }, entry.mac))
  return entry.mac
}

/** A host that takes an address that is not its own: it answers for it, and announces it or not. */
export function usurp(host: Host, address: Address, isSilent: boolean): void {
  host.addresses = [...host.addresses, address]
  if (!isSilent) sayOnce(host, address)
}

export function giveBack(host: Host, address: Address): void {
  host.addresses = host.addresses.filter((own) => !sameAddress(own, address))
}

/** One announcement, and no answers. */
export function sayOnce(host: Host, address: Address): void {
  for (const frame of announceFrames(address, host.port.mac)) {
    transmit(host.segment, host.port, frame)
  }
}

/**
 * A fabric with ARP suppression (EVPN): it learns who has which address from what it sees, answers
 * broadcast asks in the owner's name, and goes on doing so after the owner has died.
 */
export function suppressAsks(segment: Segment, isCovered: (address: Address) => boolean): void {
  const known = new Map<bigint, Mac>()
  segment.fabric = (from, frame) => {
    const speech = hear(frame)
    if (speech === undefined) return false
    if (speech.kind === 'voice') {
      const { address, mac } = speech.voice
      if (isCovered(address)) known.set(answerKey(address), mac)
      return false
    }
    const mac = known.get(answerKey(speech.target))
    if (mac === undefined || speech.isUnicast || mac === from.mac) return false
    inject(segment, from, answerFrame(speech, mac))
    return true
  }
}

/** A client that has packets for some addresses, again and again. Returns how to stop it. */
export function startClient(
  host: Host, addresses: readonly Address[], everyMs: Millis, timing: NeighbourTiming,
): () => void {
  let isStopped = false
  const { clock } = host.segment
  const tick = (): void => {
    if (isStopped) return
    if (host.isUp) for (const address of addresses) resolve(host, address, timing)
    after(clock, everyMs, tick)
  }
  after(clock, host.segment.random.between(0, everyMs), tick)
  return () => void (isStopped = true)
}

/** Asks for an address by broadcast at a fixed beat, as the host that measures does (design §5, Words). */
export function startAsker(host: Host, address: Address, everyMs: Millis): () => void {
  const from = host.addresses.find(({ family }) => family === address.family)
  if (from === undefined) throw new RangeError('Cannot ask in a family without an address')
  let isStopped = false
  const frame = askFrame(address, { address: from, mac: host.port.mac })
  const { clock }: { readonly clock: Clock } = host.segment
  const tick = (): void => {
    if (isStopped) return
    transmit(host.segment, host.port, frame)
    after(clock, everyMs, tick)
  }
  tick()
  return () => void (isStopped = true)
}
