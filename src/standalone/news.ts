/** What happens to addresses, in log and metrics: there are no Services of an API server to tell it on. */
import type { Note } from '../ownership/model.ts'
import { createNews, type NewsParts } from '../speaker/news.ts'

export function createHostNews(
  { log, metrics, node }: Pick<NewsParts, 'log' | 'metrics' | 'node'>, onConflict: () => void,
): (note: Note) => void {
  return createNews({
    log, metrics, node, onConflict, recorder: { record: () => undefined }, services: () => new Map(),
  })
}
