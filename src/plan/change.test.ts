/** Which differences between two decisions are news. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Announcement } from '../l2/model.ts'
import { parseAddress } from '../net/address.ts'
import type { ServiceRow } from './report.ts'
import { compareAnnouncements, compareRows } from './change.ts'

const row = (more: Partial<ServiceRow> = {}): ServiceRow => ({
  namespace: 'default', name: 'web', verdict: 'kept', reason: '', message: '', pool: 'lan',
  addresses: ['192.0.2.1'], announcements: [], silent: [], ...more,
})
const refused = row({
  verdict: 'refused', reason: 'poolExhausted', message: 'full', pool: null, addresses: [],
})

const cases = [
  { it: 'assigned turning kept is none', before: [row({ verdict: 'assigned' })], after: [row()], want: [] },
  { it: 'a new address', before: [], after: [row({ verdict: 'assigned' })],
    want: [{ kind: 'assigned', service: 'default/web', pool: 'lan', ips: ['192.0.2.1'] }] },
  { it: 'a refusal', before: [], after: [refused],
    want: [{ kind: 'refused', service: 'default/web', reason: 'poolExhausted', message: 'full' }] },
  { it: 'the same refusal again is none', before: [refused], after: [refused], want: [] },
  ...['full (2 of 2 in use)', 'full; others: a', 'full (lost 192.0.2.1: notInPool)', 'full by a']
    .map((message) => ({
      it: `the same refusal is none that says more: ${message}`, before: [{ ...refused, message }],
      after: [refused], want: [],
    })),
  { it: 'another refusal with the same reason', before: [refused], after: [{ ...refused, message: 'short' }],
    want: [{ kind: 'refused', service: 'default/web', reason: 'poolExhausted', message: 'short' }] },
  { it: 'an address lost to a refusal', before: [row()], after: [refused],
    want: [{ kind: 'refused', service: 'default/web', reason: 'poolExhausted', message: 'full' },
      { kind: 'released', service: 'default/web', reason: 'poolExhausted', ips: ['192.0.2.1'] }] },
  { it: 'a Service that is gone', before: [row()], after: [],
    want: [{ kind: 'released', service: 'default/web', reason: 'serviceDeleted', ips: ['192.0.2.1'] }] },
  { it: 'an address that fell silent', before: [row()],
    after: [row({ silent: [{ address: '192.0.2.1', node: null, reason: 'noEndpoints' }] })],
    want: [{ kind: 'silent', service: 'default/web', ip: '192.0.2.1', reason: 'noEndpoints' }] },
]
for (const { it, before, after, want } of cases) {
  test(`compareRows: ${it}`, () => assert.equal(compareRows(before, after), want))
}

const announcement = (
  text: string, interfaces: Announcement['interfaces'], ...services: string[]
): Announcement => {
  const address = parseAddress(text)
  if (address === undefined) throw new Error(text)
  return { address, text, interfaces, services: services.length === 0 ? ['default/web'] : services }
}

test('compareAnnouncements: started, moved to other interfaces, withdrawn', () => {
  const before = [announcement('192.0.2.1', ['eth0']), announcement('192.0.2.2', ['eth0']),
    announcement('192.0.2.3', 'all')]
  const after = [announcement('192.0.2.1', ['eth0']), announcement('192.0.2.2', ['eth1']),
    announcement('192.0.2.4', 'all')]
  const services = ['default/web']
  assert.equal(compareAnnouncements(before, after), [
    { kind: 'announced', ip: '192.0.2.2', services, interfaces: ['eth1'] },
    { kind: 'announced', ip: '192.0.2.4', services, interfaces: ['*'] },
    { kind: 'withdrawn', ip: '192.0.2.3', services },
  ])
})

test('compareAnnouncements: who comes to a shared address, and who leaves it, is news', () => {
  const before = [announcement('192.0.2.1', 'all', 'default/dns-tcp', 'default/web')]
  const after = [announcement('192.0.2.1', 'all', 'default/dns-udp', 'default/web')]
  assert.equal(compareAnnouncements(before, after), [
    { kind: 'withdrawn', ip: '192.0.2.1', services: ['default/dns-tcp'] },
    { kind: 'announced', ip: '192.0.2.1', services: ['default/dns-udp'], interfaces: ['*'] },
  ])
})

test.run()
