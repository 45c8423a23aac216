/** Measures the roles in a cluster beside the API server's own limit: time to an address, memory, CPU. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findAssets } from '../kube/assets.ts'
import { type KubeServer, openServer, serverPrograms } from '../kube/server.ts'
import { type Child, runOk, until } from '../lab/command.ts'
import { type Host, type Lab, openLab } from '../lab/lab.ts'
import type { FirstReply, FirstReplyTask } from './first-reply.ts'
import type { Access, Born, Task } from './kube-client.ts'
import { readCpuSeconds, readUse } from './memory.ts'
import { formatNumber, formatRatio, formatSpread, median, printTable } from './table.ts'

const root = join(import.meta.dirname, '../..')
const nodes = ['a', 'b', 'c']
/** How the image starts the program. */
const node = [
  'env', 'MALLOC_ARENA_MAX=1', 'MALLOC_TRIM_THRESHOLD_=131072', 'MALLOC_MMAP_THRESHOLD_=131072',
  process.execPath, '--optimize-for-size', '--max-semi-space-size=1', '--v8-pool-size=0',
]
const apiAddress = '198.51.100.1'
const capMs = 600_000
const settleMs = 30_000
const restMs = 40_000
const trialCount = 9

const config = `
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: { name: lan, namespace: metallb-system }
spec: { addresses: [10.240.0.0-10.240.127.255] }
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: { name: lan, namespace: metallb-system }
`

interface Rig {
  readonly lab: Lab
  readonly server: KubeServer
  readonly bundle: string
}

/** Runs the part and prints its tables. `most` Services are the largest load. */
export async function benchKube(most = 1_000): Promise<void> {
  const assets = await findAssets(serverPrograms)
  if ('lack' in assets) return void console.log(`\nThe cluster is not measured: ${assets.lack}`)
  await runOk([join(root, 'hack/bundle')], { capMs })
  await using lab = await openLab({
    hosts: {
      api: { mgmt: [`${apiAddress}/24`] },
      client: { lan: ['10.240.200.1/16'] },
      ...Object.fromEntries(nodes.map((name, i) => [name, {
        lan: [`10.240.201.${i + 1}/16`], mgmt: [`198.51.100.${i + 11}/24`],
      }])),
    },
  })
  const within = ['ip', 'netns', 'exec', lab.host('api').namespace]
  await using server = await openServer({ assets: assets.folder, address: apiAddress, within })
  const rig = { lab, server, bundle: join(root, 'build/arpeggio.js') }
  await install(rig)
  await measure(rig, most)
}

async function install({ server, lab }: Rig): Promise<void> {
  const crds = join(root, 'deploy/base/crds.yaml')
  const apply = (text: string): Promise<string> =>
    server.kubectlOk(['apply', '--server-side', '-f', '-'], { stdin: text })
  await server.kubectlOk(['create', 'namespace', 'metallb-system'])
  if (existsSync(crds)) await apply(readFileSync(crds, 'utf8'))
  await until('the pools are known', async () => (await server.kubectl(
    ['apply', '-f', '-'], { stdin: config },
  )).code === 0, 30_000)
  for (const [i, name] of nodes.entries()) {
    await apply(JSON.stringify({ apiVersion: 'v1', kind: 'Node', metadata: { name } }))
    await apply(JSON.stringify({
      apiVersion: 'v1', kind: 'Pod',
      metadata: {
        name: `speaker-${name}`, namespace: 'metallb-system',
        labels: { app: 'metallb', component: 'speaker' },
      },
      spec: { nodeName: name, containers: [{ name: 'speaker', image: 'none' }] },
    }))
    const address = `198.51.100.${i + 11}`
    const status = { phase: 'Running', podIP: address, podIPs: [{ ip: address }],
      conditions: [{ type: 'Ready', status: 'True' }] }
    await server.kubectlOk(['patch', 'pod', `speaker-${name}`, '-n', 'metallb-system',
      '--subresource=status', '--type=merge', '-p', JSON.stringify({ status })])
  }
  for (const [name, text] of Object.entries({ 'ca.crt': server.ca, token: server.tokenOf('admin') })) {
    writeFileSync(join(lab.folder, name), text)
  }
}

/** As in a Pod: with the service account's files in the lab's folder. */
function start({ lab, server, bundle }: Rig, host: string, args: readonly string[]): Child {
  const { hostname, port } = new URL(server.url)
  return lab.host(host).spawn([
    'env', `KUBERNETES_SERVICE_HOST=${hostname}`, `KUBERNETES_SERVICE_PORT=${port}`,
    `ARPEGGIO_SERVICE_ACCOUNT=${lab.folder}`,
    ...node, bundle, ...args, '--namespace', 'metallb-system', '--http-port', '7472',
  ])
}

function startController(rig: Rig): Child {
  return start(rig, 'api', ['controller', '--pod-name', 'controller-x'])
}

/** Runs one task in a process of its own beside the API server. */
function spawnLoad({ lab, server }: Rig, task: Task): Child {
  const access: Access = {
    url: server.url, ca: join(lab.folder, 'ca.crt'), token: server.tokenOf('admin'),
  }
  return lab.host('api').spawn([
    process.execPath, join(import.meta.dirname, 'kube-client.ts'), JSON.stringify({ access, task }),
  ])
}

async function load<T>(rig: Rig, task: Task): Promise<T> {
  return resultOf(spawnLoad(rig, task))
}

async function resultOf<T>(child: Child): Promise<T> {
  const code = await child.exited
  const last = child.lines.at(-1) ?? ''
  if (code !== 0) throw new Error(`The load ended with ${code}: ${child.lines.slice(-5).join('\n')}`)
  return JSON.parse(last)
}

function wallMs(): number {
  return performance.timeOrigin + performance.now()
}

async function measure(rig: Rig, most: number): Promise<void> {
  const { lab } = rig
  const speakers = nodes.map((name) => start(rig, name, ['speaker', '--node-name', name]))
  const idle = lab.host('api').spawn([...node, '-e', 'setInterval(() => {}, 1e6)'])
  let controller = startController(rig)
  await Promise.all([...speakers, controller].map((child) => child.line(/"(speaker|controller) started"/)))
  const rows: (readonly string[])[] = []
  await load(rig, { kind: 'create', from: 0, count: 1 })
  rows.push(...await measureUse('1 Service', idle, controller, speakers))
  const latency = [await measureTrials(rig, 'idle', 100)]
  await controller.stop()
  await load(rig, { kind: 'create', from: 1, count: most - 1 })
  const halves = await load<readonly number[]>(rig, { kind: 'patch', count: most })
  const limitMs = median(halves)
  const waiting = spawnLoad(rig, { kind: 'await', count: most })
  await until('the load is ready', () => waiting.lines.includes('ready'), 30_000)
  const begunAtMs = wallMs()
  controller = startController(rig)
  const done = await resultOf<{ assignedAtMs: number; eventsAtMs: number }>(waiting)
  latency.push(await measureTrials(rig, `${most} present, just then`, 101))
  rows.push(...await measureUse(`${most} Services`, idle, controller, speakers))
  latency.push(await measureTrials(rig, `${most} present, at rest before`, 102))
  printStart(most, limitMs, done.assignedAtMs - begunAtMs, done.eventsAtMs - begunAtMs)
  printTable('Service created, until it has an address and until ARP is answered: ms, p50 (least-most)', [
    ['LOAD', 'TO ADDRESS', 'TO ARP REPLY', 'PEER P50'],
    ...latency,
  ])
  printTable(`At rest: MiB resident, anonymous and file-backed; processor over ${restMs / 1_000} s`, [
    ['LOAD', 'WHAT', 'RESIDENT', 'ANONYMOUS', 'FILE', 'HIGHEST', 'TO NODE.JS', 'CPU OF A CORE'], ...rows,
  ])
}

function printStart(count: number, limitMs: number, assignedMs: number, eventsMs: number): void {
  printTable(`${count} waiting Services when the controller starts, until all have an address`, [
    ['WHAT', 'MS', 'TO LIMIT', 'PEER'],
    [`limit: ${count} bare status patches over 8 connections`, limitMs.toFixed(0), '1.00 x', ''],
    ['all have an address, process start included', assignedMs.toFixed(0),
      formatRatio(assignedMs / limitMs), '10.8 x'],
    ['and an event each', eventsMs.toFixed(0), formatRatio(eventsMs / limitMs), ''],
  ])
}

async function measureTrials(rig: Rig, what: string, third: number): Promise<readonly string[]> {
  const { lab } = rig
  const addresses = Array.from({ length: trialCount }, (_, i) => `10.240.${third}.${i + 1}`)
  const client: Host = lab.host('client')
  const question: FirstReplyTask = {
    addresses, asker: { mac: client.mac('eth0'), ipv4: '10.240.200.1', ipv6: '2001:db8::1' },
  }
  const asking = client.spawn([
    process.execPath, join(import.meta.dirname, 'first-reply.ts'), JSON.stringify(question),
  ])
  await asking.line(/^ready$/)
  const born = await load<readonly Born[]>(rig, { kind: 'trials', addresses })
  const replies = new Map(asking.lines.slice(1).map((line) => {
    const reply: FirstReply = JSON.parse(line)
    return [reply.address, reply.atMs]
  }))
  await asking.stop('SIGKILL')
  const toAddress = born.map(({ createdAtMs, assignedAtMs }) => assignedAtMs - createdAtMs)
  const toReply = born.map(({ address, createdAtMs }) =>
    (replies.get(address) ?? Number.NaN) - createdAtMs)
  const text = (values: readonly number[]): string =>
    `${formatNumber(median(values))} (${formatSpread(values)})`
  return [what, text(toAddress), text(toReply), what === 'idle' ? '27 / 27' : '4200 / 4 of 9 none in 3 s']
}

async function measureUse(
  what: string, idle: Child, controller: Child, speakers: readonly Child[],
): Promise<readonly (readonly string[])[]> {
  await new Promise((resolve) => setTimeout(resolve, settleMs))
  const all = [
    { name: 'Node.js doing nothing, same flags', child: idle },
    { name: 'controller', child: controller },
    ...speakers.map((child, i) => ({ name: `speaker ${nodes[i] ?? ''}`, child })),
  ].map(({ name, child }) => ({ name, pid: child.pid }))
  const before = all.map(({ pid }) => readCpuSeconds(pid))
  const begun = performance.now()
  await new Promise((resolve) => setTimeout(resolve, restMs))
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
