/** What a capture says of one address: who spoke for it when, together, and not at all (design §5). */
import type { Frame } from './pcap.ts'

/** One frame that asserts address → MAC. */
export interface Voice {
  readonly atMs: number
  readonly mac: string
}

/** Frames of one MAC without a pause in which it was asked and did not answer. */
export interface Spell {
  readonly mac: string
  readonly startMs: number
  readonly endMs: number
  readonly count: number
}

export interface Verdict {
  /** Last voice of the old owner minus first of the new, at worst; 0 = never two at a time. */
  readonly overlapMs: number
  /** Longest time without any voice, while everybody was asked. */
  readonly muteMs: number
  /** How often the owner changed. */
  readonly moves: number
  /** MACs in the order in which they spoke, each change once. */
  readonly owners: readonly string[]
  /** For each change: how long the old owner had been silent when the new one first spoke. */
  readonly gapsMs: readonly number[]
}

/**
 * Whoever is silent for longer, although it is asked every few milliseconds, has stopped: longer
 * than what a loaded machine may keep an owner from running, shorter than any claim takes.
 */
const pauseMs = 200
/** Two voices that cross at one instant are two voices. */
const leastMs = 0.1

/** Replies, advertisements, and requests that ask for the sender itself: they assert its address. */
export function isVoice({ sender, target, isReply }: Frame): boolean {
  return isReply || target === sender
}

/** Assertions of an address. */
export function voicesOf(frames: readonly Frame[], address: string): readonly Voice[] {
  return frames.filter((frame) => frame.sender === address && isVoice(frame)).map(toVoice)
}

/** The same of all addresses. */
export function voicesByAddress(frames: readonly Frame[]): ReadonlyMap<string, readonly Voice[]> {
  const voices = new Map<string, Voice[]>()
  for (const frame of frames.filter(isVoice)) {
    const others = voices.get(frame.sender)
    if (others === undefined) voices.set(frame.sender, [toVoice(frame)])
    else others.push(toVoice(frame))
  }
  return voices
}

function toVoice({ atMs, senderMac }: Frame): Voice {
  return { atMs, mac: senderMac }
}

/** In the order of their starts. */
export function spellsOf(voices: readonly Voice[], leastPauseMs = pauseMs): readonly Spell[] {
  const spells: Spell[] = []
  const last = new Map<string, number>()
  for (const { mac, atMs } of voices) {
    const at = last.get(mac)
    const spell = at === undefined ? undefined : spells[at]
    if (at !== undefined && spell !== undefined && atMs - spell.endMs <= leastPauseMs) {
      spells[at] = { ...spell, endMs: atMs, count: spell.count + 1 }
    } else {
      last.set(mac, spells.length)
      spells.push({ mac, startMs: atMs, endMs: atMs, count: 1 })
    }
  }
  return spells
}

/**
 * Judges the voices between two instants of wall time. Who is asked less often than every few
 * milliseconds may pause for longer.
 */
export function judge(
  voices: readonly Voice[], fromMs: number, toMs: number, leastPauseMs = pauseMs,
): Verdict {
  const within = voices.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs)
  const spells = spellsOf(within, leastPauseMs)
  const firsts = spells.filter(({ mac }, i) => mac !== spells[i - 1]?.mac)
  const owners = firsts.map(({ mac }) => mac)
  return {
    overlapMs: overlapOf(spells),
    muteMs: longestGap([fromMs, ...within.map(({ atMs }) => atMs), toMs]),
    moves: Math.max(0, owners.length - 1), owners,
    gapsMs: firsts.slice(1).map(({ startMs }) => startMs - lastBefore(spells, startMs)),
  }
}

/** End of the spell before the one that starts then. */
function lastBefore(spells: readonly Spell[], startMs: number): number {
  const at = spells.findIndex((spell) => spell.startMs === startMs)
  return spells[at - 1]?.endMs ?? startMs
}

/**
 * Of each pair that meets: to the end of the earlier one; where the later one lies within it, from
 * the start of whichever spoke second to the last word of whom was to be silent. A word of the former
 * owner after its successor's first is counted from that first one.
 */
function overlapOf(spells: readonly Spell[]): number {
  let worst = 0
  for (const [i, early] of spells.entries()) {
    for (const late of spells.slice(i + 1)) {
      if (late.mac === early.mac || late.startMs > early.endMs) continue
      const isFormerOwner = spells.slice(0, i).some(({ mac }) => mac === late.mac)
      const isWithin = late.endMs <= early.endMs
      const fromMs = isWithin && isFormerOwner ? early.startMs : late.startMs
      worst = Math.max(worst, leastMs, Math.min(early.endMs, late.endMs) - fromMs)
    }
  }
  return worst
}

export function longestGap(instants: readonly number[]): number {
  return instants.reduce((worst, at, i) => Math.max(worst, at - (instants[i - 1] ?? at)), 0)
}
