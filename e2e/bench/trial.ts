/** Runs one trial under a watchdog, and keeps processors busy while others are measured. */
import type { Child } from '../lab/command.ts'
import type { Host } from '../lab/lab.ts'

const tickMs = 10
/** A gap in our own schedule that makes a trial void: the machine was elsewhere. */
const voidGapMs = 100
const maxRepeats = 3

/** A trial's result, and how many before it were void. */
export interface Trial<T> {
  readonly result: T
  readonly voids: number
  /** The last repeat was void as well: the result is shown, and marked. */
  readonly isVoid: boolean
}

/** Runs the trial; again, at most three times, while this process saw gaps. */
export async function runTrial<T>(act: () => Promise<T>): Promise<Trial<T>> {
  for (let voids = 0; ; voids += 1) {
    let last = performance.now()
    let worstMs = 0
    const tick = (): void => {
      const now = performance.now()
      worstMs = Math.max(worstMs, now - last - tickMs)
      last = now
    }
    const timer = setInterval(tick, tickMs)
    const result = await act().finally(() => clearInterval(timer))
    tick()
    const isVoid = worstMs > voidGapMs
    if (!isVoid || voids === maxRepeats) return { result, voids, isVoid }
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
