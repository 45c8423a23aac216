/** How a capture is judged: overlap, silence and moves of rows that are easy to draw. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { ArpFrame } from './pcap.ts'
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

test('a reply and a request for the own address assert it; a question and a probe do not', () => {
  const [sender, target] = ['192.0.2.1', '192.0.2.9']
  const frame = { atMs: 1, source: 'm', senderMac: 'm', isReply: false, sender, target }
  const frames: readonly ArpFrame[] = [
    { ...frame, isReply: true }, { ...frame, target: sender }, frame,
    { ...frame, sender: '0.0.0.0', target: sender }, { ...frame, isReply: true, sender: target },
  ]
  assert.is(voicesOf(frames, sender).length, 2)
})

test.run()
