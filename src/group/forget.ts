/** What became of hosts that an operator gave up: whether they are forgotten, and if not why. */
import type { Millis } from '../net/model.ts'

export type Forgetting =
  | 'forgotten' // it was a host of the group here, and is none any more
  | 'waiting' // it is not counted here, and goes when more than half of the others have agreed
  | 'heard' // it has lived since this host started, so it counts
  | 'unknown' // no host of the group has this name: forgotten before, or misspelt
  | 'self' // it is this host
  | 'notAgreed' // before anything is agreed on, hosts are counted by the addresses of --join

/** Mutable, owned by one host of a group. */
export interface Forgets {
  readonly self: string
  /** As given; each once. */
  readonly names: readonly string[]
  readonly startedMs: Millis
  /** Those of them that were heard since: whatever was meant, it was not that they are gone. */
  readonly met: Set<string>
  /** Those of them that were in a ledger here. */
  readonly known: Set<string>
  /** What is true now by name, and since when. */
  readonly now: Map<string, { readonly is: Forgetting; readonly sinceMs: Millis }>
  readonly told: Map<string, Forgetting>
}

/**
 * A host that has just started hears nobody yet: one that lives must not be given up for that, with all that
 * it alone has brought.
 */
export const forgetAfterMs: Millis = 10_000

/** What is different again sooner is a start, or an election. */
const lastMs: Millis = 3_000

export function createForgets(self: string, names: readonly string[], now: Millis): Forgets {
  return {
    self, names: [...new Set(names)], startedMs: now, met: new Set(), known: new Set(), now: new Map(),
    told: new Map(),
  }
}

/** Whom this host may ask the others to forget by now. */
export function activeForgets({ names, met, startedMs }: Forgets, now: Millis): readonly string[] {
  return now - startedMs < forgetAfterMs ? [] : names.filter((name) => !met.has(name))
}

/**
 * Takes in the hosts of the ledger in force (undefined = there is none) and those that are heard; what is
 * news, once it has lasted. That one waits is none: it passes, or the group stands still, which is told.
 */
export function followForgets(
  f: Forgets, members: readonly string[] | undefined, present: ReadonlySet<string>, now: Millis,
): ReadonlyMap<string, Forgetting> {
  const news = new Map<string, Forgetting>()
  for (const name of f.names) {
    if (members?.includes(name) === true) f.known.add(name)
    if (present.has(name)) f.met.add(name)
    const is = stateOf(f, name, members)
    const before = f.now.get(name)
    const sinceMs = before?.is === is ? before.sinceMs : now
    f.now.set(name, { is, sinceMs })
    const isEarly = is !== 'forgotten' && now - sinceMs < lastMs
    if (is === 'waiting' || is === f.told.get(name) || isEarly) continue
    f.told.set(name, is)
    news.set(name, is)
  }
  return news
}

function stateOf(
  { self, known, met }: Forgets, name: string, members: readonly string[] | undefined,
): Forgetting {
  if (name === self) return 'self'
  if (met.has(name)) return 'heard'
  if (members === undefined) return 'notAgreed'
  if (members.includes(name)) return 'waiting'
  return known.has(name) ? 'forgotten' : 'unknown'
}
