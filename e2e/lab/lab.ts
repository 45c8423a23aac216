/** Builds hosts from network namespaces around bridges in a namespace of their own. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Capture, openCapture } from './capture.ts'
import { type Child, openChild, type Result, run, type RunOptions, runOk } from './command.ts'
import { cleanAtExit } from './exit.ts'
import { nextPrefix, removeLab, sweepLabs } from './namespace.ts'

/** What to build. */
export interface LabPlan {
  /**
   * Host, then segment, then its addresses there as `address/length`. A host's first segment is
   * its eth0, the next its eth1. Segments are bridges; they exist by being named.
   */
  readonly hosts: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>
  /** Routes by host, as `ip route add` takes them: `default via 192.0.2.1`. */
  readonly routes?: Readonly<Record<string, readonly string[]>>
}

/** One machine of the lab. */
export interface Host {
  readonly name: string
  /** For `ip netns exec`. */
  readonly namespace: string
  /** Runs a program on the host to its end. */
  exec(argv: readonly string[], options?: RunOptions): Promise<Result>
  /** The same for a program that must succeed; its standard output. */
  execOk(argv: readonly string[], options?: RunOptions): Promise<string>
  /** Starts a program on the host; it ends with the lab at the latest. */
  spawn(argv: readonly string[]): Child
  /** Hardware address of an interface. */
  mac(name: string): string
}

/** A running lab. Disposing ends everything in it and leaves nothing behind. */
export interface Lab extends AsyncDisposable {
  readonly prefix: string
  /** A folder of its own for files, removed with the lab. */
  readonly folder: string
  /** The host of that name; throws if the plan has none. */
  host(name: string): Host
  /** Starts tcpdump on a segment's bridge, where every frame of the segment passes once. */
  capture(segment: string, filter: string): Promise<Capture>
  /** Runs a program where the bridges are; a host's port there is `HOST.N`. It must succeed. */
  wire(argv: readonly string[], stdin?: string): Promise<void>
  /** Starts a program there. */
  spawn(argv: readonly string[]): Child
}

/** Addresses of host `n` in the networks that the lab uses by habit: the guide's LAN, and IPv6. */
export function lan(n: number): readonly string[] {
  return [`192.168.1.${n}/24`, `2001:db8:1::${n}/64`]
}

/**
 * Builds a lab. Needs root, or root of a user namespace (hack/as-root). Whatever ends this
 * program short of SIGKILL removes the lab; the next lab sweeps up after SIGKILL.
 */
export async function openLab(plan: LabPlan): Promise<Lab> {
  sweepLabs()
  const prefix = nextPrefix()
  const remove = cleanAtExit(() => removeLab(prefix))
  try {
    const ports = planPorts(plan)
    await build(prefix, plan, ports)
    const folder = mkdtempSync(join(tmpdir(), prefix))
    return describeLab({ prefix, folder, ports, remove, names: Object.keys(plan.hosts) })
  } catch (error) {
    remove()
    throw error
  }
}

/** The hub: the one namespace that holds the bridges. */
const hub = 'wire'

/** One interface of a host and its peer, the port of a bridge. */
interface Port {
  readonly host: string
  readonly segment: string
  readonly name: string
  readonly peer: string
  readonly mac: string
  readonly addresses: readonly string[]
}

function planPorts(plan: LabPlan): readonly Port[] {
  const hosts = Object.entries(plan.hosts)
  return hosts.flatMap(([host, segments], n) =>
    Object.entries(segments).map(([segment, addresses], i) => ({
      host,
      segment,
      addresses,
      name: `eth${i}`,
      peer: `${host}.${i}`,
      // Locally administered, and readable in captures: host, then interface.
      mac: `02:00:00:00:${hex(n + 1)}:${hex(i)}`,
    }))
  )
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0')
}

async function build(prefix: string, plan: LabPlan, ports: readonly Port[]): Promise<void> {
  for (const name of [hub, ...Object.keys(plan.hosts)]) {
    await runOk(['ip', 'netns', 'add', `${prefix}${name}`])
    await setSysctls(`${prefix}${name}`, name === hub ? hubSysctls : hostSysctls)
  }
  const segments = [...new Set(ports.map(({ segment }) => segment))]
  await ip(`${prefix}${hub}`, segments.flatMap((segment) => [
    `link add ${segment} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`,
    `link set ${segment} up`,
  ]))
  await ip(undefined, ports.map(({ host, name, peer, mac }) =>
    `link add ${name} address ${mac} netns ${prefix}${host} type veth ` +
    `peer name ${peer} netns ${prefix}${hub}`
  ))
  await ip(`${prefix}${hub}`, ports.map(({ peer, segment }) =>
    `link set ${peer} master ${segment} up`
  ))
  for (const host of Object.keys(plan.hosts)) {
    const own = ports.filter((port) => port.host === host)
    await ip(`${prefix}${host}`, [
      'link set lo up',
      ...own.map(({ name }) => `link set ${name} up`),
      ...own.flatMap(({ name, addresses }) => addresses.map((address) =>
        `address add ${address} dev ${name}${address.includes(':') ? ' nodad' : ''}`
      )),
      ...(plan.routes?.[host] ?? []).map((route) => `route add ${route}`),
    ])
  }
}

/** The hub only forwards frames: it must not speak IPv6 into the captures. */
const hubSysctls = { 'ipv6/conf/default/disable_ipv6': 1 }

/** Addresses are usable at once, and nobody solicits routers that do not exist. */
const hostSysctls = {
  'ipv6/conf/all/accept_dad': 0,
  'ipv6/conf/default/accept_dad': 0,
  'ipv6/conf/default/router_solicitations': 0,
}

async function setSysctls(
  namespace: string, values: Readonly<Record<string, number>>,
): Promise<void> {
  const lines = Object.entries(values).map(([key, value]) => `echo ${value} > /proc/sys/net/${key}`)
  await runOk(['ip', 'netns', 'exec', namespace, 'sh', '-ec', lines.join('\n')])
}

async function ip(namespace: string | undefined, lines: readonly string[]): Promise<void> {
  const where = namespace === undefined ? [] : ['-n', namespace]
  await runOk(['ip', ...where, '-batch', '-'], { stdin: `${lines.join('\n')}\n` })
}

interface LabParts {
  readonly prefix: string
  readonly folder: string
  readonly ports: readonly Port[]
  readonly names: readonly string[]
  readonly remove: () => void
}

function describeLab({ prefix, folder, ports, names, remove }: LabParts): Lab {
  const children = new Set<Child>()
  const spawnIn = (namespace: string, argv: readonly string[]): Child => {
    const child = openChild(['ip', 'netns', 'exec', namespace, ...argv])
    children.add(child)
    void child.exited.then(() => children.delete(child))
    return child
  }
  const hosts = new Map(names.map((name) => {
    const namespace = `${prefix}${name}`
    const enter = ['ip', 'netns', 'exec', namespace]
    return [name, {
      name,
      namespace,
      exec: (argv, options) => run([...enter, ...argv], options),
      execOk: (argv, options) => runOk([...enter, ...argv], options),
      spawn: (argv) => spawnIn(namespace, argv),
      mac: (link) => found(ports.find((port) => port.host === name && port.name === link), link)
        .mac,
    } satisfies Host]
  }))
  return {
    prefix,
    folder,
    host: (name) => found(hosts.get(name), name),
    capture: (segment, filter) =>
      openCapture({ segment, filter, spawn: (argv) => spawnIn(`${prefix}${hub}`, argv) }),
    wire: async (argv, stdin = '') =>
      void await runOk(['ip', 'netns', 'exec', `${prefix}${hub}`, ...argv], { stdin }),
    spawn: (argv) => spawnIn(`${prefix}${hub}`, argv),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...children].map((child) => child.stop()))
      remove()
    },
  }
}

function found<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new Error(`Cannot find "${name}" in the plan of the lab`)
  return value
}
