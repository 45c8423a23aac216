/** Values of a group: hosts without a cluster that share one set of addresses. */
import type { Labels, Problem } from '../config/model.ts'
import type { Millis } from '../net/model.ts'

/** One object of a host's input, and where it stands there. */
export interface Shared {
  /** Kind, namespace and name: the same on two hosts is the same object. */
  readonly key: string
  readonly file: string
  /** Counts from 1 within the file. */
  readonly document: number
  /** As it was parsed: JSON. */
  readonly value: unknown
}

/** Options by name, as text; '' = not given. */
export type OptionTexts = Readonly<Record<string, string>>

/** What one host brings into the group; replaced as a whole. */
export interface Share {
  readonly host: string
  readonly labels: Labels
  /** Those that must be the same on all; an older version tells none. */
  readonly options?: OptionTexts
  /** Addresses that it held before there was a group, as text: they stay where nobody objects. */
  readonly held: Readonly<Record<string, readonly string[]>>
  /** Members that will not come back, as its operator says. */
  readonly forgets: readonly string[]
  readonly documents: readonly Shared[]
}

/** Order of ledgers: the later term, then the later number. */
export interface Version {
  /** Counts the hosts that have allocated, one after the other. */
  readonly term: number
  readonly n: number
}

/** A host of the group. */
export interface GroupMember {
  readonly name: string
  readonly labels: Labels
  /** Its own, as last heard. */
  readonly options?: OptionTexts
}

/** An object in force, and which hosts have brought it. */
export interface AgreedDocument extends Shared {
  /** Whose copy this is: `file` and `document` are of that host. */
  readonly host: string
  /** Members that had it when they were last heard, sorted. */
  readonly from: readonly string[]
}

/** What the whole group agrees on: who is in it, what is in force, and who holds which address. */
export interface Agreement {
  /** Sorted by name. */
  readonly members: readonly GroupMember[]
  /** In force on all hosts, whatever each was started with; undefined = an older version has written it. */
  readonly options?: OptionTexts
  readonly documents: readonly AgreedDocument[]
  /** Addresses by `namespace/name`, as text. */
  readonly services: Readonly<Record<string, readonly string[]>>
  /** What stands in the way of one common input; what was in force before it is in force still. */
  readonly problems: readonly Problem[]
}

/** An agreement with its place in history. */
export interface GroupLedger extends Agreement {
  /** Drawn once, when the group came into being; ledgers of others mean nothing here. */
  readonly group: string
  readonly version: Version
  /** The host that wrote it. */
  readonly by: string
  /** The ledger that brought its options: they may have come another way, where an older host wrote this. */
  readonly optionsFrom?: Version
}

/** What a host says of itself, again and again. */
export interface Word {
  /** '' = it has no ledger yet. */
  readonly group: string
  /** What it has on its disk. */
  readonly version: Version
  /** Names the state of its share. */
  readonly digest: string
  /** The highest term it has heard of. */
  readonly term: number
  /** Who shall allocate; '' = nobody for now. */
  readonly vote: string
  /** More than half of the members vote for it: it allocates. */
  readonly isElected: boolean
  /** Stored by more than half, as far as the sender knows. */
  readonly agreed: Version
  /** When the options that it has were agreed on; undefined = an older version, which drops them. */
  readonly optionsFrom?: Version
  /** Members that it hears, by their place in its ledger, in hexadecimal; undefined = an older version. */
  readonly hears?: string
  /** Addresses that machines have which are none of ours, as it has found; an older version tells none. */
  readonly foreign?: readonly ForeignWord[]
}

/** An address, and the MAC that answers for it: texts. */
export type ForeignWord = readonly [address: string, mac: string]

/** A share with the name of its state; '' = its host has not read any good input yet. */
export interface KnownShare {
  readonly digest: string
  readonly share: Share
}

export type Event =
  /** Hosts that live as membership sees it, without this one. */
  | { readonly kind: 'alive'; readonly names: readonly string[] }
  /** Own input, whenever it changes. */
  | { readonly kind: 'own'; readonly own: KnownShare }
  /** What machines have that are none of ours, as this host finds: all of it each time. */
  | { readonly kind: 'foreign'; readonly foreign: readonly ForeignWord[] }
  /** `atMs`: when the kernel took it in, on the clock of `now`; this host may have slept since. */
  | { readonly kind: 'word'; readonly from: string; readonly word: Word; readonly atMs: Millis }
  | { readonly kind: 'share'; readonly from: string; readonly known: KnownShare }
  | { readonly kind: 'ledger'; readonly from: string; readonly ledger: GroupLedger }
  /** The last `store` has been done, or has failed. */
  | { readonly kind: 'stored' | 'notStored' }
  | { readonly kind: 'wake' }

export type Effect =
  | { readonly kind: 'sendWord'; readonly to: readonly string[]; readonly word: Word }
  | { readonly kind: 'sendShare'; readonly to: string }
  | { readonly kind: 'askShare'; readonly to: string }
  | { readonly kind: 'sendLedger'; readonly to: string; readonly ledger: GroupLedger }
  /** To disk, to survive a crash of the machine; then `stored`. */
  | { readonly kind: 'store'; readonly ledger: GroupLedger }
  /** From now on this is announced. */
  | { readonly kind: 'agreed'; readonly ledger: GroupLedger }
  /** Call `step` with `wake` at this instant, in place of any earlier request. */
  | { readonly kind: 'wake'; readonly atMs: Millis }

/** Why nothing new is assigned at present. */
export type Standstill =
  | 'minority' // this host hears half of the members or fewer
  | 'noAllocator' // hosts are heard, and none is elected yet
  | 'foreignGroup' // the host that is heard has a ledger of another group

/** Negative, 0 or positive as `a` is before, the same as or after `b`. */
export function compareVersions(a: Version, b: Version): number {
  return a.term - b.term || a.n - b.n
}

/** Before all others. */
export const noVersion: Version = { term: 0, n: 0 }
