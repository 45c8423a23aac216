/** Writes through trouble: what waits, what does not, and what is known afterwards. */
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createLog } from '../log.ts'
import type { Api, Call } from './api.ts'
import { createRecorder } from './events.ts'
import { openLeader } from './leader.ts'
import { createWriter, type Writer } from './writer.ts'

const log = createLog({ level: 'none', write: () => undefined, wall: () => new Date(0) })
const cut = 'cut'

/** Answers with a status, or with nothing; what was asked is kept. */
function apiOf(
  decide: (call: Call, nth: number) => number | typeof cut, valueOf: () => unknown = () => ({}),
): Api & { readonly calls: Call[] } {
  const calls: Call[] = []
  return {
    calls,
    call: async (call) => {
      calls.push(call)
      await sleep(1)
      const status = decide(call, calls.length)
      if (status === cut) throw new Error(cut)
      return { status, value: valueOf(), retryAfterMs: undefined }
    },
    watch: () => Promise.reject(new Error('nothing is watched here')),
    [Symbol.dispose]: () => undefined,
  }
}

function put(writer: Writer, names: readonly string[]): void {
  for (const name of names) {
    writer.put({ key: name, rank: 0, make: () => ({ method: 'PATCH', path: `/${name}` }) })
  }
}

async function when(holds: () => boolean): Promise<void> {
  for (const end = performance.now() + 5_000; !holds(); await sleep(2)) {
    if (performance.now() > end) throw new Error('Not within 5 s')
  }
}

test('a write that breaks something is no trouble of the server', async () => {
  const api = apiOf(({ path }) => (path === '/poison' ? 500 : 200))
  await using writer = createWriter({ api, log, width: 1 })
  const troubles = new Set<string | undefined>()
  put(writer, ['poison', 'a', 'b'])
  await when(() => {
    troubles.add(writer.trouble)
    return api.calls.filter(({ path }) => path === '/poison').length >= 2
  })
  assert.equal(api.calls.slice(0, 3).map(({ path }) => path), ['/poison', '/a', '/b'])
  assert.equal([...troubles], [undefined])
})

test('what fails together is one failure: the second attempt is soon', async () => {
  const names = Array.from({ length: 16 }, (_, i) => `n${i}`)
  const api = apiOf((_, nth) => (nth <= names.length ? cut : 200))
  await using writer = createWriter({ api, log, width: names.length })
  put(writer, names)
  // Counted sixteen times, the wait would be the longest there is: five seconds at least.
  await Promise.race([writer.idle(), sleep(4_500, undefined, { ref: false })])
  assert.is(api.calls.length, 2 * names.length)
})

test('leading ended: what is only planned is forgotten, what has happened is told', async () => {
  const api = apiOf(() => 200)
  let isLeading = true
  await using writer = createWriter({ api, log, width: 1, mayWrite: () => isLeading })
  put(writer, ['under way', 'plan'])
  writer.put({ key: 'fact', rank: 1, isFact: true, make: () => ({ method: 'POST', path: '/fact' }) })
  isLeading = false
  writer.clear()
  put(writer, ['too late'])
  await writer.idle()
  assert.equal(api.calls.map(({ path }) => path), ['/under way', '/fact'])
})

for (const first of [cut, 500] as const) {
  test(`leading ended: what was under way is not tried again (${first}), what has happened is`, async () => {
    const api = apiOf((_, nth) => (nth <= 2 ? first : 200))
    await using writer = createWriter({ api, log, width: 2 })
    put(writer, ['plan'])
    writer.put({ key: 'fact', rank: 1, isFact: true, make: () => ({ method: 'POST', path: '/fact' }) })
    writer.clear()
    await writer.idle()
    assert.equal(api.calls.map(({ path }) => path), ['/plan', '/fact', '/fact'])
  })
}

test('leading ended and began while something was under way: the new wish is written', async () => {
  const api = apiOf((_, nth) => (nth === 1 ? cut : 200))
  await using writer = createWriter({ api, log, width: 2 })
  put(writer, ['plan'])
  writer.clear()
  put(writer, ['plan'])
  await writer.idle()
  assert.equal(api.calls.map(({ path }) => path), ['/plan', '/plan'])
})

test('into a namespace that ends nothing is written: no error, and no further try', async () => {
  const ending = { details: { causes: [{ reason: 'NamespaceTerminating', field: 'metadata.namespace' }] } }
  const api = apiOf(() => 403, () => ending)
  const lines: string[] = []
  const spoken = createLog({ level: 'all', write: (line) => lines.push(line), wall: () => new Date(0) })
  await using writer = createWriter({ api, log: spoken, width: 1 })
  put(writer, ['event'])
  await Promise.race([writer.idle(), sleep(4_500, undefined, { ref: false })])
  assert.is(writer.pending, 0)
  assert.is(api.calls.length, 1)
  assert.equal(lines, [])
})

test('of what is least urgent only two are in flight, and the rest of the width is for others', async () => {
  const most = { last: 0, first: 0 }
  const flying = { last: 0, first: 0 }
  const api: Api = {
    ...apiOf(() => 200),
    call: async ({ path }) => {
      const kind = path === '/last' ? 'last' : 'first'
      most[kind] = Math.max(most[kind], ++flying[kind])
      await sleep(2)
      flying[kind] -= 1
      return { status: 200, value: {}, retryAfterMs: undefined }
    },
  }
  await using writer = createWriter({ api, log, width: 6 })
  for (let i = 0; i < 12; i += 1) {
    writer.put({ key: `l${i}`, rank: 2, make: () => ({ method: 'PATCH', path: '/last' }) })
    writer.put({ key: `f${i}`, rank: 0, make: () => ({ method: 'PATCH', path: '/first' }) })
  }
  await writer.idle()
  assert.is(most.last, 2)
  assert.ok(most.first >= 4)
  assert.equal(flying, { last: 0, first: 0 })
})

test('one of many rests between its writes, as long as a write takes', async () => {
  const takesMs = 20
  const spans: { from: number; to: number }[] = []
  const api: Api = {
    ...apiOf(() => 200),
    call: async () => {
      const from = performance.now()
      await sleep(takesMs)
      spans.push({ from, to: performance.now() })
      return { status: 200, value: {}, retryAfterMs: undefined }
    },
  }
  await using writer = createWriter({ api, log, width: 1, isPatient: true })
  put(writer, ['a', 'b', 'c'])
  await writer.idle()
  const rests = spans.slice(1).map(({ from }, i) => from - (spans[i]?.to ?? 0))
  assert.is(rests.length, 2)
  // Timers may end a millisecond early.
  for (const rest of rests) assert.ok(rest >= takesMs - 2, `rested ${rest} ms`)
})

test('what is least urgent makes place after a rest, and keeps nobody else waiting meanwhile', async () => {
  const takesMs = 10
  const spans: { path: string; from: number; to: number }[] = []
  const api: Api = {
    ...apiOf(() => 200),
    call: async ({ path }) => {
      const from = performance.now()
      await sleep(takesMs)
      spans.push({ path, from, to: performance.now() })
      if (path === '/l1') put(writer, ['newcomer'])
      return { status: 200, value: {}, retryAfterMs: undefined }
    },
  }
  await using writer = createWriter({ api, log, width: 6 })
  for (let i = 0; i < 4; i += 1) {
    writer.put({ key: `l${i}`, rank: 2, make: () => ({ method: 'PATCH', path: `/l${i}` }) })
  }
  await writer.idle()
  assert.equal(spans.map(({ path }) => path), ['/l0', '/l1', '/newcomer', '/l2', '/l3'])
  const [first, , , third] = spans
  const rested = (third?.from ?? 0) - (first?.to ?? 0)
  // Timers may end a millisecond early.
  assert.ok(rested >= takesMs - 2, `rested ${rested} ms`)
})

test('what rests after a refusal is still to be written, but is no crowd', async () => {
  const api = apiOf(({ path }) => (path === '/refused' ? 403 : 200))
  await using writer = createWriter({ api, log, width: 2 })
  put(writer, ['refused', 'a'])
  assert.is(writer.crowd, 2)
  await when(() => writer.crowd === 0)
  assert.is(writer.pending, 1)
  assert.is(writer.trouble, undefined)
})

const lost: { it: string; first: number | typeof cut; second: number; third: string }[] = [
  { it: 'refused for a while', first: 503, second: 201, third: 'PATCH' },
  { it: 'made, but nobody said so', first: cut, second: 409, third: 'PATCH' },
  { it: 'refused for good', first: 422, second: 201, third: 'PATCH' },
]
for (const { it, first, second, third } of lost) {
  test(`an event: ${it}`, async () => {
    const api = apiOf((_, nth) => (nth === 1 ? first : nth === 2 ? second : 200))
    await using writer = createWriter({ api, log, width: 1 })
    const wall = (): Date => new Date(0)
    const recorder = createRecorder({ writer, component: 'c', instance: 'i', rank: 1, wall })
    const subject = { namespace: 'default', name: 'web', uid: 'u' }
    const record = (): void => recorder.record(subject, { type: 'Normal', reason: 'r', message: 'm' })
    record()
    await writer.idle()
    if (first === 422) record()
    await writer.idle()
    record()
    await writer.idle()
    assert.equal(api.calls.map(({ method }) => method), ['POST', 'POST', third])
    const names = api.calls.slice(0, 2).map(({ body }) => /"web\.[^"]+/.exec(JSON.stringify(body))?.[0])
    assert.is(names[0] === names[1], first !== 422)
  })
}

test('a lease that was taken, but nobody said so, is found to be ours', async () => {
  let version = 1
  const api = apiOf(({ method, body }, nth) => {
    if (method === 'GET') return 200
    const based = Number(/"resourceVersion":"(\d+)"/.exec(JSON.stringify(body))?.[1] ?? 0)
    if (based !== version) return 409
    version += 1
    return nth === 2 ? cut : 200
  }, () => ({ metadata: { resourceVersion: String(version) }, spec: { holderIdentity: 'me' } }))
  const leader = openLeader({
    api, log, namespace: 'n', name: 'l', identity: 'me', wall: () => new Date(0), onChange: () => undefined,
  })
  await when(() => leader.isLeading())
  // Read, a write that is lost; read again, a write.
  assert.equal(api.calls.map(({ method }) => method), ['GET', 'PUT', 'GET', 'PUT'])
  await leader[Symbol.asyncDispose]()
})

test.run()
