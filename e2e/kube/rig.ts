/** A cluster without kubelets: a real API server, the roles as processes in lab hosts, a client. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Child, until } from '../lab/command.ts'
import { type Host, type Lab, type LabPlan, lan, openLab } from '../lab/lab.ts'
import { arpeggio } from '../lab/program.ts'
import { at, type Fields, isOurs, listAt, namespace, node, pod, textAt } from './objects.ts'
import type { Proxy } from './proxy.ts'
import { openRemoteProxy } from './remote-proxy.ts'
import { freePort, type KubeServer, openServer } from './server.ts'

/** A machine that other suites load may take its time: waits here are for order, not for speed. */
export const waitMs = 15_000
const kubectlCapMs = 60_000

export interface RigOptions {
  /** From `findAssets(serverPrograms)`. */
  readonly assets: string
  /** Names of nodes, each a host with a leg on the LAN; none = the controller alone is tested. */
  readonly nodes?: readonly string[]
  /** False: the resource definitions come later, or never. */
  readonly hasCrds?: boolean
  /** Hosts beside nodes, API server and client. */
  readonly others?: LabPlan['hosts']
  /** As for `openServer`. */
  readonly auditPolicy?: string
  /** As for `openServer`. */
  readonly idle?: readonly string[]
  /** As for `openServer`. */
  readonly flags?: readonly string[]
  /** True: the roles reach the API server through a proxy that makes trouble. */
  readonly hasProxy?: boolean
  /** Further variables of the roles: `NAME=VALUE`. */
  readonly environment?: readonly string[]
}

/** How a speaker is started, where it is not as the DaemonSet would. */
export interface SpeakerPlan {
  readonly args?: readonly string[]
  /** Words before the command. */
  readonly within?: readonly string[]
}

/** A role that runs. Disposing sends SIGTERM. */
export interface Role extends AsyncDisposable {
  readonly child: Child
  /** Its log lines so far, parsed. */
  log(): readonly Fields[]
  /** A page of its HTTP port. */
  page(path: string): Promise<string>
  /** Value of each series of `/metrics` by its text, labels sorted: `name{a="1",b="2"}`. */
  metrics(): Promise<ReadonlyMap<string, number>>
}

export interface Rig extends AsyncDisposable {
  readonly lab: Lab
  readonly server: KubeServer
  /** What stands before the server, where the plan has it. */
  readonly proxy: Proxy | undefined
  readonly client: Host
  /** `kubectl apply` of these objects. */
  apply(...objects: readonly Fields[]): Promise<void>
  applyFile(path: string): Promise<void>
  kubectl(...args: readonly string[]): Promise<string>
  /** An object or a list as it is now, asked for by its path; undefined = 404. */
  read(path: string): Promise<unknown>
  /** The Service `default/NAME`. */
  service(name: string): Promise<unknown>
  /** The Service, once `holds` is true of it. */
  serviceWhen(name: string, what: string, holds: (service: unknown) => boolean): Promise<unknown>
  /** Events about the Service `default/NAME`, read with kubectl: `TYPE REASON COMPONENT ×COUNT MESSAGE`. */
  events(name: string): Promise<readonly string[]>
  /** Hardware addresses that answer for an IPv4 address when the client asks by broadcast, `times` times. */
  answers(address: string, times?: number): Promise<ReadonlySet<string>>
  startController(...args: readonly string[]): Promise<Role>
  /** Makes the Pod as well, where there is none. */
  startSpeaker(on: string, ...args: readonly string[]): Promise<Role>
  /** Makes a speaker's Pod where there is none, with its address on one of the node's segments. */
  placePod(on: string, segment: 'control' | 'lan'): Promise<void>
  /** Starts a speaker whose Pod is there, and does not wait for anything. */
  spawnSpeaker(on: string, plan?: SpeakerPlan): Role
  /** The same without the right to open packet sockets. */
  startWeakSpeaker(on: string): Promise<Role>
  installCrds(): Promise<void>
}

const base = join(import.meta.dirname, '../../deploy/base')
const control = '198.51.100'
const apiAddress = `${control}.1`

/** Builds it; nothing of the program runs yet. Needs root. */
export async function openRig(options: RigOptions): Promise<Rig> {
  const { nodes = [], hasCrds = true, others = {} } = options
  await using closing = new AsyncDisposableStack()
  const legs = nodes.map((name, i) =>
    [name, { lan: lan(11 + i), control: [`${control}.${11 + i}/24`] }] as const
  )
  const lab = closing.use(await openLab({
    hosts: {
      api: { control: [`${apiAddress}/24`] }, ...Object.fromEntries(legs), client: { lan: lan(30) },
      ...others,
    },
  }))
  const api = lab.host('api')
  const within = ['ip', 'netns', 'exec', api.namespace]
  const { assets, auditPolicy, idle = [], flags = [], environment = [] } = options
  const audit = auditPolicy === undefined ? {} : { auditPolicy }
  const server = closing.use(await openServer({ assets, address: apiAddress, within, idle, flags, ...audit }))
  const gate = options.hasProxy === true ? await openGate(lab, server) : undefined
  const cluster = { ...describeCluster(lab, server), proxy: gate?.proxy }
  const port = gate?.port ?? new URL(server.url).port
  const rig = { ...cluster, ...describeRoles(cluster, [...environmentOf(port), ...environment]) }
  await rig.kubectl('apply', ...['namespace', 'accounts', 'controller-rbac', 'speaker-rbac', 'config',
    'controller'].flatMap((name) => ['-f', join(base, `${name}.yaml`)]))
  if (hasCrds) await rig.installCrds()
  const made = [...nodes.map((name) => node(name)), pod('controller-0', 'controller')]
  await rig.apply(...made)
  await Promise.all((['controller', 'speaker'] as const).map((role) => writeAccount(rig, role)))
  const owned = closing.move()
  return { ...rig, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

/** A proxy that is the server to its clients, on another port of the same host. */
async function openGate(
  lab: Lab, server: KubeServer,
): Promise<{ readonly proxy: Proxy; readonly port: number }> {
  const port = await freePort()
  const pem = (name: string): Promise<string> => readFile(join(server.folder, name), 'utf8')
  const proxy = await openRemoteProxy(lab.host('api'), lab.folder, {
    address: apiAddress, port, target: server.url,
    certificate: await pem('apiserver.crt'), key: await pem('apiserver.key'),
  })
  return { proxy, port }
}

type Started = 'startController' | 'startSpeaker' | 'startWeakSpeaker' | 'placePod' | 'spawnSpeaker'
type Cluster = Omit<Rig, Started | 'proxy' | typeof Symbol.asyncDispose>

/** What is asked of the API server, and of the LAN. */
function describeCluster(lab: Lab, server: KubeServer): Cluster {
  const api = lab.host('api')
  const kubectl: Rig['kubectl'] = (...args) => server.kubectlOk(args)
  const read: Rig['read'] = async (path) => {
    const text = await api.execOk([
      'curl', '-sSk', '-H', `authorization: Bearer ${server.tokenOf('admin')}`, `${server.url}${path}`,
    ])
    const value: unknown = JSON.parse(text)
    return at(value, 'code') === 404 ? undefined : value
  }
  const readService: Rig['service'] = (name) => read(`/api/v1/namespaces/default/services/${name}`)
  return {
    lab, server, client: lab.host('client'), kubectl, read,
    apply: async (...items) => {
      const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
      await server.kubectlOk(['apply', '-f', '-'], { stdin: list, capMs: kubectlCapMs })
    },
    applyFile: async (path) => void await kubectl('apply', '-f', path),
    service: readService,
    serviceWhen: (name, what, holds) =>
      until(`${name}: ${what}`, async () => {
        const now = await readService(name)
        return holds(now) && now
      }, waitMs),
    events: async (name) => {
      const args = ['get', 'events', '-o', 'json', '--field-selector', `involvedObject.name=${name}`]
      const list: unknown = JSON.parse(await kubectl(...args))
      return listAt(list, 'items').filter(isOurs).map((event) =>
        `${textAt(event, 'type')} ${textAt(event, 'reason')} ${textAt(event, 'source', 'component')} ` +
        `×${String(at(event, 'count'))} ${textAt(event, 'message')}`
      )
    },
    answers: async (address, times = 1) => {
      const { stdout } = await lab.host('client').exec([
        'arping', '-b', '-c', String(times), '-w', String(times + 1), '-I', 'eth0', address,
      ], { capMs: waitMs })
      const macs = stdout.toLowerCase().matchAll(/\[([0-9a-f:]{17})\]/g)
      return new Set([...macs].map(([, mac = '']) => mac))
    },
    installCrds: async () => {
      await kubectl('apply', '--server-side', '-f', join(base, 'crds.yaml'))
      await kubectl('wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all')
    },
  }
}

/** What starts the roles, as their Pods would. */
function describeRoles(
  { lab, kubectl, apply, read }: Cluster, environment: readonly string[],
): Pick<Rig, Started> {
  type Name = 'controller' | 'speaker'
  const spawn = (host: Host, role: Name, words: readonly string[]): Role =>
    describeRole(host, host.spawn([
      'env', ...environment, `ARPEGGIO_SERVICE_ACCOUNT=${accountFolder(lab, role)}`, ...words,
    ]))
  const spawnSpeaker = (on: string, words: readonly string[]): Role =>
    spawn(lab.host(on), 'speaker', [`METALLB_NODE_NAME=${on}`, `METALLB_POD_NAME=speaker-${on}`, ...words])
  const placePod: Rig['placePod'] = async (on, segment) => {
    const name = `speaker-${on}`
    const path = `/api/v1/namespaces/${namespace}/pods/${name}`
    if (await read(path) === undefined) await apply(pod(name, 'speaker', on))
    const podIP = `${segment === 'lan' ? '192.168.1' : control}.${lanNumber(lab, on)}`
    const status = JSON.stringify({ status: { phase: 'Running', podIP } })
    await kubectl('patch', 'pod', name, '-n', namespace, '--subresource=status', '-p', status)
  }
  const startSpeaker = async (on: string, words: readonly string[]): Promise<Role> => {
    await placePod(on, 'control')
    return whenReady(lab.host(on), spawnSpeaker(on, words))
  }
  return {
    placePod,
    spawnSpeaker: (on, { args = [], within = [] } = {}) =>
      spawnSpeaker(on, [...within, ...arpeggio, 'speaker', ...args]),
    startController: (...args) => {
      const api = lab.host('api')
      return whenReady(api, spawn(api, 'controller', [
        'METALLB_POD_NAME=controller-0', 'METALLB_ML_SECRET_NAME=memberlist', 'METALLB_DEPLOYMENT=controller',
        ...arpeggio, 'controller', ...args,
      ]))
    },
    startSpeaker: (on, ...args) => startSpeaker(on, [...arpeggio, 'speaker', ...args]),
    startWeakSpeaker: (on) =>
      startSpeaker(on, [
        'setpriv', '--bounding-set', '-net_raw', '--inh-caps', '-net_raw', ...arpeggio, 'speaker',
      ]),
  }
}

/** The role, once it says that it is ready. */
async function whenReady(host: Host, role: Role): Promise<Role> {
  await until(`the program on "${host.name}" is ready`, async () => {
    if (!role.child.isRunning()) throw new Error(`It ended early: ${role.child.lines.join('\n')}`)
    return (await host.exec(['curl', '-sf', 'http://127.0.0.1:17472/readyz'])).code === 0
  }, waitMs)
  return role
}

/** The host's number in its networks, which its hardware address tells: `api` is the first. */
function lanNumber(lab: Lab, on: string): number {
  return 9 + Number.parseInt(lab.host(on).mac('eth0').split(':')[4] ?? '', 16)
}

function describeRole(host: Host, child: Child): Role {
  const page: Role['page'] = (path) => host.execOk(['curl', '-sS', `http://127.0.0.1:7472${path}`])
  return {
    child,
    log: () => child.lines.filter((line) => line.startsWith('{')).map((line): Fields => JSON.parse(line)),
    page,
    metrics: async () => {
      const lines = (await page('/metrics')).split('\n').filter((line) => /^[a-z]/.test(line))
      return new Map(lines.map((line) => {
        const space = line.lastIndexOf(' ')
        return [sortLabels(line.slice(0, space)), Number(line.slice(space + 1))] as const
      }))
    },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  }
}

/** The order of labels means nothing. */
function sortLabels(series: string): string {
  const labels = [...series.matchAll(/\w+="[^"]*"/g)].map(([label]) => label).toSorted()
  return labels.length === 0 ? series : `${series.slice(0, series.indexOf('{'))}{${labels.join(',')}}`
}

/** What the kubelet gives a Pod, but for the service account's folder. */
function environmentOf(port: number | string): readonly string[] {
  return [
    `KUBERNETES_SERVICE_HOST=${apiAddress}`, `KUBERNETES_SERVICE_PORT=${port}`,
    `METALLB_NAMESPACE=${namespace}`,
  ]
}

function accountFolder(lab: Lab, role: string): string {
  return join(lab.folder, `account-${role}`)
}

/** A token of the ServiceAccount itself: the role has the rights of deploy/base and no others. */
async function writeAccount(
  { lab, server, kubectl }: Pick<Rig, 'lab' | 'server' | 'kubectl'>, role: string,
): Promise<void> {
  const token = await kubectl('create', 'token', role, '-n', namespace, '--duration=1h')
  const folder = accountFolder(lab, role)
  await mkdir(folder)
  const files = { token: token.trim(), 'ca.crt': server.ca, namespace }
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
}
