/** What was done to a run, and when: the kinds of deeds that checks judge by. */
import type { Millis } from '../net/model.ts'
import type { Cluster } from './cluster.ts'
import type { Deed } from './record.ts'

/** From here on the bound of a single overlap is another, and is kept by 99 of 100. */
export const veryLossy = 0.25

/** Faults after whose end two sides meet that have each had an owner. */
export const isMeeting = (kind: string): boolean =>
  /^(split|uplink lost|receive side|send side|gossip cut|carrier lost)/.test(kind)

/**
 * Instants at which two sides of a segment meet: the end of what kept them apart, and the beginning of a
 * split that puts nodes on the other side where somebody is already or comes from a side of its own.
 */
export function meetingsOf(deeds: readonly Deed[]): readonly Millis[] {
  const ends = deeds.filter(({ kind }) => isMeeting(kind)).map(({ untilMs }) => untilMs)
  const joins = deeds.filter((deed) => isJoin(deed, deeds)).map(({ atMs }) => atMs)
  return [...ends, ...joins]
}

/** A split while a first one of the segment lasts, or one that takes a node without uplink along. */
function isJoin({ kind, nodes, atMs }: Deed, deeds: readonly Deed[]): boolean {
  if (!kind.startsWith('split of')) return false
  const lost = kind.replace('split of', 'uplink lost on')
  return deeds.some((first) => first.atMs < atMs && first.untilMs > atMs &&
    (first.kind === kind || first.kind === lost && first.nodes.some((name) => nodes.includes(name))))
}

/** Faults that keep a node from serving at all. */
export const isIncapacity = (kind: string): boolean =>
  /^(crash|kill|freeze|pause|starve|drain|exclude|split|uplink|receive side|send side|carrier)/.test(kind)

/** Faults that only make it deaf or dumb. */
export const isHalf = (kind: string): boolean => /^(uplink lost|receive side|send side)/.test(kind)

const isLoss = ({ kind }: Deed): boolean => /^loss/.test(kind)
const isForeign = ({ kind }: Deed): boolean => /^(foreign|stray)/.test(kind)

/** A foreign host has, or has announced, an address; what becomes of others has another cause. */
export function isForeignTo(deed: Deed, unit: string): boolean {
  return isForeign(deed) && deed.kind.split(' ').includes(unit)
}

/** Done to no node, so that it may be the cause of anything: but not what concerns another unit alone. */
export function isGeneral(deed: Deed, unit: string): boolean {
  const { kind, nodes } = deed
  return nodes.length === 0 && !kind.startsWith('API') && !/ new Services$/.test(kind) &&
    (!isForeign(deed) || isForeignTo(deed, unit))
}

/** Deeds that were in force at some time of the interval. */
export function deedsDuring({ record }: Cluster, fromMs: Millis, toMs: Millis): readonly Deed[] {
  return record.deeds.filter(({ atMs, untilMs }) => atMs <= toMs && untilMs >= fromMs)
}

export function lossNow(cluster: Cluster, fromMs: Millis, toMs: Millis): number {
  const deeds = deedsDuring(cluster, fromMs - 2_000, toMs).filter(isLoss)
  const percents = deeds.map(({ kind }) => Number(/\d+/.exec(kind)?.[0] ?? 0) / 100)
  return Math.max(cluster.options.quality.loss, ...percents)
}

/** Nodes that something was done to. */
export function hurtBy(deeds: readonly Deed[]): ReadonlySet<string> {
  return new Set(deeds.filter(({ kind }) => isIncapacity(kind)).flatMap(({ nodes }) => nodes))
}
