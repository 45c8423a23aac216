/** Why a node stops announcing: each word, and which goes first where several fit. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { address, config, held, pool, service } from '../config/builders.ts'
import type { Intent } from '../config/model.ts'
import type { AnnouncementPlan, Placed, Silent } from '../l2/plan.ts'
import { planHeld } from './held.ts'
import { planWithdrawals } from './withdrawal.ts'

const ip = '192.0.2.1'
const holder = service('web', { held: held(ip), createdAtMs: 2 })
const placed = (node: string): Placed => ({
  address: address(ip), text: ip, node, interfaces: 'all', services: ['default/web'], prefixed: true,
})
const silent = (node: string | undefined, reason: Silent['reason']): Silent => ({
  address: address(ip), text: ip, service: 'default/web', node, reason,
})
const nobody: AnnouncementPlan = { placed: [], silent: [] }

interface Case {
  it: string
  service: Intent | undefined
  others?: Intent[]
  pool?: string
  plan?: AnnouncementPlan
  want: string
}

const cases: Case[] = [
  { it: 'it is gone', service: undefined, want: 'serviceDeleted' },
  { it: 'another type', service: { ...holder, isLoadBalancer: false }, want: 'notLoadBalancer' },
  { it: 'another class', service: { ...holder, loadBalancerClass: 'x' }, want: 'notLoadBalancer' },
  { it: 'an empty status', service: { ...holder, held: [] }, want: 'noIPAllocated' },
  { it: 'another address', service: { ...holder, held: held('192.0.2.9') },
    want: 'loadBalancerIPChanged' },
  { it: 'a pool that shrank', service: holder, pool: '192.0.2.8/29', want: 'ipNotAllowed' },
  { it: 'an older holder', service: holder, others: [service('old', { held: held(ip), createdAtMs: 1 })],
    want: 'heldByOlder' },
  { it: 'another node', service: holder, plan: { placed: [placed('b')], silent: [silent('a', 'noCarrier')] },
    want: 'notOwner' },
  { it: 'nobody: the reason of this node', service: holder, want: 'noCarrier',
    plan: { placed: [], silent: [silent('b', 'nodeExcluded'), silent('a', 'noCarrier')] } },
  { it: 'nobody, for one reason everywhere', service: holder, want: 'noEndpoints',
    plan: { placed: [], silent: [silent(undefined, 'noEndpoints')] } },
]
for (const { it, service: now, others = [], pool: range = '192.0.2.0/24', plan = nobody, want } of cases) {
  test(it, () => {
    const services = now === undefined ? others : [...others, now]
    const plans = { held: planHeld(config(pool('lan', range)), services, ''), plan }
    assert.is(planWithdrawals({ serviceOf: () => now, node: 'a', ...plans })('default/web', ip), want)
  })
}

test.run()
