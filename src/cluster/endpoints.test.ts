/** Which endpoints each Service has, from slices that come, move and go. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Slice } from '../config/cluster.ts'
import type { Endpoint } from '../config/model.ts'
import { createMerged } from './endpoints.ts'

const endpoint = (nodeName: string): Endpoint =>
  ({ addresses: [], nodeName, canServe: true, isReady: true, ports: [] })
const [a, b, c] = [endpoint('a'), endpoint('b'), endpoint('c')]
const slice = (service: string, ...endpoints: Endpoint[]): Slice => ({ service, endpoints })

interface Step {
  readonly it: string
  /** Slices that are others now; undefined = gone. */
  readonly now: Readonly<Record<string, Slice | undefined>>
  readonly nodes: Readonly<Record<string, string>>
  readonly served: readonly string[]
}

const steps: readonly Step[] = [
  { it: 'two slices of one Service', now: { x1: slice('x', a), x2: slice('x', b), y1: slice('y', c) },
    nodes: { x: 'a b', y: 'c' }, served: ['x', 'y'] },
  { it: 'one of them says the same again', now: { x1: slice('x', a) }, nodes: { x: 'a b', y: 'c' },
    served: [] },
  { it: 'one of them has another endpoint', now: { x1: slice('x', c) }, nodes: { x: 'c b', y: 'c' },
    served: ['x'] },
  { it: 'one is another Service\'s now', now: { x2: slice('y', b) }, nodes: { x: 'c', y: 'b c' },
    served: ['x', 'y'] },
  { it: 'the last one has gone', now: { x1: undefined }, nodes: { y: 'b c' }, served: ['x'] },
]

for (const isTold of [true, false]) {
  test(`endpoints of Services, ${isTold ? 'slice by slice' : 'any may have changed'}`, () => {
    const merged = createMerged()
    assert.is(merged.takeServed(), undefined)
    const items = new Map<string, Slice>()
    for (const { it, now, nodes, served } of steps) {
      for (const [key, one] of Object.entries(now)) {
        if (one === undefined) items.delete(key)
        else items.set(key, one)
      }
      const before = merged.current().get('y')
      merged.changed(items, isTold ? new Set(Object.keys(now)) : undefined)
      const found = [...merged.current()].map(([key, list]) =>
        [key, list.map((one) => one.nodeName).join(' ')])
      assert.equal(Object.fromEntries(found), nodes, it)
      assert.equal([...merged.takeServed() ?? []].toSorted(), served, it)
      assert.is(merged.current().get('y') === before, !served.includes('y'), it)
    }
  })
}

test('more than anybody has asked about is told as a whole', () => {
  const merged = createMerged()
  merged.takeServed()
  const items = new Map(Array.from({ length: 1_001 }, (_, i) => [`s${i}`, slice(`s${i}`, a)] as const))
  merged.changed(items, new Set(items.keys()))
  assert.is(merged.takeServed(), undefined)
  assert.is(merged.takeServed()?.size, 0)
})

test.run()
