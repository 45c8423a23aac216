/** What must always be true: one function for each promise. Read this file first. */
import type { Millis } from '../net/model.ts'
import { missingMs, provisionalMs, takenMs } from '../ownership/limits.ts'
import type { Note } from '../ownership/model.ts'
import type { Cluster } from './cluster.ts'
import { sharedBound } from './beside.ts'
import { darkBounds, overlapBounds } from './bounds.ts'
import {
  deedsDuring, hurtBy, isForeignTo, isGeneral, isHalf, isIncapacity, isMeeting, lossNow, meetingsOf,
  veryLossy,
} from './deeds.ts'
import { type Deed, type Finding, type Place, wouldAnswer } from './record.ts'
import { isStranger } from './plan.ts'
import { checkEndings, isLocal, isMovedByRollout, servableGap, servedPlace } from './serving.ts'
import { type Gap, gapsOf, type Move, movesOf, type Overlap, overlapsOf } from './tenure.ts'
import { canHear, canSend } from './segment.ts'

/** One voice: on one segment an address never has two answerers, but for the bounded exceptions. */
export function checkVoice(cluster: Cluster): readonly Finding[] {
  const strays = cluster.record.strays.map(({ atMs, node, unit, segment }): Finding =>
    ({ check: 'voice', atMs, text: `${node} spoke for ${unit} on ${segment} without a right` }))
  const doubles = [...cluster.record.places.values()].flatMap((place) =>
    overlapsOf(place).flatMap((overlap): readonly Finding[] => {
      const { older, newer, fromMs, toMs } = overlap
      if ([older, newer].some(({ node }) => isStranger(cluster.options, node))) return []
      const excuse = overlapExcuse(cluster, place, overlap)
      if (toMs - fromMs <= excuse) return []
      const ms = (toMs - fromMs).toFixed(1)
      return [{
        check: 'voice', atMs: fromMs,
        text: `${older.node} and ${newer.node} both answered for ${place.unit} on ` +
          `${place.segment} during ${ms} ms, ${excuse.toFixed(1)} allowed`,
      }]
    }))
  return [...strays, ...doubles]
}

/** Whether an overlap is that of a planned hand-over: the newer took it so, or the older gave it so. */
export function isHandOver(
  cluster: Cluster, place: Place, overlap: Overlap,
): boolean {
  const { older, newer, fromMs, toMs } = overlap
  const isMeant = (kind: 'claimed' | 'released', who: string, whenMs: Millis): boolean =>
    cluster.record.notes.some(({ atMs, node, note }) =>
      (note.kind === 'claimed' || note.kind === 'released') && note.kind === kind &&
      note.unit === place.unit && node === who && Math.abs(atMs - whenMs) < 5 &&
      (note.cause === 'handOver' || note.cause === 'election' || note.cause === 'restored'))
  return isMeant('claimed', newer.node, fromMs) || isMeant('released', older.node, toMs) ||
    isHandOverTold(cluster, place, overlap)
}

/**
 * The older was silent when the newer said that it has taken over, or stood still since, and lets go in
 * its next turn, when it hears it on the wire: that is the next that it tells of the unit.
 */
function isHandOverTold({ record }: Cluster, { unit }: Place, { older, newer, toMs }: Overlap): boolean {
  const next = record.notes.find(({ atMs, node, note }) =>
    atMs >= toMs && node === older.node && 'unit' in note && note.unit === unit)
  return next !== undefined && next.atMs < toMs + takenMs && next.note.kind === 'released' &&
    next.note.cause === 'handOver' && next.note.to === newer.node
}

/** How much of an overlap is within the listed exceptions. */
function overlapExcuse(cluster: Cluster, place: Place, overlap: Overlap): Millis {
  const loss = lossNow(cluster, overlap.fromMs, overlap.toMs)
  const lossMs = loss >= veryLossy ? overlapBounds.worstLossMs : loss > 0 ? overlapBounds.lossMs : 0
  return otherExcuse(cluster, place, overlap) + lossMs
}

/** As much as it may last without a lost frame. */
function otherExcuse(cluster: Cluster, place: Place, overlap: Overlap): Millis {
  const { record } = cluster
  const { fromMs, toMs } = overlap
  const isPlanned = isHandOver(cluster, place, overlap)
  const heals = meetingsOf(record.deeds).filter((atMs) => atMs <= toMs)
    .map((atMs) => atMs + overlapBounds.healMs - fromMs)
  const resumes = record.deeds.filter(({ kind, untilMs }) => kind === 'pause' && untilMs <= toMs)
    .map(({ untilMs }) => untilMs + overlapBounds.resumeMs - fromMs)
  return Math.max(0, isPlanned ? overlapBounds.handOverMs : 0, ...heals, ...resumes)
}

/** How long two answered since 30 % of the frames were lost: each overlap, by what nothing else excuses. */
export function lossOverlapsOf(cluster: Cluster): readonly Millis[] {
  return [...cluster.record.places.values()].flatMap((place) =>
    overlapsOf(place).flatMap((overlap): readonly Millis[] => {
      const { older, newer, fromMs, toMs } = overlap
      if (lossNow(cluster, fromMs, toMs) < veryLossy) return []
      if ([older, newer].some(({ node }) => isStranger(cluster.options, node))) return []
      const ms = toMs - fromMs - otherExcuse(cluster, place, overlap)
      return ms > 0 ? [ms] : []
    }))
}

/** No silence beyond its bound while a node could answer. */
export function checkSilence(cluster: Cluster): readonly Finding[] {
  return [...cluster.record.places.values()].flatMap((place) =>
    gapsOf(servedPlace(cluster.record, place), cluster.clock.nowMs).flatMap((whole): readonly Finding[] => {
      const gap = servableGapOf(cluster, place, whole)
      if (gap === undefined) return []
      const { fromMs, toMs, last } = gap
      const bound = darkBound(cluster, place, gap)
      if (toMs - fromMs <= bound) return []
      return [{
        check: 'silence', atMs: fromMs,
        text: `nobody answered for ${place.unit} on ${place.segment} during ` +
          `${Math.round(toMs - fromMs)} ms after ${last ?? 'its appearance'}, ${bound} allowed`,
      }]
    }))
}

/** With policy Local, it counts from when a node that could serve it was well. */
function servableGapOf(cluster: Cluster, { unit }: Place, gap: Gap): Gap | undefined {
  if (!isLocal(cluster.record, unit)) return gap
  const deeds = deedsDuring(cluster, gap.fromMs - 2_000, gap.toMs)
  if (deeds.some(({ kind }) => kind.startsWith('API'))) return undefined
  const hurt = hurtBy(deeds)
  const part = servableGap(cluster.record, unit, gap, (node) => !hurt.has(node))
  return part === undefined || part.fromMs === gap.fromMs ? part : { ...part, last: undefined }
}

/** The bound is that of ours, or of what is not ours where that stands between. */
function darkBound(cluster: Cluster, place: Place, gap: Gap): Millis {
  return Math.max(ownBound(cluster, place, gap), sharedBound(cluster, place, gap))
}

function ownBound(cluster: Cluster, place: Place, { fromMs, toMs, last }: Gap): Millis {
  const deeds = deedsDuring(cluster, fromMs - 2_000, toMs)
  const hurt = hurtBy(deeds)
  if (hurt.size >= cluster.options.nodes) return Infinity
  if (deeds.some((deed) => isForeignTo(deed, place.unit))) return Infinity
  const theft = `foreign host takes ${place.unit} on `
  if (deedsDuring(cluster, fromMs - 70_000, toMs).some(({ kind }) => kind.startsWith(theft))) return Infinity
  if (fromMs <= place.fromMs && fromMs < darkBounds.startMs) {
    return hurt.size === 0 ? darkBounds.startMs : darkBounds.startMs + darkBounds.gossipMs
  }
  const isLossy = lossNow(cluster, fromMs, toMs) > 0
  if (isLocal(cluster.record, place.unit) && deeds.length === 0 && !isLossy) return darkBounds.rolloutMs
  const isHealing = deeds.some(({ untilMs }) => untilMs <= toMs)
  const isGossipCut = deeds.some(({ kind }) => kind.startsWith('gossip cut'))
  const calm = deeds.filter(({ kind }) => isIncapacity(kind) || kind.startsWith('gossip'))
  if (calm.length > 1 || isLossy || isGossipCut || hurt.size > 1) return darkBounds.gossipMs
  const isUnseen = deeds.some(({ kind }) => kind.startsWith('API'))
  const isHalfDead = deeds.some(({ kind }) => isHalf(kind) || kind.startsWith('starve'))
  // It may be placed on a node that went deaf while it owned nothing, and looked at nothing.
  const newMs = isHalfDead ? darkBounds.deafMs : darkBounds.newMs
  if (last === undefined) return isUnseen ? Infinity : newMs
  return isHalfDead || isHealing ? darkBounds.deafMs : darkBounds.deadMs
}

/** Nothing moves without cause: an owner loses a unit only to something that was done to it. */
export function checkMoves(cluster: Cluster): readonly Finding[] {
  const isHurt = (nodes: readonly string[], atMs: Millis): boolean =>
    nodes.some((node) => hurtBy(deedsDuring(cluster, atMs - 2_000, atMs)).has(node))
  // Whoever does not see endpoints change goes by what it saw.
  const isBlind = (atMs: Millis): boolean =>
    deedsDuring(cluster, atMs - 2_000, atMs).some(({ kind }) => kind === 'API server down')
  const endings = checkEndings(cluster, (nodes, atMs) => isBlind(atMs) || isHurt(nodes, atMs))
  const moves = [...cluster.record.places.values()].flatMap((place) =>
    movesOf(place).flatMap((moved): readonly Finding[] => {
      const { from, to, atMs } = moved
      if (isMoveCaused(cluster, place, moved)) return []
      return [{ check: 'move', atMs, text: `${place.unit} moved from ${from} to ${to} without cause` }]
    }))
  return [...moves, ...endings]
}

function isMoveCaused(
  cluster: Cluster, place: Place, moved: Move,
): boolean {
  const { from, to, atMs, endedMs } = moved
  const startMs = Math.min(endedMs, atMs)
  if (lossNow(cluster, startMs, atMs) >= 0.1 || cluster.options.strangers > 0) return true
  if (cluster.options.placement === 'hash' || isMovedByRollout(cluster.record, place, moved)) return true
  const deeds = deedsDuring(cluster, startMs - 2_000, atMs)
  // Provisional placements of a start may each move once, within 60 s.
  // A take-over may take two steps: whoever took a unit from a node that was hurt may be contested by it.
  const isSecondStep = deeds.some(({ kind, nodes }) => isIncapacity(kind) &&
    place.tenures.some(({ node, toMs }) => nodes.includes(node) && toMs <= startMs && toMs > startMs - 1_000))
  const isSettling = startMs < place.fromMs + 60_000 && cluster.record.notes.some(({ note }) =>
    note.kind === 'claimed' && note.cause === 'handOver' && note.unit === place.unit)
  const isExcused = isSettling || isSecondStep || isJoining(cluster, place, deeds, { from, to, atMs }) ||
    deeds.some((deed) => isGeneral(deed, place.unit))
  return isExcused || deeds.some(({ kind, nodes, untilMs }) =>
    nodes.includes(from) || kind === 'pause' && nodes.includes(to) && untilMs <= atMs ||
    isMeeting(kind) && !kind.startsWith('gossip') && untilMs <= atMs || kind.startsWith('move of'))
}

/**
 * Two owned parts of the unit, and that of a node that was hurt has just been claimed by a third: of those
 * that are heard on all segments the lower name keeps all (design §5, "Two segments, different winners").
 */
function isJoining(
  { record }: Cluster, place: Place, deeds: readonly Deed[], { from, to, atMs }: Omit<Move, 'endedMs'>,
): boolean {
  const isClaimed = (move: Move): boolean =>
    move.to === to && move.atMs <= atMs && move.atMs > atMs - 1_000 &&
    deeds.some(({ kind, nodes }) => isIncapacity(kind) && nodes.includes(move.from))
  return to < from && [...record.places.values()].some((other) =>
    other.unit === place.unit && other.segment !== place.segment && movesOf(other).some(isClaimed))
}

/** Messages and asks of one node in its worst second; the bound does not know how many nodes there are. */
export function stormBound(cluster: Cluster): number {
  const { segments, units, isDual } = cluster.options
  const addresses = units * (isDual ? 3 : 1)
  return segments * (260 + 26 * addresses)
}

/** No storm: what a node sends does not grow with the number of nodes. */
export function checkStorm(cluster: Cluster): readonly Finding[] {
  const bound = stormBound(cluster)
  return [...cluster.machines.values()].filter(({ sent }) => sent.worst > bound)
    .map(({ name, sent }): Finding => ({
      check: 'storm', atMs: cluster.clock.nowMs,
      text: `${name} sent ${sent.worst} messages and asks in one second, ${bound} allowed`,
    }))
}

/** Sticky placement shares a burst: nobody has more than its part and a few. */
export function checkBalance(cluster: Cluster, slack: number): readonly Finding[] {
  const [segment] = cluster.segments
  const counts = new Map<string, number>()
  for (const place of cluster.record.places.values()) {
    if (place.segment !== segment?.name) continue
    for (const node of answerersOf(cluster, place)) counts.set(node, (counts.get(node) ?? 0) + 1)
  }
  const part = Math.ceil(cluster.api.units.size / cluster.options.nodes)
  return [...counts].filter(([, count]) => count > part + slack).map(([node, count]): Finding => ({
    check: 'balance', atMs: cluster.clock.nowMs, text: `${node} owns ${count} units, its part is ${part}`,
  }))
}

/** Those on the gateway's side who would answer now. */
export function answerersOf(cluster: Cluster, place: Place): readonly string[] {
  const { nowMs } = cluster.clock
  return [...place.open].filter(([name, { side }]) => side === 0 && wouldAnswer(place, name, nowMs))
    .map(([name]) => name)
}

/** After the faults: each unit has one owner, the same on all segments, and every cache knows it. */
export function checkConverged(cluster: Cluster): readonly Finding[] {
  const atMs = cluster.clock.nowMs
  const isAble = [...cluster.machines.values()].some(({ state, legs }) =>
    state === 'running' && legs.some(({ port }) => canSend(port) && canHear(port)))
  const findings: Finding[] = []
  const owners = new Map<string, Set<string>>()
  for (const place of cluster.record.places.values()) {
    if (place.untilMs !== Infinity) continue
    const names = answerersOf(cluster, place)
    const wanted = isAble ? 1 : 0
    const all = owners.get(place.unit) ?? new Set()
    owners.set(place.unit, all)
    for (const name of names) all.add(name)
    if (names.length === wanted) continue
    const who = names.length === 0 ? 'nobody' : names.join(' and ')
    findings.push({ check: 'converge', atMs, text: `${who} answers for ${place.unit} on ${place.segment}` })
  }
  for (const [unit, names] of owners) {
    if (names.size <= 1) continue
    findings.push({ check: 'converge', atMs, text: `${unit} has owners ${[...names].join(', ')}` })
  }
  return [...findings, ...checkCaches(cluster)]
}

function checkCaches(cluster: Cluster): readonly Finding[] {
  return cluster.clients.flatMap((client): readonly Finding[] =>
    [...client.cache].flatMap(([key, { mac }]): readonly Finding[] => {
      const unit = cluster.unitsByAddress.get(key)
      const place = [...cluster.record.places.values()].find((each) =>
        each.unit === unit && each.segment === client.segment.name)
      if (mac === undefined || place === undefined || place.untilMs !== Infinity) return []
      const node = cluster.macs.get(mac)
      if (node !== undefined && answerersOf(cluster, place).includes(node)) return []
      return [{
        check: 'converge', atMs: cluster.clock.nowMs,
        text: `${client.port.name} believes that ${unit} is at ${node ?? mac}`,
      }]
    }))
}

/**
 * The one move of a placement of a start, in its first minute: it waits for whom real membership has not
 * met again. With modelled membership it is never late.
 */
function isLateBalance({ options, clock, record }: Cluster, note: Note): boolean {
  if (!options.hasRings || (note.kind !== 'claimed' && note.kind !== 'released')) return false
  const places = [...record.places.values()].filter(({ unit }) => unit === note.unit)
  const moves = record.notes.filter(({ note: each }) =>
    each.kind === 'claimed' && each.unit === note.unit && each.cause === 'handOver')
  return note.cause === 'handOver' && moves.length === 1 &&
    places.every(({ fromMs }) => clock.nowMs < fromMs + provisionalMs)
}

/** At 30 % a false suspicion is rare (0.4 moves a minute), and no fault. */
export function isVeryLossy({ options }: Cluster): boolean {
  return options.quality.loss >= veryLossy
}

/** A converged cluster says nothing: no change of owner, no gossip, beats and asks at their pace. */
export function checkQuiet(
  cluster: Cluster, sinceMs: Millis, before: ReadonlyMap<string, number>,
): readonly Finding[] {
  const { nowMs } = cluster.clock
  const changes = isVeryLossy(cluster) ? [] : cluster.record.notes.filter(({ atMs, note }) =>
    atMs >= sinceMs && note.kind !== 'postponed' && !isLateBalance(cluster, note))
    .map(({ atMs, node, note }): Finding => ({ check: 'quiet', atMs, text: `${node}: ${note.kind}` }))
  const { segments, quality, hasRings } = cluster.options
  // Real membership may need a minute to meet one again that it called dead: it is asked for meanwhile.
  const missing = hasRings ? 1_000 / missingMs : 0
  const perSecond = segments * (90 + missing + 250 * quality.loss)
  const seconds = (nowMs - sinceMs) / 1_000
  const loud = [...cluster.machines.values()].flatMap(({ name, sent }): readonly Finding[] => {
    const rate = (sent.asks + sent.tells + sent.gossips - (before.get(name) ?? 0)) / seconds
    if (rate <= perSecond) return []
    return [{ check: 'quiet', atMs: nowMs, text: `${name} sends ${rate.toFixed(0)} a second at rest` }]
  })
  return [...changes, ...loud]
}
