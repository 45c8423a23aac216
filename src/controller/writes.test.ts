/** What a verdict writes and tells: MetalLB's words, and nothing where nothing changes. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { address } from '../config/builders.ts'
import type { Verdict } from '../ipam/model.ts'
import { eventsOf, planStatus, type Present } from './writes.ts'

const assigned = (...texts: string[]): Verdict => ({
  kind: 'assigned', service: 'default/web', pool: 'lan', addresses: texts.map(address), dropped: [],
  lacking: undefined,
})
const assignedLacking: Verdict = {
  kind: 'kept', service: 'default/web', pool: 'lan', addresses: [address('192.0.2.1')], dropped: [],
  lacking: 'no IPv6',
}
const refused = (more: Partial<Extract<Verdict, { kind: 'refused' }>> = {}): Verdict => ({
  kind: 'refused', service: 'default/web', reason: 'poolExhausted', message: 'pool "lan" is full',
  dropped: [], ...more,
})
const lost = [{ address: address('192.0.2.1'), reason: 'notInPool' }] as const
const nothing: Present = { ingress: [], pool: undefined }
const held: Present = { ingress: ['192.0.2.1'], pool: 'lan' }

const writes: { it: string; verdict: Verdict; present: Present; want: unknown }[] = [
  { it: 'a first address', verdict: assigned('192.0.2.1'), present: nothing,
    want: { ingress: ['192.0.2.1'], pool: 'lan' } },
  { it: 'nothing, as the status says it already', verdict: assigned('192.0.2.1'), present: held,
    want: undefined },
  { it: 'the annotation, when it is missing', verdict: assigned('192.0.2.1'),
    present: { ...held, pool: undefined }, want: { ingress: ['192.0.2.1'], pool: 'lan' } },
  { it: 'order counts', verdict: assigned('2001:db8::1', '192.0.2.1'),
    present: { ingress: ['192.0.2.1', '2001:db8::1'], pool: 'lan' },
    want: { ingress: ['2001:db8::1', '192.0.2.1'], pool: 'lan' } },
  { it: 'a refusal of one that has nothing writes nothing', verdict: refused(), present: nothing,
    want: undefined },
  { it: 'a refusal clears what was lost', verdict: refused({ dropped: lost }), present: held,
    want: { ingress: [], pool: undefined } },
  { it: 'a refusal leaves what others wrote', verdict: refused(),
    present: { ingress: ['198.51.100.9'], pool: undefined }, want: undefined },
  { it: 'a release clears', present: held, want: { ingress: [], pool: undefined },
    verdict: { kind: 'released', service: 'default/web', reason: 'notLoadBalancer', dropped: lost } },
  { it: 'a Service of another class is left alone', present: held, want: undefined,
    verdict: { kind: 'ignored', service: 'default/web', reason: 'otherClass' } },
]
for (const { it, verdict, present, want } of writes) {
  test(`status: ${it}`, () => assert.equal(planStatus(verdict, present), want))
}

const events: { it: string; verdict: Verdict; ingress: string[]; want: string[] }[] = [
  { it: 'one address', verdict: assigned('192.0.2.1'), ingress: [],
    want: ['Normal IPAllocated Assigned IP ["192.0.2.1"]'] },
  { it: 'a pair', verdict: assigned('192.0.2.1', '2001:db8::1'), ingress: [],
    want: ['Normal IPAllocated Assigned IP ["192.0.2.1" "2001:db8::1"]'] },
  { it: 'a second family', verdict: assigned('192.0.2.1', '2001:db8::1'), ingress: ['192.0.2.1'],
    want: ['Normal IPAllocated Assigned additional IP "2001:db8::1"'] },
  { it: 'another in place of one of a pair', verdict: assigned('192.0.2.2', '2001:db8::1'),
    ingress: ['192.0.2.1', '2001:db8::1'],
    want: ['Normal IPAllocated Assigned IP ["192.0.2.2" "2001:db8::1"]'] },
  { it: 'another in place of one that a machine has', ingress: ['192.0.2.1'],
    verdict: { ...assignedLacking, addresses: [address('192.0.2.2')], lacking: undefined, dropped: [
      { address: address('192.0.2.1'), reason: 'foreignHost', mac: '02:00:00:00:00:99' }] },
    want: ['Normal IPAllocated Assigned IP ["192.0.2.2"] (in place of 192.0.2.1, for which the host ' +
      '02:00:00:00:00:99 answers)'] },
  { it: 'nothing new', verdict: assigned('192.0.2.1'), ingress: ['192.0.2.1'], want: [] },
  { it: 'a refusal', verdict: refused(), ingress: [],
    want: ['Warning AllocationFailed Failed to allocate IP for "default/web": pool "lan" is full'] },
  { it: 'a loss and a refusal', verdict: refused({ dropped: lost }), ingress: ['192.0.2.1'],
    want: [
      'Normal ClearAssignment current IP for "default/web" not allowed by config, will attempt for ' +
      'new IP assignment: 192.0.2.1 notInPool',
      'Warning AllocationFailed Failed to allocate IP for "default/web": pool "lan" is full',
    ] },
  { it: 'a bad request', verdict: refused({ reason: 'badRequestedAddress', message: 'no' }), ingress: [],
    want: ['Warning LoadBalancerFailed invalid requested loadbalancer IPs: no'] },
  { it: 'one cluster address for two families', ingress: [],
    verdict: refused({ reason: 'notEnoughClusterIPs', message: 'one only' }),
    want: ['Warning not enough clusterips one only'] },
  { it: 'a headless Service', verdict: refused({ reason: 'noClusterIP', message: 'headless' }), ingress: [],
    want: ['Warning noclusterIPsIPFamily Failed to retrieve ClusterIPs IPFamily for ["None"]: headless'] },
  { it: 'half of a preferred pair', ingress: ['192.0.2.1'],
    verdict: assignedLacking,
    want: ['Normal AdditionalAssignFailed cannot assign additional IP in PreferDualStack: no IPv6'] },
]
for (const { it, verdict, ingress, want } of events) {
  test(`events: ${it}`, () => {
    const texts = eventsOf(verdict, ingress).map((one) => `${one.type} ${one.reason} ${one.message}`)
    assert.equal(texts, want)
  })
}

test.run()
