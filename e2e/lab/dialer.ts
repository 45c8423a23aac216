/** A client that opens a connection every 10 ms, and what it has seen between two moments. */
import { join } from 'node:path'
import { type Child, until } from './command.ts'
import type { Host } from './lab.ts'

export interface Dialled {
  readonly good: number
  readonly failed: number
  /** Longest time from the begin of one good connection to that of the next. */
  readonly darkMs: number
}

/** Disposing stops it. */
export interface Dialer extends AsyncDisposable {
  /** What was begun since the last call: waits a little, and until all is good again. */
  look(): Promise<Dialled>
}

/** What happens is looked at for so long, and the end of it must be good for so long. */
const watchMs = 1_500
const goodMs = 500
const lookCapMs = 20_000

/** Starts it; connections are good when the promise fulfils. */
export async function openDialer(host: Host, address: string, port: number): Promise<Dialer> {
  const program = [process.execPath, join(import.meta.dirname, 'dial.ts'), address, String(port)]
  const child = host.spawn(program)
  let seen = 0
  await child.line(/ good$/)
  return {
    look: async () => {
      const fromMs = Date.now() + watchMs
      await until('connections are good again', () => isGoodSince(child, fromMs), lookCapMs)
      const lines = child.lines.slice(seen)
      seen = Math.max(0, child.lines.length - 1)
      return judge(lines)
    },
    [Symbol.asyncDispose]: async () => void await child.stop(),
  }
}

/** Whether everything of the last while was good, and that while ends after `fromMs`. */
function isGoodSince({ lines }: Child, fromMs: number): boolean {
  const rows = lines.map(parse)
  const lastMs = rows.reduce((last, { atMs, isGood }) => isGood ? Math.max(last, atMs) : last, 0)
  return lastMs > fromMs && rows.every(({ atMs, isGood }) => isGood || atMs < lastMs - goodMs)
}

function parse(line: string): { atMs: number; isGood: boolean } {
  const [at = '', word] = line.split(' ')
  return { atMs: Number(at), isGood: word === 'good' }
}

function judge(lines: readonly string[]): Dialled {
  const rows = lines.map(parse).toSorted((a, b) => a.atMs - b.atMs)
  const good = rows.filter(({ isGood }) => isGood)
  const gaps = good.map(({ atMs }, i) => atMs - (good[i - 1]?.atMs ?? atMs))
  return { good: good.length, failed: rows.length - good.length, darkMs: Math.max(0, ...gaps) }
}
