/** What measures: a capture on the bridge, a host that asks for addresses, one that opens connections. */
import { join } from 'node:path'
import type { Child } from '../lab/command.ts'
import { until } from '../lab/command.ts'
import type { Lab } from '../lab/lab.ts'
import { type ArpFrame, openReader } from './pcap.ts'
import { longestGap } from './voices.ts'

/** Of every question: the third host of design §5, "Words". */
const pace = 5
const callEveryMs = 10

/** One new TCP connection. */
export interface Call {
  readonly atMs: number
  /** Until it was open; -1 = it was not, before the first packet would have been repeated. */
  readonly tookMs: number
}

export interface Instruments extends AsyncDisposable {
  /** Frames between two instants of wall time; all that were on the wire before the call. */
  frames(fromMs: number, toMs: number): readonly ArpFrame[]
  calls(fromMs: number, toMs: number): readonly Call[]
}

/** Wall time in ms, with fractions, as the capture has it. */
export function wallMs(): number {
  return performance.timeOrigin + performance.now()
}

export interface Measured {
  readonly lab: Lab
  /** Asked for in turn, one at a time. */
  readonly addresses: readonly string[]
  /** Between two questions, of whatever address. */
  readonly askEveryMs?: number
  /** Connections go to its port 80. */
  readonly called: string
}

let captures = 0

/** Starts all three; they measure when the promise fulfils. Hosts `asker` and `caller` must exist. */
export async function openInstruments(measured: Measured): Promise<Instruments> {
  const { lab, addresses, called, askEveryMs = pace } = measured
  const program = (name: string): readonly string[] =>
    [process.execPath, join(import.meta.dirname, `${name}.ts`)]
  captures += 1
  const file = join(lab.folder, `capture-${captures}.pcap`)
  const wire = lab.spawn([
    'tcpdump', '-i', 'lan', '-n', '-U', '--immediate-mode', '--time-stamp-precision=nano', '-s', '64',
    '-B', '8192', '-Z', 'root', '-w', file, 'arp',
  ])
  await wire.line(/listening on/)
  const asker = lab.host('asker').spawn([
    ...program('asker'), askerAddress, String(askEveryMs), ...addresses,
  ])
  const caller = lab.host('caller').spawn([...program('caller'), called, '80', String(callEveryMs)])
  await Promise.all([asker, caller].map((child) => until('an instrument is ready', () => {
    if (!child.isRunning()) throw new Error(`An instrument ended early: ${child.lines.join('\n')}`)
    return child.lines.includes('ready')
  }, readyCapMs)))
  const reader = openReader(file)
  const frames: ArpFrame[] = []
  return {
    frames: (fromMs, toMs) => {
      for (const frame of reader.read()) frames.push(frame)
      return frames.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs)
    },
    calls: (fromMs, toMs) => callsOf(caller, fromMs, toMs),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([wire, asker, caller].map((child) => child.stop('SIGINT')))
    },
  }
}

export const askerAddress = '192.168.1.40'
const readyCapMs = 30_000

function callsOf({ lines }: Child, fromMs: number, toMs: number): readonly Call[] {
  const calls = lines.flatMap((line): readonly Call[] => {
    const [atMs, tookMs] = line.split(' ').map(Number)
    return atMs === undefined || tookMs === undefined ? [] : [{ atMs, tookMs }]
  })
  return calls.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs).toSorted((a, b) => a.atMs - b.atMs)
}

/** Last good to first good new connection, in ms: what is between two is the pace of the caller. */
export function darkOf(calls: readonly Call[], toMs: number): number {
  const good = calls.filter(({ tookMs }) => tookMs >= 0).map(({ atMs }) => atMs)
  return Math.max(0, longestGap([...good, toMs]) - callEveryMs)
}
