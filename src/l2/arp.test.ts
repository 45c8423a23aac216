/** ARP codec against captured frames, truncation at every length, and symmetry. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { address } from '../config/builders.ts'
import { announceArp, answerArp, type ArpPacket, decodeArp, encodeArp } from './arp.ts'
import { toHex } from './bytes.ts'
import { minFrameBytes } from './frame.ts'
import {
  arpProbeFrame, arpReplyFrame, arpRequestFrame, askerMac, ownerMac, solicitationFrame,
} from './golden.ts'

const request: ArpPacket = {
  etherTo: 'ff:ff:ff:ff:ff:ff',
  etherFrom: askerMac,
  operation: 1,
  senderMac: askerMac,
  sender: address('192.0.2.10'),
  targetMac: 'ff:ff:ff:ff:ff:ff',
  target: address('192.0.2.11'),
}

const changed = (at: number, ...bytes: number[]): Uint8Array => {
  const frame = Uint8Array.from(arpRequestFrame)
  frame.set(bytes, at)
  return frame
}

const decoded = [
  { it: 'an IPv6 frame is not ours', given: solicitationFrame, want: 'notForProtocol' },
  { it: 'a tagged frame is not ours', given: changed(12, 0x81, 0), want: 'notForProtocol' },
  { it: 'another hardware type', given: changed(14, 0, 6), want: 'malformed' },
  { it: 'another protocol type', given: changed(16, 0x86, 0xdd), want: 'malformed' },
  { it: 'hardware length 8', given: changed(18, 8), want: 'malformed' },
  { it: 'protocol length 16', given: changed(19, 16), want: 'malformed' },
  { it: 'operation 3 (RARP request)', given: changed(20, 0, 3), want: 'malformed' },
  { it: 'a captured request', given: arpRequestFrame, want: request },
  {
    it: 'a captured reply',
    given: arpReplyFrame,
    want: {
      etherTo: askerMac, etherFrom: ownerMac, operation: 2, senderMac: ownerMac,
      sender: address('192.0.2.11'), targetMac: askerMac, target: address('192.0.2.10'),
    },
  },
  {
    it: 'a captured probe',
    given: arpProbeFrame,
    want: { ...request, sender: address('0.0.0.0'), target: address('192.0.2.99') },
  },
  {
    it: 'padding of any length is ignored',
    given: Uint8Array.from([...arpRequestFrame, ...new Uint8Array(1472).fill(0xee)]),
    want: request,
  },
]
for (const c of decoded) {
  test(`decodeArp: ${c.it}`, () => assert.equal(decodeArp(c.given), c.want))
}

test('decodeArp: every shorter frame is truncated', () => {
  for (let length = 0; length < arpRequestFrame.length; length++) {
    assert.is(decodeArp(arpRequestFrame.subarray(0, length)), 'truncated', `at ${length} bytes`)
  }
})

test('encodeArp: the captured request, padded to the Ethernet minimum', () => {
  const frame = encodeArp(request)
  assert.is(frame.length, minFrameBytes)
  assert.is(toHex(frame), toHex(arpRequestFrame).padEnd(minFrameBytes * 2, '0'))
})

test('answerArp: the bytes with which the kernel answered the same request', () => {
  const frame = answerArp(request, ownerMac)
  assert.is(toHex(frame), toHex(arpReplyFrame).padEnd(minFrameBytes * 2, '0'))
})

test('announceArp: request form, then reply form, target MAC all ones', () => {
  const both = announceArp(address('192.0.2.11'), ownerMac).map(decodeArp)
  const either = {
    etherTo: 'ff:ff:ff:ff:ff:ff', etherFrom: ownerMac, senderMac: ownerMac,
    sender: address('192.0.2.11'), targetMac: 'ff:ff:ff:ff:ff:ff', target: address('192.0.2.11'),
  }
  assert.equal(both, [{ ...either, operation: 1 }, { ...either, operation: 2 }])
})

test.run()
