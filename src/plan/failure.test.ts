/** Of several nodes that lack the interface, one tells: MetalLB's winner among them. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { address } from '../config/builders.ts'
import type { AnnouncementPlan, Silent } from '../l2/plan.ts'
import { planFailures } from './failure.ts'

const ip = '192.168.1.240' // its order is c, a, b
const silent = (node: string, reason: Silent['reason'] = 'interfaceMissing'): Silent => ({
  address: address(ip), text: ip, service: 'default/web', node, reason,
})
const tellers = (...rows: Silent[]): readonly string[] => {
  const plan: AnnouncementPlan = { placed: [], silent: rows }
  return ['a', 'b', 'c'].filter((node) => planFailures(plan, node).length > 0)
}

test('the winner tells, of the Service and the address', () => {
  const plan = { placed: [], silent: [silent('a'), silent('b'), silent('c')] }
  assert.equal(planFailures(plan, 'c'), [{ service: 'default/web', ip }])
  assert.equal(tellers(...plan.silent), ['c'])
})

test('a node that is silent for another reason does not', () => {
  assert.equal(tellers(silent('a'), silent('b'), silent('c', 'nodeExcluded')), ['a'])
})

test('no node lacks an interface: nobody has anything to tell', () => {
  assert.equal(tellers(silent('a', 'noCarrier')), [])
})

test.run()
