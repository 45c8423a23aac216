/** The public layer-2 guide's manifests: names, fields and values as published, and what they mean. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { formatAddress } from '../net/address.ts'
import { formatRange } from '../net/range.ts'
import type { Reading } from './model.ts'
import { readWorld } from './read.ts'

const meta = (name: string, namespace = 'metallb-system'): string =>
  `metadata:\n  name: ${name}\n  namespace: ${namespace}\n`
const ours = (kind: string, name: string, spec: string) =>
  `apiVersion: metallb.io/v1beta1\nkind: ${kind}\n${meta(name)}spec:\n${spec}`

const manifests = {
  basicPool: ours('IPAddressPool', 'local-network-pool', `
  addresses:
    - 192.168.1.240-192.168.1.255
`),
  advancedPool: ours('IPAddressPool', 'production-pool', `
  addresses:
    - 192.168.1.100-192.168.1.150
    - 192.168.1.200-192.168.1.220
    - 10.0.0.0/28
  autoAssign: true
  avoidBuggyIPs: true
`),
  databasePool: ours('IPAddressPool', 'database-pool', `
  addresses:
    - 192.168.1.50-192.168.1.59
  autoAssign: false
`),
  basicAdvertisement: ours('L2Advertisement', 'local-network-advertisement', `
  ipAddressPools:
    - local-network-pool
`),
  edgeAdvertisement: ours('L2Advertisement', 'edge-node-advertisement', `
  ipAddressPools:
    - production-pool
  nodeSelectors:
    - matchLabels:
        node-role.kubernetes.io/edge: "true"
    - matchExpressions:
        - key: topology.kubernetes.io/zone
          operator: In
          values:
            - zone-a
            - zone-b
`),
  interfaceAdvertisement: ours('L2Advertisement', 'interface-specific-advertisement', `
  ipAddressPools:
    - local-network-pool
  interfaces:
    - eth0
    - bond0
`),
  complete: `# The complete example
---
${ours('IPAddressPool', 'primary-pool', `
  addresses:
    - 192.168.1.240-192.168.1.255
  autoAssign: true
  avoidBuggyIPs: true
`)}
---
${ours('IPAddressPool', 'priority-pool', `
  addresses:
    - 192.168.1.200-192.168.1.204
  autoAssign: false
`)}
---
${ours('L2Advertisement', 'primary-l2-advertisement', `
  ipAddressPools:
    - primary-pool
`)}
---
${ours('L2Advertisement', 'priority-l2-advertisement', `
  ipAddressPools:
    - priority-pool
  nodeSelectors:
    - matchLabels:
        node-role.kubernetes.io/worker: "true"
`)}`,
  deployment: `apiVersion: apps/v1\nkind: Deployment\n${meta('nginx-demo', 'default')}spec:
  replicas: 3
  selector:
    matchLabels:
      app: nginx-demo
`,
  automatic: `apiVersion: v1\nkind: Service\n${meta('nginx-lb', 'default')}  annotations:
    # every annotation of this example is a comment, which leaves nothing
spec:
  type: LoadBalancer
  externalTrafficPolicy: Cluster
  selector:
    app: nginx-demo
  ports:
    - name: http
      port: 80
      targetPort: 80
      protocol: TCP
`,
  specificAddress: `apiVersion: v1\nkind: Service\n${meta('nginx-specific-ip', 'default')}  annotations:
    metallb.universe.tf/loadBalancerIPs: "192.168.1.245"
spec:
  type: LoadBalancer
  selector:
    app: nginx-demo
  ports:
    - port: 80
      targetPort: 80
`,
  specificPool: `apiVersion: v1\nkind: Service\n${meta('priority-service', 'default')}  annotations:
    metallb.universe.tf/address-pool: priority-pool
spec:
  type: LoadBalancer
  selector:
    app: critical-app
  ports:
    - port: 443
      targetPort: 8443
`,
  bestPractice: `# A strategy, documented
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
${meta('web-services-pool')}  labels:
    purpose: web
    environment: production
  annotations:
    description: "IP pool for public-facing web services"
spec:
  addresses:
    - 192.168.1.100-192.168.1.119
  autoAssign: true

---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
${meta('internal-services-pool')}  labels:
    purpose: internal
    environment: production
  annotations:
    description: "Reserved IPs for internal services"
spec:
  addresses:
    - 192.168.1.120-192.168.1.129
  autoAssign: false
`,
  alerts: `apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
${meta('metallb-alerts', 'monitoring')}spec:
  groups:
    - name: metallb
      rules:
        - alert: MetalLBControllerDown
          expr: |
            absent(up{job="metallb-controller"} == 1)
          for: 5m
`,
  policy: `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n${meta('metallb-speaker-policy')}spec:
  podSelector:
    matchLabels:
      component: speaker
  egress:
    - to: []
      ports:
        - protocol: UDP
          port: 53
`,
}
type Name = keyof typeof manifests

const read = (...names: readonly Name[]): Reading =>
  readWorld(names.map((name) => ({ file: name, bytes: new TextEncoder().encode(manifests[name]) })))

for (const name of ['deployment', 'alerts', 'policy'] as const) {
  test(`guide: ${name} is none of our business`, () => {
    const { problems, warnings, config } = read(name)
    assert.equal([problems, warnings, config.pools], [[], [], []])
  })
}

for (const name of ['basicPool', 'advancedPool', 'databasePool', 'bestPractice'] as const) {
  test(`guide: ${name} alone is good, and nobody advertises it yet`, () => {
    const { problems, warnings } = read(name)
    assert.equal(problems, [])
    assert.equal([...new Set(warnings.map(({ reason }) => reason))], ['NotAdvertised'])
  })
}

for (const name of ['basicAdvertisement', 'edgeAdvertisement', 'interfaceAdvertisement'] as const) {
  test(`guide: ${name} alone is good, and names a pool that is not there yet`, () => {
    const { problems, warnings } = read(name)
    assert.equal(problems, [])
    assert.equal(warnings.map(({ reason }) => reason), ['UnknownPool'])
  })
}

test('guide: the pools of its sections', () => {
  const { config, problems } = read('basicPool', 'advancedPool', 'databasePool', 'basicAdvertisement',
    'edgeAdvertisement', 'interfaceAdvertisement')
  assert.equal(problems, [])
  const rows = config.pools.map((pool) =>
    [pool.name, pool.ranges.map(formatRange).join(' '), pool.autoAssign, pool.avoidBuggyIPs])
  assert.equal(rows, [
    ['database-pool', '192.168.1.50-192.168.1.59', false, false],
    ['local-network-pool', '192.168.1.240-192.168.1.255', true, false],
    ['production-pool',
      '192.168.1.100-192.168.1.150 192.168.1.200-192.168.1.220 10.0.0.0-10.0.0.15', true, true],
  ])
  assert.equal(config.advertisements, [
    {
      name: 'edge-node-advertisement', pools: new Set(['production-pool']), interfaces: [],
      nodeSelectors: [
        [{ key: 'node-role.kubernetes.io/edge', operator: 'In', values: ['true'] }],
        [{ key: 'topology.kubernetes.io/zone', operator: 'In', values: ['zone-a', 'zone-b'] }],
      ],
      serviceSelectors: [], preferred: [],
    },
    {
      name: 'interface-specific-advertisement', pools: new Set(['local-network-pool']),
      interfaces: ['eth0', 'bond0'], nodeSelectors: [], serviceSelectors: [], preferred: [],
    },
    {
      name: 'local-network-advertisement', pools: new Set(['local-network-pool']),
      interfaces: [], nodeSelectors: [], serviceSelectors: [], preferred: [],
    },
  ])
})

test('guide: the complete example and its three Services', () => {
  const { world, problems, warnings } = read(
    'complete', 'deployment', 'automatic', 'specificAddress', 'specificPool',
  )
  assert.equal([problems, warnings], [[], []])
  assert.equal(world?.config.pools.map(({ name, ranges, autoAssign, avoidBuggyIPs }) =>
    [name, ranges.map(formatRange), autoAssign, avoidBuggyIPs]), [
    ['primary-pool', ['192.168.1.240-192.168.1.255'], true, true],
    ['priority-pool', ['192.168.1.200-192.168.1.204'], false, false],
  ])
  assert.equal(world?.config.advertisements.map(({ name, pools, nodeSelectors }) =>
    [name, [...pools], nodeSelectors]), [
    ['primary-l2-advertisement', ['primary-pool'], []],
    ['priority-l2-advertisement', ['priority-pool'],
      [[{ key: 'node-role.kubernetes.io/worker', operator: 'In', values: ['true'] }]]],
  ])
  assert.equal(world?.services.map((service) => ({
    key: service.key, requested: service.requested.map(formatAddress), pool: service.requestedPool,
    isLoadBalancer: service.isLoadBalancer, families: service.families, refusal: service.refusal,
    ports: service.ports.map(({ protocol, port, targetPort }) => `${protocol}/${port} ${targetPort}`),
  })), [
    { key: 'default/nginx-lb', requested: [], pool: undefined, isLoadBalancer: true, families: ['ipv4'],
      refusal: undefined, ports: ['TCP/80 80'] },
    { key: 'default/nginx-specific-ip', requested: ['192.168.1.245'], pool: undefined, isLoadBalancer: true,
      families: ['ipv4'], refusal: undefined, ports: ['TCP/80 80'] },
    { key: 'default/priority-service', requested: [], pool: 'priority-pool', isLoadBalancer: true,
      families: ['ipv4'], refusal: undefined, ports: ['TCP/443 8443'] },
  ])
})

test('guide: labels and annotations of its best practice', () => {
  const { config } = read('bestPractice')
  assert.equal(config.pools.map(({ name, labels, autoAssign }) => [name, labels, autoAssign]), [
    ['internal-services-pool', { purpose: 'internal', environment: 'production' }, false],
    ['web-services-pool', { purpose: 'web', environment: 'production' }, true],
  ])
})

test.run()
