/** Names of nodes as labels and as names of objects: short ones as they are, long ones told apart. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { labelKeys } from '../config/names.ts'
import type { LiveState } from '../kube/live.ts'
import { encodeLinks } from '../l2/facts.ts'
import type { LinkState } from '../l2/model.ts'
import type { WireSilence } from '../l2/silences.ts'
import { labelOfNode, readMembers, readSilences, stateNameOf } from './members.ts'

const longest = `${'a'.repeat(62)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(62)}`
const names = [
  'a', 'n'.repeat(63), 'n'.repeat(64), `${'n'.repeat(63)}1`, `${'n'.repeat(51)}.x${'y'.repeat(30)}`, longest,
  'n'.repeat(245), 'n'.repeat(246),
]
const label = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/
const dnsName = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/

test('every name fits, and no two are one', () => {
  for (const name of names) {
    assert.match(labelOfNode(name), label)
    assert.match(stateNameOf(name), dnsName)
    assert.ok(stateNameOf(name).length <= 253)
  }
  assert.is(new Set(names.map(labelOfNode)).size, names.length)
  assert.is(new Set(names.map(stateNameOf)).size, names.length)
})

test('what fits is as MetalLB writes it; what does not keeps its beginning', () => {
  assert.equal([labelOfNode('a'), stateNameOf('a')], ['a', 'speaker-a'])
  assert.is(labelOfNode('n'.repeat(63)), 'n'.repeat(63))
  assert.match(labelOfNode('n'.repeat(64)), /^n{52}-[0-9a-f]{10}$/)
  assert.is(stateNameOf('n'.repeat(245)), `speaker-${'n'.repeat(245)}`)
  assert.match(stateNameOf('n'.repeat(246)), /^speaker-n{52}-[0-9a-f]{10}$/)
})

test('a node with a long name is found again by its label', () => {
  const link: LinkState = {
    index: 2, name: 'eth0', mac: '02:00:00:00:00:01', mtuBytes: 1_500, isUp: true, hasCarrier: true,
    master: undefined, isLoopback: false, isNoArp: false, isBroadcast: true, addresses: [],
  }
  const links = encodeLinks([link], new Set(), new Set())
  const state = (name: string): LiveState => ({
    version: '1', labels: { [labelKeys.stateNode]: labelOfNode(name) }, owner: '', links, silences: [],
    result: '', errorSummary: '',
  })
  const members = readMembers(new Set([longest, 'other']), new Map([['x', state(longest)]]))
  const found = members.map(({ name, links: told }) => `${name} ${told?.length}`)
  assert.equal(found, [`${longest} 1`, 'other undefined'])
})

const state = (node: string, more: Partial<LiveState> = {}): LiveState => ({
  version: '1', labels: { [labelKeys.stateNode]: labelOfNode(node) }, owner: '', links: undefined,
  silences: [], result: '', errorSummary: '', ...more,
})
const silence: WireSilence = { text: '192.0.2.1', reason: 'expired' }

test('what speakers that run tell of an address, in the order of nodes', () => {
  const states = ['c', 'b', 'gone'].map((node) => [node, state(node, { silences: [silence] })] as const)
  const controller = state('a', { labels: {}, silences: [silence] })
  const told = readSilences(new Set(['c', 'a', 'b']), new Map([...states, ['x', controller] as const]))
  assert.equal([...told], [['192.0.2.1', ['b', 'c'].map((node) => ({ ...silence, node }))]])
})

test('a node that tells of a silence is the same member: nothing is planned anew for that', () => {
  const links = encodeLinks([], new Set(), new Set())
  const memberOf = (one: LiveState): unknown => readMembers(new Set(['a']), new Map([['x', one]]))[0]
  const before = memberOf(state('a', { links }))
  assert.is(memberOf(state('a', { links, version: '2', silences: [silence] })), before)
  assert.is.not(memberOf(state('a', { links: undefined })), before)
})

test('nodes that come and go, each with a new name: what was read of them is forgotten', () => {
  const read = (i: number): unknown => {
    const names = [`n${i}`, `n${i + 1}`]
    const states = names.map((name) => [name, state(name, { links: '[]' })] as const)
    return readMembers(new Set(names), new Map(states))[0]
  }
  const first = read(0)
  assert.is(read(0), first)
  for (let i = 1; i < 100; i++) read(i)
  assert.is.not(read(0), first)
})

test.run()
