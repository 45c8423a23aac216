/** What waits while many addresses come and go, in which order it goes, and until when it waits. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { config, held, pool, service } from '../config/builders.ts'
import type { Job, Rank, Writer } from '../kube/writer.ts'
import type { Holding } from '../l2/demand.ts'
import { planHeld } from '../plan/held.ts'
import type { LiveL2Status } from '../kube/live.ts'
import { type Calm, countChanges, createCalm, still, stirred } from './calm.ts'
import { createStatuses, type Spoken } from './statuses.ts'

interface World {
  readonly calm: Calm
  /** The one that waits while much is changed. */
  readonly patient: Writer
  /** Keys that reached the writer. */
  readonly sent: string[]
  put(key: string, rank: Rank): void
  /** Lets time go by, in steps of 100 ms. */
  pass(ms: number): void
}

function open(): World {
  let nowMs = 1_000
  const due: { atMs: number; act: () => void }[] = []
  const sent: string[] = []
  const writer: Writer = {
    put: (job) => {
      sent.push(job.key)
      if (job.make() === undefined) return
      const named = { metadata: { name: `${job.key}-made` } }
      job.settled?.({ status: 200, value: named, retryAfterMs: undefined })
    },
    clear: () => undefined, pending: 0, idle: async () => undefined, trouble: undefined,
    [Symbol.asyncDispose]: async () => undefined,
  }
  const calm = createCalm({
    writer, now: () => nowMs,
    later: (act, afterMs) => {
      const entry = { atMs: nowMs + afterMs, act }
      due.push(entry)
      return { [Symbol.dispose]: () => void due.splice(due.indexOf(entry), 1) }
    },
  })
  const patient = calm.behind(1)
  const job = (key: string, rank: Rank): Job => ({ key, rank, make: () => undefined })
  return {
    calm, patient, sent,
    put: (key, rank) => patient.put(job(key, rank)),
    pass: (ms) => {
      for (const endMs = nowMs + ms; nowMs < endMs; nowMs += 100) {
        for (const entry of due.filter(({ atMs }) => atMs <= nowMs)) {
          due.splice(due.indexOf(entry), 1)
          entry.act()
        }
      }
    },
  }
}

const rows = [
  { it: 'a few at once', changes: [20], isBurst: false },
  { it: 'a few every second', changes: [8, 8, 8, 8, 8, 8, 8, 8], isBurst: false },
  { it: 'many at once', changes: [31], isBurst: true },
  { it: 'many, one after the other', changes: [25, 25], isBurst: true },
]
for (const { it, changes, isBurst } of rows) {
  test(`stirred: ${it}`, () => {
    let nowMs = 0
    const end = changes.reduce((stir, count) => stirred(stir, count, nowMs += 1_000), still)
    assert.is(nowMs < end.untilMs, isBurst)
  })
}

const lan = config(pool('lan', '192.0.2.0/24 2001:db8::/112'))
const holdings = (services: readonly ReturnType<typeof service>[]): readonly Holding[] =>
  planHeld(lan, services, '').holdings
/** A thousand Services, each with its address; `step` numbers them anew. */
const thousand = Array.from({ length: 1_000 }, (_, i) => service(`s${i}`))
const numbered = (step: number): readonly Holding[] => holdings(thousand.map((one, i) =>
  ({ ...one, held: held(`2001:db8::${((i + step) % 1_000).toString(16)}`) })
))
const [a, b] = [service('a', { held: held('192.0.2.1') }), service('b', { held: held('192.0.2.2') })]

const counts = [
  { it: 'nothing', before: [a, b], after: [a, b], want: 0 },
  { it: 'one came', before: [a], after: [a, b], want: 1 },
  { it: 'one came before the others', before: [b], after: [a, b], want: 1 },
  { it: 'one went', before: [a, b], after: [b], want: 1 },
  { it: 'all went', before: [a, b], after: [], want: 2 },
  { it: 'one went, another came', before: [a], after: [b], want: 2 },
  { it: 'another address', before: [a, b], after: [a, { ...b, held: held('192.0.2.3') }], want: 1 },
  { it: 'a second address', before: [a], after: [{ ...a, held: held('192.0.2.1 192.0.2.3') }], want: 1 },
  { it: 'one of two addresses is another', before: [{ ...a, held: held('192.0.2.1 192.0.2.3') }],
    after: [{ ...a, held: held('192.0.2.1 192.0.2.4') }], want: 1 },
  { it: 'the same address of another Service', before: [a], after: [{ ...b, held: a.held }], want: 2 },
  { it: 'a Service with other ports', before: [a, b], after: [{ ...a, ports: [] }, b], want: 0 },
]
for (const { it, before, after, want } of counts) {
  test(`countChanges: ${it}`, () => assert.is(countChanges(holdings(before), holdings(after)), want))
}

test('countChanges: a thousand Services get other addresses', () => {
  assert.is(numbered(0).length, 1_000)
  assert.is(countChanges(numbered(0), numbered(1)), 1_000)
  assert.is(countChanges(numbered(0), numbered(0)), 0)
})

test('a single change holds nothing up', () => {
  const { calm, sent, put } = open()
  calm.stir(1)
  put('create/a', 1)
  assert.equal(sent, ['create/a'])
})

test('in a burst only what was begun is finished; when it is over, all goes, in order', () => {
  const { calm, sent, put, pass } = open()
  calm.stir(1_000)
  for (const key of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) put(key, 1)
  put('fill', 0)
  assert.equal(sent, ['fill'])
  pass(1_900)
  assert.equal(sent, ['fill', 'a', 'b', 'c', 'd'])
  assert.is(calm.isBurst(), true)
  pass(600)
  assert.is(calm.isBurst(), false)
  assert.equal(sent, ['fill', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'])
})

test('in a burst the most urgent goes first, and a newer wish keeps its place', () => {
  const { calm, sent, put, pass } = open()
  calm.stir(1_000)
  put('event', 2)
  put('a', 1)
  put('b', 1)
  put('a', 1)
  pass(900)
  assert.equal(sent, ['a', 'b'])
})

test('of a thousand Services that go and three that come, those that come are confirmed first', () => {
  const { calm, patient, sent, pass } = open()
  const statuses = createStatuses({
    writer: patient, namespace: 'metallb-system', node: 'a', owner: undefined, again: () => undefined,
  })
  const said = Array.from({ length: 1_000 }, (_, i): LiveL2Status => ({
    name: `l2-${i}`, node: 'a', service: `default/s${i}`, isFilled: true, interfaces: [],
  }))
  const spoken = (...names: readonly string[]): ReadonlyMap<string, Spoken> =>
    new Map(names.map((name) => [`default/${name}`, { service: `default/${name}`, interfaces: [] }]))
  calm.stir(1_000)
  statuses.sync(said, spoken())
  statuses.sync(said, spoken('x', 'y', 'z'))
  pass(1_700)
  const kinds = sent.map((key) => key.split('/')[1])
  assert.equal(kinds, ['create', 'fill', 'create', 'fill', 'create', 'fill', 'delete'])
  pass(1_000)
  assert.is(sent.length, 1_006)
})

test('a burst without an end: nothing waits longer than ten seconds', () => {
  const { calm, sent, put, pass } = open()
  calm.stir(1_000)
  for (let i = 0; i < 100; i++) put(`create/${i}`, 1)
  for (let i = 0; i < 95; i++) {
    calm.stir(30)
    pass(100)
  }
  assert.ok(sent.length < 30, String(sent.length))
  pass(1_000)
  assert.is(sent.length, 100)
})

test.run()
