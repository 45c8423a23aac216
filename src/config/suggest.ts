/** Finds the word a user probably meant. */

/** The known word closest to `word`: same letters in another spelling, or one or two edits away. */
export function suggest(word: string, known: readonly string[]): string | undefined {
  return createSuggest(known)(word)
}

/** The same for many words. */
export function createSuggest(known: readonly string[]): (word: string) => string | undefined {
  const candidates = known.map((candidate) => ({ candidate, letters: simplify(candidate) }))
  return (word) => {
    const plain = simplify(word)
    const same = candidates.find(({ letters }) => letters === plain)
    if (same !== undefined) return same.candidate
    let best: string | undefined
    let bestEdits = (word.length <= 4 ? 1 : 2) + 1
    for (const { candidate, letters } of candidates) {
      // It takes as many edits as there are more letters.
      if (Math.abs(plain.length - letters.length) >= bestEdits) continue
      const edits = countEdits(plain, letters)
      if (edits < bestEdits) [best, bestEdits] = [candidate, edits]
    }
    return best
  }
}

function simplify(word: string): string {
  return word.toLowerCase().replace(/[-_. ]/g, '')
}

/** Letters inserted, removed, changed, or swapped with their neighbour (optimal string alignment). */
function countEdits(a: string, b: string): number {
  let before: readonly number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const swap = isSwap ? (before[j - 2] ?? 0) + 1 : change
      next.push(Math.min(change, swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    [before, row] = [row, next]
  }
  return row[b.length] ?? 0
}
