/** What a speaker tells of itself in its ConfigurationState: for whoever explains a silence. */
import type { Announcer } from '../announcer.ts'
import type { Feed } from '../cluster/feed.ts'
import type { Intake } from '../cluster/intake.ts'
import { labelOfNode, stateNameOf } from '../cluster/members.ts'
import { type PodIdentity, syncState } from '../cluster/state.ts'
import type { Config } from '../config/model.ts'
import { labelKeys } from '../config/names.ts'
import type { SpeakerOptions } from '../config/role-options.ts'
import type { Writer } from '../kube/writer.ts'
import { encodeLinks } from '../l2/facts.ts'
import type { Links } from '../l2/linux/links.ts'
import { encodeSilences } from '../l2/silences.ts'
import type { Millis } from '../net/model.ts'

/** How often it is looked for silences, and how often a change of them is written at most. */
export const silencesEveryMs: Millis = 1_000
/** Whoever changes again and again has other trouble, and makes the API server no more: up to this, */
const mostRestMs: Millis = 4_000
/** until nothing has changed for so long. */
const calmMs: Millis = 30_000

/** What was told last of silences, as text, when, and for how long it stands. */
export interface ToldSilences {
  readonly text: string
  readonly atMs: Millis
  readonly restMs: Millis
}

export const nothingTold: ToldSilences = { text: '', atMs: Number.NEGATIVE_INFINITY, restMs: 0 }

/** What is told now: the first change at once, what follows it soon and together, and then more rarely. */
export function followSilences(before: ToldSilences, text: string, now: Millis): ToldSilences {
  const sinceMs = now - before.atMs
  if (text === before.text || sinceMs < before.restMs) return before
  const restMs = sinceMs < calmMs ? Math.min(mostRestMs, 2 * before.restMs) : silencesEveryMs
  return { text, atMs: now, restMs }
}

export interface OwnStateParts {
  readonly options: Pick<SpeakerOptions, 'nodeName'>
  readonly namespace: string
  readonly feed: Pick<Feed, 'states'>
  readonly intake: Pick<Intake, 'config' | 'problems'>
  readonly writer: Writer
  readonly announcer: Pick<Announcer, 'failures' | 'silences'>
  readonly links: Pick<Links, 'current'>
  readonly wall: () => Date
  /** undefined until it has been read. */
  readonly owner: PodIdentity | undefined
}

export interface OwnState {
  /** Writes what differs from what the cluster shows. */
  tell(): void
  /** The wire keeps this node silent for something else than it has told, and that may be told. */
  hasNews(): boolean
}

/** Reads its parts anew each time. */
export function createOwnState(parts: OwnStateParts): OwnState {
  let told = nothingTold
  const follow = (): ToldSilences =>
    followSilences(told, encodeSilences(parts.announcer.silences()), performance.now())
  return {
    tell: () => {
      told = follow()
      write(parts, told.text)
    },
    hasNews: () => follow() !== told,
  }
}

function write(parts: OwnStateParts, silent: string): void {
  const { feed, intake, links, options, namespace, writer, wall, owner, announcer } = parts
  const name = stateNameOf(options.nodeName)
  const deaf = new Set(announcer.failures().keys())
  const state = {
    writer, namespace, name, manager: 'configReconciler', wall, owner,
    labels: {
      [labelKeys.componentType]: 'speaker', [labelKeys.stateNode]: labelOfNode(options.nodeName),
    },
  } as const
  syncState(state, feed.states.get(`${namespace}/${name}`), {
    problems: intake.problems,
    isUnknown: false,
    links: encodeLinks(links.current(), deaf, namedInterfaces(intake.config)),
    silent,
  })
}

/** Interfaces that an advertisement names. */
export function namedInterfaces(config: Config | undefined): ReadonlySet<string> {
  return new Set((config?.advertisements ?? []).flatMap(({ interfaces }) => interfaces))
}
