/** Findings of the wire side, from what it knows to the reason and the sentence. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseAddress } from '../net/address.ts'
import type { Muted } from '../ownership/view.ts'
import type { ServiceRow } from '../plan/report.ts'
import {
  announcerFindings, conflictFindings, foreignFindings, outsideFinding, rowsOnWire, secretFindings,
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
    { text: '192.0.2.1', mac: '02:00:5e:00:53:01' },
    { text: '192.0.2.2', mac: '02:00:5e:00:53:02', node: 'c' },
  ]
  assert.equal(conflictFindings([]), [])
  const [one, ...rest] = conflictFindings(voices)
  assert.equal([one?.reason, rest], ['inConflict', []])
  assert.match(one?.message ?? '',
    /^02:00:5e:00:53:01 answers for 192\.0\.2\.1, 02:.*:02 of c, which is no .* 192\.0\.2\.2: this host is/)
})

test('addresses that Services have left to foreign machines are one finding', () => {
  assert.equal(foreignFindings(new Map()), [])
  const [one, ...rest] = foreignFindings(new Map([['192.0.2.1', 'MAC1'], ['2001:db8::1', 'MAC2']]))
  assert.equal([one?.reason, rest], ['foreignHost', []])
  assert.match(one?.message ?? '',
    /^MAC1 answers for 192\.0\.2\.1, MAC2 answers for 2001:db8::1: left by .*another address, or exclude/)
})

const mutedAt = (text: string, rest: Partial<Muted>): Muted =>
  ({ text, node: 'here', reason: 'expired', isOwner: true, ...rest })

test('an owner that is silent is named with its reason, and not as one that announces', () => {
  const rows = [row('192.0.2.1', 'here', 'there'), row('192.0.2.2', 'there'), row('192.0.2.3')]
  assert.is(rowsOnWire(rows, []), rows)
  const told = (...silences: readonly Muted[]): readonly (readonly string[])[] =>
    rowsOnWire(rows, silences).map(({ announcements, silent }) =>
      [...announcements.map(({ node }) => node), ...silent.map(({ node, reason }) => `${node}: ${reason}`)])
  assert.equal(told(mutedAt('192.0.2.1', {}), mutedAt('192.0.2.2', { node: 'there', reason: 'inConflict' })),
    [['there', 'here: expired'], ['there: inConflict'], []])
  const would = { reason: 'segmentUnheard', isOwner: false } as const
  assert.equal(told(...rows.map(({ name }) => mutedAt(name, would))),
    [['there', 'here: segmentUnheard'], ['there'], ['here: segmentUnheard']])
})

test('hosts whose messages cannot be read are one finding, and five of them are named', () => {
  assert.equal(secretFindings([]), [])
  const from = [1, 2, 3, 4, 5, 6, 7].map((n) => parseAddress(`192.0.2.${n}`)).flatMap((each) => each ?? [])
  const [one, ...rest] = secretFindings(from)
  assert.equal([one?.reason, rest], ['otherSecret', []])
  assert.match(one?.message ?? '', /^What 192\.0\.2\.1, .*192\.0\.2\.5 and 2 more send cannot be read here/)
})

test('addresses of both families that no prefix covers are one finding', () => {
  assert.equal(outsideFinding([]), [])
  const [two, ...rest] = outsideFinding(['192.0.2.1', '2001:db8::1'])
  assert.equal([two?.reason, rest], ['outsidePrefix', []])
  assert.match(two?.message ?? '', /covers 192\.0\.2\.1, 2001:db8::1: announced on all usable interfaces/)
})

test.run()
