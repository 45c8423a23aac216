/** Findings of the wire side, from what it knows to the reason and the sentence. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseAddress } from '../net/address.ts'
import { announcerFindings, outsideFinding, secretFindings } from './rows.ts'

const none = { requests: 0, replies: 0, gratuitous: 0 }

test('sockets that fail and frames that are refused are told, each with its sentence', () => {
  const told = (failures: readonly string[], sending: string | undefined): readonly string[] =>
    announcerFindings(failures, { lastSendFailure: () => sending, countsOf: () => none })
      .map(({ reason, message }) => `${reason} ${message}`)
  assert.equal(told([], undefined), [])
  assert.equal(told(['eth0: no right', 'eth1: no right'], 'eth0: too long'),
    ['socketFailed eth0: no right', 'socketFailed eth1: no right', 'sendFailed eth0: too long'])
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
