/** Measures the program at rest: its memory and its processor time, by number of addresses. */
import { readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openLab } from '../lab/lab.ts'
import { openArpeggio } from '../lab/program.ts'
import { formatNumber, formatRatio, printTable } from './table.ts'

/** Hosts that run the program: a segment each, else one would hear the other. */
const loads = [
  { host: 'one', addresses: 1, pool: '10.240.1.1/32',
    peer: 'MetalLB speaker 62-68 (15 + 47), CPU 0.4-0.5 %' },
  { host: 'thousand', addresses: 1_000, pool: '10.240.4.0-10.240.7.231',
    peer: 'MetalLB speaker 84-90, highest 96' },
] as const

/** Bursts last 5 s; refreshes follow 24 to 36 s later, and belong to rest. */
const settleMs = 30_000
const restMs = 10_000
const kibPerMib = 1_024
const nsPerSecond = 1e9

interface Use {
  readonly residentMib: number
  readonly anonymousMib: number
  readonly fileBackedMib: number
  readonly highestMib: number
}

/** Memory of a running program: proc_pid_status(5). */
export function readUse(pid: number): Use {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const mib = (key: string): number =>
    Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / kibPerMib
  return {
    residentMib: mib('VmRSS'),
    anonymousMib: mib('RssAnon'),
    fileBackedMib: mib('RssFile'),
    highestMib: mib('VmHWM'),
  }
}

/** Seconds on a processor so far, of all threads that live, to the nanosecond. */
export function readCpuSeconds(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => {
    const text = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8')
    return sum + Number(text.split(' ')[0]) / nsPerSecond
  }, 0)
}

function configOf(pool: string, services: number): string {
  const documents = Array.from({ length: services }, (_, i) => `
apiVersion: v1
kind: Service
metadata: { name: s${i}, namespace: default }
spec: { type: LoadBalancer, ports: [{ port: 80 }] }
`)
  return [`
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: { name: lan, namespace: metallb-system }
spec: { addresses: [${pool}] }
`, `
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: { name: lan, namespace: metallb-system }
`, ...documents].join('---')
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Runs the part and prints its table. */
export async function benchMemory(): Promise<void> {
  await using lab = await openLab({
    hosts: {
      plain: {}, one: { east: ['10.240.0.2/16'] }, thousand: { west: ['10.240.0.2/16'] },
    },
  })
  await using stack = new AsyncDisposableStack()
  const plain = stack.use(lab.host('plain').spawn([process.execPath, '-e', 'setInterval(() => {}, 1e6)']))
  const started: { pid: number; what: string; peer: string }[] = []
  for (const { host, addresses, pool, peer } of loads) {
    const file = join(lab.folder, `${host}.yaml`)
    await writeFile(file, configOf(pool, addresses))
    const program = stack.use(await openArpeggio(lab.host(host), [
      '--no-forward', '--state-dir', join(lab.folder, host), file,
    ]))
    await program.statusWhen('every address is announced', ({ announcements }) =>
      announcements.filter(({ since }) => since !== '').length === addresses)
    const what = `arpeggio standalone, ${addresses.toLocaleString('en')} announced`
    started.push({ pid: program.child.pid, what, peer })
  }
  await wait(settleMs)
  const all = [{ pid: plain.pid, what: 'Node.js doing nothing', peer: 'is the reference' }, ...started]
  const before = all.map(({ pid }) => readCpuSeconds(pid))
  const begun = performance.now()
  await wait(restMs)
  const seconds = (performance.now() - begun) / 1_000
  const reference = readUse(plain.pid)
  const rows = all.map(({ pid, what, peer }, i) => {
    const use = readUse(pid)
    const busy = (readCpuSeconds(pid) - (before[i] ?? 0)) / seconds
    return [
      what, use.residentMib.toFixed(1), use.anonymousMib.toFixed(1), use.fileBackedMib.toFixed(1),
      use.highestMib.toFixed(1), formatRatio(use.residentMib / reference.residentMib),
      `${formatNumber(busy * 100)} %`, peer,
    ]
  })
  const title = `At rest: MiB resident, of it anonymous and file-backed; processor over ${restMs / 1_000} s`
  printTable(title, [
    ['WHAT', 'RESIDENT', 'ANONYMOUS', 'FILE', 'HIGHEST', 'TO NODE.JS', 'CPU OF A CORE', 'PEER'],
    ...rows,
  ])
}
