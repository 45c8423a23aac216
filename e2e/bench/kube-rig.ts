/** The cluster that benchmarks measure in: an API server, nodes on a segment, the roles as in the image. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findAssets } from '../kube/assets.ts'
import { type KubeServer, openServer, serverPrograms } from '../kube/server.ts'
import { type Child, runOk, until } from '../lab/command.ts'
import { type Lab, openLab } from '../lab/lab.ts'
import type { Access, Task } from './kube-client.ts'
import { node, ours, type Programs } from './kube-programs.ts'

const root = join(import.meta.dirname, '../..')
const nodes = ['a', 'b', 'c']
const apiAddress = '198.51.100.1'
const controllerPod = 'controller-x'
const capMs = 600_000
const startedCapMs = 20_000

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

export interface Rig {
  readonly lab: Lab
  /** Where speakers run: `nodes`, or some of them. */
  readonly nodes: readonly string[]
  readonly server: KubeServer
  readonly programs: Programs
}

interface RigOptions {
  /** One or more; three without. */
  readonly nodes?: readonly string[]
  /** What runs in it, instead of ours. */
  readonly programs?: Programs
}

/** Builds it for the time that `use` takes; says so where its programs are missing. */
export async function withRig(
  use: (rig: Rig) => Promise<void>, { nodes: names = nodes, programs }: RigOptions = {},
): Promise<void> {
  const assets = await findAssets(serverPrograms)
  if ('lack' in assets) return void console.log(`\nThe cluster is not measured: ${assets.lack}`)
  await runOk([join(root, 'hack/bundle')], { capMs })
  await using lab = await openLab({
    hosts: {
      api: { mgmt: [`${apiAddress}/24`] },
      client: { lan: ['10.240.200.1/16'] },
      ...Object.fromEntries(names.map((name, i) => [name, {
        lan: [`10.240.201.${i + 1}/16`], mgmt: [`${addressOf(i)}/24`],
      }])),
    },
  })
  const within = ['ip', 'netns', 'exec', lab.host('api').namespace]
  await using server = await openServer({ assets: assets.folder, address: apiAddress, within })
  const rig = {
    lab, nodes: names, server, programs: programs ?? ours(join(root, 'build/arpeggio.js')),
  }
  await install(rig)
  await use(rig)
}

/** Of the i-th node on the management segment, and of its speaker's Pod. */
function addressOf(i: number): string {
  return `198.51.100.${i + 11}`
}

async function install({ server, lab, nodes: names }: Rig): Promise<void> {
  const crds = join(root, 'deploy/base/crds.yaml')
  const apply = (text: string): Promise<string> =>
    server.kubectlOk(['apply', '--server-side', '-f', '-'], { stdin: text })
  await server.kubectlOk(['create', 'namespace', 'metallb-system'])
  if (existsSync(crds)) await apply(readFileSync(crds, 'utf8'))
  await until('the pools are known', async () => (await server.kubectl(
    ['apply', '-f', '-'], { stdin: config },
  )).code === 0, 30_000)
  for (const [i, name] of names.entries()) {
    await apply(JSON.stringify({ apiVersion: 'v1', kind: 'Node', metadata: { name } }))
    await createPod(server, {
      name: `speaker-${name}`, component: 'speaker', nodeName: name, address: addressOf(i),
    })
  }
  // The peer's controller looks itself up.
  await createPod(server, {
    name: controllerPod, component: 'controller', nodeName: names[0] ?? '', address: apiAddress,
  })
  for (const [name, text] of Object.entries({ 'ca.crt': server.ca, token: server.tokenOf('admin') })) {
    writeFileSync(join(lab.folder, name), text)
  }
}

interface Pod {
  readonly name: string
  readonly component: string
  readonly nodeName: string
  readonly address: string
}

async function createPod(
  server: KubeServer, { name, component, nodeName, address }: Pod,
): Promise<void> {
  await server.kubectlOk(['apply', '--server-side', '-f', '-'], { stdin: JSON.stringify({
    apiVersion: 'v1', kind: 'Pod',
    metadata: { name, namespace: 'metallb-system', labels: { app: 'metallb', component } },
    spec: { nodeName, containers: [{ name: component, image: 'none' }] },
  }) })
  const status = { phase: 'Running', podIP: address, podIPs: [{ ip: address }],
    conditions: [{ type: 'Ready', status: 'True' }] }
  await server.kubectlOk(['patch', 'pod', name, '-n', 'metallb-system',
    '--subresource=status', '--type=merge', '-p', JSON.stringify({ status })])
}

/** All of them. */
export function startSpeakers({ lab, nodes: names, programs, ...rig }: Rig): readonly Child[] {
  const cluster = { url: rig.server.url, folder: lab.folder }
  return names.map((name, i) => lab.host(name).spawn(programs.speaker(cluster, name, addressOf(i))))
}

/** Node.js that does nothing, started as the program is. */
export function startIdle({ lab }: Rig): Child {
  return lab.host('api').spawn([...node, '-e', 'setInterval(() => {}, 1e6)'])
}

/** Fulfils when each of these says that it has started. */
export async function whenStarted({ programs }: Rig, children: readonly Child[]): Promise<void> {
  await Promise.all(children.map((child) => child.line(programs.started, startedCapMs)))
}

export function startController({ lab, server, programs }: Rig): Child {
  return lab.host('api').spawn(programs.controller({ url: server.url, folder: lab.folder }, controllerPod))
}

/** Runs one task in a process of its own beside the API server. */
export function spawnLoad({ lab, server }: Rig, task: Task): Child {
  const access: Access = {
    url: server.url, ca: join(lab.folder, 'ca.crt'), token: server.tokenOf('admin'),
  }
  return lab.host('api').spawn([
    process.execPath, join(import.meta.dirname, 'kube-client.ts'), JSON.stringify({ access, task }),
  ])
}

export async function load<T>(rig: Rig, task: Task): Promise<T> {
  return resultOf(spawnLoad(rig, task))
}

export async function resultOf<T>(child: Child): Promise<T> {
  const code = await child.exited
  const last = child.lines.at(-1) ?? ''
  if (code !== 0) throw new Error(`The load ended with ${code}: ${child.lines.slice(-5).join('\n')}`)
  return JSON.parse(last)
}

