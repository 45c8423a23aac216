/** Events: the same again is counted up, a flood about one object ends, an expired one begins anew. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Fields } from '../config/fields.ts'
import { isFields } from '../config/fields.ts'
import { createRecorder, type Recorder } from './events.ts'
import type { Job, Writer } from './writer.ts'

const web = { namespace: 'default', name: 'web', uid: 'u1' }

interface Recorded {
  readonly recorder: Recorder
  readonly calls: { readonly method: string; readonly body: Fields }[]
  nowMs: number
  /** What the server has forgotten is not there to be counted up. */
  isForgotten: boolean
  /** What is put waits from now on, until `write`. */
  isBusy: boolean
  write(): void
}

/** A writer that writes at once, unless it is busy. */
function record(): Recorded {
  const calls: Recorded['calls'] = []
  const waiting: Job[] = []
  const put = (job: Job): void => void (world.isBusy ? waiting.push(job) : write(job))
  const write = ({ make, settled }: Job): void => {
    const call = make()
    if (call === undefined) return
    calls.push({ method: call.method, body: isFields(call.body) ? call.body : {} })
    const isLacking = call.method === 'PATCH' && world.isForgotten
    settled?.({ status: isLacking ? 404 : 200, value: undefined, retryAfterMs: undefined })
  }
  const writer: Writer = {
    put, clear: () => undefined, pending: 0, idle: async () => undefined, trouble: undefined,
    [Symbol.asyncDispose]: async () => undefined,
  }
  const wall = (): Date => new Date(world.nowMs)
  const recorder = createRecorder({ writer, component: 'metallb-controller', instance: 'i', rank: 1, wall })
  const world: Recorded = {
    recorder, calls, nowMs: 1_000_000, isForgotten: false, isBusy: false,
    write: () => waiting.splice(0).forEach(write),
  }
  return world
}

const tell = ({ recorder }: Recorded, message: string, uid = 'u1'): void =>
  recorder.record({ ...web, uid }, { type: 'Warning', reason: 'r', message })

const nameOf = (call: Recorded['calls'][number] | undefined): unknown => {
  const metadata = call?.body['metadata']
  return isFields(metadata) ? metadata['name'] : undefined
}

test('the first is made whole, the same again is counted up', () => {
  const world = record()
  tell(world, 'm')
  tell(world, 'm')
  tell(world, 'other')
  assert.equal(world.calls.map(({ method, body }) => `${method} ${String(body['count'])}`),
    ['POST 1', 'PATCH 2', 'POST 1'])
  const [first] = world.calls
  assert.equal(first?.body['source'], { component: 'metallb-controller' })
  assert.is(first?.body['reportingComponent'], 'metallb-controller')
  assert.equal(first?.body['involvedObject'], { apiVersion: 'v1', kind: 'Service', ...web })
})

test('about one object 25 are written, then one in five minutes; another object has its own', () => {
  const world = record()
  for (let n = 0; n < 60; n += 1) tell(world, `m${n}`)
  assert.is(world.calls.length, 25)
  tell(world, 'm', 'u2')
  assert.is(world.calls.length, 26)
  world.nowMs += 300_000
  tell(world, 'late')
  tell(world, 'later')
  assert.is(world.calls.length, 27)
})

test('one that the server has forgotten is made anew', () => {
  const world = record()
  tell(world, 'm')
  world.isForgotten = true
  tell(world, 'm')
  assert.equal(world.calls.map(({ method }) => method), ['POST', 'PATCH', 'POST'])
  const [first, , second] = world.calls
  assert.equal([second?.body['message'], second?.body['count']], ['m', 1])
  assert.is.not(nameOf(second), nameOf(first))
  world.isForgotten = false
  tell(world, 'm')
  assert.is(world.calls.length, 4)
  assert.equal([world.calls[3]?.method, world.calls[3]?.body['count']], ['PATCH', 2])
})

test('what has not happened after all is not told, and is told when it has', () => {
  const world = record()
  let isTrue = false
  const say = (): void =>
    world.recorder.record(web, { type: 'Normal', reason: 'r', message: 'm', isTrue: () => isTrue })
  say()
  assert.is(world.calls.length, 0)
  isTrue = true
  say()
  assert.equal(world.calls.map(({ method }) => method), ['POST'])
})

const kinds: { it: string; truth: boolean; want: readonly string[]; dropped: number }[] = [
  { it: 'is told once it is known to be true', truth: true, want: ['POST'], dropped: 0 },
  { it: 'is dropped once it is known to be false', truth: false, want: [], dropped: 2 },
]
for (const { it, truth, want, dropped } of kinds) {
  test(`what is not known yet waits, and ${it}`, () => {
    const world = record()
    const { recorder, calls } = world
    let isTrue: boolean | undefined
    let drops = 0
    const say = (message: string): void => recorder.record(web, {
      type: 'Normal', reason: 'r', message, isTrue: () => isTrue, dropped: () => void (drops += 1),
    })
    say('m')
    say('m')
    recorder.learned('default/web')
    assert.equal([calls.length, drops, ...recorder.unsure], [0, 0, 'default/web'])
    isTrue = truth
    recorder.learned('default/other')
    assert.is(calls.length, 0)
    for (let n = 0; n < 2; n += 1) recorder.learned('default/web')
    assert.equal([calls.map(({ method }) => method), ...recorder.unsure], [want])
    if (!truth) say('other')
    assert.is(drops, dropped)
  })
}

const ends: { it: string; mayEnd: boolean; from: boolean | undefined; want: readonly string[] }[] = [
  { it: 'has happened stays true', mayEnd: false, from: true, want: ['POST'] },
  { it: 'has come to be known stays true', mayEnd: false, from: undefined, want: ['POST'] },
  { it: 'may end is dropped when it has', mayEnd: true, from: true, want: [] },
  { it: 'came to be known, and may end, goes with its end', mayEnd: true, from: undefined, want: [] },
]
for (const { it, mayEnd, from, want } of ends) {
  test(`what ${it}, while it waits to be written`, () => {
    const world = record()
    world.isBusy = true
    let drops = 0
    let isTrue = from
    world.recorder.record(web, {
      type: 'Normal', reason: 'r', message: 'm', mayEnd, isTrue: () => isTrue,
      dropped: () => void (drops += 1),
    })
    isTrue = true
    world.recorder.learned('default/web')
    isTrue = false
    world.write()
    assert.equal([world.calls.map(({ method }) => method), drops], [want, mayEnd ? 1 : 0])
  })
}

test('what waits to be known is told once, where the same is known to have happened', () => {
  const world = record()
  let isTrue: boolean | undefined
  const happening = { type: 'Normal', reason: 'r', message: 'm' } as const
  world.recorder.record(web, { ...happening, isTrue: () => isTrue })
  world.recorder.record(web, happening)
  isTrue = true
  world.recorder.learned('default/web')
  assert.equal(world.calls.map(({ method }) => method), ['POST'])
})

test.run()
