/** Where two lists that are alike differ: what one change costs is not the length of the list. */

export interface Span<T> {
  /** Before it, and after it, both lists have the same items. */
  readonly from: number
  /** How many of the first list it takes. */
  readonly count: number
  /** What stands there in the second list. */
  readonly items: readonly T[]
}

/** What each list that `spliced` has made was made of. */
const made = new WeakMap<readonly unknown[], {
  readonly before: WeakRef<readonly unknown[]>; readonly from: number; readonly count: number
  readonly added: number
}>()

/** As `toSpliced`; `spanOf` knows it afterwards, and need not look at all items. */
export function spliced<T>(
  list: readonly T[], from: number, count: number, items: readonly T[],
): readonly T[] {
  const after = list.toSpliced(from, count, ...items)
  made.set(after, { before: new WeakRef(list), from, count, added: items.length })
  return after
}

/**
 * A span that turns `a` into `b`, by identity: where `b` was spliced from `a`, that one, else the shortest,
 * which costs one comparison an item.
 */
export function spanOf<T>(a: readonly T[], b: readonly T[]): Span<T> {
  if (a === b) return { from: a.length, count: 0, items: [] }
  const known = made.get(b)
  if (known !== undefined && known.before.deref() === a) {
    const { from, count, added } = known
    return { from, count, items: b.slice(from, from + added) }
  }
  const most = Math.min(a.length, b.length)
  let from = 0
  while (from < most && a[from] === b[from]) from++
  let tail = 0
  while (tail < most - from && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++
  return { from, count: a.length - tail - from, items: b.slice(from, b.length - tail) }
}

export interface Changes<T> {
  readonly gone: readonly T[]
  readonly come: readonly T[]
}

/** What is in one of the lists only, in the order of each; items stand in a list once. */
export function changesOf<T>(a: readonly T[], b: readonly T[]): Changes<T> {
  const { from, count, items } = spanOf(a, b)
  if (count === 0) return { gone: [], come: items }
  const before = a.slice(from, from + count)
  if (items.length === 0) return { gone: before, come: [] }
  const [old, fresh] = [new Set(before), new Set(items)]
  return { gone: before.filter((item) => !fresh.has(item)), come: items.filter((item) => !old.has(item)) }
}
