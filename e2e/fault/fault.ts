/** A fault as a value: what is done, what must hold of it, and how a trial of it is judged. */
import { type Watch } from '../bench/trial.ts'
import { askerAddress, askerAddress6, type Call, darkOf, wallMs } from './instruments.ts'
import type { Frame } from './pcap.ts'
import { lasting, nodes, type Stage, vip, vip6 } from './stage.ts'
import { judge, type Verdict, voicesOf } from './voices.ts'

/** What a trial has seen. */
export interface Outcome {
  /** Last good to first good new TCP connection; undefined = not asked. */
  readonly darkMs: number
  /** New TCP connections that were not open within 900 ms. */
  readonly failures: number
  /** Of each of them: when, and why: `312 ms: unanswered`. */
  readonly failed: readonly string[]
  /** Longest time without any voice of ARP, and of neighbour discovery; undefined = nobody asked. */
  readonly muteMs: number
  readonly mute6Ms: number | undefined
  readonly overlapMs: number
  readonly moves: number
  /** Frames of nodes, ARP and neighbour discovery, that answer nobody who measures. */
  readonly frames: number
  /** Who spoke, in order, by name. */
  readonly owners: readonly string[]
  /** For each change of owner: how long the old one had been silent. */
  readonly gapsMs: readonly number[]
  /** Sentences about what does not hold; empty = all does. */
  readonly broken: readonly string[]
}

/** What must hold of valid trials together: the longest of dark and mute of each. */
export interface Promised {
  readonly medianMs: number
  readonly mostMs: number
}

/** What must hold of a trial, whatever the machine is like. */
export interface Bounds {
  readonly moves: readonly [least: number, most: number]
  /** Design §5, "What is promised, exactly"; 0 where nothing is said there. */
  readonly overlapMs: number
  /** No new connection may fail. */
  readonly isSeamless?: boolean
}

/** What a strike tells of itself. */
export interface Struck {
  /** Overlap and moves count from here: two segments were one before, or there was no owner. */
  readonly judgeFromMs?: number
  /** And to here; the end of the strike, unless said. */
  readonly judgeToMs?: number
  /** An address that is judged in place of the usual ones: it was silent before. */
  readonly newborn?: string
  readonly broken?: readonly string[]
}

export interface Fault {
  readonly name: string
  /** One line for people. */
  readonly about: string
  /** What MetalLB did on such a rig; '' = not measured. */
  readonly peer: string
  readonly bounds: Bounds
  readonly promised?: Promised
  /** Gossip goes over the LAN, unless said. */
  readonly gossip?: 'control'
  /** Before a trial: who owns now is the argument. The result is who is to be hurt. */
  readonly prepare?: (stage: Stage, owner: string) => Promise<void>
  /** The measured part: hurts, watches, and may heal. */
  readonly strike: (stage: Stage, owner: string) => Promise<Struck | void>
  /** Heals what the strike left, unmeasured. */
  readonly heal?: (stage: Stage, owner: string) => Promise<void>
  /** A reason that it cannot be done here. */
  readonly lack?: () => string | undefined
}

/** Before the strike: so that the old owner has been heard. */
const beforeMs = 300
/** What was sent before the end of a trial is in the capture after this. */
const afterMs = 1_000

/** Runs one trial of a fault on a stage that may be as the last one left it. */
export async function strikeOnce(fault: Fault, stage: Stage, watch: Watch): Promise<Outcome> {
  const first = await stage.steady()
  let owner = first
  try {
    await fault.prepare?.(stage, first)
    if (fault.prepare !== undefined) owner = currentOwner(stage) ?? first
    watch.begin()
    const fromMs = wallMs()
    await lasting(beforeMs)
    const struck = await fault.strike(stage, owner) ?? {}
    const toMs = struck.judgeToMs ?? wallMs()
    watch.end()
    await lasting(afterMs)
    return measure(fault, stage, { fromMs, toMs, struck })
  } finally {
    // Also where the strike failed: what was hurt must not hurt the next trial.
    await fault.heal?.(stage, owner)
  }
}

/** Who spoke last. */
function currentOwner(stage: Stage): string | undefined {
  const now = wallMs()
  const last = voicesOf(stage.instruments.frames(now - 2_000, now), vip).at(-1)
  return last === undefined ? undefined : stage.nodeOf(last.mac)
}

interface Window {
  readonly fromMs: number
  readonly toMs: number
  readonly struck: Struck
}

function measure(fault: Fault, stage: Stage, { fromMs, toMs, struck }: Window): Outcome {
  const { judgeFromMs = fromMs, newborn } = struck
  const frames = stage.instruments.frames(fromMs, toMs)
  const muteFromMs = newborn === undefined ? fromMs : judgeFromMs
  const [first, second] = (newborn === undefined ? [vip, vip6] : [newborn])
    .map((address) => judgeAddress(stage, frames, { address, muteFromMs, judgeFromMs, toMs }))
  if (first === undefined) throw new Error('Cannot judge: no address was asked for')
  const calls = stage.instruments.calls(fromMs, toMs)
  const seen = {
    darkMs: darkOf(calls, toMs), ...failuresOf(calls, fromMs),
    muteMs: first.muteMs, mute6Ms: second?.muteMs,
    overlapMs: Math.max(first.overlapMs, second?.overlapMs ?? 0),
    moves: Math.max(first.moves, second?.moves ?? 0),
    owners: first.owners, gapsMs: first.gapsMs,
    frames: countFrames(frames, (name) => nodes.some((node) => node === name), stage),
  }
  const apart = second !== undefined && second.owners.at(-1) !== first.owners.at(-1)
    ? [`the families ended apart: ${first.owners.join(' > ')}, ${second.owners.join(' > ')}`]
    : []
  return { ...seen, broken: [...judgeBounds(fault.bounds, seen), ...apart, ...struck.broken ?? []] }
}

/** Calls that failed: how many, and each with its time since `fromMs`. */
export function failuresOf(
  calls: readonly Call[], fromMs: number,
): Pick<Outcome, 'failures' | 'failed'> {
  const failed = calls.filter(({ tookMs }) => tookMs < 0)
    .map(({ atMs, why }) => `${(atMs - fromMs).toFixed(0)} ms: ${why}`)
  return { failures: failed.length, failed }
}

interface Asked {
  readonly address: string
  readonly muteFromMs: number
  readonly judgeFromMs: number
  readonly toMs: number
}

/** Moves are those of nodes; overlap is that of anybody. */
function judgeAddress(stage: Stage, frames: readonly Frame[], asked: Asked): Verdict {
  const { address, muteFromMs, judgeFromMs, toMs } = asked
  const voices = voicesOf(frames, address).map(({ atMs, mac }) => ({ atMs, mac: stage.nodeOf(mac) }))
  const own = voices.filter(({ mac }) => nodes.some((node) => node === mac))
  return {
    ...judge(own, judgeFromMs, toMs),
    overlapMs: judge(voices, judgeFromMs, toMs).overlapMs,
    muteMs: judge(voices, muteFromMs, toMs).muteMs,
  }
}

/** Frames of hosts with such names; what answers the asker is no frame of theirs. */
export function countFrames(
  frames: readonly Frame[], isOfThem: (name: string) => boolean, { nodeOf }: Stage,
): number {
  return frames.filter(({ source, isReply, target }) =>
    isOfThem(nodeOf(source)) && !(isReply && (target === askerAddress || target === askerAddress6))).length
}

function judgeBounds(
  { moves: [least, most], overlapMs, isSeamless = false }: Bounds,
  seen: Pick<Outcome, 'moves' | 'overlapMs' | 'failures' | 'failed' | 'owners'>,
): readonly string[] {
  const broken: string[] = []
  if (seen.overlapMs > overlapMs) broken.push(`overlap ${seen.overlapMs.toFixed(1)} ms`)
  if (seen.moves < least || seen.moves > most) broken.push(`${seen.moves} moves: ${seen.owners.join(' > ')}`)
  if (isSeamless && seen.failures > 0) {
    broken.push(`${seen.failures} connections failed, first after ${seen.failed[0] ?? ''}`)
  }
  return broken
}
