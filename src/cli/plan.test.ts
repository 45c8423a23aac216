/** `plan` in its three forms: the frozen JSON to the key, sentences on standard error. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseCommand, type PlanOptions } from '../config/options.ts'
import { readWorld } from '../config/read.ts'
import { runPlan } from './plan.ts'

const text = `
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: lan, namespace: metallb-system}
spec: {addresses: [192.0.2.0/30]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: lan, namespace: metallb-system}
spec: {interfaces: [eth1, eth0], nodeSelectors: [{matchLabels: {edge: "true"}}]}
---
{apiVersion: v1, kind: Node, metadata: {name: a, labels: {edge: "true"}}}
---
{apiVersion: v1, kind: Node, metadata: {name: b}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {type: LoadBalancer, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: far, annotations: {metallb.io/loadBalancerIPs: 192.0.2.9}}
spec: {type: LoadBalancer}
---
apiVersion: v1
kind: Service
metadata: {name: gone}
spec: {type: ClusterIP}
status: {loadBalancer: {ingress: [{ip: 192.0.2.1}]}}
---
apiVersion: v1
kind: Service
metadata: {name: held}
spec: {type: LoadBalancer, externalTrafficPolicy: Local}
status: {loadBalancer: {ingress: [{ip: 192.0.2.2}]}}
---
apiVersion: v1
kind: Service
metadata: {name: other}
spec: {type: LoadBalancer, loadBalancerClass: example.com/x}
---
apiVersion: v1
kind: Service
metadata: {name: inner}
spec: {type: ClusterIP}
`

const slice = `
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
endpoints: [{addresses: [198.51.100.7], nodeName: b}]
`

const read = (input: string) => readWorld([{ file: 'a.yaml', bytes: new TextEncoder().encode(input) }])

function options(...args: readonly string[]): PlanOptions {
  const command = parseCommand(['plan', 'a.yaml', ...args], {})
  if (command.kind !== 'plan') throw new Error('No plan')
  return command.options
}

const row = (name: string, verdict: string, more: object = {}) => ({
  namespace: 'default', name, verdict, reason: '', pool: null, addresses: [], announcements: [],
  silent: [], ...more,
})

/** As a script would see it: parsed, with the order of keys. */
const want = {
  services: [
    row('far', 'refused', { reason: 'addressNotInPool' }),
    row('gone', 'released', { reason: 'notLoadBalancer' }),
    row('held', 'kept', { pool: 'lan', addresses: ['192.0.2.2'],
      announcements: [{ address: '192.0.2.2', node: 'a', interfaces: ['eth0', 'eth1'] }] }),
    row('other', 'ignored', { reason: 'otherClass' }),
    row('web', 'assigned', { namespace: 'shop', pool: 'lan', addresses: ['192.0.2.0'],
      announcements: [{ address: '192.0.2.0', node: 'a', interfaces: ['eth0', 'eth1'] }] }),
  ],
}

test('plan: JSON has exactly the keys of its format, in their order', () => {
  const { stdout, exitCode } = runPlan(read(text), options('-o', 'json'))
  assert.is(stdout, JSON.stringify(want, undefined, 2))
  assert.is(exitCode, 1)
})

test('plan: YAML says the same as JSON', () => {
  const { stdout } = runPlan(read(text), options('-o', 'yaml'))
  const first = ['- namespace: default', 'name: far', 'verdict: refused', 'reason: addressNotInPool',
    'pool: null', 'addresses: []', 'announcements: []', 'silent: []']
  assert.match(stdout, first.join('\n    '))
  assert.not.match(stdout, /message/)
})

test('plan: sentences of refusals go to standard error, beside JSON', () => {
  const { stderr } = runPlan(read(text), options('-o', 'json'))
  assert.is(stderr, 'default/far: refused: "192.0.2.9" is in no pool; pools are: lan')
  assert.is(runPlan(read(text), options()).stderr, '', 'the table has them')
})

test('plan: with any EndpointSlice, a Service without one is silent, and that is bad news', () => {
  const { stdout, exitCode } = runPlan(read(text + slice), options('-o', 'json'))
  const { services } = JSON.parse(stdout)
  const silent = services.map((one: { name: string; silent: unknown }) => [one.name, one.silent])
  assert.equal(silent, [
    ['far', []], ['gone', []],
    ['held', [{ address: '192.0.2.2', node: null, reason: 'noEndpoints' }]], ['other', []], ['web', []],
  ])
  assert.is(exitCode, 1)
})

test('plan: without Node documents nothing is announced and nothing called silent', () => {
  const bare = text.replaceAll(/\{apiVersion: v1, kind: Node.*\}/g, '')
  const { stdout } = runPlan(read(bare), options('-o', 'json'))
  const { services } = JSON.parse(stdout)
  assert.ok(services.every((one: { announcements: []; silent: [] }) =>
    one.announcements.length === 0 && one.silent.length === 0))
})

const bareText = text.replaceAll(/\{apiVersion: v1, kind: Node.*\}/g, '')
const noNode = (command: string): string => 'No Node in the input, so it is left open who announces; of a ' +
  `cluster, give them too: kubectl get nodes -o yaml | arpeggio plan ${command}`
const hints: { it: string; given: string; args?: readonly string[]; want: string }[] = [
  { it: 'with Nodes', given: text, want: '' },
  { it: 'without', given: bareText, want: noNode('a.yaml -') },
  { it: 'without, from standard input and a folder', given: bareText, args: ['-', 'conf'],
    want: noNode('a.yaml conf -') },
  { it: 'without, from a folder with a blank and a quote', given: bareText, args: ["my folder's"],
    want: noNode("a.yaml 'my folder'\\''s' -") },
  { it: 'without, where nothing is assigned', want: '',
    given: 'apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {type: LoadBalancer}\n' },
]
for (const { it, given, args = [], want } of hints) {
  test(`plan: the line about missing Nodes, ${it}`, () => {
    const { stderr } = runPlan(read(given), options(...args))
    assert.is(stderr, want)
    const lines = runPlan(read(given), options('-o', 'json', ...args)).stderr.split('\n')
    assert.is(lines.filter((line) => line.startsWith('No Node')).join('\n'), want)
  })
}

test('plan: unusable input prints no service and every problem', () => {
  const { stdout, stderr, exitCode } = runPlan(read('kind: Service'), options('-o', 'json'))
  assert.is(stdout, JSON.stringify({ services: [] }, undefined, 2))
  assert.match(stderr, /^a\.yaml:1 apiVersion: MissingField: /)
  assert.is(exitCode, 1)
})

test('plan: a warning is told as one', () => {
  const lone = 'apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: lone}\n' +
    'spec: {addresses: [192.0.2.0/28]}\n'
  const { stderr, exitCode } = runPlan(read(lone), options())
  assert.match(stderr, /^warning: a\.yaml:1 IPAddressPool\/\S*lone: NotAdvertised: /)
  assert.is(exitCode, 0)
})

test.run()
