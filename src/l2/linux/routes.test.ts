/** Routers in the kernel's tables of routes. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { formatAddress } from '../../net/address.ts'
import { parseGateways } from './routes.ts'

const head = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n'
const none = '0'.repeat(32)
const rest = '00000400 00000001 00000000'

const rows: { it: string; ipv4?: string; ipv6?: string; want: readonly string[] }[] = [
  { it: 'nothing', want: [] },
  { it: 'a default route, and the LAN itself', want: ['eth0 192.0.2.1'],
    ipv4: `${head}eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n` +
      'eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n' },
  { it: 'a default route without router', want: [],
    ipv4: `${head}tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n` },
  { it: 'two, of IPv6', want: ['eth0 fe80::1,2001:db8::1'],
    ipv6: `${none} 00 ${none} 00 fe800000000000000000000000000001 ${rest} 00000003     eth0\n` +
      `${none} 00 ${none} 00 20010db8000000000000000000000001 ${rest} 00000003     eth0\n` +
      `${none} 00 ${none} 00 ${none} ffffffff 00000001 00000000 00200200       lo\n` },
  { it: 'cut lines', want: [], ipv4: `${head}eth0\t00000000\t0102`, ipv6: `${none} 00 ${none} 00 fe80` },
]
for (const { it, ipv4 = '', ipv6 = '', want } of rows) {
  test(it, () => {
    const found = [...parseGateways(ipv4, ipv6)].map(([name, addresses]) =>
      `${name} ${addresses.map(formatAddress).join()}`)
    assert.equal(found, want)
  })
}

test.run()
