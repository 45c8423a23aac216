/** Whole groups on a virtual clock: who allocates, what spreads, and what a minority may not. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { step } from './council.ts'
import type { Effect, Event } from './model.ts'
import {
  allocators, bring, createNet, find, kill, open, propose, run, services, shareOf, stationOf, view,
} from './rig.ts'
import { createCouncil } from './state.ts'

const three = ['a', 'b', 'c']

test('three hosts that start together: one allocates, and all have the union', () => {
  const net = createNet(three, { a: ['x'], b: ['y'], c: ['z'] })
  run(net, 10_000)
  assert.is(allocators(net).length, 1)
  assert.is.not(allocators(net)[0], 'none')
  for (const name of three) assert.equal(Object.keys(services(net, name)).toSorted(), ['x', 'y', 'z'])
  assert.equal(stationOf(net, 'a').council.stored?.members.map(({ name }) => name), three)
  assert.is(net.most, 1)
})

test('hosts that start apart, in any order: one group comes of it', () => {
  for (let seed = 0; seed < 60; seed++) {
    const names = ['a', 'b', 'c', 'd', 'e'].slice(0, 2 + seed % 4)
    const net = createNet(names, Object.fromEntries(names.map((name) => [name, [name]])))
    for (const station of net.stations) station.isUp = false
    net.stations.forEach((station, i) => {
      run(net, ((seed * 7_919 + i * 104_729) % 97) * 40)
      open(net, station, names.length, [station.name])
    })
    run(net, 20_000)
    const groups = new Set(net.stations.map(({ council }) => council.inForce?.group))
    assert.is(groups.size, 1, `seed ${seed}`)
    assert.is.not([...groups][0], undefined, `seed ${seed}`)
    assert.is(allocators(net).length, 1, `seed ${seed}`)
    assert.is(net.most, 1, `seed ${seed}`)
    for (const name of names) assert.is(Object.keys(services(net, name)).length, names.length, `seed ${seed}`)
  }
})

test('a host finds that a machine has an address: whoever allocates hears of it, and gives another', () => {
  const net = createNet(three, { a: ['x'], b: ['y'], c: ['z'] })
  run(net, 10_000)
  const [first = ''] = allocators(net)
  const [second = '', third = ''] = three.filter((name) => name !== first)
  const before = services(net, first)
  const [key = ''] = Object.keys(before).filter((each) => before[each]?.[0] === '192.0.2.2')
  const versionOf = (): unknown => stationOf(net, first).council.stored?.version.n
  const version = Number(versionOf())
  find(net, second, [['192.0.2.2', '02:00:00:00:00:99']])
  run(net, 2_000)
  for (const name of three) assert.equal(services(net, name), { ...before, [key]: ['192.0.2.4'] }, name)
  assert.is(versionOf(), version + 1)
  find(net, second, [])
  run(net, 60_000)
  for (const name of three) assert.equal(services(net, name), { ...before, [key]: ['192.0.2.4'] }, name)
  assert.is(versionOf(), version + 1, 'nothing goes back')
  find(net, third, [['192.0.2.4', '02:00:00:00:00:99']])
  run(net, 2_000)
  assert.equal(services(net, third), { ...before, [key]: ['192.0.2.5'] }, 'each address once')
  run(net, 660_000)
  assert.equal(services(net, third), { ...before, [key]: ['192.0.2.5'] })
})

test('what an older host finds it cannot tell: nothing moves', () => {
  const net = createNet(three, { a: ['x'], b: ['y'], c: ['z'] })
  run(net, 10_000)
  const [first = ''] = allocators(net)
  const older = stationOf(net, three.find((name) => name !== first) ?? '')
  older.isOlder = true
  const before = services(net, first)
  find(net, older.name, [['192.0.2.2', '02:00:00:00:00:99']])
  run(net, 5_000)
  for (const name of three) assert.equal(services(net, name), before, name)
})

test('the allocator dies: another one takes the task, and what was given stays', () => {
  const net = createNet(three, { a: ['x'], b: ['y'], c: ['z'] })
  run(net, 10_000)
  const [first = ''] = allocators(net)
  const before = services(net, first)
  kill(net, first)
  run(net, 10_000)
  const [next = ''] = allocators(net)
  assert.ok(next !== first && next !== 'none', next)
  bring(net, next, ['x', 'y', 'z', 'new'])
  run(net, 3_000)
  for (const name of three.filter((each) => each !== first)) {
    assert.equal(services(net, name), { ...before, new: ['192.0.2.4'] })
  }
  const { version } = stationOf(net, next).council.stored ?? {}
  assert.ok((version?.term ?? 0) > 1)
  open(net, stationOf(net, first), 3, ['x'])
  run(net, 5_000)
  assert.equal(allocators(net), [next], 'the task stays where it is')
  assert.equal(services(net, first), { ...before, new: ['192.0.2.4'] })
})

test('a membership that has not noticed a death is not waited for', () => {
  const net = createNet(three, {})
  run(net, 10_000)
  const [first = ''] = allocators(net)
  stationOf(net, first).isUp = false
  run(net, 8_000)
  assert.not.ok(allocators(net).includes(first))
  assert.not.ok(allocators(net).includes('none'))
})

test('a split: the side with more than half allocates, the other stands still, and follows later', () => {
  const net = createNet(['a', 'b', 'c', 'd', 'e'], {})
  run(net, 10_000)
  const [first = ''] = allocators(net)
  const few = [first, ['a', 'b', 'c', 'd', 'e'].find((name) => name !== first) ?? '']
  net.passes = (from, to) => few.includes(from) === few.includes(to)
  run(net, 10_000)
  for (const name of few) {
    assert.is(view(net, name).allocator, undefined)
    bring(net, name, ['late'])
  }
  run(net, 5_000)
  for (const { name } of net.stations) assert.equal(services(net, name), {})
  net.passes = () => true
  run(net, 10_000)
  assert.is(allocators(net).length, 1)
  for (const { name } of net.stations) assert.equal(services(net, name), { late: ['192.0.2.1'] })
  assert.is(net.most, 1, 'never two at a time')
})

test('words that get lost at random: never two allocators, and one in the end', () => {
  for (let seed = 1; seed <= 20; seed++) {
    let random = seed
    const net = createNet(three, { a: ['x'], b: ['y'], c: ['z'] })
    net.passes = () => {
      random = (random * 1_103_515_245 + 12_345) % 2_147_483_648
      return random % 10 >= 5
    }
    run(net, 60_000)
    assert.is(net.most, 1, `seed ${seed}`)
    net.passes = () => true
    run(net, 10_000)
    assert.is(allocators(net).length, 1, `seed ${seed}`)
    assert.is(Object.keys(services(net, 'a')).length, 3, `seed ${seed}`)
  }
})

test('everything ends and starts again: each announces what its disk has, at once', () => {
  const net = createNet(three, { a: ['x'], b: ['y'], c: ['z'] })
  run(net, 10_000)
  const before = services(net, 'a')
  for (const name of three) kill(net, name)
  for (const name of three) open(net, stationOf(net, name), 3, [])
  for (const name of three) assert.equal(services(net, name), before)
})

test('standstill: a minority, nobody elected yet, and a host of another group', () => {
  const net = createNet(three, {})
  assert.is(view(net, 'a').standstill, 'minority')
  run(net, 100)
  assert.is(view(net, 'a').standstill, 'noAllocator')
  run(net, 10_000)
  assert.is(view(net, 'a').standstill, undefined)
  const stranger = createNet(['z'], {})
  run(stranger, 10_000)
  const ledger = stationOf(stranger, 'z').council.stored
  assert.is(ledger?.group, 'group of z')
  kill(net, 'b')
  kill(net, 'c')
  stationOf(net, 'b').disk = ledger
  open(net, stationOf(net, 'b'), 3, [])
  run(net, 10_000)
  assert.is(view(net, 'a').standstill, 'foreignGroup')
  assert.equal(view(net, 'a').foreign, ['b'])
  assert.is(stationOf(net, 'a').council.stored?.group, stationOf(net, 'c').disk?.group)
})

test('cut off before membership has noticed: nobody allocates, whoever did', () => {
  const net = createNet(three, {})
  run(net, 10_000)
  const [allocator = ''] = allocators(net)
  const cut = three.find((name) => name !== allocator) ?? ''
  assert.is(view(net, cut).allocator, allocator)
  net.passes = (from, to) => from !== cut && to !== cut
  run(net, 2_000)
  for (let i = 0; i < 100; i++) {
    assert.is(view(net, cut).allocator, undefined, `${net.nowMs}`)
    assert.is(view(net, cut).standstill, 'minority', `${net.nowMs}`)
    assert.equal(view(net, cut).missing, three.filter((name) => name !== cut))
    run(net, 100)
  }
  net.passes = () => true
  // Once it hears who allocates it says so, though its own vote is bound for a second more.
  const seen: string[] = []
  for (let i = 0; i < 50; i++) {
    run(net, 100)
    const now = view(net, cut).standstill ?? `${view(net, cut).allocator} allocates`
    if (seen.at(-1) !== now) seen.push(now)
  }
  assert.equal(seen.filter((each) => each !== 'minority'), [`${allocator} allocates`])
  assert.is(view(net, cut).allocator, allocator)
})

/**
 * Were a ballot as old as its reading, the frozen host would have a majority again for a second, beside the
 * one that was elected meanwhile: both say that they allocate, and the late one writes a ledger of its own
 * to its disk and hands it to whoever asks. Only the later term, which it learns of last, keeps that out of
 * force.
 */
for (const [sleep, frozenMs, hasAges] of [['10 s', 10_000, true], ['two minutes', 120_000, false]] as const) {
  test(`ballots that lay in the socket of a host that was frozen for ${sleep} elect nobody`, () => {
    const net = createNet(three, {})
    run(net, 10_000)
    const [first = ''] = allocators(net)
    const frozen = stationOf(net, first)
    frozen.isFrozen = true
    run(net, 700)
    // Its voters still vote for it, and nothing that they say later comes.
    net.passes = (from, to) => from !== first && to !== first
    run(net, frozenMs)
    const others = three.filter((name) => name !== first)
    const [next] = new Set(others.map((name) => view(net, name).allocator))
    assert.ok(others.includes(next ?? ''), next)
    assert.ok(net.queue.some(({ to, event }) => to === frozen && event.kind === 'word'), 'ballots lie there')
    // Stamps of more than a minute are not believed: as old as its reading.
    if (!hasAges) net.queue = net.queue.map(({ event, ...rest }) =>
      ({ ...rest, event: event.kind === 'word' ? { ...event, atMs: net.nowMs } : event }))
    const version = frozen.disk?.version
    frozen.isFrozen = false
    frozen.wakeMs = net.nowMs + 1
    run(net, 0)
    bring(net, first, ['late'])
    run(net, 5_000)
    assert.is(net.most, 1, 'never two at a time')
    assert.equal(frozen.disk?.version, version, 'nothing of its own is written')
    assert.is(view(net, first).allocator, undefined)
    net.passes = () => true
    run(net, 5_000)
    assert.equal(allocators(net), [next])
    assert.equal(services(net, first), { late: ['192.0.2.1'] })
  })
}

test('who is silent is not counted as heard, whatever membership believes', () => {
  const net = createNet(['a', 'b', 'c', 'd', 'e'], {})
  run(net, 10_000)
  const [allocator = ''] = allocators(net)
  const [silent = '', ...others] = net.stations.map(({ name }) => name).filter((name) => name !== allocator)
  stationOf(net, silent).isUp = false
  run(net, 3_500)
  for (const name of [allocator, ...others]) {
    const { heard, members, missing, standstill } = view(net, name)
    assert.equal({ heard, members, missing, standstill },
      { heard: 4, members: 5, missing: [silent], standstill: undefined }, name)
  }
  // More of them, the allocator too: those who are left have nobody who could tell them.
  for (const name of [allocator, others[0] ?? '']) stationOf(net, name).isUp = false
  run(net, 3_500)
  for (const name of others.slice(1)) {
    const { heard, standstill } = view(net, name)
    assert.equal([heard, standstill], [2, 'minority'], name)
  }
})

test('a voter of an older version does not say whom it hears: membership has to do', () => {
  const net = createNet(['a', 'b', 'c', 'd'], {})
  for (const station of net.stations) station.isOlder = true
  run(net, 10_000)
  const [allocator = ''] = allocators(net)
  const names = net.stations.map(({ name }) => name).filter((name) => name !== allocator)
  for (const name of names) assert.is(view(net, name).heard, 4, name)
})

test('who is missing, and how many are needed', () => {
  const net = createNet(three, {})
  const seen = (name: string): unknown => {
    const { standstill, heard, members, needed, missing, isAgreed } = view(net, name)
    return { standstill, heard, members, needed, missing: missing.join(' '), isAgreed }
  }
  kill(net, 'a')
  kill(net, 'b')
  run(net, 10_000)
  // Before there is a ledger the others have no names.
  const few = { standstill: 'minority', heard: 1, members: 3, needed: 2 }
  assert.equal(seen('c'), { ...few, missing: '', isAgreed: false })
  for (const name of ['a', 'b']) open(net, stationOf(net, name), 3, [])
  run(net, 10_000)
  assert.equal(seen('c'),
    { standstill: undefined, heard: 3, members: 3, needed: 2, missing: '', isAgreed: true })
  kill(net, 'b')
  run(net, 5_000)
  assert.equal(seen('c'),
    { standstill: undefined, heard: 2, members: 3, needed: 2, missing: 'b', isAgreed: true })
  kill(net, 'a')
  run(net, 5_000)
  assert.equal(seen('c'), { ...few, missing: 'a b', isAgreed: true })
})

test('a disk that fails: nothing is in force that is not stored', () => {
  const council = createCouncil({
    self: 'a', expected: 1, freshGroup: 'g', ledger: undefined, own: shareOf('a', ['x']), now: 0, propose,
  })
  const at = (event: Event, now: number): readonly Effect[] => step(council, event, now)
  at({ kind: 'wake' }, 0)
  const first = at({ kind: 'wake' }, 1_600)
  assert.ok(first.some(({ kind }) => kind === 'store'))
  at({ kind: 'notStored' }, 1_700)
  assert.is(council.inForce, undefined)
  at({ kind: 'stored' }, 1_800)
  assert.equal(council.inForce?.services, { x: ['192.0.2.1'] })
})

test.run()
