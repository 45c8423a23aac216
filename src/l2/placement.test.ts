/** MetalLB's election on its worked examples, and the sticky, balanced placement. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { electOwner, type PlacementInput, rankByHash } from './placement.ts'

const nodes = (...names: string[]) => names.map((node) => ({ node, score: 0 }))

const orders = [
  { text: '192.168.1.240', want: 'c a b' },
  { text: '192.168.1.241', want: 'c a b' },
  { text: '192.168.1.242', want: 'c b a' },
  { text: '192.168.1.243', want: 'c b a' },
  { text: '192.168.1.244', want: 'b c a' },
  { text: 'fc00:f853:ccd:e799::1', want: 'b a c' },
  { text: '2001:db8::1', want: 'c b a' },
  { text: '203.0.113.5', want: 'c a b' },
]
for (const { text, want } of orders) {
  test(`rankByHash: ${text} goes to ${want}`, () => {
    assert.is(rankByHash(nodes('a', 'b', 'c'), text).map(({ node }) => node).join(' '), want)
  })
}

test('rankByHash: kind\'s nodes and 172.18.255.200', () => {
  const ranked = rankByHash(nodes('kind-control-plane', 'kind-worker', 'kind-worker2'), '172.18.255.200')
  assert.equal(ranked.map(({ node }) => node), ['kind-worker2', 'kind-worker', 'kind-control-plane'])
})

test('rankByHash: a preferred node comes first', () => {
  const ranked = rankByHash([...nodes('a', 'c'), { node: 'b', score: 10 }], '192.168.1.240')
  assert.equal(ranked.map(({ node }) => node), ['b', 'c', 'a'])
})

const base: PlacementInput = {
  placement: 'sticky', candidates: nodes('a', 'b', 'c'), text: '192.168.1.240',
  owner: undefined, load: new Map(),
}
const cases: { it: string; given: Partial<PlacementInput>; want: string | undefined }[] = [
  { it: 'nobody can', given: { candidates: [] }, want: undefined },
  { it: 'hash: an owner that loses the election moves', given: { placement: 'hash', owner: 'a' },
    want: 'c' },
  { it: 'hash: load does not matter',
    given: { placement: 'hash', load: new Map([['c', 9]]) }, want: 'c' },
  { it: 'sticky: the owner stays while eligible', given: { owner: 'b' }, want: 'b' },
  { it: 'sticky: the owner stays however loaded',
    given: { owner: 'b', load: new Map([['b', 9]]) }, want: 'b' },
  { it: 'sticky: an owner that is no candidate is replaced', given: { owner: 'z' }, want: 'c' },
  { it: 'sticky: an orphan goes to the least loaded',
    given: { load: new Map([['a', 1], ['c', 1]]) }, want: 'b' },
  { it: 'sticky: equal load, the hash decides',
    given: { load: new Map([['b', 1], ['c', 1], ['a', 1]]) }, want: 'c' },
  { it: 'sticky: preference before load',
    given: { candidates: [{ node: 'a', score: 5 }, { node: 'b', score: 0 }],
      load: new Map([['a', 3]]) }, want: 'a' },
  { it: 'sticky: an owner whose endpoints end yields to one that is preferred less, and loaded',
    given: { candidates: [{ node: 'a', score: 5, isEnding: true }, { node: 'b', score: 0 }],
      owner: 'a', load: new Map([['b', 3]]) }, want: 'b' },
  { it: 'sticky: where all are ending, the owner stays',
    given: { candidates: nodes('a', 'b').map((each) => ({ ...each, isEnding: true })), owner: 'a' },
    want: 'a' },
  { it: 'hash: as MetalLB, which does not ask what ends',
    given: { placement: 'hash',
      candidates: [...nodes('a', 'b'), { node: 'c', score: 0, isEnding: true }] }, want: 'c' },
]
for (const c of cases) {
  test(`electOwner: ${c.it}`, () => assert.is(electOwner({ ...base, ...c.given }), c.want))
}

test.run()
