/** Asks the API server until it answers. */
import type { Log } from '../log.ts'
import { describeFailure } from './reflector.ts'

/**
 * Tries until the API server answers, or until the end (undefined): a start while it is down is no
 * failure.
 */
export async function whenAnswered<T>(
  log: Log, stopped: Promise<unknown>, ask: () => Promise<T>,
): Promise<T | undefined> {
  let isStopped = false
  const ending = stopped.then(() => void (isStopped = true))
  for (let attempt = 0; !isStopped; attempt++) {
    try {
      return await ask()
    } catch (error) {
      if (attempt === 0) log.warn('waiting for the API server', { error: describeFailure(error) })
      const waitMs = Math.min(5_000, 250 * 2 ** attempt)
      await Promise.race([ending, new Promise((resolve) => setTimeout(resolve, waitMs).unref())])
    }
  }
  return undefined
}
