/** What is forwarded where: endpoints, ports, families, policies, and what is refused. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { address, service } from '../config/builders.ts'
import type { Endpoint, Intent, Port } from '../config/model.ts'
import { formatAddress } from '../net/address.ts'
import { planForwarding } from './rules.ts'

const port = (number: number, more: Partial<Port> = {}): Port =>
  ({ name: '', protocol: 'TCP', port: number, targetPort: undefined, nodePort: undefined, ...more })

const endpoint = (
  texts: string, ports: Record<string, number> = { '': 8080 }, more: Partial<Endpoint> = {},
): Endpoint => ({
  addresses: texts.split(' ').map(address), nodeName: undefined, canServe: true, isReady: true,
  ports: Object.entries(ports).map(([name, number]) => ({ name, protocol: 'TCP', port: number })),
  ...more,
})

interface Case {
  readonly it: string
  readonly service?: Partial<Intent>
  readonly endpoints: readonly Endpoint[]
  readonly addresses?: string
  readonly want: readonly string[]
}

function run(c: Case): string[] {
  const own = (c.addresses ?? '192.0.2.1').split(' ').map(address)
  const plan = planForwarding({
    services: [service('web', { ports: [port(80)], ...c.service })],
    addressesByService: new Map([['default/web', own]]),
    endpoints: new Map([['default/web', c.endpoints]]),
    node: 'n',
    ownAddresses: [address('192.0.2.10')],
  })
  return [
    ...plan.forwards.map((f) => {
      const targets = f.targets.map((t) =>
        `${formatAddress(t.address)}:${t.port}${t.isOwn ? ' own' : ''}`)
      const masked = f.masquerade ? '' : ' unmasked'
      return `${formatAddress(f.address)} ${f.protocol}/${f.port} > ${targets.join(', ')}${masked}`
    }),
    ...plan.problems.map((p) => `${p.reason} ${p.message}`),
  ]
}

const cases: readonly Case[] = [
  { it: 'no endpoint', endpoints: [],
    want: ['noEndpointForPort no endpoint serves 192.0.2.1 TCP/80: connections to it are refused'] },
  { it: 'an endpoint that cannot serve', endpoints: [endpoint('192.0.2.20', {}, { canServe: false })],
    want: ['noEndpointForPort no endpoint serves 192.0.2.1 TCP/80: connections to it are refused'] },
  { it: 'loopback endpoints are refused with the reason', endpoints: [endpoint('127.0.0.1')],
    want: ['loopbackEndpoint endpoint 127.0.0.1 is a loopback address, which cannot be reached ' +
      'from outside: use an address of this host\'s LAN interface',
      'noEndpointForPort no endpoint serves 192.0.2.1 TCP/80: connections to it are refused'] },
  { it: 'the slice\'s port wins', endpoints: [endpoint('192.0.2.20')],
    want: ['192.0.2.1 TCP/80 > 192.0.2.20:8080'] },
  { it: 'ports by name', service: { ports: [port(80, { name: 'http' }), port(443, { name: 'tls' })] },
    endpoints: [endpoint('192.0.2.20', { http: 8080, tls: 8443 })],
    want: ['192.0.2.1 TCP/80 > 192.0.2.20:8080', '192.0.2.1 TCP/443 > 192.0.2.20:8443'] },
  { it: 'a slice without ports: targetPort, else port',
    service: { ports: [port(80, { targetPort: 3000 }), port(81)] },
    endpoints: [endpoint('192.0.2.20', {})],
    want: ['192.0.2.1 TCP/80 > 192.0.2.20:3000', '192.0.2.1 TCP/81 > 192.0.2.20:81'] },
  { it: 'a named targetPort needs the slice', service: { ports: [port(80, { targetPort: 'web' })] },
    endpoints: [endpoint('192.0.2.20', {})],
    want: ['noEndpointForPort no endpoint serves 192.0.2.1 TCP/80: connections to it are refused'] },
  { it: 'several endpoints, one on this host', endpoints: [endpoint('192.0.2.20'), endpoint('192.0.2.10')],
    want: ['192.0.2.1 TCP/80 > 192.0.2.20:8080, 192.0.2.10:8080 own'] },
  { it: 'families stay apart', addresses: '192.0.2.1 2001:db8::1',
    endpoints: [endpoint('192.0.2.20'), endpoint('2001:db8::20')],
    want: ['192.0.2.1 TCP/80 > 192.0.2.20:8080', '2001:db8::1 TCP/80 > 2001:db8::20:8080'] },
  { it: 'Local: endpoints of this node only, client address kept',
    service: { trafficPolicy: 'Local' },
    endpoints: [endpoint('192.0.2.20', undefined, { nodeName: 'other' }),
      endpoint('192.0.2.21', undefined, { nodeName: 'n' }), endpoint('192.0.2.22')],
    want: ['192.0.2.1 TCP/80 > 192.0.2.21:8080 unmasked'] },
  { it: 'ready endpoints before those that only still serve',
    endpoints: [endpoint('192.0.2.20', undefined, { isReady: false }), endpoint('192.0.2.21')],
    want: ['192.0.2.1 TCP/80 > 192.0.2.21:8080'] },
  { it: 'still serving is better than nothing',
    endpoints: [endpoint('192.0.2.20', undefined, { isReady: false })],
    want: ['192.0.2.1 TCP/80 > 192.0.2.20:8080'] },
  { it: 'the same port twice on one address', service: { ports: [port(80), port(80)] },
    endpoints: [endpoint('192.0.2.20')],
    want: ['192.0.2.1 TCP/80 > 192.0.2.20:8080',
      'portTaken 192.0.2.1 TCP/80 is already forwarded for default/web'] },
]
for (const c of cases) {
  test(`planForwarding: ${c.it}`, () => assert.equal(run(c), c.want))
}

test('planForwarding: a Service that is not announced here is left alone', () => {
  const plan = planForwarding({
    services: [service('web')], addressesByService: new Map(), endpoints: undefined, node: 'n',
    ownAddresses: [],
  })
  assert.equal(plan, { addresses: [], forwards: [], problems: [] })
})

test.run()
