/** Nodes and EndpointSlices: which conditions and labels count, and who can serve. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { formatAddress } from '../net/address.ts'
import { readWorld } from './read.ts'

const read = (...objects: readonly unknown[]) => {
  const text = objects.map((object) => JSON.stringify(object)).join('\n---\n')
  const { world, problems } = readWorld([{ file: 'a.yaml', bytes: new TextEncoder().encode(text) }])
  return { world, problems: problems.map((p) => `${p.object} ${p.path} ${p.reason}: ${p.message}`) }
}
const node = (name: string, more: { labels?: object; conditions?: unknown } = {}) => ({
  apiVersion: 'v1', kind: 'Node', metadata: { name, labels: more.labels },
  status: { conditions: more.conditions },
})
const slice = (name: string, endpoints: unknown, more: { labels?: object; ports?: unknown } = {}) => ({
  apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4', endpoints,
  metadata: { name, labels: more.labels ?? { 'kubernetes.io/service-name': 'web' } },
  ports: more.ports ?? [{ name: 'http', port: 8080 }],
})
const exclude = 'node.kubernetes.io/exclude-from-external-load-balancers'

const nodes: { it: string; more: Parameters<typeof node>[1]; want: string }[] = [
  { it: 'network unavailable', want: 'unavailable',
    more: { conditions: [
      { type: 'Ready', status: 'True' }, { type: 'NetworkUnavailable', status: 'True' },
    ] } },
  { it: 'the exclude label, value "false"', more: { labels: { [exclude]: 'false' } },
    want: 'excluded' },
  { it: 'the exclude label, no value', more: { labels: { [exclude]: '' } }, want: 'excluded' },
  { it: 'network not unavailable', want: '',
    more: { conditions: [{ type: 'NetworkUnavailable', status: 'False' }] } },
  { it: 'not ready, which is not looked at', more: { conditions: [{ type: 'Ready', status: 'False' }] },
    want: '' },
  { it: 'ready', more: { conditions: [{ type: 'Ready', status: 'True' }] }, want: '' },
  { it: 'no conditions', more: {}, want: '' },
]
for (const { it, more, want } of nodes) {
  test(`node: "${want}": ${it}`, () => {
    const [found] = read(node('n1', more)).world?.nodes ?? []
    const unavailable = found?.networkUnavailable === true ? 'unavailable' : ''
    const excluded = found?.excluded === true ? 'excluded' : ''
    assert.is(unavailable + excluded, want)
  })
}

test('node: sorted by name, labels kept', () => {
  const { world } = read(node('n2', { labels: { zone: 'b' } }), node('n1'))
  assert.equal(world?.nodes.map(({ name, labels }) => [name, labels]), [['n1', {}], ['n2', { zone: 'b' }]])
})

const malformed: { it: string; object: unknown; want: string }[] = [
  { it: 'a node label that is a boolean', object: node('n1', { labels: { edge: true } }),
    want: 'Node/n1 metadata.labels["edge"] BadType: Want text, found true; put it in quotes: "true"' },
  { it: 'endpoints that are a mapping', object: slice('s', {}),
    want: 'EndpointSlice/s endpoints BadType: Want a list, found a mapping' },
  { it: 'an endpoint that is text', object: slice('s', ['10.0.0.1']),
    want: 'EndpointSlice/s endpoints[0] BadType: Want a mapping, found "10.0.0.1"' },
  { it: 'an endpoint address that is a number', object: slice('s', [{ addresses: [10] }]),
    want: 'EndpointSlice/s endpoints[0].addresses[0] BadType: Want text, found 10; put it in quotes: "10"' },
  { it: 'an endpoint port out of bounds', object: slice('s', [], { ports: [{ port: 70_000 }] }),
    want: 'EndpointSlice/s ports[0].port BadValue: Want a number from 1 to 65535, found 70000' },
]
for (const { it, object, want } of malformed) {
  test(`cluster: ${it} is a problem`, () => assert.equal(read(object).problems, [want]))
}

const serving: { conditions: unknown; want: boolean; why: string }[] = [
  { conditions: { ready: false }, want: false, why: 'not ready' },
  { conditions: { ready: false, serving: false, terminating: true }, want: false, why: 'gone' },
  { conditions: undefined, want: true, why: 'no conditions' },
  { conditions: {}, want: true, why: 'ready is absent' },
  { conditions: { ready: null }, want: true, why: 'ready is null' },
  { conditions: { ready: true, serving: false }, want: true, why: 'ready' },
  { conditions: { ready: false, serving: true, terminating: true }, want: true,
    why: 'terminating, still serving' },
]
for (const { conditions, want, why } of serving) {
  test(`slice: an endpoint can${want ? '' : 'not'} serve: ${why}`, () => {
    const { world } = read(slice('s', [{ addresses: ['10.0.0.1'], conditions }]))
    assert.equal(world?.endpoints?.get('default/web')?.map((endpoint) => endpoint.canServe), [want])
  })
}

test('slice: all slices of a Service are merged, ports and nodes kept, names of hosts left out', () => {
  const { world } = read(
    slice('s1', [{ addresses: ['10.0.0.1'], nodeName: 'n1' }]),
    slice('s2', [{ addresses: ['2001:db8::1', 'web.example'] }], {
      ports: [{ port: 53, protocol: 'UDP' }, {}],
    }),
    slice('s3', [{ addresses: ['10.0.0.9'] }], { labels: { 'kubernetes.io/service-name': 'other' } }),
    slice('s4', [{ addresses: ['10.0.0.8'] }], { labels: {} }),
  )
  const found = [...world?.endpoints ?? []].map(([service, endpoints]) => [
    service,
    endpoints.map(({ addresses, nodeName, ports }) => [
      addresses.map(formatAddress), nodeName, ports.map((p) => `${p.name} ${p.protocol}/${p.port}`),
    ]),
  ])
  assert.equal(found, [
    ['default/web', [
      [['10.0.0.1'], 'n1', ['http TCP/8080']], [['2001:db8::1'], undefined, [' UDP/53']],
    ]],
    ['default/other', [[['10.0.0.9'], undefined, ['http TCP/8080']]]],
  ])
})

test('slice: without any, endpoints are unknown; with one that is empty, a Service has none', () => {
  assert.is(read(node('n1')).world?.endpoints, undefined)
  assert.equal(read(slice('s', [])).world?.endpoints?.get('default/web'), [])
  assert.equal(read(slice('s', null)).world?.endpoints?.get('default/web'), [])
})

test.run()
