/** What the host tells about itself. */
import type { Problem } from '../config/model.ts'
import { listSome } from '../config/words.ts'
import { findingOf, type HostFinding } from '../finding.ts'
import type { Forgetting } from '../group/forget.ts'
import { describeDifference, type Difference } from '../group/options.ts'
import type { CouncilView } from '../group/vote.ts'
import type { Announcement, LinkState } from '../l2/model.ts'
import type { WireSign } from '../ownership/view.ts'
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

/** Why a group does not take in anything new, and what waits for it. */
export function groupFindings(
  view: CouncilView, waiting: readonly string[], signs: ReadonlyMap<string, WireSign> = new Map(),
  alive: ReadonlySet<string> = new Set(),
): readonly HostFinding[] {
  const { standstill, heard, members, needed, foreign, isAgreed } = view
  if (standstill === undefined) return missingFindings(view, signs, alive)
  const what = waiting.length === 0 ? '' : `; waiting: ${listSome(waiting)}`
  switch (standstill) {
    case 'minority': {
      const stays = isAgreed
        ? 'what was agreed before stays in force, and nothing new is assigned ' +
          '(hosts that are missing count until they are back, also those that were stopped; one that is ' +
          'gone for good: --forget)'
        : 'nothing was agreed before, so nothing is announced'
      const message = `This host hears ${heard} of ${members} hosts of its group, itself included, and ` +
        `needs ${needed}; missing: ${listSome(view.missing)}: ${stays}${what}` +
        toldByWire(view.missing, signs)
      return [{ reason: standstill, message }]
    }
    case 'noAllocator': {
      const message = `The hosts of the group have not chosen yet who allocates${what}`
      return [{ reason: standstill, message }]
    }
    case 'foreignGroup': {
      const who = foreign.length === 1 ? 'Host' : 'Hosts'
      const belong = foreign.length === 1 ? 'belongs' : 'belong'
      const message = `${who} ${foreign.join(', ')} ${belong} to another group: nothing is shared with it; ` +
        'to move a host to this group, stop it and remove group.json from its --state-dir'
      return [{ reason: standstill, message }]
    }
  }
}

/** Membership may know sooner than the group that a host is back. */
function missingFindings(
  view: CouncilView, signs: ReadonlyMap<string, WireSign>, alive: ReadonlySet<string>,
): readonly HostFinding[] {
  const { members, needed, isAgreed } = view
  const missing = view.missing.filter((name) => !alive.has(name))
  const late = view.missing.filter((name) => alive.has(name))
  if (!isAgreed) return []
  const message = `Alive by gossip, and not heard by the group yet: ${listSome(late)}; all ${members} ` +
    `hosts of the group count, so ${needed} must be heard. Where that lasts for a minute, restart it`
  return [
    ...absentFindings({ missing, members, needed }, signs),
    ...findingOf('hostMissing', late.length === 0 ? undefined : message),
  ]
}

/** A host that was stopped is counted like one that died: nobody knows which of them comes back. */
function absentFindings(
  { missing, members, needed }: Pick<CouncilView, 'missing' | 'members' | 'needed'>,
  signs: ReadonlyMap<string, WireSign>,
): readonly HostFinding[] {
  const [first] = missing
  if (first === undefined) return []
  const isQuiet = missing.every((name) => !signs.has(name))
  const message =
    `Not heard: ${listSome(missing)}, stopped${isQuiet ? ' or' : ','} dead` +
    `${isQuiet ? '' : ' or blocked'}${toldByWire(missing, signs)}; all ${members} hosts of the group count ` +
    `until they are heard or forgotten, so ${needed} must be heard. One that does not come back: restart ` +
    `another one with --forget ${first}`
  return [{ reason: 'hostMissing', message }]
}

/** Hosts that are not heard by gossip, and that the wire shows to be there. */
function toldByWire(missing: readonly string[], signs: ReadonlyMap<string, WireSign>): string {
  const such = (sign: WireSign): readonly string[] => missing.filter((name) => signs.get(name) === sign)
  const [answering, heard] = [such('answers'), such('heard')]
  const [answer, only] = answering.length === 1
    ? ['answers for addresses on the wire: what it sends', 'its kernel answers']
    : ['answer for addresses on the wire: what they send', 'their kernels answer']
  const [machine, program, sends] = heard.length === 1
    ? ['machine', 'is heard on the wire: its program is stopped', 'it sends']
    : ['machines', 'are heard on the wire: their programs are stopped', 'they send']
  const parts = [
    answering.length === 0 ? '' : `; ${listSome(answering)} still ${answer} to the port of ` +
      `--ml-bindport is blocked, or only ${only}`,
    heard.length === 0 ? '' : `; the ${machine} of ${listSome(heard)} ${program}, or what ${sends} to the ` +
      'port of --ml-bindport is blocked',
  ]
  return parts.join('')
}

/** What became of each `--forget`, where it did not do what it says. */
export function forgetFindings(forgets: ReadonlyMap<string, Forgetting>): readonly HostFinding[] {
  return [...forgets].flatMap(([name, is]): readonly HostFinding[] =>
    is === 'forgotten' ? [] : [{ reason: 'notForgotten', message: `--forget ${name}: ${forgetTexts[is]}` }])
}

const forgetTexts: Readonly<Record<Exclude<Forgetting, 'forgotten'>, string>> = {
  waiting: 'it is not counted here, and leaves the group when more than half of the others have agreed',
  heard: 'it has been heard since this host started, so it counts; stop it, and restart this one',
  unknown: 'no host of the group has this name: forgotten before, or misspelt; leave the option out',
  self: 'it is this host; restart another one with it',
  notAgreed: 'nothing is agreed on yet, so hosts are counted by --join: leave its address out there',
}

/** Options on which hosts of the group do not agree. */
export function optionFindings(differences: readonly Difference[]): readonly HostFinding[] {
  return differences.map((each) => ({ reason: 'optionsDiffer', message: describeDifference(each) }))
}
