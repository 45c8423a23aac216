/** The public layer-2 guide's manifests: names, fields and values as published, and what they mean. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { formatAddress } from '../net/address.ts'
import { formatRange } from '../net/range.ts'
import type { Reading } from './model.ts'
import { readWorld } from './read.ts'

/** As published, one file a step; e2e/kube sends the same to an API server. */
const folder = join(import.meta.dirname, '../../e2e/kube/guide')
type Name =
  | 'basic-pool' | 'advanced-pool' | 'database-pool' | 'best-practice' | 'complete'
  | 'basic-advertisement' | 'edge-advertisement' | 'interface-advertisement'
  | 'deployment' | 'automatic' | 'specific-address' | 'specific-pool' | 'alerts' | 'policy'

const read = (...names: readonly Name[]): Reading =>
  readWorld(names.map((name) => ({ file: name, bytes: readFileSync(join(folder, `${name}.yaml`)) })))

for (const name of ['deployment', 'alerts', 'policy'] as const) {
  test(`guide: ${name} is none of our business`, () => {
    const { problems, warnings, config } = read(name)
    assert.equal([problems, warnings, config.pools], [[], [], []])
  })
}

for (const name of ['basic-pool', 'advanced-pool', 'database-pool', 'best-practice'] as const) {
  test(`guide: ${name} alone is good, and nobody advertises it yet`, () => {
    const { problems, warnings } = read(name)
    assert.equal(problems, [])
    assert.equal([...new Set(warnings.map(({ reason }) => reason))], ['NotAdvertised'])
  })
}

for (const name of ['basic-advertisement', 'edge-advertisement', 'interface-advertisement'] as const) {
  test(`guide: ${name} alone is good, and names a pool that is not there yet`, () => {
    const { problems, warnings } = read(name)
    assert.equal(problems, [])
    assert.equal(warnings.map(({ reason }) => reason), ['UnknownPool'])
  })
}

test('guide: the pools of its sections', () => {
  const { config, problems } = read('basic-pool', 'advanced-pool', 'database-pool', 'basic-advertisement',
    'edge-advertisement', 'interface-advertisement')
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
    'complete', 'deployment', 'automatic', 'specific-address', 'specific-pool',
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
  const { config } = read('best-practice')
  assert.equal(config.pools.map(({ name, labels, autoAssign }) => [name, labels, autoAssign]), [
    ['internal-services-pool', { purpose: 'internal', environment: 'production' }, false],
    ['web-services-pool', { purpose: 'web', environment: 'production' }, true],
  ])
})

test.run()
