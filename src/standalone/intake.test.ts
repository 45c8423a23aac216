/** Input that had content and has none now is an accident, unless a comment says that it is meant. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Source } from '../config/model.ts'
import { findEmptied } from './intake.ts'

const source = (text: string): Source => ({ file: 'a.yaml', bytes: new TextEncoder().encode(text) })
const before = [source('kind: Service\n')]

const rows: readonly (readonly [it: string, text: string, isEmptied: boolean])[] = [
  ['nothing', '', true],
  ['blanks', ' \r\n\t\n', true],
  ['null, as a tool writes that found nothing', 'null\n', true],
  ['marks and null', '---\n~\n--- null\n...\n', true],
  ['a comment', '# none\n', false],
  ['null with a comment', 'null # none\n', false],
  ['another object', 'kind: x\n', false],
]
for (const [it, text, isEmptied] of rows) {
  test(`a file that was full has ${it}: ${isEmptied ? 'refused' : 'taken'}`, () => {
    assert.equal(findEmptied(before, [source(text)], ['a.yaml']).map(({ reason }) => reason),
      isEmptied ? ['Emptied'] : [])
    // What was empty before may be so.
    assert.equal(findEmptied([source('null')], [source(text)], ['a.yaml']), [])
  })
}

test('no file is left', () => {
  assert.equal(findEmptied(before, [], ['a.yaml']).map(({ file, reason }) => [file, reason]),
    [['a.yaml', 'Emptied']])
  assert.equal(findEmptied([source('\n')], [], ['a.yaml']), [])
})

test.run()
