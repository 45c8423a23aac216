/** Configuration as a cluster holds it: what an older definition let in must not stop anything. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { readLiveConfig } from './live.ts'

const object = (kind: string, spec: unknown) =>
  ({ apiVersion: 'metallb.io/v1beta1', kind, metadata: { name: 'a', namespace: 'metallb-system' }, spec })
const pool = object('IPAddressPool', { addresses: ['192.0.2.0/28'] })
const read = (spec: unknown) => {
  const { problems, warnings } = readLiveConfig([pool, object('L2Advertisement', spec)], 'metallb-system')
  return [problems, warnings].map((list) => list.map(({ path, reason }) => `${path} ${reason}`))
}

const rows: { it: string; spec: unknown; want: readonly (readonly string[])[] }[] = [
  { it: 'an unknown field is a warning', spec: { interface: ['eth0'] },
    want: [[], ['spec.interface UnknownField']] },
  { it: 'a repeated interface is a warning', spec: { interfaces: ['eth0', 'eth0'] },
    want: [[], ['spec.interfaces[1] DuplicateEntry']] },
  { it: 'a list beyond the limits of our definitions is a warning',
    spec: { interfaces: Array.from({ length: 101 }, (_, i) => `eth${i}`) },
    want: [[], ['spec.interfaces TooLarge']] },
  { it: 'a repeated pool is a problem', spec: { ipAddressPools: ['a', 'a'] },
    want: [['spec.ipAddressPools[1] DuplicateEntry'], []] },
]
for (const { it, spec, want } of rows) test(`live: ${it}`, () => assert.equal(read(spec), want))

test.run()
