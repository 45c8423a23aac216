/** Whose word is taken for what other machines have. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { labelKeys } from '../config/names.ts'
import type { LiveState } from '../kube/live.ts'
import type { WireSilence } from '../l2/silences.ts'
import { formatAddress } from '../net/address.ts'
import { readSightings } from './foreign.ts'

const mac = '02:00:00:00:00:99'
const conflict: WireSilence = { text: '192.0.2.1', reason: 'inConflict', mac }

function state(node: string, silences: readonly WireSilence[], links = linksOf(undefined)): LiveState {
  const labels = { [labelKeys.stateNode]: node }
  return { version: '1', labels, owner: '', links, silences, result: '', errorSummary: '' }
}

/** What a speaker tells of two interfaces; a tunnel has no MAC, and an older version tells of none. */
function linksOf(own: string | undefined): string {
  const link = { up: true, carrier: true, addresses: [] }
  const tunnel = { ...link, name: 'wg0', index: 3, mac: '00:00:00:00:00:00', unusable: true }
  return JSON.stringify([{ ...link, name: 'eth0', index: 2, mac: own ?? '02:00:00:00:00:01' }, tunnel])
}

const older = JSON.stringify([{ name: 'eth0', index: 2, up: true, carrier: true, addresses: [] }])

interface Row {
  readonly it: string
  readonly speakers: string
  readonly states: readonly LiveState[]
  readonly want: readonly string[]
}

const rows: readonly Row[] = [
  { it: 'nobody reports', speakers: 'a', states: [state('a', [])], want: [] },
  { it: 'a conflict', speakers: 'a b', states: [state('a', []), state('b', [conflict])],
    want: [`192.0.2.1 ${mac}`] },
  { it: 'an address that only goes with one in conflict', speakers: 'a',
    states: [state('a', [{ text: '192.0.2.1', reason: 'inConflict' }])], want: [] },
  { it: 'other reasons to be silent', speakers: 'a', want: [],
    states: [state('a', [{ ...conflict, reason: 'contested' }, { ...conflict, reason: 'memberAnswers' }])] },
  { it: 'no address', speakers: 'a', states: [state('a', [{ ...conflict, text: 'x' }])], want: [] },
  { it: 'a speaker that does not run', speakers: 'a', states: [state('a', []), state('b', [conflict])],
    want: [] },
  { it: 'a speaker that has told nothing of itself yet', speakers: 'a b', states: [state('a', [conflict])],
    want: [] },
  { it: 'another node of ours, which gossip does not reach', speakers: 'a b', want: [],
    states: [state('a', [conflict]), state('b', [], linksOf(mac))] },
  { it: 'one whose speaker is being replaced', speakers: 'a', want: [],
    states: [state('a', [conflict]), state('b', [], linksOf(mac))] },
  { it: 'an older version that tells no MACs', speakers: 'a b', want: [],
    states: [state('a', [conflict]), state('b', [], older)] },
  { it: 'a speaker that is none of ours', speakers: 'a b', want: [],
    states: [state('a', [conflict]), { ...state('b', []), links: undefined }] },
]
for (const { it, speakers, states, want } of rows) {
  test(it, () => {
    const seen = readSightings(new Set(speakers.split(' ')), new Map(states.map((one, i) => [`${i}`, one])))
    assert.equal(seen.map(({ address, mac: of }) => `${formatAddress(address)} ${of}`), want)
  })
}

test.run()
