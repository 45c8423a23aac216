/**
 * What a run has seen: for each unit on each segment, who could have answered from when to when,
 * voices outside of that, and what was done to the cluster.
 */
import type { Note } from '../ownership/model.ts'
import type { Millis } from '../net/model.ts'
import type { Endpoints, Unit } from './plan.ts'

/** A time in which a node would have answered an ask at any instant. */
export interface Tenure {
  readonly node: string
  readonly fromMs: Millis
  /** Moves on while the node extends its right. */
  toMs: Millis
  /** Side of the segment (src/sim/segment.ts). */
  readonly side: number
}

/** One unit on one segment. */
export interface Place {
  readonly unit: string
  readonly segment: string
  readonly tenures: Tenure[]
  /** The last tenure of each node, while it may grow. */
  readonly open: Map<string, Tenure>
  /** First instant at which it was wanted. */
  readonly fromMs: Millis
  /** It is wanted no more. */
  untilMs: Millis
}

/** A voice of a node that had no right: to have spoken is to have answered. */
export interface Stray {
  readonly unit: string
  readonly segment: string
  readonly node: string
  readonly atMs: Millis
  readonly side: number
}

/** Something that the run did: a fault or its end, a wish. */
export interface Deed {
  readonly atMs: Millis
  readonly kind: string
  /** Nodes that it touches directly; empty = all of them. */
  readonly nodes: readonly string[]
  /** Its end undoes it; Infinity while it lasts. */
  untilMs: Millis
}

/** A promise that was broken. */
export interface Finding {
  readonly check: 'voice' | 'silence' | 'move' | 'balance' | 'storm' | 'converge' | 'quiet'
  readonly atMs: Millis
  readonly text: string
}

export interface NodeNote {
  readonly atMs: Millis
  readonly node: string
  readonly note: Note
}

/** From this instant on a Service with policy Local had these endpoints. */
export interface Served {
  readonly atMs: Millis
  readonly endpoints: Endpoints
}

export interface Record {
  readonly places: Map<string, Place>
  readonly strays: Stray[]
  readonly deeds: Deed[]
  readonly notes: NodeNote[]
  /** By unit, in order; those with policy Cluster are not there. */
  readonly served: Map<string, Served[]>
  /** Lines for people; undefined = nobody wants them. */
  readonly history: string[] | undefined
}

export function createRecord(isTold: boolean): Record {
  return {
    places: new Map(), strays: [], deeds: [], notes: [], served: new Map(),
    history: isTold ? [] : undefined,
  }
}

/** One line of the history: the instant in milliseconds, who, and what. */
export function tell(record: Record, atMs: Millis, who: string, what: string): void {
  record.history?.push(`${atMs.toFixed(2).padStart(10)}  ${who.padEnd(10)} ${what}`)
}

export function placeOf(record: Record, unit: string, segment: string): Place | undefined {
  return record.places.get(`${unit} ${segment}`)
}

export function wantPlace(record: Record, unit: string, segment: string, atMs: Millis): void {
  const key = `${unit} ${segment}`
  const known = record.places.get(key)
  if (known !== undefined) {
    known.untilMs = Infinity
    return
  }
  record.places.set(key, {
    unit, segment, tenures: [], open: new Map(), fromMs: atMs, untilMs: Infinity,
  })
}

/** What the API server says of its endpoints from now on. */
export function noteServed(record: Record, { key, endpoints }: Unit, atMs: Millis): void {
  if (endpoints === undefined) return
  const known = record.served.get(key) ?? []
  record.served.set(key, [...known, { atMs, endpoints }])
  const facts = [...endpoints].map(([node, state]) => `${node} ${state}`).join(', ')
  tell(record, atMs, '!', `endpoints of ${key}: ${facts === '' ? 'none' : facts}`)
}

/** Its node would answer for all of the tenure, unless something happens. */
export function extend(place: Place, tenure: Tenure): void {
  const { node, fromMs, toMs, side } = tenure
  const open = place.open.get(node)
  if (open !== undefined && open.toMs >= fromMs && open.side === side) {
    open.toMs = toMs
    return
  }
  // Whoever comes to another side is not heard on the former one any more.
  if (open !== undefined) open.toMs = Math.min(open.toMs, fromMs)
  if (toMs <= fromMs) return
  place.open.set(node, tenure)
  place.tenures.push(tenure)
}

/** `node` does not answer any more. Whether it did until now. */
export function cut(place: Place, node: string, now: Millis): boolean {
  const open = place.open.get(node)
  if (open === undefined) return false
  place.open.delete(node)
  const isCut = open.toMs > now
  if (isCut) open.toMs = Math.max(open.fromMs, now)
  return isCut
}

/** Whether `node` would answer now. */
export function wouldAnswer(place: Place, node: string, now: Millis): boolean {
  const open = place.open.get(node)
  return open !== undefined && open.fromMs <= now && now <= open.toMs
}
