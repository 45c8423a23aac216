/** Runs one trial under a watchdog, and keeps processors busy while others are measured. */
import type { Child } from '../lab/command.ts'
import type { Host } from '../lab/lab.ts'

const tickMs = 10
/** A gap in our own schedule that makes a trial void: the machine was elsewhere. */
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
  /** What was seen so far does not matter. */
  begin(): void
  /** What is seen from now on does not matter. */
  end(): void
}

/** Runs the trial; again, at most `repeats` times, while this process saw gaps. */
export async function runTrial<T>(
  act: (watch: Watch) => Promise<T>, repeats = maxRepeats,
): Promise<Trial<T>> {
  for (let voids = 0; ; voids += 1) {
    let last = performance.now()
    let worstMs = 0
    let isOver = false
    const tick = (): void => {
      const now = performance.now()
      if (!isOver) worstMs = Math.max(worstMs, now - last - tickMs)
      last = now
    }
    const watch: Watch = {
      begin: () => {
        tick()
        worstMs = 0
      },
      end: () => {
        tick()
        isOver = true
      },
    }
    const timer = setInterval(tick, tickMs)
    const result = await act(watch).finally(() => clearInterval(timer))
    tick()
    const isVoid = worstMs > voidGapMs
    if (!isVoid || voids === repeats) return { result, voids, isVoid }
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
