/** What a speaker writes of what the wire keeps it silent for: once, together, and that it has ended. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { stateNameOf } from '../cluster/members.ts'
import { type Fields, isFields } from '../config/fields.ts'
import { annotationKeys } from '../config/names.ts'
import { type LiveState, narrowState } from '../kube/live.ts'
import type { Job, Writer } from '../kube/writer.ts'
import type { WireSilence } from '../l2/silences.ts'
import { createOwnState, followSilences, nothingTold, type OwnState } from './own-state.ts'

const silence: WireSilence = { text: '192.0.2.1', reason: 'inConflict', mac: '02:00:5e:00:53:01' }
const text = JSON.stringify([silence])
const key = `ns/${stateNameOf('a')}`

interface World {
  readonly state: OwnState
  silences: readonly WireSilence[]
  /** Annotations of each write to the object, in their order. */
  readonly written: (readonly unknown[])[]
  /** The watch shows what was written. */
  show(): void
  status: number
}

/** `left` = as a former process left the object; undefined = there is none. */
function open(left?: Fields): World {
  const states = new Map<string, LiveState>(left === undefined ? [] : [[key, narrowState(left)]])
  let object: Fields = {}
  const put = ({ make, settled }: Job): void => {
    const call = make()
    const metadata = isFields(call?.body) ? call.body['metadata'] : undefined
    if (!isFields(metadata) || call?.path.includes('/status') === true) return
    const annotations = isFields(metadata['annotations']) ? metadata['annotations'] : {}
    world.written.push([call?.method, annotations[annotationKeys.silent]])
    settled?.({ status: world.status, value: undefined, retryAfterMs: undefined })
    if (world.status >= 300) return
    const kept = Object.fromEntries(Object.entries(annotations).filter(([, value]) => value !== null))
    object = { metadata: { ...metadata, annotations: kept } }
  }
  const writer: Writer = {
    put, clear: () => undefined, pending: 0, idle: async () => undefined, trouble: undefined,
    [Symbol.asyncDispose]: async () => undefined,
  }
  const world: World = {
    silences: [], written: [], status: 200,
    show: () => void states.set(key, narrowState(object)),
    state: createOwnState({
      options: { nodeName: 'a' }, namespace: 'ns', feed: { states }, writer, wall: () => new Date(0),
      intake: { config: undefined, problems: [] }, owner: { name: 'speaker-a', uid: 'u' },
      announcer: { failures: () => new Map(), silences: () => world.silences },
      links: { current: () => [] },
    }),
  }
  world.state.tell()
  world.show()
  return world
}

test('nothing is silent: the object is made without a word of it, and not written again', () => {
  const world = open()
  world.state.tell()
  assert.equal([world.written, world.state.hasNews()], [[['POST', undefined]], false])
})

test('a silence is written once, however many turns pass before the watch shows it', () => {
  const world = open()
  world.silences = [silence]
  assert.is(world.state.hasNews(), true)
  for (let i = 0; i < 3; i++) world.state.tell()
  world.show()
  world.state.tell()
  assert.equal([world.written.slice(1), world.state.hasNews()], [[['PATCH', text]], false])
})

test('what was refused is written again', () => {
  const world = open()
  world.silences = [silence]
  world.status = 500
  world.state.tell()
  world.status = 200
  world.state.tell()
  assert.equal(world.written.slice(1), [['PATCH', text], ['PATCH', text]])
})

test('what a former process has left, and what has ended, is taken away', () => {
  const world = open({ metadata: { annotations: { [annotationKeys.silent]: text } } })
  assert.equal(world.written, [['PATCH', null]])
  world.state.tell()
  assert.equal([world.written, world.state.hasNews()], [[['PATCH', null]], false])
})

test('the first change is told at once, what follows it within a second together', () => {
  const first = followSilences(nothingTold, 'a', 5_000)
  assert.equal([first.text, first.atMs], ['a', 5_000])
  assert.is(followSilences(first, 'ab', 5_999), first)
  assert.equal(followSilences(first, 'abc', 6_000).text, 'abc')
  assert.is(followSilences(first, 'a', 9_000), first)
})

test('what changes all the time is told more and more rarely, until it rests', () => {
  let told = nothingTold
  const atMs: number[] = []
  const look = (now: number): void => {
    const next = followSilences(told, `as of ${now}`, now)
    if (next !== told) atMs.push(now)
    told = next
  }
  for (let now = 0; now <= 16_000; now += 500) look(now)
  assert.equal(atMs.splice(0), [0, 1_000, 3_000, 7_000, 11_000, 15_000])
  for (const now of [45_000, 45_900, 46_000]) look(now)
  assert.equal(atMs, [45_000, 46_000])
})

test.run()
