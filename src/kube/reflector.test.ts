/** The copy of a kind through trouble: what is told, and what is never taken for news. */
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createLog } from '../log.ts'
import { type Api, Refused, type Reply, type WatchCall } from './api.ts'
import { openReflector, type Reflector } from './reflector.ts'

const log = createLog({ level: 'none', write: () => undefined, wall: () => new Date(0) })

const answer = (status: number, value: unknown): Reply => ({ status, value, retryAfterMs: undefined })
const item = (name: string, version: string): unknown => ({ metadata: { name, resourceVersion: version } })
const event = (type: string, object: unknown): unknown => ({ type, object })

/** A server with one kind, whose watches do what the scenario says, one after the other. */
interface Server {
  version: string
  items: string[]
  /** False: the kind is unknown. */
  isServed: boolean
  /** False: something in between answers 404 to everything. */
  isReached: boolean
  readonly asked: string[]
  readonly watches: ((call: WatchCall) => Promise<void>)[]
}

function createServer(items: readonly string[], watches: Server['watches']): Server {
  return { version: '10', items: [...items], isServed: true, isReached: true, asked: [], watches }
}

function apiOf(server: Server): Api {
  return {
    call: async ({ path }) => {
      server.asked.push(path)
      if (!server.isReached) return answer(404, undefined)
      if (path === '/version') return answer(200, { major: '1', minor: '34' })
      if (!server.isServed) return answer(404, undefined)
      const { version } = server
      const items = server.items.map((name) => item(name, version))
      return answer(200, { metadata: { resourceVersion: version }, items })
    },
    watch: async (call) => {
      server.asked.push(call.path)
      if (!server.isServed || !server.isReached) throw new Refused(answer(404, undefined))
      const next = server.watches.shift()
      if (next !== undefined) return next(call)
      return new Promise((_, reject) => {
        call.signal.addEventListener('abort', () => reject(new Error('ended')))
      })
    },
    [Symbol.dispose]: () => undefined,
  }
}

/** Runs a reflector until `holds`; what was told, as the names there were each time. */
async function follow(
  server: Server, isCustom: boolean, holds: (reflector: Reflector<string>, told: string[]) => boolean,
): Promise<readonly string[]> {
  const told: string[] = []
  using reflector = openReflector<string>({
    name: 'things', path: '/things', narrow: (object) => JSON.stringify(object['metadata']),
    ...(isCustom ? { isCustom: true as const } : {}),
  }, { api: apiOf(server), log, onChange: () => void told.push([...reflector.items.keys()].join()) })
  for (const end = performance.now() + 5_000; !holds(reflector, told); await sleep(5)) {
    if (performance.now() > end) throw new Error(`Not within 5 s: ${told.join('|')}: ${server.asked.join()}`)
  }
  return told
}

test('disposed while it lists, it watches nothing', async () => {
  const server = createServer(['a'], [])
  openReflector<string>({ name: 'things', path: '/things', narrow: () => '' }, {
    api: apiOf(server), log, onChange: () => undefined,
  })[Symbol.dispose]()
  await sleep(20)
  assert.not.match(server.asked.join(), /watch=true/)
  const listing = openReflector<string>({ name: 'things', path: '/things', narrow: () => '' }, {
    api: apiOf(server), log, onChange: () => listing[Symbol.dispose](),
  })
  await sleep(20)
  assert.ok(server.asked.length > 0)
  assert.not.match(server.asked.join(), /watch=true/)
})

test('what came before an error is told', async () => {
  const failure = event('ERROR', { code: 500, message: 'storage' })
  const server = createServer(['a'], [async (call) => {
    call.onEvents([event('ADDED', item('b', '11')), failure])
  }])
  server.version = '11'
  assert.equal(await follow(server, false, (_, told) => told.length > 1), ['a', 'a,b'])
})

test('a server that has gone back is listed again', async () => {
  const server: Server = createServer(['a', 'b'], [async () => {
    // Restored from a backup of its younger days.
    server.version = '7'
    server.items = ['a']
    throw new Error('cut')
  }])
  assert.equal(await follow(server, false, (_, told) => told.length > 1), ['a,b', 'a'])
})

test('a server that has not is asked to go on', async () => {
  const cut = (): Promise<void> => Promise.reject(new Error('cut'))
  const server: Server = createServer(['a'], [cut, () => Promise.resolve()])
  await follow(server, false, () => server.asked.filter((path) => path.includes('watch=')).length === 2)
  assert.equal(server.asked.map((path) => path.replace(/&timeoutSeconds=\d+/, '')), [
    '/things?limit=500',
    '/things?watch=true&allowWatchBookmarks=true&resourceVersion=10',
    '/things?limit=1',
    '/things?watch=true&allowWatchBookmarks=true&resourceVersion=10',
  ])
})

test('a custom kind that the server does not know is empty', async () => {
  const server = createServer(['a'], [])
  server.isServed = false
  assert.equal(await follow(server, true, ({ isSynced }) => isSynced), [''])
})

for (const isCustom of [true, false]) {
  test(`404 to everything says nothing about a ${isCustom ? 'custom' : 'core'} kind`, async () => {
    const server = createServer(['a'], [])
    server.isReached = false
    const asked = (): number => server.asked.filter((path) => path.startsWith('/things')).length
    const told = await follow(server, isCustom, (reflector, now) => {
      assert.is(reflector.isSynced, now.length > 0)
      if (asked() >= 3) server.isReached = true
      return reflector.isSynced
    })
    assert.equal(told, ['a'])
  })
}

test('a core kind that is denied stays as it was', async () => {
  const server: Server = createServer(['a'], [async () => {
    server.isServed = false
    throw new Error('cut')
  }])
  const told = await follow(server, false, ({ trouble }) =>
    trouble?.includes('404') === true && server.asked.length > 4)
  assert.equal(told, ['a'])
})

test('what has changed is named once; a list may have changed everything', async () => {
  const seen: (string | undefined)[] = []
  const look = (): void => {
    const changed = reflector.takeChanged()
    seen.push(changed === undefined ? undefined : [...changed].join())
  }
  const server = createServer(['a', 'b'], [async (call) => {
    look()
    call.onEvents([event('MODIFIED', item('a', '11')), event('ADDED', item('c', '12'))])
    call.onEvents([event('DELETED', item('b', '13')), event('BOOKMARK', item('', '14'))])
    look()
    look()
  }])
  using reflector = openReflector<string>({
    name: 'things', path: '/things', narrow: (object) => JSON.stringify(object['metadata']),
  }, { api: apiOf(server), log, onChange: () => undefined })
  for (const end = performance.now() + 5_000; seen.length < 3; await sleep(5)) {
    if (performance.now() > end) throw new Error('Not within 5 s')
  }
  assert.equal(seen, [undefined, 'a,c,b', ''])
})

test.run()
