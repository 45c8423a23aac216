/** Witnesses: two standbys of an owner that ask for its addresses, in case its monitors die with it. */
import { answerKey } from '../l2/responder.ts'
import type { Millis } from '../net/model.ts'
import { entryOf } from './codec.ts'
import { isWitnessOf, legOf } from './fleet.ts'
import { isHeardOn, sendControls } from './hearing.ts'
import { fenceMs, missCount, missMs, suspectMs, witnessMs } from './limits.ts'
import { mail } from './mail.ts'
import { spread } from './monitor.ts'
import { type Ownership, type Unit, type Witnessing } from './state.ts'
import { loadOf } from './units.ts'
import { controlFrame } from './wire.ts'

/** Asks what is due and judges what was asked. Returns the next instant to look. */
export function watchOwners(o: Ownership, now: Millis): Millis {
  let nextMs = Number.POSITIVE_INFINITY
  if (o.isAlone || o.isStarting) return nextMs
  const load = loadOf(o, now)
  for (const owner of o.peers.values()) {
    if (owner.name === o.self || !owner.isCapable || (load.get(owner.name) ?? 0) <= 0) {
      o.witnessing.delete(owner.name)
      continue
    }
    if (!isWitness(o, owner.name)) continue
    const legs = o.witnessing.get(owner.name) ?? new Map<number, Witnessing>()
    o.witnessing.set(owner.name, legs)
    for (const ifindex of o.legs.keys()) {
      if (legOf(o, owner.name, ifindex) === undefined) legs.delete(ifindex)
      else nextMs = Math.min(nextMs, watchLeg(o, { owner: owner.name, ifindex, legs }, now))
    }
  }
  return nextMs
}

interface Watched {
  readonly owner: string
  /** Own leg on a segment of the owner's. */
  readonly ifindex: number
  readonly legs: Map<number, Witnessing>
}

/** What is heard of an owner on one segment says nothing of the others. */
function watchLeg(o: Ownership, at: Watched, now: Millis): Millis {
  const state = at.legs.get(at.ifindex) ?? {
    nextMs: now + witnessMs, turn: 0, ask: undefined, misses: 0, opened: 0,
  }
  at.legs.set(at.ifindex, state)
  judge(o, at, state, now)
  if (now >= state.nextMs) {
    state.nextMs = now + witnessMs
    ask(o, at, state, now)
  }
  return Math.min(state.nextMs, state.ask === undefined ? Number.POSITIVE_INFINITY : state.ask.atMs + missMs)
}

/** Changes with the world only. */
function isWitness(o: Ownership, owner: string): boolean {
  const known = o.isWitness.get(owner)
  if (known !== undefined) return known
  const peer = o.peers.get(owner)
  const is = peer !== undefined && isWitnessOf(o, peer)
  o.isWitness.set(owner, is)
  return is
}

function ask(o: Ownership, at: Watched, state: Witnessing, now: Millis): void {
  const { owner, ifindex } = at
  // Beats on the segment say as much, and cost nothing.
  const beatMs = o.beats.get(owner)?.heard.get(ifindex)
  if (beatMs !== undefined && now - beatMs < suspectMs) {
    state.misses = 0
    return
  }
  const units = [...o.units.values()].filter((unit) =>
    isWitnessed(unit, owner, ifindex) && unit.attempt === undefined
  )
  const unit = units[state.turn++ % Math.max(1, units.length)]
  if (unit !== undefined) sendAsk(o, { ...at, state, unit, isNear: state.misses === 0 }, now)
}

interface Asked extends Watched {
  readonly state: Witnessing
  readonly unit: Unit
  readonly isNear: boolean
}

/**
 * The owner alone is asked while it answers, so that what a segment carries at rest does not grow with the
 * number of nodes; everybody, and controls with it, as soon as it has not.
 */
function sendAsk(o: Ownership, { owner, ifindex, state, unit, isNear }: Asked, now: Millis): void {
  const leg = o.legs.get(ifindex)
  const address = unit.wish?.addresses[0]?.address
  if (leg === undefined || address === undefined) return
  state.ask = { unit: unit.key, key: answerKey(address), atMs: now, isNear }
  const mac = isNear ? legOf(o, owner, ifindex)?.mac : undefined
  const frame = controlFrame(leg, address, mac === '' ? undefined : mac)
  o.out.push({ kind: 'send', ifindex, frame, notAfterMs: Number.POSITIVE_INFINITY })
  if (!isNear) sendControls(o, ifindex, now, owner)
}

/** Owned by it as a whole, so that it should answer here, where this node would too. */
function isWitnessed(unit: Unit, owner: string, ifindex: number): boolean {
  return unit.owner === owner && unit.wish !== undefined &&
    !unit.isBeatPart && unit.legs.has(ifindex)
}

/** The owner's answer to the ask under way. */
export function onWitnessed(
  o: Ownership, owner: string, heard: { readonly ifindex: number; readonly address: bigint },
): void {
  const state = o.witnessing.get(owner)?.get(heard.ifindex)
  if (state?.ask?.key !== heard.address) return
  state.ask = undefined
  state.misses = 0
  state.opened = 0
}

function judge(o: Ownership, at: Watched, state: Witnessing, now: Millis): void {
  const { owner, ifindex } = at
  const { ask: asked } = state
  if (asked === undefined || now < asked.atMs + missMs) return
  state.ask = undefined
  // A monitor too: it is by beats that it notices, and a slow owner answers late.
  const beatMs = o.beats.get(owner)?.heard.get(ifindex) ?? Number.NEGATIVE_INFINITY
  const isBeating = beatMs >= asked.atMs - missCount * witnessMs
  if (isBeating) return
  const unit = o.units.get(asked.unit)
  if (asked.isNear) {
    return unit === undefined ? undefined : sendAsk(o, { ...at, state, unit, isNear: false }, now)
  }
  if (!isHeardOn(o, ifindex, asked.atMs, owner)) return
  state.misses++
  // Perhaps only this unit is not its own any more, or a foreign host has silenced it.
  mail(o, owner, 'query', entryOf(asked.unit))
  if (state.misses < missCount) return
  state.opened++
  const units = [...o.units.values()].filter((unit) =>
    isWitnessed(unit, owner, ifindex) && now >= unit.contestedUntilMs
  )
  spread(o, units, {
    suspect: owner, ifindex, lastBeatMs: now - fenceMs, cause: 'ownerDeaf', count: state.opened,
  }, now)
}
