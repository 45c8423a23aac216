/** Options of a ledger that an older host has had in its hands: it drops what it does not know. */
import { compareVersions, type GroupLedger, type GroupMember, noVersion, type Version } from './model.ts'

/** When the options of a ledger were agreed on; before everything where it has none. */
export function optionsVersion({ options, optionsFrom }: GroupLedger): Version {
  return options === undefined ? noVersion : optionsFrom ?? noVersion
}

/** `next`, written now, says since when its options are agreed on. */
export function stampOptions(before: GroupLedger | undefined, next: GroupLedger): GroupLedger {
  if (next.options === undefined) return next
  const isKept = JSON.stringify(before?.options) === JSON.stringify(next.options)
  return { ...next, optionsFrom: (isKept ? before?.optionsFrom : undefined) ?? next.version }
}

/** `next`, a later ledger, with the options of the one that it replaces if it comes without. */
export function carryOptions(before: GroupLedger | undefined, next: GroupLedger): GroupLedger {
  return before?.options === undefined || next.options !== undefined ? next : take(before, next)
}

/** `mine` with the options of another copy of the same version if that has later ones, else `mine` itself. */
export function joinOptions(mine: GroupLedger, copy: GroupLedger): GroupLedger {
  return compareVersions(optionsVersion(copy), optionsVersion(mine)) > 0 ? take(copy, mine) : mine
}

function take({ options, optionsFrom, members: told }: GroupLedger, into: GroupLedger): GroupLedger {
  if (options === undefined) return into
  const members = into.members.map((member): GroupMember => {
    const own = member.options ?? told.find(({ name }) => name === member.name)?.options
    return own === undefined ? member : { ...member, options: own }
  })
  return { ...into, members, options, ...(optionsFrom === undefined ? {} : { optionsFrom }) }
}
