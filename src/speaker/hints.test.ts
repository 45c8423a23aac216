/** Whose address it was before: what is written meanwhile does not count. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { config, held, pool, service } from '../config/builders.ts'
import type { LiveL2Status } from '../kube/live.ts'
import { prepare } from '../l2/plan.ts'
import { wishesOf } from '../ownership/wishes.ts'
import { planHeld } from '../plan/held.ts'
import { createHints } from './hints.ts'

const lan = config(pool('lan', '192.0.2.0/24'))
const one = service('one', { held: held('192.0.2.1') })
const two = service('two', { held: held('192.0.2.2') })

const status = (name: string, node: string, isFilled = true): LiveL2Status =>
  ({ name: `${name}-${node}`, node, service: `default/${name}`, isFilled, interfaces: [] })

/** What the wishes of these Services say of each address that is hinted at. */
function hinted(hints: ReadonlyMap<string, string>, ...services: Parameters<typeof planHeld>[1]) {
  const demand = prepare({ config: lan, nodes: [], members: [], endpoints: undefined })
  const { list } = wishesOf({
    demand, holdings: planHeld(lan, services, '').holdings, hints, isMixed: false,
  })
  return list.flatMap(({ key, hint }) => hint === undefined ? [] : [[key, hint]])
}

test('everything was restarted: who answers for the moment does not come to be where it belongs', () => {
  const hintsOf = createHints()
  assert.equal(hinted(hintsOf([status('one', 'b')]), one), [['192.0.2.1', 'b']])
  // Node a has taken it, and says so in place of b, which is still to come.
  assert.equal(hinted(hintsOf([status('one', 'a')]), one), [['192.0.2.1', 'b']])
})

test('an address that is known later has its hint too', () => {
  const hintsOf = createHints()
  const statuses = [status('one', 'b'), status('two', 'c')]
  assert.equal(hinted(hintsOf(statuses), one), [['192.0.2.1', 'b']])
  assert.equal(hinted(hintsOf([]), one, two), [['192.0.2.1', 'b'], ['192.0.2.2', 'c']])
})

test('an object that was never filled tells of nobody', () => {
  assert.equal(hinted(createHints()([status('one', 'b', false)]), one), [])
})

test.run()
