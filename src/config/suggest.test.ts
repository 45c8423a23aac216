/** Words that users probably meant. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { suggest } from './suggest.ts'

const known = ['addresses', 'autoAssign', 'avoidBuggyIPs', 'serviceAllocation', 'spec']
const rows: { word: string; want: string | undefined; why: string }[] = [
  { word: 'protocol', want: undefined, why: 'nothing is near' },
  { word: 'sp', want: undefined, why: 'short words allow one edit' },
  { word: 'autoassign', want: 'autoAssign', why: 'case' },
  { word: 'auto-assign', want: 'autoAssign', why: 'the legacy spelling' },
  { word: 'avoid_buggy_ips', want: 'avoidBuggyIPs', why: 'underscores' },
  { word: 'adresses', want: 'addresses', why: 'a letter is missing' },
  { word: 'serviceAlocations', want: 'serviceAllocation', why: 'two edits' },
  { word: 'sepc', want: 'spec', why: 'two letters are swapped' },
]
for (const { word, want, why } of rows) {
  test(`suggest: "${word}" (${why})`, () => assert.is(suggest(word, known), want))
}

test.run()
