/** Measures the roles in a cluster beside the API server's own limit: time to an address, memory, CPU. */
import { measureTrials, printTrials } from './kube-latency.ts'
import { findPeer, peers } from './kube-programs.ts'
import {
  load, type Rig, startController, startIdle, startSpeakers, whenStarted, withRig,
} from './kube-rig.ts'
import { measureStart } from './kube-start.ts'
import { measureUse, printUses, settleMs, wait } from './kube-use.ts'

/**
 * Start beside waiting Services; one Service's way to its address, `idle` without others and `latency` also
 * with them; memory and processor at rest.
 */
export const stages = ['start', 'idle', 'latency', 'rest'] as const
export type Stage = typeof stages[number]

const peerMost = 1_000

/** Runs these stages and prints their tables. `most` Services are the largest load. */
export async function benchKube(most = 1_000, wanted: readonly Stage[] = stages): Promise<void> {
  await withRig((rig) => measure(rig, most, new Set(wanted)))
}

/** The same of the peer, which is built from Go modules first. */
export async function benchPeer(wanted: readonly Stage[] = stages): Promise<void> {
  const programs = peers(await findPeer())
  console.log('\nThe peer, on the same rig:')
  await withRig((rig) => measure(rig, peerMost, new Set(wanted)), { programs })
}

async function measure(rig: Rig, most: number, wanted: ReadonlySet<Stage>): Promise<void> {
  const speakers = startSpeakers(rig)
  const idle = startIdle(rig)
  let controller = startController(rig)
  await whenStarted(rig, [...speakers, controller])
  const used = (what: string): Promise<readonly (readonly string[])[]> => measureUse(what, [
    { name: 'Node.js doing nothing, same flags', child: idle },
    { name: 'controller', child: controller },
    ...speakers.map((child, i) => ({ name: `speaker ${rig.nodes[i] ?? ''}`, child })),
  ])
  const uses: (readonly string[])[] = []
  const latencies: (readonly string[])[] = []
  await load(rig, { kind: 'create', from: 0, count: 1 })
  if (wanted.has('rest')) uses.push(...await used('1 Service'))
  if (wanted.has('latency') || wanted.has('idle')) latencies.push(await measureTrials(rig, 'idle', 100))
  if (wanted.size === 1 && wanted.has('idle')) return printTrials(latencies)
  await controller.stop()
  await load(rig, { kind: 'create', from: 1, count: most - 1 })
  // The other stages need it too.
  controller = await measureStart(rig, most, speakers)
  if (wanted.has('latency')) latencies.push(await measureTrials(rig, `${most} present, just then`, 101))
  if (wanted.has('rest')) uses.push(...await used(`${most} Services`))
  else if (wanted.has('latency')) await wait(settleMs)
  if (wanted.has('latency')) {
    latencies.push(await measureTrials(rig, `${most} present, at rest before`, 102))
  }
  printTrials(latencies)
  if (uses.length > 0) printUses(uses)
}
