/** What happens to addresses, in log and metrics: there are no Services of an API server to tell it on. */
import type { Note } from '../ownership/model.ts'
import { createNews, type NewsParts } from '../speaker/news.ts'

/** The same, and marks the loop where a machine has an address, or has it no more. */
export function createMarkingNews(news: (note: Note) => void, mark: () => void): (note: Note) => void {
  return (note) => {
    news(note)
    if (note.kind === 'inConflict' || note.kind === 'conflictEnded') mark()
  }
}

export function createHostNews(
  { log, metrics, node }: Pick<NewsParts, 'log' | 'metrics' | 'node'>,
): (note: Note) => void {
  return createNews({
    log, metrics, node, recorder: { record: () => undefined }, services: () => new Map(),
  })
}
