/** Witnesses: two standbys of an owner that ask for its addresses, in case its monitors die with it. */
import { answerKey } from '../l2/responder.ts'
import type { Millis } from '../net/model.ts'
import { entryOf } from './codec.ts'
import { isWitnessOf, legOf } from './fleet.ts'
import { isHeardOn, sendControls } from './hearing.ts'
import { fenceMs, missCount, missMs, suspectMs, witnessMs } from './limits.ts'
import { spread } from './monitor.ts'
import { type Ownership, tell, type Unit, type Witnessing } from './state.ts'
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
    const state = o.witnessing.get(owner.name) ?? {
      nextMs: now + witnessMs, turn: 0, ask: undefined, misses: 0, opened: 0,
    }
    o.witnessing.set(owner.name, state)
    judge(o, owner.name, state, now)
    if (now >= state.nextMs) {
      state.nextMs = now + witnessMs
      ask(o, owner.name, state, now)
    }
    nextMs = Math.min(nextMs, state.nextMs, (state.ask?.atMs ?? nextMs) + missMs)
  }
  return nextMs
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

function ask(o: Ownership, owner: string, state: Witnessing, now: Millis): void {
  const leg = [...o.legs.values()].find(({ ifindex }) => legOf(o, owner, ifindex) !== undefined)
  if (leg === undefined) return
  // Beats on the segment say as much, and cost nothing.
  const beatMs = o.beats.get(owner)?.heard.get(leg.ifindex)
  if (beatMs !== undefined && now - beatMs < suspectMs) {
    state.misses = 0
    return
  }
  const units = [...o.units.values()].filter((unit) =>
    unit.owner === owner && unit.wish !== undefined && unit.attempt === undefined
  )
  const unit = units[state.turn++ % Math.max(1, units.length)]
  const address = unit?.wish?.addresses[0]?.address
  if (unit === undefined || address === undefined) return
  state.ask = { unit: unit.key, key: answerKey(address), atMs: now, ifindex: leg.ifindex }
  const frame = controlFrame(leg, address)
  o.out.push({
    kind: 'send', ifindex: leg.ifindex, frame, notAfterMs: Number.POSITIVE_INFINITY,
  })
  sendControls(o, leg.ifindex, now, owner)
}

/** The owner's answer to the ask under way. */
export function onWitnessed(o: Ownership, owner: string, address: bigint): void {
  const state = o.witnessing.get(owner)
  if (state?.ask?.key !== address) return
  state.ask = undefined
  state.misses = 0
  state.opened = 0
}

function judge(o: Ownership, owner: string, state: Witnessing, now: Millis): void {
  const { ask: asked } = state
  if (asked === undefined || now < asked.atMs + missMs) return
  state.ask = undefined
  const beats = o.beats.get(owner)?.heard
  const isBeating = [...beats?.values() ?? []].some((atMs) => atMs >= asked.atMs)
  if (isBeating || !isHeardOn(o, asked.ifindex, asked.atMs, owner)) return
  state.misses++
  // Perhaps only this unit is not its own any more, or a foreign host has silenced it.
  tell(o, owner, 'query', { entries: [entryOf(asked.unit)] })
  if (state.misses < missCount) return
  state.opened++
  const units = [...o.units.values()].filter((unit): unit is Unit =>
    unit.owner === owner && unit.wish !== undefined && now >= unit.contestedUntilMs
  )
  spread(o, units, {
    suspect: owner, ifindex: asked.ifindex, lastBeatMs: now - fenceMs, cause: 'ownerDeaf',
    count: state.opened,
  }, now)
}
