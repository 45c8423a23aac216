/** Compares input with the last good one: what is the same, and what was lost on the way. */
import type { Problem, Source } from '../config/model.ts'

/**
 * Input that had content and has none now: an editor that is half-way, a disk that is not mounted.
 * Taken as it is, it would release every address.
 */
export function findEmptied(
  before: readonly Source[] | undefined, now: readonly Source[], paths: readonly string[],
): readonly Problem[] {
  const full = new Set((before ?? []).filter((source) => !isBlank(source)).map(({ file }) => file))
  if (full.size > 0 && now.length === 0) {
    const message = 'No file is left, and there were some: to release every address leave one ' +
      'with a comment'
    return [emptied(paths.join(' '), message)]
  }
  return now.filter((source) => isBlank(source) && full.has(source.file)).map(({ file }) =>
    emptied(file, 'The file is empty and was not: delete it, or leave a comment in it')
  )
}

/** Marks between documents, and null: no more is left where a tool found nothing. */
const nothing: ReadonlySet<string> = new Set(['---', '...', 'null', 'Null', 'NULL', '~'])

function isBlank({ bytes }: Source): boolean {
  const text = new TextDecoder().decode(bytes)
  // The first other word decides: most input is long.
  for (const [word] of text.matchAll(/[^\x00-\x20]+/g)) if (!nothing.has(word)) return false
  return true
}

function emptied(file: string, message: string): Problem {
  return { file, document: 1, object: '', path: '', reason: 'Emptied', message }
}

/** Whether two inputs are equal to the byte, in the same order. */
export function sameSources(a: readonly Source[] | undefined, b: readonly Source[]): boolean {
  if (a === undefined || a.length !== b.length) return false
  return a.every((source, i) => {
    const other = b[i]
    return other !== undefined && other.file === source.file &&
      Buffer.compare(source.bytes, other.bytes) === 0
  })
}
