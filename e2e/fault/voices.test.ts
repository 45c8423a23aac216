/** How a capture is judged: overlap, silence and moves of rows that are easy to draw. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { decodeFrame, type Frame } from './pcap.ts'
import { judge, type Voice, voicesOf } from './voices.ts'

/** A voice of `mac` every 5 ms, both ends included. */
function speaking(mac: string, fromMs: number, toMs: number): readonly Voice[] {
  return Array.from({ length: (toMs - fromMs) / 5 + 1 }, (_, i) => ({ mac, atMs: fromMs + 5 * i }))
}

interface Row {
  readonly it: string
  readonly voices: readonly Voice[]
  readonly want: { readonly overlapMs: number; readonly muteMs: number; readonly owners: string }
}

const rows: readonly Row[] = [
  { it: 'nobody speaks', voices: [], want: { overlapMs: 0, muteMs: 2_000, owners: '' } },
  { it: 'one voice', voices: speaking('a', 0, 2_000), want: { overlapMs: 0, muteMs: 5, owners: 'a' } },
  { it: 'two answer all the time', voices: [...speaking('a', 0, 2_000), ...speaking('b', 0, 2_000)],
    want: { overlapMs: 2_000, muteMs: 5, owners: 'a b' } },
  { it: 'a successor after a silence', voices: [...speaking('a', 0, 500), ...speaking('b', 800, 2_000)],
    want: { overlapMs: 0, muteMs: 300, owners: 'a b' } },
  { it: 'the old owner goes on for 100 ms', voices: [...speaking('a', 0, 600), ...speaking('b', 500, 2_000)],
    want: { overlapMs: 100, muteMs: 5, owners: 'a b' } },
  { it: 'one last word of the old owner, 700 ms after its successor began',
    voices: [...speaking('a', 0, 500), ...speaking('b', 800, 2_000), { mac: 'a', atMs: 1_500 }],
    want: { overlapMs: 700, muteMs: 300, owners: 'a b a' } },
  { it: 'a newcomer says one word and no more',
    voices: [...speaking('a', 0, 2_000), { mac: 'b', atMs: 1_000 }],
    want: { overlapMs: 0.1, muteMs: 5, owners: 'a b' } },
  { it: 'the owner is silent for a while and goes on',
    voices: [...speaking('a', 0, 500), ...speaking('a', 900, 2_000)],
    want: { overlapMs: 0, muteMs: 400, owners: 'a' } },
  { it: 'there and back again, each after a silence',
    voices: [...speaking('a', 0, 500), ...speaking('b', 800, 1_200), ...speaking('a', 1_500, 2_000)],
    want: { overlapMs: 0, muteMs: 300, owners: 'a b a' } },
]

for (const { it, voices, want } of rows) {
  test(it, () => {
    const verdict = judge(voices.toSorted((a, b) => a.atMs - b.atMs), 0, 2_000)
    assert.equal({
      overlapMs: verdict.overlapMs, muteMs: verdict.muteMs, owners: verdict.owners.join(' '),
    }, want)
    assert.is(verdict.moves, Math.max(0, verdict.owners.length - 1))
    assert.is(verdict.gapsMs.length, verdict.moves)
  })
}

test('how long the old owner had been silent is told of each change', () => {
  const voices = [...speaking('a', 0, 500), ...speaking('b', 800, 1_200), ...speaking('a', 1_200, 2_000)]
  assert.equal(judge(voices, 0, 2_000).gapsMs, [300, 0])
})

test('who is asked less often has not stopped: its last word after another began is an overlap', () => {
  const voices = [
    { mac: 'a', atMs: 0 }, { mac: 'a', atMs: 300 }, { mac: 'b', atMs: 590 }, { mac: 'a', atMs: 600 },
    { mac: 'b', atMs: 900 },
  ]
  const { overlapMs, owners } = judge(voices, 0, 1_000, 400)
  assert.is(overlapMs, 10)
  assert.equal(owners, ['a', 'b'])
  assert.equal(judge(voices, 0, 1_000).owners, ['a', 'b', 'a', 'b'])
})

test('a reply and a request for the own address assert it; a question and a probe do not', () => {
  const [sender, target] = ['192.0.2.1', '192.0.2.9']
  const frame = { atMs: 1, source: 'm', senderMac: 'm', isReply: false, sender, target }
  const frames: readonly Frame[] = [
    { ...frame, isReply: true }, { ...frame, target: sender }, frame,
    { ...frame, sender: '0.0.0.0', target: sender }, { ...frame, isReply: true, sender: target },
  ]
  assert.is(voicesOf(frames, sender).length, 2)
})

/** Golden frames, written by hand from RFC 826 and RFC 4861. */
const golden: readonly {
  readonly it: string
  readonly hex: string
  readonly want: Partial<Frame> | undefined
}[] = [
  { it: 'an ARP reply',
    hex: '020000000001' + '020000000002' + '0806' + '0001080006040002' + '020000000002c0000209' +
      '020000000001c0000201',
    want: { source: '02:00:00:00:00:02', isReply: true, senderMac: '02:00:00:00:00:02',
      sender: '192.0.2.9', target: '192.0.2.1' } },
  { it: 'an ARP request',
    hex: 'ffffffffffff' + '020000000001' + '0806' + '0001080006040001' + '020000000001c0000201' +
      '000000000000c0000209',
    want: { isReply: false, sender: '192.0.2.1', target: '192.0.2.9' } },
  { it: 'an advertisement whose option names another MAC than its source',
    hex: '333300000001' + '020000000002' + '86dd' + '6000000000203aff' +
      '20010db8000000000000000000000009' + 'ff020000000000000000000000000001' +
      '8800000020000000' + '20010db8000000000000000000000009' + '0201020000000003',
    want: { source: '02:00:00:00:00:02', isReply: true, senderMac: '02:00:00:00:00:03',
      sender: '2001:db8::9', target: 'ff02::1' } },
  { it: 'an advertisement without option is about its source',
    hex: '333300000001' + '020000000002' + '86dd' + '6000000000183aff' +
      '20010db8000000000000000000000009' + 'ff020000000000000000000000000001' +
      '8800000020000000' + '20010db8000000000000000000000009',
    want: { isReply: true, senderMac: '02:00:00:00:00:02', sender: '2001:db8::9' } },
  { it: 'a solicitation of a host asks, and asserts nothing that it asks for',
    hex: '3333ff000009' + '020000000001' + '86dd' + '6000000000203aff' +
      '20010db8000000000000000000000001' + 'ff0200000000000000000001ff000009' +
      '8700000000000000' + '20010db8000000000000000000000009' + '0101020000000001',
    want: { isReply: false, senderMac: '02:00:00:00:00:01', sender: '2001:db8::1', target: '2001:db8::9' } },
  { it: 'a ping is none of it',
    hex: '3333ff000009' + '020000000001' + '86dd' + '6000000000203aff' +
      '20010db8000000000000000000000001' + 'ff0200000000000000000001ff000009' +
      '8000000000000000' + '20010db8000000000000000000000009' + '0101020000000001',
    want: undefined },
  { it: 'a frame that was cut', hex: '020000000001020000000002', want: undefined },
]

for (const { it, hex, want } of golden) {
  test(it, () => {
    const frame = decodeFrame(new Uint8Array(Buffer.from(hex, 'hex')), 1)
    assert.equal(frame, want === undefined || frame === undefined ? want : { ...frame, ...want })
    const sender = want?.sender ?? ''
    assert.is(voicesOf(frame === undefined ? [] : [frame], sender).length, want?.isReply === true ? 1 : 0)
  })
}

test.run()
