/** The cluster that hack/e2e has made: its nodes on the docker network, kubectl, and a client beside them. */
import { type Capture, openCapture } from '../lab/capture.ts'
import { openChild, run, type RunOptions, runOk, until } from '../lab/command.ts'

/** kubelets, image pulls and evictions take their time; nothing is concluded from it. */
export const patienceMs = 180_000

/** One node: a container on the docker network. */
export interface Machine {
  readonly name: string
  readonly mac: string
  readonly ipv4: string
  readonly ipv6: string
}

/** From where addresses are asked and fetched: the host at its bridge, or a container beside the nodes. */
export interface Place {
  readonly name: string
  readonly link: string
  readonly ipv4: string
  readonly ipv6: string
  /** Runs a program of this machine in the place's network. */
  exec(argv: readonly string[], options?: RunOptions): Promise<string>
}

/** The container, and the command that enters its network. */
export interface Client extends Place {
  readonly enter: readonly string[]
}

export interface Cluster extends AsyncDisposable {
  readonly host: Place
  readonly client: Client
  readonly workers: readonly Machine[]
  /**
   * Address `n` (0 to 255) of those that docker gives to nobody: it counts from the lower end of the
   * network, these are at the upper.
   */
  ipv4(n: number): string
  ipv6(n: number): string
  /** All nodes, as docker sees them now. */
  machines(): Promise<readonly Machine[]>
  /** Starts tcpdump on the bridge of the docker network. */
  capture(filter: string): Promise<Capture>
}

interface Attached {
  readonly IPAddress: string
  readonly MacAddress: string
  readonly GlobalIPv6Address: string
}

interface Container {
  readonly Name: string
  readonly State: { readonly Pid: number }
  readonly NetworkSettings: { readonly Networks: { readonly kind?: Attached } }
}

interface Network {
  readonly Id: string
  readonly Options: Readonly<Record<string, string>> | null
  readonly IPAM: { readonly Config: readonly { readonly Subnet: string; readonly Gateway?: string }[] }
}

const clientName = 'arpeggio-client'

/** The cluster named by $ARPEGGIO_CLUSTER; throws if there is none. Disposing removes the client. */
export async function openCluster(): Promise<Cluster> {
  const name = process.env['ARPEGGIO_CLUSTER']
  if (name === undefined) throw new Error('Cannot find the cluster: run this by hack/e2e')
  const [network]: Network[] = JSON.parse(await docker('network', 'inspect', 'kind'))
  if (network === undefined) throw new Error('Cannot find the docker network "kind"')
  const bridge = network.Options?.['com.docker.network.bridge.name'] ?? `br-${network.Id.slice(0, 12)}`
  const upper = upperEnd(network)
  const machines = (): Promise<readonly Machine[]> => findMachines(name)
  const client = await openClient()
  const addresses = await runOk(['ip', '-o', 'address', 'show', 'dev', bridge])
  return {
    host: {
      name: 'the host', link: bridge, exec: (argv, options) => runOk(argv, options),
      ipv4: /inet (\S+)\//.exec(addresses)?.[1] ?? '',
      ipv6: /inet6 (\S+)\/\d+ scope global/.exec(addresses)?.[1] ?? '',
    },
    client,
    workers: (await machines()).filter((machine) => machine.name.includes('worker')),
    ...upper,
    machines,
    capture: (filter) => openCapture({ segment: bridge, filter, spawn: openChild }),
    [Symbol.asyncDispose]: async () => void await docker('rm', '-f', clientName),
  }
}

export function docker(...argv: readonly string[]): Promise<string> {
  return runOk(['docker', ...argv], { capMs: patienceMs })
}

export function kubectl(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  return runOk(['kubectl', ...argv], { capMs: patienceMs, ...options })
}

/** Applies objects, given as values. */
export async function apply(...items: readonly object[]): Promise<void> {
  const list = { apiVersion: 'v1', kind: 'List', items }
  await kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(list) })
}

async function openClient(): Promise<Client> {
  const image = JSON.parse(await kubectl([
    '-n', 'metallb-system', 'get', 'daemonset', 'speaker', '-o', 'json',
  ])).spec.template.spec.containers[0].image
  await run(['docker', 'rm', '-f', clientName])
  const sleep = ['--entrypoint', 'sleep', image, '86400']
  await docker('run', '-d', '--name', clientName, '--network', 'kind', ...sleep)
  const [container] = await inspect([clientName])
  const attached = container?.NetworkSettings.Networks.kind
  if (container === undefined || attached === undefined) throw new Error('Cannot find the client')
  // This machine's tools in the container's network: the image has no arping that tells two answers.
  const enter = ['nsenter', '-t', String(container.State.Pid), '-n']
  return {
    name: 'a container', link: 'eth0', ipv4: attached.IPAddress, ipv6: attached.GlobalIPv6Address,
    enter, exec: (argv, options) => runOk([...enter, ...argv], options),
  }
}

async function findMachines(cluster: string): Promise<readonly Machine[]> {
  const filter = `label=io.x-k8s.kind.cluster=${cluster}`
  const names = (await docker('ps', '-aq', '--filter', filter)).trim().split('\n')
  return (await inspect(names)).map(({ Name, NetworkSettings: { Networks: { kind } } }) => ({
    name: Name.slice(1), mac: kind?.MacAddress ?? '', ipv4: kind?.IPAddress ?? '',
    ipv6: kind?.GlobalIPv6Address ?? '',
  })).toSorted((a, b) => a.name < b.name ? -1 : 1)
}

async function inspect(names: readonly string[]): Promise<readonly Container[]> {
  return JSON.parse(await docker('inspect', ...names))
}

/** Docker's IPv4 network for kind is a /16, its IPv6 network a /64: both have 256 addresses to spare. */
function upperEnd({ IPAM }: Network): Pick<Cluster, 'ipv4' | 'ipv6'> {
  const subnets = IPAM.Config.map(({ Subnet }) => Subnet)
  const four = subnets.map((subnet) => /^(\d+\.\d+)\.0\.0\/16$/.exec(subnet)?.[1]).find(Boolean)
  const six = subnets.map((subnet) => /^(\S+::)\/64$/.exec(subnet)?.[1]).find(Boolean)
  if (four === undefined || six === undefined) {
    throw new Error(`Cannot take addresses from ${subnets.join(' and ')}: want a /16 and a /64`)
  }
  return {
    ipv4: (n) => `${four}.255.${n}`,
    ipv6: (n) => `${six}ff${n.toString(16).padStart(2, '0')}`,
  }
}

/** Waits for what `find` returns, with the patience that clusters need. */
export function eventually<T>(what: string, find: () => Promise<T | undefined | false>): Promise<T> {
  return until(what, find, patienceMs)
}
