/** What measures: a capture on the bridge, a host that asks for addresses, one that opens connections. */
import { join } from 'node:path'
import { until } from '../lab/command.ts'
import type { Lab } from '../lab/lab.ts'
import { type Frame, frameBytes, neighbourFrames, openReader } from './pcap.ts'
import { longestGap } from './voices.ts'

/** Of every question: the third host of design §5, "Words". */
const pace = 5
const callEveryMs = 10

/** One new TCP connection. */
export interface Call {
  readonly atMs: number
  /** Until it was open; -1 = it was not, before the first packet would have been repeated. */
  readonly tookMs: number
  /** Of a failure: `unanswered`, or what the kernel said. */
  readonly why: string
}

export interface Capture extends AsyncDisposable {
  /** Frames between two instants of wall time; all that were on the wire before the call. */
  frames(fromMs: number, toMs: number): readonly Frame[]
}

export interface Instruments extends Capture {
  calls(fromMs: number, toMs: number): readonly Call[]
}

/** Wall time in ms, with fractions, as the capture has it. */
export function wallMs(): number {
  return performance.timeOrigin + performance.now()
}

export interface Measured {
  readonly lab: Lab
  /** Asked for in turn; those of one turn together. */
  readonly turns: readonly (readonly string[])[]
  /** Between two turns. */
  readonly askEveryMs?: number
  /** What captures already; one capture more costs what is measured. */
  readonly capture?: Capture
  /** Connections go to their ports 80, in turn; none = no connections. */
  readonly called?: readonly string[]
}

/** Starts all three; they measure when the promise fulfils. Hosts `asker` and `caller` must exist. */
export async function openInstruments(measured: Measured): Promise<Instruments> {
  const { lab, turns, called = [], askEveryMs = pace } = measured
  const program = (name: string): readonly string[] =>
    [process.execPath, join(import.meta.dirname, `${name}.ts`)]
  const own = measured.capture === undefined ? await openCapture(lab) : undefined
  const asker = lab.host('asker').spawn([
    ...program('asker'), askerAddress, askerAddress6, String(askEveryMs),
    ...turns.map((turn) => turn.join(',')),
  ])
  const caller = called.length === 0
    ? undefined
    : lab.host('caller').spawn([...program('caller'), called.join(','), '80', String(callEveryMs)])
  const children = [asker, caller].filter((child) => child !== undefined)
  await Promise.all(children.map((child) => until('an instrument is ready', () => {
    if (!child.isRunning()) throw new Error(`An instrument ended early: ${child.lines.join('\n')}`)
    return child.lines.includes('ready')
  }, readyCapMs)))
  const calls = createSeries<Call>()
  let told = 0
  return {
    frames: (fromMs, toMs) => (own ?? measured.capture)?.frames(fromMs, toMs) ?? [],
    calls: (fromMs, toMs) => {
      if (caller === undefined) return []
      calls.add(caller.lines.slice(told).flatMap(parseCall))
      told = caller.lines.length
      return calls.between(fromMs, toMs)
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(children.map((child) => child.stop('SIGINT')))
      await own?.[Symbol.asyncDispose]()
    },
  }
}

let captures = 0

/** Reads what tcpdump writes; what it has written can be read when it has ended. */
async function openCapture(lab: Lab): Promise<Capture> {
  captures += 1
  const file = join(lab.folder, `capture-${captures}.pcap`)
  const wire = lab.spawn([
    'tcpdump', '-i', 'lan', '-n', '-U', '--immediate-mode', '--time-stamp-precision=nano',
    '-s', String(frameBytes), '-B', '8192', '-Z', 'root', '-w', file, neighbourFrames,
  ])
  await wire.line(/listening on/)
  const reader = openReader(file)
  const seen = createSeries<Frame>()
  return {
    frames: (fromMs, toMs) => {
      seen.add(reader.read())
      return seen.between(fromMs, toMs)
    },
    [Symbol.asyncDispose]: async () => void await wire.stop('SIGINT'),
  }
}

export const askerAddress = '192.168.1.40'
export const askerAddress6 = '2001:db8:1::40'
const readyCapMs = 30_000
/** More than any trial has: what is older is let go. */
const keptRows = 200_000

interface Series<T> {
  add(rows: readonly T[]): void
  between(fromMs: number, toMs: number): readonly T[]
}

/** Rows by time: looked at often while they grow by a thousand a second. */
function createSeries<T extends { readonly atMs: number }>(): Series<T> {
  const rows: T[] = []
  return {
    add: (more) => {
      let isSorted = true
      for (const row of more) {
        isSorted &&= row.atMs >= (rows.at(-1)?.atMs ?? 0)
        rows.push(row)
      }
      if (!isSorted) rows.sort((a, b) => a.atMs - b.atMs)
      if (rows.length > 2 * keptRows) rows.splice(0, rows.length - keptRows)
    },
    between: (fromMs, toMs) =>
      rows.slice(firstFrom(rows, fromMs)).filter(({ atMs }) => atMs <= toMs),
  }
}

/** Index of the first row at or after an instant. */
function firstFrom(rows: readonly { readonly atMs: number }[], fromMs: number): number {
  let [low, high] = [0, rows.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((rows[middle]?.atMs ?? fromMs) < fromMs) low = middle + 1
    else high = middle
  }
  return low
}

function parseCall(line: string): readonly Call[] {
  const [at = '', took = '', why = ''] = line.split(' ')
  const [atMs, tookMs] = [Number(at), Number(took)]
  return took === '' || Number.isNaN(atMs + tookMs) ? [] : [{ atMs, tookMs, why }]
}

/** Last good to first good new connection, in ms: what is between two is the pace of the caller. */
export function darkOf(calls: readonly Call[], toMs: number): number {
  const good = calls.filter(({ tookMs }) => tookMs >= 0).map(({ atMs }) => atMs)
  return Math.max(0, longestGap([...good, toMs]) - callEveryMs)
}
