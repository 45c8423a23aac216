/** Measures the roles in a cluster beside the API server's own limit: time to an address, memory, CPU. */
import type { Child } from '../lab/command.ts'
import { measureTrials, printTrials } from './kube-latency.ts'
import { load, node, nodes, type Rig, start, startController, withRig } from './kube-rig.ts'
import { measureStart } from './kube-start.ts'
import { readCpuSeconds, readUse } from './memory.ts'
import { formatNumber, formatRatio, printTable } from './table.ts'

const startedCapMs = 20_000
const settleMs = 30_000
const restMs = 40_000

/** Start beside waiting Services; one Service's way to its address; memory and processor at rest. */
export const stages = ['start', 'latency', 'rest'] as const
export type Stage = typeof stages[number]

/** Runs these stages and prints their tables. `most` Services are the largest load. */
export async function benchKube(most = 1_000, wanted: readonly Stage[] = stages): Promise<void> {
  await withRig((rig) => measure(rig, most, new Set(wanted)))
}

async function measure(rig: Rig, most: number, wanted: ReadonlySet<Stage>): Promise<void> {
  const { lab } = rig
  const speakers = nodes.map((name) => start(rig, name, ['speaker', '--node-name', name]))
  const idle = lab.host('api').spawn([...node, '-e', 'setInterval(() => {}, 1e6)'])
  let controller = startController(rig)
  await Promise.all([...speakers, controller].map((child) =>
    child.line(/"(speaker|controller) started"/, startedCapMs)))
  const uses: (readonly string[])[] = []
  const latencies: (readonly string[])[] = []
  await load(rig, { kind: 'create', from: 0, count: 1 })
  if (wanted.has('rest')) uses.push(...await measureUse('1 Service', idle, controller, speakers))
  if (wanted.has('latency')) latencies.push(await measureTrials(rig, 'idle', 100))
  await controller.stop()
  await load(rig, { kind: 'create', from: 1, count: most - 1 })
  // The other stages need it too.
  controller = await measureStart(rig, most, speakers)
  if (wanted.has('latency')) latencies.push(await measureTrials(rig, `${most} present, just then`, 101))
  if (wanted.has('rest')) uses.push(...await measureUse(`${most} Services`, idle, controller, speakers))
  else if (wanted.has('latency')) await wait(settleMs)
  if (wanted.has('latency')) {
    latencies.push(await measureTrials(rig, `${most} present, at rest before`, 102))
  }
  printTrials(latencies)
  if (uses.length === 0) return
  printTable(`At rest: MiB resident, anonymous and file-backed; processor over ${restMs / 1_000} s`, [
    ['LOAD', 'WHAT', 'RESIDENT', 'ANONYMOUS', 'FILE', 'HIGHEST', 'TO NODE.JS', 'CPU OF A CORE'], ...uses,
  ])
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

async function measureUse(
  what: string, idle: Child, controller: Child, speakers: readonly Child[],
): Promise<readonly (readonly string[])[]> {
  await wait(settleMs)
  const all = [
    { name: 'Node.js doing nothing, same flags', child: idle },
    { name: 'controller', child: controller },
    ...speakers.map((child, i) => ({ name: `speaker ${nodes[i] ?? ''}`, child })),
  ].map(({ name, child }) => ({ name, pid: child.pid }))
  const before = all.map(({ pid }) => readCpuSeconds(pid))
  const begun = performance.now()
  await wait(restMs)
  const seconds = (performance.now() - begun) / 1_000
  const reference = readUse(idle.pid).residentMib
  return all.map(({ name, pid }, i) => {
    const use = readUse(pid)
    const busy = (readCpuSeconds(pid) - (before[i] ?? 0)) / seconds
    return [
      what, name, use.residentMib.toFixed(1), use.anonymousMib.toFixed(1), use.fileBackedMib.toFixed(1),
      use.highestMib.toFixed(1), formatRatio(use.residentMib / reference), `${formatNumber(busy * 100)} %`,
    ]
  })
}
