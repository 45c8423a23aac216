/** The condition of a Service: who announces it, or per node why not. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { ServiceRow } from '../plan/report.ts'
import type { ToldSilence } from '../cluster/members.ts'
import type { Silence } from '../l2/model.ts'
import { awaitedNodes, planCondition, wireWord } from './condition.ts'

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

const mac = '02:00:5e:00:53:01'
const says = (node: string, reason: Silence, more: Partial<ToldSilence> = {}): ToldSilence =>
  ({ node, text: '192.0.2.1', reason, ...more })
const conflict = (node: string): ToldSilence => says(node, 'inConflict', { mac })
const silent = '192.0.2.1 is not announced: '
const taken = 'a machine that is none of ours answers for the address, or for one that goes with it: ' +
  `${mac} (inConflict)`
const absent = 'node "a": no speaker runs on it, or it does not answer (speakerAbsent)'

interface ToldCase {
  readonly it: string
  readonly told: readonly ToldSilence[]
  /** Nodes that confirm. */
  readonly by?: readonly string[] | undefined
  readonly want: string
  readonly awaited: string
  readonly word: ReturnType<typeof wireWord>
}

/** The address is planned for node "a". */
const toldCases: readonly ToldCase[] = [
  { it: 'its node says that a foreign machine has it', told: [conflict('a')],
    want: `False inConflict ${silent}node "a": ${taken}`, awaited: '', word: 'sure' },
  { it: 'the same while its older word still stands', told: [conflict('a')], by: ['a'],
    want: `False inConflict ${silent}node "a": ${taken}`, awaited: '', word: 'sure' },
  { it: 'the same where nobody can confirm anything', told: [conflict('a')], by: undefined,
    want: `False inConflict ${silent}node "a": ${taken}`, awaited: '', word: 'sure' },
  { it: 'another node owns it, and says why it is silent', told: [conflict('b')],
    want: `False inConflict ${silent}node "b": ${taken}`, awaited: '', word: 'sure' },
  { it: 'its owner, and one that would claim it', told: [conflict('b'), conflict('c')],
    want: `False inConflict ${silent}nodes "b", "c": ${taken}`, awaited: '', word: 'sure' },
  { it: 'its node hears nobody', told: [says('a', 'ownerDeaf', { interface: 'eth0' })],
    want: `False ownerDeaf ${silent}node "a": it owns the address, and hears no other host on eth0 ` +
      '(ownerDeaf)', awaited: '', word: 'lasting' },
  { it: 'its node says nothing, and those that would claim it are not heard',
    told: [says('b', 'segmentUnheard'), says('c', 'segmentUnheard')],
    want: `False segmentUnheard ${silent}nodes "b", "c": it may not claim the address, since nobody ` +
      `answers it (segmentUnheard); ${absent}`, awaited: 'a', word: undefined },
  { it: 'it is announced: what another says of it does not matter',
    told: [says('c', 'segmentUnheard'), conflict('b')], by: ['a'],
    want: 'True announced 192.0.2.1 is announced from node "a"', awaited: '', word: undefined },
  { it: 'nobody says anything', told: [], want: `False speakerAbsent ${silent}${absent}`, awaited: 'a',
    word: undefined },
]
for (const { it, told, want, awaited, word, ...rest } of toldCases) {
  test(`what the wire alone shows: ${it}`, () => {
    const by = 'by' in rest ? rest.by : []
    const input = {
      row: row({ announcements: onA }), isStale: false, told: new Map([['192.0.2.1', told]]),
      confirmations: by?.map((node) => ({ node, interfaces: [] })),
    }
    const now = words(input).replace('announced from node "a" on eth0', 'announced from node "a"')
    assert.equal([now, awaitedNodes(input).join(), wireWord(input)], [want, awaited, word])
  })
}

test('what the plan keeps silent stays that, beside what the wire does', () => {
  const half = { address: '2001:db8::1', node: null, reason: 'noL2Advertisement' } as const
  const input = {
    row: row({ announcements: onA, silent: [half] }), isStale: false, confirmations: [],
    told: new Map([['192.0.2.1', [says('a', 'expired')]]]),
  }
  assert.match(words(input), /^False noL2Advertisement 2001:db8::1 is not .*; 192\.0\.2\.1 .*\(expired\)$/)
  assert.is(wireWord(input), undefined)
})

test.run()
