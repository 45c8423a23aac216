/** What the host tells about itself. */
import type { Problem } from '../config/model.ts'
import type { HostFinding } from '../finding.ts'
import { describeDifference, type Difference } from '../group/options.ts'
import type { CouncilView } from '../group/vote.ts'
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

/**
 * Rows as the wire has them: each address has the owner that this host knows of now, by formatted address,
 * whomever the plan would have. Of another one than the planned the interfaces are not known; where nobody
 * is known to own an address, nobody is named.
 */
export function rowsAsOwned(
  rows: readonly ServiceRow[], owners: ReadonlyMap<string, string>,
): readonly ServiceRow[] {
  return rows.map((row) => {
    const announcements = row.announcements.flatMap((each) => {
      const node = owners.get(each.address)
      if (node === undefined) return []
      return [node === each.node ? each : { ...each, node, interfaces: [] }]
    })
    return { ...row, announcements }
  })
}

/** Objects or hosts named in one sentence. */
const maxNamed = 5

function listOf(names: readonly string[]): string {
  const more = names.length > maxNamed ? ` and ${names.length - maxNamed} more` : ''
  return names.slice(0, maxNamed).join(', ') + more
}

/** Why a group does not take in anything new, and what waits for it. */
export function groupFindings(view: CouncilView, waiting: readonly string[]): readonly HostFinding[] {
  const { standstill, heard, members, needed, foreign, isAgreed } = view
  if (standstill === undefined) return []
  const what = waiting.length === 0 ? '' : `; waiting: ${listOf(waiting)}`
  switch (standstill) {
    case 'minority': {
      const stays = isAgreed
        ? 'what was agreed before stays in force, and nothing new is assigned ' +
          '(one that is gone for good: --forget)'
        : 'nothing was agreed before, so nothing is announced'
      const message = `This host hears ${heard} of ${members} hosts of its group, itself included, and ` +
        `needs ${needed}; missing: ${listOf(view.missing)}: ${stays}${what}`
      return [{ reason: standstill, message }]
    }
    case 'noAllocator': {
      const message = `The hosts of the group have not chosen yet who allocates${what}`
      return [{ reason: standstill, message }]
    }
    case 'foreignGroup': {
      const message = `Host ${foreign.join(', ')} belongs to another group: nothing is shared with it; ` +
        'to move a host to this group, stop it and remove group.json from its --state-dir'
      return [{ reason: standstill, message }]
    }
  }
}

/** Options on which hosts of the group do not agree. */
export function optionFindings(differences: readonly Difference[]): readonly HostFinding[] {
  return differences.map((each) => ({ reason: 'optionsDiffer', message: describeDifference(each) }))
}
