/** The responder: the conformance list, and what only it can be asked: tables and fences. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { address } from '../config/builders.ts'
import { decodeArp } from './arp.ts'
import { announcedElsewhere, announcedHere, conformanceCases } from './conformance.ts'
import { encodeMac } from './frame.ts'
import {
  advertisementFrame, arpProbeFrame, arpReplyFrame, arpRequestFrame, askerMac, ownerMac,
} from './golden.ts'
import { type Answer, answerKey, type AnswerTable, emptyTable, respond } from './responder.ts'

const eth0 = 2
const eth1 = 3
const nowMs = 1_000

const answer = (text: string, ifindex: number, notAfterMs: number): [bigint, Answer] =>
  [answerKey(address(text)), {
    address: address(text), text, ifindexes: new Set([ifindex]), notAfterMs,
  }]

const table = (notAfterMs = Number.POSITIVE_INFINITY): AnswerTable => ({
  links: new Map([eth0, eth1].map((index) => [index, { index, mac: ownerMac }])),
  answers: new Map([
    ...announcedHere.map((text) => answer(text, eth0, notAfterMs)),
    answer(announcedElsewhere, eth1, notAfterMs),
  ]),
})

function fateOf(given: AnswerTable, frame: Uint8Array, ifindex = eth0): string {
  const outcome = respond(given, ifindex, frame, nowMs)
  return outcome.kind === 'drop' ? outcome.reason : `reply ${outcome.text}`
}

for (const { it, frame, want } of conformanceCases) {
  test(`respond: ${it}`, () => {
    assert.is(fateOf(table(), frame), 'drop' in want ? want.drop : `reply ${want.reply}`)
  })
}

const cases = [
  { it: 'nothing is announced', given: emptyTable, frame: arpRequestFrame, want: 'notThisInterface' },
  { it: 'an empty frame', given: table(), frame: new Uint8Array(0), want: 'truncated' },
  { it: 'our own ARP frame', given: table(), frame: arpReplyFrame, want: 'ownFrame' },
  { it: 'our own neighbour frame', given: table(), frame: advertisementFrame, want: 'ownFrame' },
  { it: 'an interface we know nothing of', given: table(), frame: arpRequestFrame, ifindex: 99,
    want: 'notThisInterface' },
  { it: 'an address whose fence has passed', given: table(nowMs), frame: arpRequestFrame,
    want: 'fenced' },
  { it: 'the last instant before the fence', given: table(nowMs + 1), frame: arpRequestFrame,
    want: 'reply 192.0.2.11' },
]
for (const { it, given, frame, ifindex, want } of cases) {
  test(`respond: ${it}: ${want}`, () => assert.is(fateOf(given, frame, ifindex), want))
}

test('respond: a probe is answered to the prober, towards 0.0.0.0', () => {
  const outcome = respond(table(), eth0, arpProbeFrame, nowMs)
  const reply = outcome.kind === 'reply' ? decodeArp(outcome.frame) : outcome.reason
  assert.equal(reply, {
    etherTo: askerMac, etherFrom: ownerMac, operation: 2, senderMac: ownerMac,
    sender: address('192.0.2.99'), targetMac: askerMac, target: address('0.0.0.0'),
  })
})

test('respond: a request relayed by a proxy is answered to its ARP sender', () => {
  const relayed = Uint8Array.from(arpRequestFrame)
  encodeMac('02:00:5e:00:53:fe', relayed, 6)
  const outcome = respond(table(), eth0, relayed, nowMs)
  const reply = outcome.kind === 'reply' ? decodeArp(outcome.frame) : outcome.reason
  assert.is(typeof reply === 'string' ? reply : reply.etherTo, askerMac)
})

test('respond: 20,000 frames of 1 to 1,514 random bytes are dropped, none answered', () => {
  const both = table()
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
