/** Neighbour messages against captured frames, truncation at every length, checksum, options. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { address } from '../config/builders.ts'
import { formatAddress } from '../net/address.ts'
import { toHex } from './bytes.ts'
import {
  advertisementFrame, arpRequestFrame, askerMac, dadProbeFrame, ownerMac, solicitationFrame,
} from './golden.ts'
import {
  answerSolicitation, decodeNeighbour, encodeNeighbour, groupMac, type Neighbour,
  solicitedNodeGroup, unsolicited,
} from './ndp.ts'

const solicitation: Neighbour = {
  etherTo: '33:33:ff:00:00:11',
  etherFrom: askerMac,
  source: address('fe80::5eff:fe00:530a'),
  destination: address('ff02::1:ff00:11'),
  type: 135,
  target: address('2001:db8::11'),
  isSolicited: false,
  isOverride: false,
  mac: askerMac,
}

const decode = (frame: Uint8Array): Neighbour => {
  const packet = decodeNeighbour(frame)
  if (typeof packet === 'string') throw new Error(`Dropped as ${packet}`)
  return packet
}

const changed = (frame: Uint8Array, at: number, ...bytes: number[]): Uint8Array => {
  const copy = Uint8Array.from(frame)
  copy.set(bytes, at)
  return copy
}

const dropped = [
  { it: 'an ARP frame', given: arpRequestFrame, want: 'notForProtocol' },
  { it: 'another next header', given: changed(solicitationFrame, 20, 17), want: 'notForProtocol' },
  { it: 'an echo request', given: changed(solicitationFrame, 54, 128), want: 'notForProtocol' },
  { it: 'IP version 4', given: changed(solicitationFrame, 14, 0x45), want: 'malformed' },
  { it: 'hop limit 254', given: changed(solicitationFrame, 21, 254), want: 'hopLimit' },
  { it: 'code 1', given: changed(solicitationFrame, 55, 1), want: 'malformed' },
  { it: 'a wrong checksum', given: changed(solicitationFrame, 57, 0x2e), want: 'malformed' },
  { it: 'a payload shorter than 24 bytes', given: changed(solicitationFrame, 19, 23),
    want: 'truncated' },
  { it: 'a payload longer than the frame', given: changed(solicitationFrame, 18, 1),
    want: 'truncated' },
  { it: 'an option of length 0', given: withOption(1, 0), want: 'malformed' },
  { it: 'an option that overruns', given: withOption(1, 2), want: 'malformed' },
  { it: 'a multicast target', given: encodeNeighbour({ ...solicitation,
    target: address('ff02::1') }), want: 'malformed' },
  { it: 'a probe from :: that names a source MAC', given: encodeNeighbour({ ...solicitation,
    source: address('::') }), want: 'malformed' },
  { it: 'a probe from :: sent to a unicast address', given: encodeNeighbour({ ...solicitation,
    source: address('::'), destination: address('2001:db8::11'), mac: undefined }),
    want: 'malformed' },
]
for (const c of dropped) {
  test(`decodeNeighbour: ${c.it}`, () => assert.equal(decodeNeighbour(c.given), c.want))
}

/** The solicitation with other type and length bytes in its option, checksum made right. */
function withOption(type: number, length: number): Uint8Array {
  const before = ((1 << 8) | 1)
  const after = (type << 8) | length
  const frame = Uint8Array.from(solicitationFrame)
  frame.set([type, length], 78)
  let sum = ((frame[56] ?? 0) << 8 | (frame[57] ?? 0)) + before - after
  if (sum < 0) sum += 0xffff
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  frame.set([sum >> 8, sum & 0xff], 56)
  return frame
}

test('decodeNeighbour: a captured solicitation', () => {
  assert.equal(decodeNeighbour(solicitationFrame), solicitation)
})

test('decodeNeighbour: a captured advertisement', () => {
  assert.equal(decodeNeighbour(advertisementFrame), {
    etherTo: askerMac, etherFrom: ownerMac, source: address('2001:db8::11'),
    destination: address('fe80::5eff:fe00:530a'), type: 136, target: address('2001:db8::11'),
    isSolicited: true, isOverride: true, mac: ownerMac,
  })
})

test('decodeNeighbour: a captured probe with a nonce and no MAC option', () => {
  const packet = decode(dadProbeFrame)
  assert.is(packet.mac, undefined)
  assert.is(formatAddress(packet.source), '::')
})

test('decodeNeighbour: every shorter frame is truncated', () => {
  for (let length = 0; length < solicitationFrame.length; length++) {
    const drop = decodeNeighbour(solicitationFrame.subarray(0, length))
    assert.is(drop, 'truncated', `at ${length} bytes`)
  }
})

test('encodeNeighbour: the captured advertisement to the byte, checksum included', () => {
  assert.is(toHex(encodeNeighbour(decode(advertisementFrame))), toHex(advertisementFrame))
})

test('answerSolicitation: solicited, without override, from the target itself', () => {
  const frame = answerSolicitation(solicitation, ownerMac)
  assert.equal(decode(frame), {
    etherTo: askerMac, etherFrom: ownerMac, source: address('2001:db8::11'),
    destination: solicitation.source, type: 136, target: solicitation.target,
    isSolicited: true, isOverride: false, mac: ownerMac,
  })
})

test('answerSolicitation: without a MAC option the answer goes to the frame\'s source', () => {
  const ask = { ...solicitation, mac: undefined, etherFrom: '02:00:5e:00:53:0c' }
  const answer = decode(answerSolicitation(ask, ownerMac))
  assert.is(answer.etherTo, '02:00:5e:00:53:0c')
})

test('answerSolicitation: a probe from :: is answered to all nodes, with override', () => {
  const answer = decode(answerSolicitation(decode(dadProbeFrame), askerMac))
  assert.is(answer.etherTo, '33:33:00:00:00:01')
  assert.is(formatAddress(answer.destination), 'ff02::1')
  assert.is(answer.isSolicited, false)
  assert.is(answer.isOverride, true)
})

test('unsolicited: to all nodes, with override, hop limit 255', () => {
  const frame = encodeNeighbour(unsolicited(address('2001:db8::11'), ownerMac))
  assert.is(frame[21], 255)
  const packet = decode(frame)
  assert.is(packet.etherTo, '33:33:00:00:00:01')
  assert.equal([packet.isSolicited, packet.isOverride, packet.mac], [false, true, ownerMac])
})

test('solicitedNodeGroup and groupMac: the last 24 and 32 bits', () => {
  const group = solicitedNodeGroup(address('2001:db8::abcd:ef01:2345:6789'))
  assert.is(formatAddress(group), 'ff02::1:ff45:6789')
  assert.is(groupMac(group), '33:33:ff:45:67:89')
})

test.run()
