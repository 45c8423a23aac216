/** Whose address it was before: what is written meanwhile does not count. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { config, held, pool, service } from '../config/builders.ts'
import type { LiveL2Status } from '../kube/live.ts'
import { planHeld } from '../plan/held.ts'
import { createHints } from './hints.ts'

const lan = config(pool('lan', '192.0.2.0/24'))
const one = service('one', { held: held('192.0.2.1') })
const two = service('two', { held: held('192.0.2.2') })
const holdingsOf = (...services: Parameters<typeof planHeld>[1]) => planHeld(lan, services, '').holdings

const status = (name: string, node: string, isFilled = true): LiveL2Status =>
  ({ name: `${name}-${node}`, node, service: `default/${name}`, isFilled, interfaces: [] })

test('everything was restarted: who answers for the moment does not come to be where it belongs', () => {
  const hintsOf = createHints()
  const holdings = holdingsOf(one)
  assert.equal([...hintsOf([status('one', 'b')], holdings)], [['192.0.2.1', 'b']])
  // Node a has taken it, and says so in place of b, which is still to come.
  const again = hintsOf([status('one', 'a')], holdingsOf(one))
  assert.equal([...again], [['192.0.2.1', 'b']])
  assert.is(hintsOf([status('one', 'a')], holdings).get('192.0.2.1'), 'b')
})

test('an address that is known later has its hint too', () => {
  const hintsOf = createHints()
  const statuses = [status('one', 'b'), status('two', 'c')]
  assert.equal([...hintsOf(statuses, holdingsOf(one))], [['192.0.2.1', 'b']])
  assert.equal([...hintsOf([], holdingsOf(one, two))], [['192.0.2.1', 'b'], ['192.0.2.2', 'c']])
})

test('an object that was never filled tells of nobody', () => {
  assert.equal([...createHints()([status('one', 'b', false)], holdingsOf(one))], [])
})

test.run()
