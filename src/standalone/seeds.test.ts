/** Whom --join names: which of its addresses are this host, and which are others. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { LinkState } from '../l2/model.ts'
import { formatAddress, parseAddress } from '../net/address.ts'
import type { Address } from '../net/model.ts'
import { prefixOf } from '../net/range.ts'
import { chooseAddress, otherHosts } from './seeds.ts'

function addressesOf(...texts: readonly string[]): readonly Address[] {
  return texts.flatMap((text) => parseAddress(text) ?? [])
}

function addressOf(text: string): Address {
  const [address] = addressesOf(text)
  assert.ok(address)
  return address
}

function link(name: string, text: string, rest: Partial<LinkState> = {}): LinkState {
  const address = addressOf(text)
  return {
    index: 2, name, mac: '02:00:5e:00:53:01', mtuBytes: 1_500, isUp: true, hasCarrier: true,
    master: undefined, isLoopback: false, isNoArp: false, isBroadcast: true,
    addresses: [{ address, prefix: prefixOf(address, 24), isTentative: false }], ...rest,
  }
}

const links = [
  link('eth0', '192.0.2.11'), link('eth1', '198.51.100.11'), link('docker0', '203.0.113.1', { isUp: false }),
]

test('own addresses of --join are no other hosts, whichever interface has them', () => {
  const join = addressesOf('192.0.2.11', '198.51.100.11', '203.0.113.1', '192.0.2.12', '198.51.100.13')
  assert.equal(otherHosts(join, addressOf('192.0.2.11'), links).map(formatAddress),
    ['192.0.2.12', '198.51.100.13'])
  assert.equal(otherHosts(addressesOf('127.0.0.2', '127.0.0.3'), addressOf('127.0.0.2'), links)
    .map(formatAddress), ['127.0.0.3'])
})

test('a host is met at its address among those of --join, else at one beside them', () => {
  const chosen = (...texts: readonly string[]): string =>
    formatAddress(chooseAddress(addressesOf(...texts), links))
  assert.is(chosen('192.0.2.12', '198.51.100.11'), '198.51.100.11')
  assert.is(chosen('192.0.2.12', '198.51.100.12'), '192.0.2.11')
  assert.throws(() => chosen('2001:db8::9'), /^Cannot tell which address .* 2001:db8::9 can reach/)
})

test.run()
