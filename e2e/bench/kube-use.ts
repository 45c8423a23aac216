/** Measures memory and processor of roles in a cluster at rest, beside a Node.js that does nothing. */
import type { Child } from '../lab/command.ts'
import { readCpuSeconds, readUse } from './memory.ts'
import { formatNumber, formatRatio, printTable } from './table.ts'

/** Bursts last 5 s; refreshes follow 24 to 36 s later, and belong to rest. */
export const settleMs = 30_000
const restMs = 40_000

interface Program {
  readonly name: string
  readonly child: Child
}

export function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** A row for each of the programs, after they have settled; the first one is the reference of memory. */
export async function measureUse(
  what: string, programs: readonly Program[],
): Promise<readonly (readonly string[])[]> {
  await wait(settleMs)
  const pids = programs.map(({ child }) => child.pid)
  const before = pids.map(readCpuSeconds)
  const begun = performance.now()
  await wait(restMs)
  const seconds = (performance.now() - begun) / 1_000
  const uses = pids.map(readUse)
  const reference = uses[0]?.residentMib ?? Number.NaN
  return uses.map((use, i) => {
    const busy = (readCpuSeconds(pids[i] ?? 0) - (before[i] ?? 0)) / seconds
    return [
      what, programs[i]?.name ?? '', use.residentMib.toFixed(1), use.anonymousMib.toFixed(1),
      use.fileBackedMib.toFixed(1), use.highestMib.toFixed(1), formatRatio(use.residentMib / reference),
      `${formatNumber(busy * 100)} %`,
    ]
  })
}

/** `peers`: what the peer was measured at, a row each; no column without them. */
export function printUses(
  rows: readonly (readonly string[])[], peers?: readonly string[],
): void {
  const head = ['LOAD', 'WHAT', 'RESIDENT', 'ANONYMOUS', 'FILE', 'HIGHEST', 'TO NODE.JS', 'CPU OF A CORE']
  printTable(`At rest: MiB resident, anonymous and file-backed; processor over ${restMs / 1_000} s`, [
    peers === undefined ? head : [...head, 'PEER CPU'],
    ...peers === undefined ? rows : rows.map((row, i) => [...row, peers[i] ?? '']),
  ])
}
