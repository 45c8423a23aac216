/** Tables of who is there and who owns what, for the text form and the page alike. */
import { counted } from '../config/words.ts'
import type { Millis } from '../net/model.ts'
import type { LegView, OwnershipView, UnitView } from '../ownership/view.ts'

/** A member of the ring of nodes. */
export interface MemberStatus {
  readonly name: string
  readonly address: string
  /** `alive`, `suspect`, `dead` or `left`, as gossip has it. */
  readonly state: string
  /** It takes part in ownership: false for a speaker of MetalLB. */
  readonly capable: boolean
}

/** Hosts without a cluster that share their addresses. */
export interface GroupStatus {
  /** null = the group has not come into being. */
  readonly id: string | null
  /** Of the ledger in force: `term.number`. */
  readonly version: string | null
  /** Names of the hosts in the ledger. */
  readonly members: readonly string[]
  /** Options in force on all hosts, by name; '' = not given, null = none are agreed. */
  readonly options: Readonly<Record<string, string>> | null
  /** How many hosts count, how many of them are heard, this one included, and how many must be. */
  readonly size: number
  readonly heard: number
  readonly needed: number
  /** Names of members that are not heard; before there is a ledger, addresses of --join. */
  readonly missing: readonly string[]
  readonly allocator: string | null
  /** Why nothing new is assigned: `minority`, `noAllocator` or `foreignGroup`. */
  readonly standstill: string | null
}

/** What `/status` tells of the others; all of it absent where nothing is announced. */
export interface OwnershipStatus {
  readonly node: string
  /** Who owns what, since when and why, what is heard, and past moves. */
  readonly ownership?: OwnershipView
  readonly members?: readonly MemberStatus[]
  readonly group?: GroupStatus
}

export interface Table {
  readonly title: string
  readonly header: readonly string[]
  readonly rows: readonly (readonly string[])[]
  /** What the table leaves out; '' = nothing. */
  readonly rest: string
}

/** Moves and pauses shown to people; JSON has all that are remembered. */
const maxMoves = 20

/** One sentence about members, placement and who allocates; undefined where this host is alone. */
export function summariseOwnership(status: OwnershipStatus): string | undefined {
  const { ownership, group } = status
  if (ownership === undefined) return undefined
  const { members, isStarting, isMixed, placement, monitors } = ownership
  const alive = liveOf(status) ?? members.filter(({ isAlive }) => isAlive).length
  const parts = [`${alive} of ${counted(group?.size ?? members.length, 'member')} live`]
  if (group !== undefined) {
    parts.push(group.allocator === null ? 'nobody allocates' : `${group.allocator} allocates`)
    parts.push(group.version === null ? 'nothing agreed yet' : `ledger ${group.version}`)
  }
  parts.push(`placement ${placement}${isMixed ? ' (a member speaks no beats)' : ''}`)
  if (monitors.length > 0) parts.push(`watched by ${monitors.join(', ')}`)
  if (isStarting) parts.push('starting: waiting for members')
  return parts.join(', ')
}

/** As the table of members has it, which comes below; before a ledger is in force they have no names. */
function liveOf({ members = [], group }: OwnershipStatus): number | undefined {
  if (group === undefined || group.members.length === 0 || members.length === 0) return group?.heard
  const own = new Set(group.members)
  const isLive = (state: string): boolean => state === 'alive' || state === 'suspect'
  return members.filter(({ name, state }) => own.has(name) && isLive(state)).length
}

/** Members, owners, what is heard, moves; none where nothing is announced. */
export function ownershipTables(status: OwnershipStatus): readonly Table[] {
  const { ownership } = status
  if (ownership === undefined) return []
  return [memberTable(status, ownership), unitTable(ownership), legTable(ownership), moveTable(ownership)]
}

const wireWords = { answers: 'answers on the wire', heard: 'heard on the wire' } as const

function memberTable({ members = [], node }: OwnershipStatus, { members: known }: OwnershipView): Table {
  const byName = new Map(known.map((member) => [member.name, member]))
  const rows = members.map(({ name, address, state, capable }) => {
    const member = byName.get(name)
    const { owned = 0, beatAgoMs: beat } = member ?? {}
    // Who owns nothing has nothing to beat for; what came before is no sign of death.
    const heard = name === node ? 'this host' : beat === undefined ? ''
      : owned === 0 && state === 'alive' ? 'owns nothing' : `${formatAge(beat)} ago`
    const seen = member?.wire === undefined ? state : `${state}, ${wireWords[member.wire]}`
    return [name, address, seen, capable ? 'beats' : 'gossip only', String(owned), heard]
  })
  const header = ['MEMBER', 'ADDRESS', 'STATE', 'SPEAKS', 'OWNS', 'LAST BEAT HERE']
  return { title: 'Members', header, rows, rest: '' }
}

function unitTable({ units }: OwnershipView): Table {
  const rows = units.map((unit) => [
    unit.addresses.join(' '), ownerOf(unit), formatAge(unit.sinceMs), unit.why ?? '',
    unit.interfaces.join(' '), remarkOf(unit),
  ])
  const header = ['ADDRESSES', 'OWNER', 'FOR', 'WHY', 'ANSWERED HERE ON', 'REMARK']
  return { title: 'Owners', header, rows, rest: '' }
}

/** Whoever is dead by membership alone may own it still. */
function ownerOf({ owner, ownerState }: UnitView): string {
  if (owner === undefined || ownerState === 'gone') return 'nobody'
  return ownerState === 'dead' ? `${owner}?` : owner
}

function remarkOf(unit: UnitView): string {
  const { silence, conflict, claim, isOurs, owner, ownerState, formerVoice } = unit
  if (conflict !== undefined) return `inConflict: ${conflict.mac} answers for ${conflict.text}`
  if (silence !== undefined) return `silent: ${silence}`
  if (ownerState === 'gone' && formerVoice !== undefined) {
    const { node, mac, text } = formerVoice
    return `inConflict: ${mac} of ${node}, which is no member any more, answers for ${text}`
  }
  if (ownerState === 'dead') {
    const does = formerVoice?.node === owner ? ', and answers on the wire' : ''
    return [`dead by gossip${does}`, ...claim === undefined ? [] : [`claim: ${claim}`]].join('; ')
  }
  if (claim !== undefined) return `claim: ${claim}`
  return isOurs ? 'answers' : ''
}

function legTable({ legs }: OwnershipView): Table {
  const ago = (ms: Millis | undefined): string => ms === undefined ? 'never' : `${formatAge(ms)} ago`
  const rows = legs.map((leg) => [leg.name, ago(leg.heardAgoMs), ago(leg.answeredAgoMs), stateOf(leg)])
  const header = ['INTERFACE', 'ANOTHER HOST HEARD', 'ANSWERED US', 'STATE']
  return { title: 'Hearing', header, rows, rest: '' }
}

function stateOf({ isDeaf, twin }: LegView): string {
  if (isDeaf) return 'deaf: silent here until it hears a host'
  return twin === undefined ? 'hears' : `same segment as ${twin}, which answers`
}

/** Newest first. */
function moveTable({ moves, pauses }: OwnershipView): Table {
  const all = [...moves.map(moveRow), ...pauses.map(pauseRow)].toReversed()
    .toSorted((a, b) => a.agoMs - b.agoMs)
  const rows = all.slice(0, maxMoves).map(({ agoMs, cells }) => [`${formatAge(agoMs)} ago`, ...cells])
  const older = all.length - rows.length
  return {
    title: 'Moves and pauses', header: ['WHEN', 'ADDRESS', 'MOVE', 'CAUSE', 'DARK'], rows,
    rest: older === 0 ? '' : `${counted(older, 'older row')}: ask for JSON`,
  }
}

interface Aged {
  readonly agoMs: Millis
  readonly cells: readonly string[]
}

function moveRow({ agoMs, unit, kind, from, to, cause, darkMs }: OwnershipView['moves'][number]): Aged {
  const other = kind === 'claimed' ? from : to
  const what = kind === 'claimed' ? 'came' : 'went'
  const where = other === undefined ? '' : kind === 'claimed' ? ` from ${other}` : ` to ${other}`
  // Whoever went knows how long it was silent itself, and not when its successor began.
  const dark = darkMs === undefined || kind === 'released' ? '' : formatAge(darkMs)
  return { agoMs, cells: [unit, `${what}${where}`, cause, dark] }
}

function pauseRow({ agoMs, unit, kind, cause, lastedMs }: OwnershipView['pauses'][number]): Aged {
  const what = kind === 'silenced' ? 'fell silent' : 'answers again'
  return { agoMs, cells: [unit, what, cause, lastedMs === undefined ? '' : formatAge(lastedMs)] }
}

/** Two units at most: `340 ms`, `12 s`, `5 min 3 s`, `3 h 20 min`, `2 d 4 h`. */
export function formatAge(ms: Millis): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`
  const seconds = Math.floor(ms / 1_000)
  const minutes = Math.floor(seconds / 60)
  const hours = Math.floor(minutes / 60)
  if (minutes === 0) return `${seconds} s`
  if (hours === 0) return two([minutes, 'min'], [seconds % 60, 's'])
  if (hours < 24) return two([hours, 'h'], [minutes % 60, 'min'])
  return two([Math.floor(hours / 24), 'd'], [hours % 24, 'h'])
}

function two([big, bigUnit]: [number, string], [small, smallUnit]: [number, string]): string {
  return small === 0 ? `${big} ${bigUnit}` : `${big} ${bigUnit} ${small} ${smallUnit}`
}
