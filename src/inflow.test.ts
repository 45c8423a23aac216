/** What waits in the sockets is taken together, and nothing waits for ever. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createInflow } from './inflow.ts'

/** Runs the loop: in each round so many datagrams come, then what was to be done soon is. */
function run(rounds: readonly number[]): readonly number[] {
  const soon: (() => void)[] = []
  const taken: number[] = []
  let waiting = 0
  const inflow = createInflow(() => {
    taken.push(waiting)
    waiting = 0
  }, (act) => soon.push(act))
  for (const count of rounds) {
    for (let i = 0; i < count; i++) {
      waiting++
      inflow.note(1)
    }
    assert.is(inflow.isRunning, soon.length > 0)
    for (const act of soon.splice(0)) act()
  }
  return taken
}

const cases: readonly { it: string; rounds: readonly number[]; want: readonly number[] }[] = [
  { it: 'nothing comes', rounds: [0, 0], want: [] },
  { it: 'a few are taken in their round', rounds: [1, 3, 0, 31], want: [1, 3, 31] },
  { it: 'a full batch: more may wait', rounds: [32, 32, 5, 2], want: [69, 2] },
  { it: 'no more were waiting', rounds: [32, 0, 4], want: [32, 4] },
  { it: 'without end, each eighth batch ends it', rounds: Array(17).fill(40), want: [320, 320] },
]
for (const { it, rounds, want } of cases) test(it, () => assert.equal(run(rounds), want))

test.run()
