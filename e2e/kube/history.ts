/** Watches the statuses of all Services from their first version on, and says what was ever wrong. */
import type { Admin } from './admin.ts'
import { at, type Fields, ingressOf, listAt, textAt } from './objects.ts'

export interface History extends Disposable {
  /** Sentences about addresses that changed, went, or were given twice; none = all is well. */
  readonly faults: readonly string[]
  /** Addresses of each Service as it is now: `namespace/name`. */
  now(): ReadonlyMap<string, readonly string[]>
  /** Versions of Services seen. */
  readonly versions: number
}

export interface HistoryOptions {
  /** A status may be emptied, or change: a Service whose name says so by starting with it. */
  readonly mayChange?: string
}

interface Life {
  readonly uid: string
  addresses: readonly string[]
}

/** Everything before is known from the list; nothing between is missed, whatever the connection does. */
export async function openHistory(admin: Admin, options: HistoryOptions = {}): Promise<History> {
  const lives = new Map<string, Life>()
  const faults: string[] = []
  let versions = 0
  const take = (type: string, object: unknown): void => {
    const key = `${textAt(object, 'metadata', 'namespace')}/${textAt(object, 'metadata', 'name')}`
    const uid = textAt(object, 'metadata', 'uid')
    versions += 1
    if (type === 'DELETED') return void lives.delete(key)
    const addresses = ingressOf(object)
    const before = lives.get(key)
    lives.set(key, { uid, addresses })
    const version = textAt(object, 'metadata', 'resourceVersion')
    const isSame = before?.addresses.join() === addresses.join()
    const mayChange = options.mayChange !== undefined && key.includes(options.mayChange)
    if (before?.uid === uid && before.addresses.length > 0 && !isSame && !mayChange) {
      faults.push(`${key} had ${before.addresses.join()}, then "${addresses.join()}" (${version})`)
    }
    if (isSame) return
    for (const [other, life] of lives) {
      const both = life.addresses.filter((one) => other !== key && addresses.includes(one))
      if (both.length > 0) faults.push(`${key} got ${both.join()}, which ${other} has (${version})`)
    }
  }
  let version = ''
  let stop = (): void => undefined
  let isOver = false
  const follow = (): void => {
    if (isOver) return
    stop = admin.watch(`/api/v1/services?watch=true&allowWatchBookmarks=true&resourceVersion=${version}`,
      (event) => {
        const { object, type } = event
        version = textAt(object, 'metadata', 'resourceVersion') || version
        if (type === 'ERROR') faults.push(`the history has a hole: ${JSON.stringify(object)}`)
        else if (type !== 'BOOKMARK') take(String(type), object)
      },
      () => void setTimeout(follow, 100))
  }
  const list: Fields = await admin.must('GET', '/api/v1/services')
  for (const object of listAt(list, 'items')) take('ADDED', object)
  version = String(at(list, 'metadata', 'resourceVersion'))
  follow()
  return {
    faults,
    now: () => new Map([...lives].map(([key, { addresses }]) => [key, addresses])),
    get versions() {
      return versions
    },
    [Symbol.dispose]: () => {
      isOver = true
      stop()
    },
  }
}
