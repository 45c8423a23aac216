/** What the hosts of a group have in common: the union of their objects, and where copies differ. */
import { isSameValue } from '../config/fields.ts'
import type { Problem } from '../config/model.ts'
import { differingCopies } from './documents.ts'
import type { AgreedDocument, Share, Shared } from './model.ts'

export interface UnionInput {
  /** In force so far. */
  readonly documents: readonly AgreedDocument[]
  /** Of members that are heard now. */
  readonly shares: readonly Share[]
  /** Names of all members: what only an unheard one has brought stays. */
  readonly members: ReadonlySet<string>
}

export interface Union {
  /** Sorted by key. */
  readonly documents: readonly AgreedDocument[]
  readonly problems: readonly Problem[]
}

type Copy = Shared & { readonly host: string }

/**
 * An object is in force when those who are heard agree on it. Where they differ, what was in force
 * before stays; what nobody brings any more goes, unless a member that is not heard brought it.
 */
export function uniteShares({ documents, shares, members }: UnionInput): Union {
  const before = new Map(documents.map((document) => [document.key, document]))
  const copies = new Map<string, Copy[]>()
  for (const { host, documents: own } of shares.toSorted((a, b) => (a.host < b.host ? -1 : 1))) {
    for (const each of own) {
      const list = copies.get(each.key)
      if (list === undefined) copies.set(each.key, [{ ...each, host }])
      else list.push({ ...each, host })
    }
  }
  const heard = new Set(shares.map(({ host }) => host))
  const problems: Problem[] = []
  const united = [...new Set([...before.keys(), ...copies.keys()])].toSorted().flatMap((key) => {
    const old = before.get(key)
    const own = copies.get(key) ?? []
    const absent = (old?.from ?? []).filter((host) => members.has(host) && !heard.has(host))
    const from = [...new Set([...absent, ...own.map(({ host }) => host)])].toSorted()
    if (from.length === 0) return []
    const [first] = own
    if (first === undefined) return old === undefined ? [] : [{ ...old, from }]
    const other = own.find(({ value }) => !isSameValue(value, first.value))
    if (other !== undefined) {
      problems.push(differingCopies(key, first, other, old !== undefined))
      return old === undefined ? [] : [{ ...old, from }]
    }
    return [settle(old, own, first, from)]
  })
  return { documents: united, problems }
}

/** The place stays where it was while that host still brings it: order decides between equal ages. */
function settle(
  old: AgreedDocument | undefined, own: readonly Copy[], first: Copy, from: readonly string[],
): AgreedDocument {
  const { key, host, file, document, value } = own.find((each) => each.host === old?.host) ?? first
  const isUnheard = old !== undefined && from.includes(old.host) &&
    own.every((each) => each.host !== old.host)
  if (isUnheard && isSameValue(old.value, value)) return { ...old, from }
  return { key, host, file, document, value, from }
}
