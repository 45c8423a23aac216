/** Cleans up when this program ends, whatever ends it short of SIGKILL. */

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const open = new Set<() => void>()

/**
 * Calls `clean` once: when the result is called, or when this program exits, also by a signal.
 * `clean` must be synchronous.
 */
export function cleanAtExit(clean: () => void): () => void {
  if (open.size === 0) {
    process.on('exit', cleanOpen)
    for (const signal of signals) process.on(signal, leave)
  }
  open.add(clean)
  return () => {
    if (!open.delete(clean)) return
    if (open.size === 0) {
      process.off('exit', cleanOpen)
      for (const signal of signals) process.off(signal, leave)
    }
    clean()
  }
}

function cleanOpen(): void {
  for (const clean of open) clean()
}

/** A program that listens for the signal itself is left to end in its own way. */
function leave(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) === 1) process.exit(signal === 'SIGINT' ? 130 : 143)
}

/** Whether a process runs, be it ours or not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Refused is alive: it belongs to someone else.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
