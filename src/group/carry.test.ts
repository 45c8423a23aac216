/** A rolling upgrade: hosts that know no options are in a group, and those that do lose and flip none. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { carryOptions, joinOptions } from './carry.ts'
import type { GroupLedger, OptionTexts } from './model.ts'
import {
  allocators, bring, createNet, kill, type Net, open, run, services, stationOf, withoutOptions,
} from './rig.ts'

const hash: OptionTexts = { placement: 'hash' }
const sticky: OptionTexts = { placement: 'sticky' }

/** In force there; `own` = each by what it was started with. */
function inForce(net: Net, name: string): string {
  return stationOf(net, name).council.inForce?.options?.['placement'] ?? 'own'
}

function restart(net: Net, name: string, options: OptionTexts | undefined): void {
  const station = stationOf(net, name)
  kill(net, name)
  run(net, 8_000)
  if (station.isOlder && station.disk !== undefined) station.disk = withoutOptions(station.disk)
  open(net, station, net.stations.length, [])
  bring(net, name, [name], options)
  run(net, 8_000)
}

/** Four hosts that have agreed on `hash`; then `older` knows no options, and `first` allocates. */
function mixed(older: string, first: string): Net {
  const net = createNet(['a', 'b', 'c', 'd'])
  for (const { name } of net.stations) bring(net, name, [name], hash)
  run(net, 10_000)
  stationOf(net, older).isOlder = true
  restart(net, older, undefined)
  for (let i = 0; i < 8 && allocators(net)[0] !== first; i++) {
    const [other = ''] = allocators(net)
    restart(net, other, other === older ? undefined : hash)
  }
  assert.equal(allocators(net), [first])
  for (const { name } of net.stations) assert.is(inForce(net, name), name === older ? 'own' : 'hash', name)
  return net
}

test('a host of the older version allocates: those that know options keep them, and no others', () => {
  const net = mixed('d', 'd')
  bring(net, 'b', ['b', 'new'], hash)
  run(net, 5_000)
  for (const name of ['a', 'b', 'c', 'd']) assert.is(Object.keys(services(net, name)).length, 5, name)
  for (const name of ['a', 'b', 'c']) assert.is(inForce(net, name), 'hash', name)
  kill(net, 'd')
  bring(net, 'b', ['b', 'new'], sticky)
  run(net, 10_000)
  const [next = ''] = allocators(net)
  assert.ok(['a', 'b', 'c'].includes(next), next)
  for (const name of ['a', 'b', 'c']) assert.is(inForce(net, name), 'hash', `${name}: one of them differs`)
})

test('a host that was away gets the ledger back from one of the older version: it keeps its options', () => {
  const net = mixed('d', 'b')
  kill(net, 'c')
  run(net, 8_000)
  bring(net, 'b', ['b', 'new'], hash)
  run(net, 5_000)
  // Only the older one reaches it.
  net.passes = (from, to) => (from !== 'c' && to !== 'c') || from === 'd' || to === 'd'
  const station = stationOf(net, 'c')
  open(net, station, 4, [])
  run(net, 1_000)
  assert.equal(station.disk?.version, stationOf(net, 'b').disk?.version, 'it has the ledger')
  assert.equal(station.disk?.options, hash)
  assert.equal(station.disk?.members.map(({ options }) => options), [hash, hash, hash, undefined])
})

test('a disk that the older version has written: the options come with the first word', () => {
  const net = mixed('a', 'b')
  kill(net, 'a')
  run(net, 8_000)
  const station = stationOf(net, 'a')
  station.isOlder = false
  open(net, station, 4, [])
  bring(net, 'a', ['a'], sticky)
  assert.is(inForce(net, 'a'), 'own')
  run(net, 500)
  assert.is(inForce(net, 'a'), 'hash')
  assert.equal(station.disk?.options, hash, 'on its disk too')
  const { version } = station.disk ?? {}
  for (const { name, disk } of net.stations) assert.equal(disk?.version, version, `${name}: no ledger more`)
  run(net, 5_000)
  for (const name of ['a', 'b', 'c', 'd']) assert.is(inForce(net, name), 'hash', name)
})

test('upgraded one by one, while the older ones allocate: agreed once, and never lost', () => {
  const net = createNet(['a', 'b', 'c', 'd'])
  for (const station of net.stations) {
    station.isOlder = true
    bring(net, station.name, [station.name])
  }
  run(net, 10_000)
  const seen = new Map<string, string[]>()
  for (const name of ['b', 'c', 'd', 'a']) {
    kill(net, name)
    run(net, 6_000)
    const station = stationOf(net, name)
    station.isOlder = false
    open(net, station, 4, [])
    bring(net, name, [name], hash)
    for (let i = 0; i < 100; i++) {
      run(net, 100)
      for (const each of net.stations.filter(({ isOlder }) => !isOlder)) {
        const list = seen.get(each.name) ?? seen.set(each.name, []).get(each.name) ?? []
        const now = inForce(net, each.name)
        if (list.at(-1) !== now) list.push(now)
      }
    }
  }
  assert.equal([...seen].toSorted(), ['a', 'b', 'c', 'd'].map((name) => [name, ['own', 'hash']]))
})

const base: GroupLedger = {
  group: 'g', version: { term: 1, n: 4 }, by: 'a', members: [{ name: 'a', labels: {}, options: hash }],
  options: hash, optionsFrom: { term: 1, n: 2 }, documents: [], services: {}, problems: [],
}
const { options: _, optionsFrom: __, ...stripped } = base
const bare: GroupLedger = { ...stripped, version: { term: 1, n: 5 }, members: [{ name: 'a', labels: {} }] }

test('what is carried: options, when they were agreed on, and the members\' own', () => {
  assert.equal(carryOptions(base, bare), { ...base, version: bare.version })
  assert.is(carryOptions(undefined, bare), bare)
  assert.is(carryOptions(bare, bare), bare)
  const whole = { ...base, version: bare.version, options: sticky, optionsFrom: bare.version }
  assert.is(carryOptions(base, whole), whole, 'what brings its own keeps it')
})

test('of two copies of one ledger the later options hold, in either order', () => {
  const carried = { ...base, version: bare.version }
  const whole = { ...carried, options: sticky, optionsFrom: bare.version }
  assert.equal(joinOptions(carried, whole), whole)
  assert.is(joinOptions(whole, carried), whole)
  assert.is(joinOptions(whole, bare), whole)
  assert.equal(joinOptions(bare, whole).options, sticky)
})

test.run()
