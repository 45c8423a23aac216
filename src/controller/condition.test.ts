/** The condition of a Service: who announces it, or per node why not. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { ServiceRow } from '../plan/report.ts'
import { planCondition } from './condition.ts'

const row = (more: Partial<ServiceRow> = {}): ServiceRow => ({
  namespace: 'default', name: 'web', verdict: 'kept', reason: '', message: '', pool: 'lan',
  addresses: ['192.0.2.1'], announcements: [], silent: [], ...more,
})
const onA = [{ address: '192.0.2.1', node: 'a', interfaces: ['eth0'] }]
const words = (input: Partial<Parameters<typeof planCondition>[0]>): string => {
  const condition = planCondition({ row: row(), confirmations: [], isStale: false, ...input })
  return condition === undefined ? '' : `${condition.status} ${condition.reason} ${condition.message}`
}

const cases: { it: string; input: Partial<Parameters<typeof planCondition>[0]>; want: string }[] = [
  { it: 'announced, and its speaker says so',
    input: { row: row({ announcements: onA }), confirmations: [{ node: 'a', interfaces: ['eth0'] }] },
    want: 'True announced 192.0.2.1 is announced from node "a" on eth0' },
  { it: 'chosen, but the speaker does not say so', input: { row: row({ announcements: onA }) },
    want: 'False speakerAbsent 192.0.2.1 is not announced: node "a": no speaker runs on it, or it does ' +
      'not answer (speakerAbsent)' },
  { it: 'silent, with a reason for each node', input: { row: row({ silent: [
    { address: '192.0.2.1', node: 'a', reason: 'noPrefix' },
    { address: '192.0.2.1', node: 'b', reason: 'nodeExcluded' },
    { address: '192.0.2.1', node: 'c', reason: 'noPrefix' },
  ] }) },
    want: 'False noPrefix 192.0.2.1 is not announced: nodes "a", "c": none of its interfaces has a ' +
      'connected prefix that covers the address (noPrefix); node "b": the label ' +
      'node.kubernetes.io/exclude-from-external-load-balancers excludes it (nodeExcluded)' },
  { it: 'silent everywhere for one reason',
    input: { row: row({ silent: [{ address: '192.0.2.1', node: null, reason: 'noEndpoints' }] }) },
    want: 'False noEndpoints 192.0.2.1 is not announced: no endpoint of the Service can serve ' +
      '(noEndpoints)' },
  { it: 'half of a pair',
    input: {
      row: row({
        announcements: onA,
        silent: [{ address: '2001:db8::1', node: null, reason: 'noL2Advertisement' }],
      }),
      confirmations: [{ node: 'a', interfaces: [] }],
    },
    want: 'False noL2Advertisement 192.0.2.1 is announced from node "a"; 2001:db8::1 is not announced: no ' +
      'L2Advertisement selects its pool (noL2Advertisement)' },
  { it: 'refused',
    input: { row: row({ verdict: 'refused', reason: 'noPool', message: 'no pool is configured' }) },
    want: 'False noPool no address: no pool is configured' },
  { it: 'refused beside a bad edit',
    input: { row: row({ verdict: 'refused', reason: 'noPool', message: 'no pool' }), isStale: true },
    want: 'False configurationStale no address: no pool; the configuration in the cluster is refused (see ' +
      'configurationstates) and not in force' },
  { it: 'a bad edit is not why no endpoint serves', input: { isStale: true, row: row({
    silent: [{ address: '192.0.2.1', node: null, reason: 'noEndpoints' }],
  }) },
    want: 'False noEndpoints 192.0.2.1 is not announced: no endpoint of the Service can serve ' +
      '(noEndpoints)' },
  { it: 'where speakers cannot say so, the plan is believed',
    input: { row: row({ announcements: onA }), confirmations: undefined },
    want: 'True announced 192.0.2.1 is announced from node "a" on eth0' },
  { it: 'a bad edit does not concern what is announced',
    input: {
      row: row({ announcements: onA }), confirmations: [{ node: 'a', interfaces: [] }], isStale: true,
    },
    want: 'True announced 192.0.2.1 is announced from node "a"' },
  { it: 'of another class', want: '', input: { row: row({ verdict: 'ignored', reason: 'otherClass' }) } },
  { it: 'no LoadBalancer any more', want: '',
    input: { row: row({ verdict: 'released', reason: 'notLoadBalancer' }) } },
]
for (const { it, input, want } of cases) test(it, () => assert.is(words(input), want))

test.run()
