/** The hosts that this one was told to forget: when it asks the others to, and what the log says of it. */
import type { Problem } from '../config/model.ts'
import {
  activeForgets, createForgets, followForgets, type Forgetting,
} from '../group/forget.ts'
import type { KnownShare, Share } from '../group/model.ts'
import { presentOf } from '../group/presence.ts'
import type { Council } from '../group/state.ts'
import { isSameList } from '../l2/unit.ts'
import type { Log } from '../log.ts'
import type { Millis } from '../net/model.ts'
import { forgetFindings } from './view.ts'

export interface ForgettingHost {
  /** The share as the others are to get it now. */
  share(now: Millis): KnownShare
  /** Another share of this host's. */
  give(own: KnownShare, now: Millis): KnownShare
  /** Tells the log; `onShare` gets the share where the others are to have another one for it. */
  look(council: Council, now: Millis, onShare: (share: KnownShare) => void): void
  states(): ReadonlyMap<string, Forgetting>
}

export interface ForgettingParts {
  readonly log: Log
  readonly node: string
  readonly own: KnownShare
  readonly now: Millis
  readonly nameShare: (share: Share) => KnownShare | Problem
}

export function createForgetting({ log, node, own, now: start, nameShare }: ForgettingParts): ForgettingHost {
  const forgets = createForgets(node, own.share.forgets, start)
  let given = own
  let asked: readonly string[] = []
  const share = (now: Millis): KnownShare => withForgets(given, activeForgets(forgets, now), nameShare)
  return {
    share,
    give: (next, now) => {
      given = next
      return share(now)
    },
    look: (council, now, onShare) => {
      const members = council.inForce?.members.map(({ name }) => name)
      tell(log, followForgets(forgets, members, presentOf(council, now), now))
      const active = activeForgets(forgets, now)
      if (isSameList(active, asked)) return
      asked = active
      onShare(share(now))
    },
    states: () => new Map([...forgets.now].map(([name, { is }]) => [name, is])),
  }
}

/** The share with these hosts to forget, under its name; where that would be too large, as it was. */
function withForgets(
  known: KnownShare, forgets: readonly string[], nameShare: ForgettingParts['nameShare'],
): KnownShare {
  if (isSameList(known.share.forgets, forgets)) return known
  const share = { ...known.share, forgets }
  if (known.digest === '') return { digest: '', share }
  const named = nameShare(share)
  return 'digest' in named ? named : known
}

/** The operator who gave the flag looks here first, whether it did anything or not. */
function tell(log: Log, news: ReadonlyMap<string, Forgetting>): void {
  for (const [name, is] of news) {
    if (is === 'forgotten') log.info('host of the group is forgotten', { event: 'forgotten', node: name })
  }
  for (const { reason, message } of forgetFindings(news)) {
    log.warn('host of the group is not forgotten', { event: reason, reason, error: message })
  }
}
