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
  /** How often versions in between could not be had: a server that has restarted has forgotten them. */
  readonly holes: number
}

export interface HistoryOptions {
  /** A status may be emptied, or change: a Service whose name says so by starting with it. */
  readonly mayChange?: string
}

interface Life {
  readonly uid: string
  addresses: readonly string[]
}

/** Everything before is known from the list; of what is between, `holes` says what was missed. */
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
  let holes = -1
  let stop = (): void => undefined
  let isOver = false
  const list = async (): Promise<void> => {
    const found: Fields = await admin.must('GET', '/api/v1/services')
    for (const object of listAt(found, 'items')) take('ADDED', object)
    version = String(at(found, 'metadata', 'resourceVersion'))
    holes += 1
  }
  const follow = async (): Promise<void> => {
    if (isOver) return
    // Rejects while there is no server; then the next attempt lists.
    if (version === '') await list().catch(() => undefined)
    const path = `/api/v1/services?watch=true&allowWatchBookmarks=true&resourceVersion=${version}`
    stop = admin.watch(path, (event) => {
      const { object, type } = event
      version = type === 'ERROR' ? '' : textAt(object, 'metadata', 'resourceVersion') || version
      if (type !== 'ERROR' && type !== 'BOOKMARK') take(String(type), object)
    }, () => void setTimeout(() => void follow(), 100))
  }
  await list()
  void follow()
  return {
    faults,
    now: () => new Map([...lives].map(([key, { addresses }]) => [key, addresses])),
    get versions() {
      return versions
    },
    get holes() {
      return holes
    },
    [Symbol.dispose]: () => {
      isOver = true
      stop()
    },
  }
}
