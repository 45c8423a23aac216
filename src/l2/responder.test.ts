/** The responder's ladder: every drop reason, and the frames it answers, in both families. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { address } from '../config/builders.ts'
import { decodeArp } from './arp.ts'
import { encodeMac } from './frame.ts'
import {
  advertisementFrame, arpProbeFrame, arpReplyFrame, arpRequestFrame, askerMac, dadProbeFrame,
  ownerMac, solicitationFrame,
} from './golden.ts'
import { decodeNeighbour, encodeNeighbour } from './ndp.ts'
import { type Answer, answerKey, type AnswerTable, emptyTable, respond } from './responder.ts'

const eth0 = 2
const eth1 = 3
const nowMs = 1_000

const table = (
  texts: readonly string[], ifindexes = [eth0], notAfterMs = Number.POSITIVE_INFINITY,
): AnswerTable => ({
  links: new Map([eth0, eth1].map((index) => [
    index, { index, mac: ownerMac },
  ])),
  answers: new Map(texts.map((text): [bigint, Answer] => [
    answerKey(address(text)),
    { address: address(text), text, ifindexes: new Set(ifindexes), notAfterMs },
  ])),
})

const both = table(['192.0.2.11', '2001:db8::11', '192.0.2.99'])

const to = (mac: string, frame: Uint8Array): Uint8Array => {
  const copy = Uint8Array.from(frame)
  encodeMac(mac, copy, 0)
  return copy
}
const from = (mac: string, frame: Uint8Array): Uint8Array => {
  const copy = Uint8Array.from(frame)
  encodeMac(mac, copy, 6)
  return copy
}

const unicastProbe = (() => {
  const packet = decodeNeighbour(solicitationFrame)
  if (typeof packet === 'string') throw new Error(packet)
  return encodeNeighbour({
    ...packet, etherTo: ownerMac, destination: packet.target, mac: undefined,
  })
})()

const cases: { it: string; table?: AnswerTable; frame: Uint8Array; ifindex?: number; want: string }[] = [
  { it: 'nothing is announced', table: emptyTable, frame: arpRequestFrame, want: 'notThisInterface' },
  { it: 'an empty frame', frame: new Uint8Array(0), want: 'truncated' },
  { it: 'a short ARP frame', frame: arpRequestFrame.subarray(0, 40), want: 'truncated' },
  { it: 'an ethertype we do not serve', frame: to(ownerMac, new Uint8Array(60)),
    want: 'notForProtocol' },
  { it: 'a malformed ARP packet', frame: arpRequestFrame.with(18, 8), want: 'malformed' },
  { it: 'an ARP reply', frame: from(askerMac, arpReplyFrame), want: 'notRequest' },
  { it: 'our own ARP frame', frame: arpReplyFrame, want: 'ownFrame' },
  { it: 'our own neighbour frame', frame: advertisementFrame, want: 'ownFrame' },
  { it: 'an advertisement of another host', frame: from(askerMac, advertisementFrame),
    want: 'notRequest' },
  { it: 'a request sent to another station', frame: to('02:00:5e:00:53:ff', arpRequestFrame),
    want: 'ethernetDestination' },
  { it: 'a solicitation sent to another station', frame: to('02:00:5e:00:53:ff', solicitationFrame),
    want: 'ethernetDestination' },
  { it: 'a solicitation with hop limit 64', frame: solicitationFrame.with(21, 64),
    want: 'hopLimit' },
  { it: 'an IPv4 address we do not announce', table: table(['192.0.2.12']),
    frame: arpRequestFrame, want: 'notAnnounced' },
  { it: 'an IPv6 address we do not announce', table: table(['2001:db8::12']),
    frame: solicitationFrame, want: 'notAnnounced' },
  { it: 'an address announced on another interface', table: table(['192.0.2.11'], [eth0]),
    frame: arpRequestFrame, ifindex: eth1, want: 'notThisInterface' },
  { it: 'an interface we know nothing of', frame: arpRequestFrame, ifindex: 99,
    want: 'notThisInterface' },
  { it: 'an address whose fence has passed', table: table(['192.0.2.11'], [eth0], nowMs),
    frame: arpRequestFrame, want: 'fenced' },
  { it: 'the last instant before the fence', table: table(['192.0.2.11'], [eth0], nowMs + 1),
    frame: arpRequestFrame, want: 'reply 192.0.2.11' },
  { it: 'a broadcast request', frame: arpRequestFrame, want: 'reply 192.0.2.11' },
  { it: 'a unicast request', frame: to(ownerMac, arpRequestFrame), want: 'reply 192.0.2.11' },
  { it: 'an RFC 5227 probe', frame: arpProbeFrame, want: 'reply 192.0.2.99' },
  { it: 'a multicast solicitation', frame: solicitationFrame, want: 'reply 2001:db8::11' },
  { it: 'a solicitation to all nodes', frame: to('33:33:00:00:00:01', solicitationFrame),
    want: 'reply 2001:db8::11' },
  { it: 'a unicast solicitation without option', frame: unicastProbe, want: 'reply 2001:db8::11' },
  { it: 'a duplicate address probe', frame: from(askerMac, dadProbeFrame),
    want: 'reply 2001:db8::11' },
]
for (const c of cases) {
  test(`respond: ${c.it}: ${c.want}`, () => {
    const outcome = respond(c.table ?? both, c.ifindex ?? eth0, c.frame, nowMs)
    assert.is(outcome.kind === 'drop' ? outcome.reason : `reply ${outcome.text}`, c.want)
  })
}

test('respond: a probe is answered to the prober, towards 0.0.0.0', () => {
  const outcome = respond(both, eth0, arpProbeFrame, nowMs)
  const reply = outcome.kind === 'reply' ? decodeArp(outcome.frame) : outcome.reason
  assert.equal(reply, {
    etherTo: askerMac, etherFrom: ownerMac, operation: 2, senderMac: ownerMac,
    sender: address('192.0.2.99'), targetMac: askerMac, target: address('0.0.0.0'),
  })
})

test('respond: a request relayed by a proxy is answered to its ARP sender', () => {
  const outcome = respond(both, eth0, from('02:00:5e:00:53:fe', arpRequestFrame), nowMs)
  const reply = outcome.kind === 'reply' ? decodeArp(outcome.frame) : outcome.reason
  assert.is(typeof reply === 'string' ? reply : reply.etherTo, askerMac)
})

test('respond: 20,000 frames of 1 to 1,514 random bytes are dropped, none answered', () => {
  let seed = 7
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((seed / 2 ** 32) * below)
  }
  for (let i = 0; i < 20_000; i++) {
    const frame = new Uint8Array(1 + random(1_514)).map(() => random(256))
    if (i % 2 === 0 && frame.length > 14) frame.set(i % 4 === 0 ? [8, 6] : [0x86, 0xdd], 12)
    assert.is(respond(both, eth0, frame, nowMs).kind, 'drop')
  }
})

test.run()
