/** An owner asks for its own addresses in turn: who took one without a word answers only those that ask. */
import type { Millis } from '../net/model.ts'
import { entryOf } from './codec.ts'
import { askersOf, ownedLegs } from './hearing.ts'
import { isSpoken } from './legs.ts'
import { missMs, patrolMs, wholeBurstMs } from './limits.ts'
import { mail } from './mail.ts'
import type { Right } from './model.ts'
import type { Voice } from './ongoing.ts'
import { note, type Ownership, type Unit } from './state.ts'
import { patrolFrame } from './wire.ts'

/**
 * Asks on each leg for the next of the addresses that are answered for there: no round, an answer is a voice
 * like any other. Returns the next instant to ask.
 */
export function patrol(o: Ownership, now: Millis): Millis {
  const { asked } = o.patrol
  if (o.owned.size === 0 || o.world?.isDraining === true) return Number.POSITIVE_INFINITY
  if (now < o.patrol.nextMs) return o.patrol.nextMs
  o.patrol.nextMs = now + Math.ceil(patrolMs * askersOf(o, now))
  const legs = ownedLegs(o)
  for (const ifindex of asked.keys()) if (!legs.has(ifindex)) asked.delete(ifindex)
  for (const ifindex of legs) {
    const leg = o.legs.get(ifindex)
    const next = nextOn(o, ifindex, now)
    if (leg === undefined || next === undefined) continue
    asked.set(ifindex, { text: next.text, atMs: now, answer: undefined })
    // Not from an owner that stood still since: another may be claiming.
    o.out.push({
      kind: 'send', ifindex, frame: patrolFrame(leg, next.address), notAfterMs: o.notAfterMs,
    })
  }
  return o.patrol.nextMs
}

/** By text, after the last one: whatever comes and goes, each has its turn within as many as there are. */
function nextOn(o: Ownership, ifindex: number, now: Millis): Right | undefined {
  const last = o.patrol.asked.get(ifindex)?.text ?? ''
  let first: Right | undefined
  let next: Right | undefined
  for (const [unit, rights] of o.rights) {
    if (!isCalm(unit, now) || !isSpoken(o, unit, ifindex)) continue
    for (const right of rights) {
      const { text, ifindexes } = right
      if (!ifindexes.has(ifindex)) continue
      if (first === undefined || text < first.text) first = right
      if (text > last && (next === undefined || text < next.text)) next = right
    }
  }
  return next ?? first
}

/**
 * It answers on all its legs, nothing else is under way, and its first announcements are over. Who owns a
 * part asks for the rest anyway.
 */
function isCalm({ own, round, checkMs }: Unit, now: Millis): boolean {
  return own !== undefined && own.hush === undefined && own.offer === undefined && own.scope === undefined &&
    round === undefined && checkMs === undefined && now - own.burstMs >= wholeBurstMs
}

/**
 * A member answers what was asked here. Whether it owns the unit too, or its kernel answers for what is bound
 * to every node (IPVS without strictARP), it says itself, and one that owns it announces it: so nothing that
 * works is silenced by the question. False: it is no such answer, or nobody can be asked.
 */
export function askAnswerer(
  o: Ownership, unit: Unit, heard: Voice & { readonly node: string },
): boolean {
  const { node, mac, text, ifindex, atMs, isToUs } = heard
  const asked = o.patrol.asked.get(ifindex)
  const isAnswer = isToUs && asked?.text === text && atMs - asked.atMs < missMs && unit.round === undefined
  if (!isAnswer || o.peers.get(node)?.isCapable !== true) return false
  if (asked.answer !== undefined) return true
  asked.answer = { node, mac }
  mail(o, node, 'query', entryOf(unit.key, { term: unit.term }))
  return true
}

/** The member that answered does not own the unit: its kernel answered. Told once. */
export function onDenied(o: Ownership, { own, mine }: Unit, node: string): void {
  if (own === undefined || own.isStrictTold) return
  for (const { text, answer } of o.patrol.asked.values()) {
    if (answer?.node !== node || !mine.has(text)) continue
    own.isStrictTold = true
    return note(o, { kind: 'strictARP', node, text, mac: answer.mac })
  }
}
