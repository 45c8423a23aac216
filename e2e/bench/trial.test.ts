/** Trials that count, and those during which the machine was elsewhere. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { runOk } from '../lab/command.ts'
import { runTrial } from './trial.ts'

const gapMs = 300

/** As a hypervisor does: the whole process stands still. */
async function standStill(): Promise<void> {
  await runOk(['sh', '-c', `kill -STOP ${process.pid}; sleep ${gapMs / 1_000}; kill -CONT ${process.pid}`])
}

test('a trial that holds up its own loop counts', async () => {
  const { result, voids, isVoid } = await runTrial(async () => {
    for (const end = performance.now() + gapMs; performance.now() < end;);
    return 'read all frames'
  }, 1_000)
  assert.is(result, 'read all frames')
  assert.is(isVoid, false, `after ${voids} voids`)
})

test('a trial during which nothing ran is void, repeated as often as said, and marked', async () => {
  let runs = 0
  const { voids, isVoid } = await runTrial(async () => {
    runs += 1
    await standStill()
  }, 2)
  assert.equal({ runs, voids, isVoid }, { runs: 3, voids: 2, isVoid: true })
})

test('what is outside of the part that counts does not matter', async () => {
  let runs = 0
  const { isVoid } = await runTrial(async (watch) => {
    runs += 1
    if (runs === 1) await standStill()
    watch.begin()
    watch.end()
    if (runs === 1) await standStill()
  }, 0)
  assert.is(isVoid, false)
})

test.run()
