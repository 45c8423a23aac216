/** Findings of the wire side, from what it knows to the reason and the sentence. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Silence } from '../l2/model.ts'
import { parseAddress } from '../net/address.ts'
import type { ServiceRow } from '../plan/report.ts'
import {
  announcerFindings, conflictFindings, outsideFinding, rowsAsHeard, secretFindings,
} from './rows.ts'

const none = { requests: 0, replies: 0, gratuitous: 0 }

test('sockets that fail and frames that are refused are told, each with its sentence', () => {
  const told = (failures: readonly string[], sending: string | undefined): readonly string[] =>
    announcerFindings(failures, { lastSendFailure: () => sending, countsOf: () => none })
      .map(({ reason, message }) => `${reason} ${message}`)
  assert.equal(told([], undefined), [])
  assert.equal(told(['eth0: no right', 'eth1: no right'], 'eth0: too long'),
    ['socketFailed eth0: no right', 'socketFailed eth1: no right', 'sendFailed eth0: too long'])
})

const row = (text: string, ...nodes: readonly string[]): ServiceRow => ({
  namespace: 'default', name: text, verdict: 'kept', reason: '', message: '', pool: 'lan', addresses: [text],
  announcements: nodes.map((node) => ({ address: text, node, interfaces: ['eth0'] })), silent: [],
})

test('addresses that foreign machines answer for are one finding', () => {
  const voices = [
    { text: '192.0.2.1', mac: '02:00:5e:00:53:01' }, { text: '192.0.2.2', mac: '02:00:5e:00:53:02' },
  ]
  assert.equal(conflictFindings([]), [])
  const [one, ...rest] = conflictFindings(voices)
  assert.equal([one?.reason, rest], ['inConflict', []])
  assert.match(one?.message ?? '',
    /^02:00:5e:00:53:01 answers for 192\.0\.2\.1, 02:00:5e:00:53:02 answers for 192\.0\.2\.2: this host is/)
})

const vip = '192.0.2.1'
const heard: readonly { it: string; of: ServiceRow; reason: Silence; want: string }[] = [
  { it: 'of this host', of: row(vip, 'here'), reason: 'inConflict', want: ' here inConflict' },
  { it: 'of this host, and it passes', of: row(vip, 'here'), reason: 'expired', want: ' here expired' },
  { it: 'of nobody', of: row(vip), reason: 'segmentUnheard', want: ' here segmentUnheard' },
  { it: 'of another, which this host does not hear', of: row(vip, 'there'), reason: 'segmentUnheard',
    want: 'there ' },
  { it: 'of another, whose address this host would claim', of: row(vip, 'there'), reason: 'inConflict',
    want: ' here inConflict' },
  { it: 'silent already', reason: 'inConflict', want: ' null noEndpoints',
    of: { ...row(vip), silent: [{ address: vip, node: null, reason: 'noEndpoints' }] } },
]
for (const { it, of, reason, want } of heard) {
  test(`a row as the wire has it, ${it}: ${reason}`, () => {
    const [now] = rowsAsHeard([of], [{ text: vip, reason, mac: '02:00:5e:00:53:01' }], 'here')
    const nodes = now?.announcements.map(({ node }) => node).join()
    assert.is(`${nodes} ${now?.silent.map((each) => `${each.node} ${each.reason}`).join()}`, want)
  })
}

test('rows of other addresses are as they were', () => {
  const rows = [row('192.0.2.3', 'here'), row(vip, 'here')]
  assert.is(rowsAsHeard(rows, [], 'here'), rows)
  const [first, second] = rowsAsHeard(rows, [{ text: vip, reason: 'inConflict' }], 'here')
  assert.is(first, rows[0])
  assert.equal(second?.silent, [{ address: vip, node: 'here', reason: 'inConflict' }])
})

test('hosts whose messages cannot be read are one finding, and five of them are named', () => {
  assert.equal(secretFindings([]), [])
  const from = [1, 2, 3, 4, 5, 6, 7].map((n) => parseAddress(`192.0.2.${n}`)).flatMap((each) => each ?? [])
  const [one, ...rest] = secretFindings(from)
  assert.equal([one?.reason, rest], ['otherSecret', []])
  assert.match(one?.message ?? '', /^What 192\.0\.2\.1, .*192\.0\.2\.5 and 2 more sends cannot be read here/)
})

test('addresses of both families that no prefix covers are one finding', () => {
  assert.equal(outsideFinding([]), [])
  const [two, ...rest] = outsideFinding(['192.0.2.1', '2001:db8::1'])
  assert.equal([two?.reason, rest], ['outsidePrefix', []])
  assert.match(two?.message ?? '', /covers 192\.0\.2\.1, 2001:db8::1: announced on all usable interfaces/)
})

test.run()
