/** What the host tells about itself, and findings made from it. */
import type { Problem } from '../config/model.ts'
import type { HostFinding } from '../finding.ts'
import type { Announcement, LinkState } from '../l2/model.ts'
import type { ServiceRow } from '../plan/report.ts'

/** What the host knows, for status and readiness. */
export interface HostView {
  readonly isLoaded: boolean
  readonly isSettled: boolean
  readonly isStale: boolean
  readonly loadedAt: Date | undefined
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
  readonly rows: readonly ServiceRow[]
  readonly announcements: readonly Announcement[]
  readonly links: readonly LinkState[]
  readonly findings: readonly HostFinding[]
}

/** Addresses named in one sentence. */
const maxNamed = 5

/** Addresses that are announced though no connected prefix covers them. */
export function outsideFinding(texts: readonly string[]): readonly HostFinding[] {
  if (texts.length === 0) return []
  const more = texts.length > maxNamed ? ` and ${texts.length - maxNamed} more` : ''
  const list = texts.slice(0, maxNamed).join(', ') + more
  const message = `No interface has a connected prefix that covers ${list}: announced on all ` +
    'usable interfaces; give the right one an address of that network'
  return [{ reason: 'outsidePrefix', message }]
}
