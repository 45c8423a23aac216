/** Options that hosts of a group must share: what is agreed, and what is said where they differ. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { OptionTexts } from './model.ts'
import {
  agreeOnOptions, compareOptions, describeDifference, optionsOf, textsOf, type VoiceOptions,
} from './options.ts'

const plain: VoiceOptions = {
  namespace: undefined, loadBalancerClass: '', placement: 'sticky', announceEverywhere: false,
  ignoreExcludeLabel: false,
}
const full: VoiceOptions = {
  namespace: 'ns', loadBalancerClass: 'x/y', placement: 'hash', announceEverywhere: true,
  ignoreExcludeLabel: true,
}

test('options survive the way to texts and back, whatever the reader was started with', () => {
  for (const options of [plain, full]) {
    for (const own of [plain, full]) assert.equal(optionsOf(own, textsOf(options)), options)
  }
  assert.equal(Object.keys(textsOf(full)), Object.keys(textsOf(full)).toSorted())
})

test('what the texts lack, or say in a way that is not known here, stays the host\'s own', () => {
  assert.equal(optionsOf(full), full)
  assert.equal(optionsOf(full, { 'lb-class': '' }), { ...full, loadBalancerClass: '' })
  assert.equal(optionsOf(plain, { placement: 'newest', later: 'x' }), plain)
})

const agreements: readonly {
  it: string; before?: OptionTexts; hosts: Readonly<Record<string, OptionTexts | undefined>>
  want: OptionTexts | undefined
}[] = [
  { it: 'all say the same', hosts: { a: { x: '1' }, b: { x: '1' } }, want: { x: '1' } },
  { it: 'all have changed it', before: { x: '1' }, hosts: { a: { x: '2' }, b: { x: '2' } },
    want: { x: '2' } },
  { it: 'one has changed it: what was agreed stays', before: { x: '1' },
    hosts: { a: { x: '2' }, b: { x: '1' }, c: { x: '1' } }, want: { x: '1' } },
  { it: 'most have changed it: what was agreed stays', before: { x: '1' },
    hosts: { a: { x: '2' }, b: { x: '2' }, c: { x: '1' } }, want: { x: '1' } },
  { it: 'all differ, also from what was agreed', before: { x: '0' },
    hosts: { a: { x: '2' }, b: { x: '1' } }, want: { x: '0' } },
  { it: 'nothing was agreed before: most of them decide',
    hosts: { a: { x: '2' }, b: { x: '1' }, c: { x: '1' } }, want: { x: '1' } },
  { it: 'nothing was agreed, and as many: the first by name', hosts: { b: { x: '1' }, a: { x: '2' } },
    want: { x: '2' } },
  { it: 'each option is agreed on for itself', before: { x: '1', y: '1' },
    hosts: { a: { x: '2', y: '2' }, b: { x: '2', y: '1' } }, want: { x: '2', y: '1' } },
  { it: 'an older version does not count', before: { x: '1' }, hosts: { a: undefined, b: { x: '2' } },
    want: { x: '2' } },
  { it: 'only older versions are there: what was agreed stays', before: { x: '1' }, hosts: { a: undefined },
    want: { x: '1' } },
  { it: 'nothing was agreed, and half have told: each goes by its own',
    hosts: { a: { x: '1' }, b: undefined }, want: undefined },
  { it: 'nothing was agreed, and more than half have told',
    hosts: { a: { x: '2' }, b: undefined, c: { x: '1' } }, want: { x: '2' } },
  { it: 'older versions only', hosts: { a: undefined, b: undefined }, want: undefined },
  { it: 'an option of a newer version is kept by those that do not know it', before: { x: '1' },
    hosts: { a: { x: '1', later: 'z' }, b: { x: '1', later: 'z' }, c: { x: '1' } },
    want: { later: 'z', x: '1' } },
]
for (const { it, before, hosts, want } of agreements) {
  test(`agreement: ${it}`, () => {
    const members = Object.entries(hosts).map(([name, options]) =>
      ({ name, ...(options === undefined ? {} : { options }) }))
    assert.is(JSON.stringify(agreeOnOptions(before, members)), JSON.stringify(want))
  })
}

const inForce = textsOf(plain)
const differences: readonly {
  it: string; hosts: Readonly<Record<string, OptionTexts | undefined>>; want: readonly string[]
}[] = [
  { it: 'all are the same', hosts: { a: inForce, b: inForce }, want: [] },
  { it: 'an older version tells nothing', hosts: { a: inForce, b: undefined }, want: [] },
  { it: 'a value is missing on some', hosts: { a: inForce, c: { ...inForce, 'lb-class': 'x/y' }, b: inForce },
    want: ['--lb-class differs between the hosts of this group: not given on a, b; "x/y" on c. ' +
      'In force for all of them is not given,'] },
  { it: 'a switch, and a value that always has one',
    hosts: { a: { ...inForce, 'announce-everywhere': 'true' }, b: { ...inForce, placement: 'hash' } },
    want: ['--announce-everywhere differs between the hosts of this group: not given on b; given on a. ' +
      'In force for all of them is not given,',
    '--placement differs between the hosts of this group: "hash" on b; "sticky" on a. ' +
      'In force for all of them is "sticky",'] },
  { it: 'all have another one than is in force, as after the last of them was restarted',
    hosts: { a: { ...inForce, placement: 'hash' }, b: { ...inForce, placement: 'hash' } },
    want: ['--placement is new on the hosts of this group: "hash" on a, b. In force for all of them is ' +
      '"sticky",'] },
  { it: 'one that is not heard is no difference, whatever it had',
    hosts: { a: inForce, gone: { ...inForce, placement: 'hash' } }, want: [] },
  { it: 'one that is not heard stands in the way of the others',
    hosts: { a: { ...inForce, placement: 'hash' }, gone: inForce },
    want: ['--placement differs between the hosts of this group: "hash" on a; "sticky" on gone ' +
      '(not heard). In force for all of them is "sticky",'] },
]
for (const { it, hosts, want } of differences) {
  test(`differences: ${it}`, () => {
    const list = Object.entries(hosts).map(([name, options]) =>
      ({ name, isHeard: name !== 'gone', ...(options === undefined ? {} : { options }) }))
    const found = compareOptions(list, inForce).map(describeDifference)
    assert.equal(found.map((text) => text.slice(0, text.indexOf(',', text.indexOf('In force')) + 1)), want)
    const isNew = (text: string): boolean => text.includes(' is new on the hosts')
    assert.ok(found.every((text) => isNew(text) || text.includes('; start every host with the same options')))
    assert.ok(found.every((text) => !isNew(text) || text.endsWith('until more than half of them ' +
      'have agreed on the new one')))
  })
}

test('differences: nothing is in force yet, or an older version has written the ledger', () => {
  assert.equal(compareOptions([{ name: 'a', options: textsOf(full), isHeard: true }], undefined), [])
})

test.run()
