/** The heap: large while there are many Services, and told so only when that changes. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createHeap } from './heap.ts'

const isSmall = ['--optimize-for-size']

test('flags are set when the number of Services passes 2,000, in either direction', () => {
  const flags: string[] = []
  const heap = createHeap((flag) => void flags.push(flag), isSmall)
  for (const services of [0, 1_000, 2_000, 2_001, 10_000, 2_001, 2_000, 1]) heap.follow(services)
  assert.equal(flags, ['--no-optimize-for-size', '--optimize-for-size'])
})

test('a heap that was not started small stays as it is', () => {
  const flags: string[] = []
  const heap = createHeap((flag) => void flags.push(flag), [])
  for (const services of [10_000, 1]) heap.follow(services)
  assert.equal(flags, [])
})

test.run()
