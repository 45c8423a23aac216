/** What a host of a group says of others: who owns an address, who is missed, who is forgotten. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { HostFinding } from '../finding.ts'
import type { Forgetting } from '../group/forget.ts'
import type { CouncilView } from '../group/vote.ts'
import type { ServiceRow } from '../plan/report.ts'
import { forgetFindings, groupFindings, rowsAsOwned } from './view.ts'

const row: ServiceRow = {
  namespace: 'default', name: 'web', verdict: 'kept', reason: '', message: '', pool: 'lan',
  addresses: ['192.0.2.240', '2001:db8::240'],
  announcements: [
    { address: '192.0.2.240', node: 'a', interfaces: ['eth0'] },
    { address: '2001:db8::240', node: 'a', interfaces: ['eth1'] },
  ],
  silent: [],
}

const cases: readonly {
  it: string; owners: Readonly<Record<string, string>>; want: ServiceRow['announcements']
}[] = [
  { it: 'whom the plan has owns them', owners: { '192.0.2.240': 'a', '2001:db8::240': 'a' },
    want: row.announcements },
  { it: 'a host that is not heard, and so not planned, owns one',
    owners: { '192.0.2.240': 'b', '2001:db8::240': 'a' },
    want: [
      { address: '192.0.2.240', node: 'b', interfaces: [] },
      { address: '2001:db8::240', node: 'a', interfaces: ['eth1'] },
    ] },
  { it: 'nobody is known to own one', owners: { '2001:db8::240': 'a' },
    want: [{ address: '2001:db8::240', node: 'a', interfaces: ['eth1'] }] },
]
for (const { it, owners, want } of cases) {
  test(`rows: ${it}`, () => {
    const [seen] = rowsAsOwned([row], new Map(Object.entries(owners)))
    assert.equal(seen, { ...row, announcements: want })
  })
}

const view: CouncilView = {
  allocator: 'a', standstill: undefined, heard: 3, members: 3, needed: 2, missing: [], isAgreed: true,
  foreign: [], present: new Set(['b', 'c']),
}
const told = (list: readonly HostFinding[]): readonly string[] =>
  list.map(({ reason, message }) => `${reason} ${message}`)

test('who is missed is named while others go on: stopped hosts count too', () => {
  assert.equal(groupFindings(view, []), [])
  const [one, ...rest] = told(groupFindings({ ...view, heard: 2, missing: ['c'] }, []))
  assert.equal(rest, [])
  assert.match(one ?? '',
    /^hostMissing Not heard: c, stopped or dead; all 3 .* so 2 must be heard.*--forget c$/)
  // Before there is a ledger they have no names, and the start is told otherwise.
  assert.equal(groupFindings({ ...view, heard: 2, missing: ['192.0.2.3'], isAgreed: false }, []), [])
  const minority: CouncilView = {
    ...view, allocator: undefined, standstill: 'minority', heard: 1, missing: ['b', 'c'],
  }
  assert.match(told(groupFindings(minority, [])).join(),
    /^minority .*missing: b, c: what was agreed .*count until they are back, also those that were stopped/)
})

test('a host that is not heard by gossip, and is on the wire, is not called dead alone', () => {
  const tell = (missing: readonly string[], rest: Partial<CouncilView>): string => told(groupFindings(
    { ...view, heard: 2, missing, ...rest }, [], new Map([['b', 'heard'], ['c', 'answers']]),
  )).join()
  assert.match(tell(['c'], {}), /^hostMissing Not heard: c, stopped, dead or blocked; c still answers for/)
  assert.match(tell(['d'], {}), /^hostMissing Not heard: d, stopped or dead; all/)
  const few = tell(['b', 'c', 'd'], { allocator: undefined, standstill: 'minority', heard: 1 })
  assert.match(few, /^minority .*missing: b, c, d: .*; c still answers .*; the machine of b is heard/)
})

test('of one host and of several the grammar is right', () => {
  const ofWire = (sign: 'answers' | 'heard', ...missing: readonly string[]): string => told(groupFindings(
    { ...view, heard: 2, missing }, [], new Map(missing.map((name) => [name, sign])),
  )).join()
  assert.match(ofWire('answers', 'b'), /; b still answers .* what it sends .*, or only its kernel answers;/)
  assert.match(ofWire('answers', 'b', 'c'), /; b, c still answer .* they send .* their kernels answer;/)
  assert.match(ofWire('heard', 'b'), /; the machine of b is heard .* its program is stopped, or/)
  assert.match(ofWire('heard', 'b', 'c'), /; the machines of b, c are .* programs are stopped, .* they send/)
  const foreign = (...names: readonly string[]): string =>
    told(groupFindings({ ...view, standstill: 'foreignGroup', foreign: names }, [])).join()
  assert.match(foreign('x'), /^foreignGroup Host x belongs to/)
  assert.match(foreign('x', 'y'), /^foreignGroup Hosts x, y belong to/)
})

test('a host that is missed, and that membership has alive, is neither stopped nor dead', () => {
  const back = { ...view, heard: 2, missing: ['b', 'c'] }
  const tell = (...alive: readonly string[]): readonly string[] =>
    told(groupFindings(back, [], new Map(), new Set(alive)))
  assert.equal(tell('b', 'c').length, 1)
  assert.match(tell('b', 'c').join(), /^hostMissing Alive by gossip, and .* yet: b, c; all/)
  const [dead, late, ...rest] = tell('a', 'b')
  assert.match(dead ?? '', /^hostMissing Not heard: c, stopped or dead; all/)
  assert.match(late ?? '', /^hostMissing Alive by gossip, .* yet: b; all/)
  assert.equal(rest, [])
})

test('why a host is not forgotten is told by its reason; of one that is, nothing', () => {
  const reasons: readonly Forgetting[] = ['forgotten', 'waiting', 'heard', 'unknown', 'self', 'notAgreed']
  const found = told(forgetFindings(new Map(reasons.map((is) => [`of-${is}`, is]))))
  assert.equal(found.map((text) => text.split(':')[0]), reasons.slice(1).map((is) =>
    `notForgotten --forget of-${is}`))
})

test.run()
