/** Named histories of whole rings on a virtual clock. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { membersOf } from './engine.ts'
import { lanSettings } from './settings.ts'
import { addStation, createNetwork, give, type Network, runFor, type Station, viewOf } from './virtual.ts'
import { fromByteString, toByteString } from './wire/bytes.ts'

const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'] as const

interface Start {
  readonly count: number
  readonly seed?: number
  readonly loss?: number
}

/** A ring in which everybody has joined everybody. */
function started({ count, seed = 1, loss = 0 }: Start): { network: Network; stations: readonly Station[] } {
  const network = createNetwork({ settings: lanSettings, seed })
  network.loss = loss
  const stations = names.slice(0, count).map((name, i) => addStation(network, name, i + 1))
  const peers = stations.map(({ endpoint }) => endpoint)
  for (const station of stations) give(network, station, { kind: 'peers', peers })
  const all = names.slice(0, count).map((name) => `${name} alive`).join()
  assert.ok(runFor(network, 5_000, () => stations.every((station) => viewOf(station).join() === all)))
  return { network, stations }
}

function at(stations: readonly Station[], i: number): Station {
  const station = stations[i]
  if (station === undefined) throw new Error(`There is no station ${i}`)
  return station
}

const stateOf = (station: Station, name: string): string | undefined =>
  viewOf(station).find((row) => row.startsWith(`${name} `))?.split(' ')[1]

for (const seed of [1, 2, 3]) {
  test(`three nodes join, see metadata, and an idle ring stays as it is (seed ${seed})`, () => {
    const { network, stations } = started({ count: 3, seed })
    const metas = membersOf(at(stations, 0).ring).map(({ meta }) => toByteString(meta))
    assert.equal(metas, ['meta of a', 'meta of b', 'meta of c'])
    const told = stations.map((station) => station.told.length)
    runFor(network, 120_000)
    assert.equal(stations.map((station) => station.told.length), told)
    assert.equal(at(stations, 0).told.toSorted(), ['joined a', 'joined b', 'joined c'])
    // A probe and an ack a second and node; gossip only while there is news.
    assert.ok(network.packets < 3 * 2 * 125 + 100, `${network.packets} packets`)
  })

  test(`a node that dies is suspected, then dead everywhere within its bound (seed ${seed})`, () => {
    const { network, stations } = started({ count: 3, seed })
    const victim = at(stations, 2)
    const others = stations.slice(0, 2)
    victim.isAlive = false
    const diedMs = network.nowMs
    assert.ok(runFor(network, 8_500, () => others.every((one) => stateOf(one, 'c') === 'dead')))
    assert.ok(network.nowMs - diedMs >= 5_000, 'never earlier than the library')
    assert.ok(others.every(({ told }) => told.indexOf('suspected c') < told.indexOf('left c')))
    runFor(network, 60_000)
    assert.equal(others.map((one) => stateOf(one, 'c')), [undefined, undefined], 'forgotten in the end')
  })

  test(`ten nodes with 20 % loss: nobody is declared dead, a real death is (seed ${seed})`, () => {
    const { network, stations } = started({ count: 10, seed, loss: 0.2 })
    runFor(network, 60_000)
    assert.equal(stations.flatMap(({ told }) => told.filter((line) => line.startsWith('left'))), [])
    at(stations, 9).isAlive = false
    const others = stations.slice(0, 9)
    assert.ok(runFor(network, 42_000, () => others.every((one) => stateOf(one, 'j') === 'dead')))
  })
}

test('a run is replayed by its seed', () => {
  const history = (): string => {
    const { network, stations } = started({ count: 5, seed: 9, loss: 0.3 })
    at(stations, 1).isAlive = false
    runFor(network, 30_000)
    return JSON.stringify([network.packets, stations.map(({ told }) => told)])
  }
  assert.is(history(), history())
})

test('a graceful leave spreads at once, and the leaver knows when it has', () => {
  const { network, stations } = started({ count: 5 })
  const leaver = at(stations, 0)
  give(network, leaver, { kind: 'leave', timeoutMs: 1_000 })
  runFor(network, 5)
  assert.equal(stations.map((one) => stateOf(one, 'a')), ['left', 'left', 'left', 'left', 'left'])
  assert.ok(runFor(network, 1_500, () => leaver.told.includes('leftRing true')))
  assert.is(at(stations, 1).told.filter((line) => line === 'left a').length, 1)
})

test('alone, a leave is done at once; where nobody listens, at its timeout', () => {
  const alone = createNetwork({ settings: lanSettings, seed: 1 })
  const station = addStation(alone, 'a', 1)
  give(alone, station, { kind: 'leave', timeoutMs: 1_000 })
  assert.is(station.told.at(-1), 'leftRing true')
  const settings = { ...lanSettings, gossipNodes: 0, probeIntervalMs: 0 }
  const quiet = createNetwork({ settings, seed: 1 })
  const [a, b] = [addStation(quiet, 'a', 1), addStation(quiet, 'b', 2)]
  give(quiet, a, { kind: 'peers', peers: [b.endpoint] })
  runFor(quiet, 100)
  give(quiet, a, { kind: 'leave', timeoutMs: 1_000 })
  runFor(quiet, 1_100)
  assert.is(a.told.at(-1), 'leftRing false')
})

test('a false suspicion is refuted, and told to the accuser directly', () => {
  const { network, stations } = started({ count: 3 })
  const [accuser, accused] = [at(stations, 0), at(stations, 1)]
  network.cuts.add('a>b').add('b>a').add('c>b').add('b>c')
  assert.ok(runFor(network, 5_000, () => stateOf(accuser, 'b') === 'suspect'))
  network.cuts.clear()
  assert.ok(runFor(network, 3_000, () => stateOf(accuser, 'b') === 'alive'))
  assert.ok(!accuser.told.includes('left b'))
  const told = membersOf(accuser.ring).find(({ name }) => name === 'b')?.incarnation
  assert.is(told, 2)
  assert.ok(accused.ring.health > 0, 'the accused was slow, and is patient now')
})

test('one way of a link is dead: others ask in its place, and nobody is suspected', () => {
  const { network, stations } = started({ count: 3 })
  const settledMs = network.nowMs
  network.cuts.add('a>b')
  runFor(network, 30_000)
  assert.ok(network.nowMs > settledMs)
  assert.equal(stations.flatMap(({ told }) => told.filter((line) => line.startsWith('suspected'))), [])
})

test('datagrams are dead but TCP is not: the fallback ping keeps the node', () => {
  const settings = { ...lanSettings, pushPullIntervalMs: 0 }
  const network = createNetwork({ settings, seed: 4 })
  const [a, b] = [addStation(network, 'a', 1), addStation(network, 'b', 2)]
  give(network, a, { kind: 'peers', peers: [b.endpoint] })
  runFor(network, 1_000)
  network.loss = 1
  runFor(network, 20_000)
  assert.is(stateOf(a, 'b'), 'alive')
})

test('a split heals: both sides take each other back', () => {
  const { network, stations } = started({ count: 4 })
  for (const left of ['a', 'b']) {
    for (const right of ['c', 'd']) network.cuts.add(`${left}>${right}`).add(`${right}>${left}`)
  }
  const [a, d] = [at(stations, 0), at(stations, 3)]
  assert.ok(runFor(network, 60_000, () => stateOf(a, 'd') === 'dead' && stateOf(d, 'a') === 'dead'))
  network.cuts.clear()
  const isWhole = (): boolean => stations.every((one) =>
    viewOf(one).join() === 'a alive,b alive,c alive,d alive')
  assert.ok(runFor(network, 130_000, isWhole), stations.map((one) => viewOf(one).join()).join(' / '))
})

for (const seed of [1, 2, 3]) {
  test(`a cut that it did not notice: a node learns by its pings that it is dead (seed ${seed})`, () => {
    const { network, stations } = started({ count: 4, seed })
    const others = stations.slice(0, 3)
    for (const one of ['a', 'b', 'c']) network.cuts.add(`${one}>d`).add(`d>${one}`)
    assert.ok(runFor(network, 10_000, () => others.every((one) => stateOf(one, 'd') === 'dead')))
    // What waits for gossip would be told to the dead too.
    runFor(network, 2_000)
    assert.ok(['a', 'b', 'c'].some((name) => stateOf(at(stations, 3), name) !== 'dead'), 'one-sided')
    network.cuts.clear()
    // An exchange of states comes every 30 s, a join of somebody who was a member every 60.
    assert.ok(runFor(network, 12_000, () => others.every((one) => stateOf(one, 'd') === 'alive')),
      others.map((one) => viewOf(one).join()).join(' / '))
  })
}

test('a node that restarts with a higher incarnation is back at once', () => {
  const { network, stations } = started({ count: 3 })
  at(stations, 2).isAlive = false
  const others = stations.slice(0, 2)
  assert.ok(runFor(network, 10_000, () => others.every((one) => stateOf(one, 'c') === 'dead')))
  const again = addStation(network, 'c', 3, 1_700_000_000)
  give(network, again, { kind: 'peers', peers: others.map(({ endpoint }) => endpoint) })
  assert.ok(runFor(network, 1_000, () => others.every((one) => stateOf(one, 'c') === 'alive')))
})

test('a node that restarts as MetalLB does, at incarnation 1, refutes its own death', () => {
  const { network, stations } = started({ count: 3 })
  at(stations, 2).isAlive = false
  const others = stations.slice(0, 2)
  assert.ok(runFor(network, 10_000, () => others.every((one) => stateOf(one, 'c') === 'dead')))
  const again = addStation(network, 'c', 3)
  give(network, again, { kind: 'peers', peers: others.map(({ endpoint }) => endpoint) })
  assert.ok(runFor(network, 5_000, () => others.every((one) => stateOf(one, 'c') === 'alive')))
})

test('metadata that changes is told to everyone', () => {
  const { network, stations } = started({ count: 5 })
  give(network, at(stations, 0), { kind: 'meta', meta: fromByteString('news') })
  const others = stations.slice(1)
  assert.ok(runFor(network, 3_000, () => others.every(({ told }) => told.includes('changed a'))))
  give(network, at(stations, 0), { kind: 'meta', meta: fromByteString('x'.repeat(513)) })
  assert.equal(at(stations, 0).drops, ['tooLong'])
})

test('messages go to one, reliably or not, and to everyone by gossip', () => {
  const { network, stations } = started({ count: 4 })
  const [a, b] = [at(stations, 0), at(stations, 1)]
  give(network, a, { kind: 'send', to: 'b', payload: fromByteString('light'), isReliable: false })
  give(network, a, { kind: 'send', to: 'b', payload: fromByteString('sure'), isReliable: true })
  give(network, a, { kind: 'broadcast', key: 'k', payload: fromByteString('old') })
  give(network, a, { kind: 'broadcast', key: 'k', payload: fromByteString('all') })
  runFor(network, 3_000)
  assert.is(b.told.filter((line) => line === 'message light').length, 1)
  assert.is(b.told.filter((line) => line === 'message sure').length, 1)
  assert.ok(stations.slice(1).every(({ told }) => told.includes('message all')))
  assert.ok(stations.every(({ told }) => !told.includes('message old')))
  give(network, a, { kind: 'send', to: 'nobody', payload: fromByteString('x'), isReliable: false })
  assert.equal(a.drops, ['unknownMember'])
})

test('two nodes with one name: both learn of the other, and third ones keep the first', () => {
  const network = createNetwork({ settings: lanSettings, seed: 1 })
  const [a, b] = [addStation(network, 'a', 1), addStation(network, 'b', 2)]
  give(network, b, { kind: 'peers', peers: [a.endpoint] })
  runFor(network, 1_000)
  const late = addStation(network, 'a', 3, 1_000)
  // Through the third one alone it learns of the first.
  give(network, late, { kind: 'peers', peers: [b.endpoint] })
  runFor(network, 1_000)
  assert.ok(late.told.includes('conflict a 3 1'), late.told.join())
  assert.ok(b.told.includes('conflict a 1 3'), b.told.join())
  assert.not.ok(a.told.some((each) => each.startsWith('conflict')))
  give(network, late, { kind: 'peers', peers: [a.endpoint, b.endpoint] })
  runFor(network, 1_000)
  assert.ok(a.told.includes('conflict a 1 3'), a.told.join())
  late.told.length = 0
  give(network, a, { kind: 'greet', to: late.endpoint })
  runFor(network, 10)
  assert.equal(late.told, ['conflict a 3 1'])
  assert.equal(viewOf(b), ['a alive', 'b alive'])
  const { address } = membersOf(b.ring).find(({ name }) => name === 'a') ?? {}
  assert.is(address?.[3], 1)
})

test('user state travels with each exchange, both ways', () => {
  const network = createNetwork({ settings: lanSettings, seed: 1 })
  const [a, b] = [addStation(network, 'a', 1), addStation(network, 'b', 2)]
  give(network, a, { kind: 'userState', userState: () => fromByteString('of a') })
  give(network, b, { kind: 'userState', userState: () => fromByteString('of b') })
  give(network, a, { kind: 'peers', peers: [b.endpoint] })
  runFor(network, 1_000)
  assert.equal([a.told.includes('state of b'), b.told.includes('state of a')], [true, true])
})

test('peers that are not there yet are tried again', () => {
  const network = createNetwork({ settings: lanSettings, seed: 1 })
  const a = addStation(network, 'a', 1)
  const peers = [{ address: Uint8Array.of(192, 0, 2, 2), port: 7946 }, a.endpoint]
  give(network, a, { kind: 'peers', peers })
  runFor(network, 3_500)
  assert.equal(a.drops, ['streamFailed', 'streamFailed'], 'after one second and then two')
  addStation(network, 'b', 2)
  assert.ok(runFor(network, 5_000, () => stateOf(a, 'b') === 'alive'))
})

test.run()
