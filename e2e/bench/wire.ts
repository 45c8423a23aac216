/** Measures answers on the wire: the program's, the kernel's, and those of the least process. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Child } from '../lab/command.ts'
import { type Host, type Lab, lan, openLab } from '../lab/lab.ts'
import { openArpeggio } from '../lab/program.ts'
import type { Flood, Task, Trips } from './client.ts'
import type { FloorTask } from './floor.ts'
import { formatRatio, formatSpread, median, percentile, printTable } from './table.ts'
import { openBusyLoops, runTrial } from './trial.ts'

/** Who is asked for what; all three are on the node. */
const answerers = ['kernel', 'floor', 'arpeggio'] as const
type Answerer = typeof answerers[number]
const addresses = {
  ARP: { kernel: '192.168.1.10', floor: '192.168.1.239', arpeggio: '192.168.1.240' },
  NDP: { kernel: '2001:db8:1::10', floor: '2001:db8:1::239', arpeggio: '2001:db8:1::240' },
} as const satisfies Readonly<Record<string, Readonly<Record<Answerer, string>>>>
type Protocol = keyof typeof addresses
const protocols: readonly Protocol[] = ['ARP', 'NDP']

const config = `
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: { name: lan, namespace: metallb-system }
spec: { addresses: [${addresses.ARP.arpeggio}/32, "${addresses.NDP.arpeggio}/128"] }
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: { name: lan, namespace: metallb-system }
---
apiVersion: v1
kind: Service
metadata: { name: measured, namespace: default }
spec:
  type: LoadBalancer
  ipFamilyPolicy: RequireDualStack
  ports: [{ port: 80 }]
`

/** As the peer was measured: three trials of 2,000, four loops on two processors. */
const trials = 3
const count = 2_000
const busyLoops = 4
const block = 50
const warm = 500
/** Long enough for a process that answered to fall asleep again, as between real questions. */
const pauseMs = 0.3

/** MetalLB's ARP beside its kernel's, on a machine like this one, 2026-11-23. */
const peer = { idle: ['1.4-1.6 x', '0.7-1.7 x'], busy: ['1.5-2.5 x', '4-6 x'] } as const
const notes = [
  'PEER is MetalLB\'s ARP on another day: idle p50 74-81 us and p99 239-293 us, beside a kernel\'s 49-58',
  'and 138-416; busy p50 97-101 us and p99 6.6-8.0 ms, beside 40-63 us and 1.3-2.4 ms.',
  'FLOOR is a process that sleeps in recvfrom and sends a frame made before.',
  `Questions are ${pauseMs} ms apart; with "no pause" the next finds who answered still awake.`,
]

const rates = [5_000, 10_000, 20_000, 40_000, 60_000, 80_000, 120_000]
/** A single stall of a shared machine is not the limit of what is measured. */
const maxTries = 3
const rateMs = 1_000
/** No further rate is tried after this time. */
const floodCapMs = 20_000
const maxLoss = 0.001
/** A sender slower than this part of its rate is at its own limit. */
const minPace = 0.98

const askCapMs = 60_000

interface Scene {
  readonly client: Host
  readonly asker: Task['asker']
  lost: number
  voids: number
}

/** Runs one task in a process of its own on the client. */
async function ask<T>(client: Host, task: Task): Promise<T> {
  const argv = [process.execPath, join(import.meta.dirname, 'client.ts'), JSON.stringify(task)]
  return JSON.parse(await client.execOk(argv, { capMs: askCapMs }))
}

/** One row for p50 and one for p99. */
async function measureTrips(
  scene: Scene, protocol: Protocol, condition: 'idle' | 'no pause' | 'busy',
): Promise<readonly string[][]> {
  const targets = answerers.map((answerer) => addresses[protocol][answerer])
  const pause = condition === 'no pause' ? 0 : pauseMs
  const { client, asker } = scene
  const task: Task = { kind: 'trips', asker, targets, count, block, warm, pauseMs: pause }
  const results: (readonly Trips[])[] = []
  for (let trial = 0; trial < trials; trial += 1) {
    const { result, voids } = await runTrial(() => ask<readonly Trips[]>(client, task))
    results.push(result)
    scene.voids += voids
    scene.lost += result.reduce((sum, { lost }) => sum + lost, 0)
  }
  return [0.5, 0.99].map((part, i) => {
    const times = answerers.map((_, who) =>
      results.map((trips) => percentile(trips[who]?.us ?? [], part)))
    const [kernel = Number.NaN, floor = Number.NaN, ours = Number.NaN] = times.map(median)
    const reference = condition === 'no pause' || protocol === 'NDP' ? undefined : peer[condition][i]
    return [
      protocol, condition === 'busy' ? `${busyLoops} busy loops` : condition, `p${part * 100}`,
      ...times.map(formatSpread), formatRatio(ours / kernel), formatRatio(ours / floor),
      reference ?? 'not measured',
    ]
  })
}

async function benchTrips(scene: Scene): Promise<void> {
  const rows: string[][] = []
  for (const condition of ['idle', 'no pause'] as const) {
    for (const protocol of protocols) rows.push(...await measureTrips(scene, protocol, condition))
  }
  {
    await using _ = openBusyLoops(scene.client, busyLoops)
    for (const protocol of protocols) rows.push(...await measureTrips(scene, protocol, 'busy'))
  }
  const asked = count.toLocaleString('en')
  printTable(`Round trips on the wire: ${trials} trials of ${asked} questions to each, in turns`, [
    ['ASKED', 'WHILE', 'OF', ...answerers.map((name) => `${name.toUpperCase()} us`), 'TO KERNEL',
      'TO FLOOR', 'PEER TO KERNEL'],
    ...rows,
  ])
  const counts = `${scene.lost} answers lost, ${scene.voids} trials void and repeated.`
  console.log(`\n${[counts, ...notes].join('\n')}`)
}

interface Limit {
  readonly target: string
  /** Highest rate without loss. */
  best: number
  /** Where and why it ended; undefined while it goes on. */
  end: string | undefined
}

async function tryRate({ client, asker }: Scene, perSecond: number, limit: Limit): Promise<void> {
  const task: Task = { kind: 'flood', asker, target: limit.target, perSecond, ms: rateMs }
  for (let attempt = 1; attempt <= maxTries; attempt += 1) {
    const { sent, answered, ms } = (await runTrial(() => ask<Flood>(client, task))).result
    const pace = sent / ms * 1_000
    const loss = 1 - answered / sent
    if (loss > maxLoss) {
      limit.end = `${perSecond.toLocaleString('en')} (${(loss * 100).toFixed(1)} %)`
      continue
    }
    const isSlow = pace < perSecond * minPace
    limit.end = isSlow ? `none: the client cannot send ${perSecond / 1_000}k` : undefined
    if (!isSlow) limit.best = perSecond
    return
  }
}

async function benchRates(scene: Scene): Promise<void> {
  const { kernel, arpeggio } = addresses.ARP
  const limits = [kernel, arpeggio].map((target): Limit => ({ target, best: 0, end: undefined }))
  const begun = performance.now()
  for (const perSecond of rates) {
    for (const limit of limits) {
      if (limit.end !== undefined || performance.now() - begun > floodCapMs) continue
      await tryRate(scene, perSecond, limit)
    }
  }
  const reference = limits[0]?.best ?? Number.NaN
  printTable(`ARP requests per second, ${rateMs / 1_000} s a rate, until more than 0.1 % is lost thrice`, [
    ['WHO ANSWERS', 'NO LOSS AT', 'FIRST LOSS AT', 'TO KERNEL', 'PEER'],
    ...limits.map(({ best, end }, i) => [
      i === 0 ? 'kernel' : 'arpeggio', best.toLocaleString('en'),
      end ?? 'none: no higher rate was tried', formatRatio(best / reference), 'not measured',
    ]),
  ])
}

/** Starts the least process that answers, once a protocol. */
async function startFloor(lab: Lab, asker: Task['asker']): Promise<void> {
  const node = lab.host('node')
  for (const protocol of protocols) {
    const task: FloorTask = { target: addresses[protocol].floor, mac: node.mac('eth0'), asker }
    const path = join(import.meta.dirname, 'floor.ts')
    const child: Child = node.spawn([process.execPath, path, JSON.stringify(task)])
    await child.line(/^ready$/)
  }
}

/** Runs the part and prints its tables. */
export async function benchWire(): Promise<void> {
  await using lab = await openLab({ hosts: { node: { lan: lan(10) }, client: { lan: lan(20) } } })
  const client = lab.host('client')
  const asker = { mac: client.mac('eth0'), ipv4: '192.168.1.20', ipv6: '2001:db8:1::20' }
  const file = join(lab.folder, 'config.yaml')
  await writeFile(file, config)
  await using program = await openArpeggio(lab.host('node'), [
    '--no-forward', '--state-dir', join(lab.folder, 'state'), file,
  ])
  await program.statusWhen('both addresses are announced', ({ announcements }) =>
    announcements.filter(({ since }) => since !== '').length === 2)
  // After the program: of two sleepers, the one that listens last is woken on the asking processor.
  await startFloor(lab, asker)
  const scene: Scene = { client, asker, lost: 0, voids: 0 }
  await benchTrips(scene)
  await benchRates(scene)
}
