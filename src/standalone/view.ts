/** What the host tells about itself. */
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
