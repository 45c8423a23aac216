/** Findings of the wire side, from what it knows to the reason and the sentence. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { announcerFindings, outsideFinding } from './rows.ts'

const none = { requests: 0, replies: 0, gratuitous: 0 }

test('sockets that fail and frames that are refused are told, each with its sentence', () => {
  const told = (failures: readonly string[], sending: string | undefined): readonly string[] =>
    announcerFindings(failures, { lastSendFailure: () => sending, countsOf: () => none })
      .map(({ reason, message }) => `${reason} ${message}`)
  assert.equal(told([], undefined), [])
  assert.equal(told(['eth0: no right', 'eth1: no right'], 'eth0: too long'),
    ['socketFailed eth0: no right', 'socketFailed eth1: no right', 'sendFailed eth0: too long'])
})

test('addresses of both families that no prefix covers are one finding', () => {
  assert.equal(outsideFinding([]), [])
  const [two, ...rest] = outsideFinding(['192.0.2.1', '2001:db8::1'])
  assert.equal([two?.reason, rest], ['outsidePrefix', []])
  assert.match(two?.message ?? '', /covers 192\.0\.2\.1, 2001:db8::1: announced on all usable interfaces/)
})

test.run()
