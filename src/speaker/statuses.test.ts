/** Which ServiceL2Status objects are made, filled and deleted. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { labelOfNode } from '../cluster/members.ts'
import {
  type LiveL2Status, narrowL2Status, nodeLabel, serviceNameLabel, serviceNamespaceLabel,
} from '../kube/live.ts'
import { planStatuses, type Spoken, type StatusStep } from './statuses.ts'

const live = (name: string, node: string, more: Partial<LiveL2Status> = {}): LiveL2Status => ({
  name, node, service: 'default/web', isFilled: true, interfaces: [], ...more,
})
const speaks = (...interfaces: string[]): ReadonlyMap<string, Spoken> =>
  new Map([['default/web', { service: 'default/web', interfaces }]])
const silent: ReadonlyMap<string, Spoken> = new Map()

const describe = (step: StatusStep): string =>
  step.kind === 'create' ? `create ${step.service}` : `${step.kind} ${step.name}`

interface Case {
  it: string
  live: LiveL2Status[]
  spoken: ReadonlyMap<string, Spoken>
  want: string[]
}

const cases: Case[] = [
  { it: 'a first one', live: [], spoken: speaks(), want: ['create default/web'] },
  { it: 'created, not filled yet', live: [live('x', 'a', { isFilled: false })], spoken: speaks(),
    want: ['fill x'] },
  { it: 'as it should be', live: [live('x', 'a', { interfaces: ['eth0'] })], spoken: speaks('eth0'),
    want: [] },
  { it: 'other interfaces', live: [live('x', 'a')], spoken: speaks('eth0'), want: ['fill x'] },
  { it: 'the last owner\'s goes', live: [live('y', 'b')], spoken: speaks(),
    want: ['delete y', 'create default/web'] },
  { it: 'of two of ours one goes', live: [live('x', 'a'), live('z', 'a')], spoken: speaks(),
    want: ['delete z'] },
  { it: 'not announced here: ours goes', live: [live('x', 'a')], spoken: silent, want: ['delete x'] },
  { it: 'not announced here: that of another stays', live: [live('y', 'b')], spoken: silent, want: [] },
]
for (const { it, live: objects, spoken, want } of cases) {
  test(it, () => assert.equal(planStatuses('a', objects, spoken).map(describe), want))
}

test('a node whose name is longer than a label keeps its object', () => {
  const node = `${'n'.repeat(60)}.example.com`
  const filled = narrowL2Status({
    metadata: { name: 'x', labels: {
      [nodeLabel]: labelOfNode(node), [serviceNamespaceLabel]: 'default', [serviceNameLabel]: 'web',
    } },
    status: { node, serviceNamespace: 'default', serviceName: 'web' },
  })
  const fresh = live('x', labelOfNode(node), { isFilled: false })
  assert.equal(planStatuses(node, filled === undefined ? [] : [filled], speaks()).map(describe), [])
  assert.equal(planStatuses(node, [fresh], speaks()).map(describe), ['fill x'])
})

test.run()
