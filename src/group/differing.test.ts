/** What the log has of options that differ: a rolling restart, a host that dies, and one that is given up. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createDiffering, differingNews } from './differing.ts'
import type { OptionTexts } from './model.ts'

const [old, fresh]: readonly OptionTexts[] = [{ 'lb-class': '' }, { 'lb-class': 'x/y' }]

type Hosts = Readonly<Record<string, OptionTexts | undefined>>

interface Stage {
  readonly it: string
  readonly hosts: Hosts
  readonly away?: readonly string[]
  readonly inForce?: OptionTexts | undefined
  /** Each line of the log. */
  readonly want?: readonly string[]
}

function play(stages: readonly Stage[]): void {
  const differing = createDiffering()
  for (const { it, hosts, away = [], inForce = old, want = [] } of stages) {
    const list = Object.entries(hosts).map(([name, options]) =>
      ({ name, isHeard: !away.includes(name), ...(options === undefined ? {} : { options }) }))
    // Every turn asks: what was told is not told again.
    const lines = [1, 2].flatMap(() => {
      const { differences, isOver } = differingNews(differing, list, inForce)
      return [
        ...differences.map(({ option, values }) =>
          `${option}: ${values.map(({ text, hosts: names }) => `${text} ${names.join('+')}`).join(', ')}`),
        ...isOver ? ['over'] : [],
      ]
    })
    assert.equal(lines, want, it)
  }
}

const before = { a: old, b: old, c: old }
const one = { a: fresh, b: old, c: old }
const two = { a: fresh, b: fresh, c: old }
const all = { a: fresh, b: fresh, c: fresh }

test('a rolling restart with a new value: a line for each host that has it, none for its absence', () => {
  play([
    { it: 'nothing differs', hosts: before },
    { it: 'the first goes', hosts: before, away: ['a'] },
    { it: 'and has it', hosts: one, want: ['lb-class:  b+c, x/y a'] },
    { it: 'the next goes', hosts: one, away: ['b'] },
    { it: 'and is back, and has not told yet', hosts: one },
    { it: 'and has it', hosts: two, want: ['lb-class:  c, x/y a+b'] },
    { it: 'one that has it is away for a moment', hosts: two, away: ['a'] },
    { it: 'both are', hosts: two, away: ['a', 'b'] },
    { it: 'the last goes', hosts: two, away: ['c'] },
    { it: 'all have it: the ledger follows', hosts: all },
    { it: 'the ledger has it', hosts: all, inForce: fresh, want: ['over'] },
    { it: 'and that is all', hosts: all, away: ['b'], inForce: fresh },
  ])
})

test('who has another value dies: no end until it is given up, or comes back with the same as all', () => {
  play([
    { it: 'it differs', hosts: one, want: ['lb-class:  b+c, x/y a'] },
    { it: 'it dies', hosts: one, away: ['a'] },
    { it: 'it is given up', hosts: { b: old, c: old }, want: ['over'] },
    { it: 'it is a member again', hosts: one, want: ['lb-class:  b+c, x/y a'] },
    { it: 'it has the same', hosts: before, want: ['over'] },
  ])
})

test('a difference is told by one who starts into it, with who is not heard yet', () => {
  play([
    { it: 'alone', hosts: one, away: ['b', 'c'], want: ['lb-class:  b (not heard)+c (not heard), x/y a'] },
    { it: 'the others are met', hosts: one },
  ])
})

test('each option for itself; the end is that of all', () => {
  const placed = (options: OptionTexts | undefined, placement: string): OptionTexts =>
    ({ ...options, placement })
  const inForce = placed(old, 'sticky')
  play([
    { it: 'two differ', hosts: { a: placed(fresh, 'hash'), b: inForce }, inForce,
      want: ['lb-class:  b, x/y a', 'placement: hash a, sticky b'] },
    { it: 'one of them ends', hosts: { a: placed(old, 'hash'), b: inForce }, inForce },
    { it: 'and comes again', hosts: { a: placed(fresh, 'hash'), b: inForce }, inForce,
      want: ['lb-class:  b, x/y a'] },
    { it: 'both end', hosts: { a: inForce, b: inForce }, inForce, want: ['over'] },
  ])
})

test.run()
