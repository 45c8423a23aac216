/** Runs one trial under a watchdog, and keeps processors busy while others are measured. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Child } from '../lab/command.ts'
import type { Host } from '../lab/lab.ts'
import type { Order } from './watchdog.ts'

/** A gap in the schedule of a thread with nothing else to do, after which the machine was elsewhere. */
const voidGapMs = 100
export const maxRepeats = 3

/** A trial's result, and how many before it were void. */
export interface Trial<T> {
  readonly result: T
  readonly voids: number
  /** The last repeat was void as well: the result is shown, and marked. */
  readonly isVoid: boolean
}

/** Lets a trial say which part of it counts; without it, all of it does. */
export interface Watch {
  /** What was seen so far does not matter; from now on what is more urgent may take the processor. */
  begin(priority?: number): void
  /** What is seen from now on does not matter. */
  end(): void
}

/** Runs the trial; again, at most `repeats` times, while the watchdog saw gaps. */
export async function runTrial<T>(
  act: (watch: Watch) => Promise<T>, repeats = maxRepeats,
): Promise<Trial<T>> {
  const watchdog = new Worker(new URL('watchdog.ts', import.meta.url))
  const tell = (order: Order): void => watchdog.postMessage(order)
  try {
    await once(watchdog, 'message')
    for (let voids = 0; ; voids += 1) {
      tell({ kind: 'begin', priority: 0 })
      const result = await act({
        begin: (priority = 0) => tell({ kind: 'begin', priority }),
        end: () => tell({ kind: 'end' }),
      })
      tell({ kind: 'report' })
      const [worstMs]: number[] = await once(watchdog, 'message')
      const isVoid = worstMs === undefined || worstMs > voidGapMs
      if (!isVoid || voids === repeats) return { result, voids, isVoid }
    }
  } finally {
    await watchdog.terminate()
  }
}

/** A loop ends by itself after this time, should nobody be left to end it. */
const busyCapSeconds = 90

/** Busy loops on a host of the lab, which would end them with itself. Disposing ends them. */
export function openBusyLoops(host: Host, count: number): AsyncDisposable {
  const text = `for (const end = Date.now() + ${busyCapSeconds}e3; Date.now() < end;);`
  const loops = Array.from({ length: count }, (): Child =>
    host.spawn([process.execPath, '-e', text]))
  return {
    [Symbol.asyncDispose]: async () => {
      await Promise.all(loops.map((loop) => loop.stop('SIGKILL')))
    },
  }
}
