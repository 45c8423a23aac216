/** The stage of all faults: three nodes with the real program and API server, and those who measure. */
import { join } from 'node:path'
import { until } from '../lab/command.ts'
import { type Host, lan } from '../lab/lab.ts'
import { advertisement, at, type Fields, listAt, pool, service, slice } from '../kube/objects.ts'
import { openRig, type Rig, type Role, type SpeakerPlan } from '../kube/rig.ts'
import { type Instruments, openInstruments, wallMs } from './instruments.ts'
import { voicesOf } from './voices.ts'

export const nodes = ['a', 'b', 'c'] as const
/** The addresses that all single faults are about: one Service, so one unit. */
export const vip = '192.168.1.240'
export const vip6 = '2001:db8:1::240'
/** Addresses of no Service, for the instrument's own check. */
export const spares = ['192.168.1.199', '2001:db8:1::199'] as const

/** Of a machine that others load: waits here are for order. */
const steadyCapMs = 90_000
const leastMs = 5
const askAgainMs = 200

/** What a speaker says of itself and the others, as far as it is read here. */
export interface Seen {
  readonly node: string
  readonly alive: number
  readonly isStarting: boolean
  readonly units: readonly {
    readonly addresses: readonly string[]
    readonly owner: string
    readonly isOurs: boolean
    readonly isQuiet: boolean
  }[]
}

export interface Stage extends AsyncDisposable {
  readonly rig: Rig
  readonly instruments: Instruments
  /** Speakers that run, by node. */
  readonly speakers: ReadonlyMap<string, Role>
  /** Starts a speaker and waits for nothing. */
  start(node: string, plan?: SpeakerPlan): void
  /** Ends it: SIGTERM unless told otherwise; settles when it has ended. */
  stop(node: string, signal?: NodeJS.Signals): Promise<void>
  /** Starts what does not run; settles when all know each other and agree who owns what. */
  steady(): Promise<string>
  /** Ends all, gives their Pods addresses on this segment, and starts them again. */
  gossipOn(segment: 'control' | 'lan'): Promise<void>
  /** Settles when a node other than `old` speaks for the address (`vip`), after this instant of wall time. */
  successor(old: string, sinceMs: number, address?: string): Promise<string>
  seen(node: string): Promise<Seen>
  /** Log lines of all runs of a node's speaker since an instant of wall time. */
  log(node: string, sinceMs: number): readonly Fields[]
  nodeOf(mac: string): string
  host(node: string): Host
  /** Runs a program where the bridges are. */
  wire(argv: readonly string[], stdin?: string): Promise<void>
}

/** Builds it, with one address announced by one of the nodes. */
export async function openStage(assets: string): Promise<Stage> {
  await using closing = new AsyncDisposableStack()
  const rig = closing.use(await openRig({
    assets, nodes,
    others: {
      asker: { lan: lan(40) }, caller: { lan: lan(41) }, stranger: { lan: lan(42) },
    },
  }))
  await Promise.all(nodes.map((name) => openPage(rig.lab.host(name))))
  const controller = closing.use(await rig.startController())
  if (!controller.child.isRunning()) throw new Error('The controller ended early')
  await rig.apply(
    pool('lan', [`${vip}/32`, `${vip6}/128`]), advertisement('lan', { ipAddressPools: ['lan'] }),
    service('web', { ipFamilyPolicy: 'RequireDualStack' }), slice('web', nodes.map((node) => ({ node }))),
  )
  const measured = { lab: rig.lab, turns: [[vip, vip6]], called: [vip] }
  const instruments = closing.use(await openInstruments(measured))
  const stage = describeStage(rig, instruments)
  await stage.gossipOn('lan')
  await stage.steady()
  const owned = closing.move()
  return { ...stage, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

/** Whatever reaches a node for an address of the pools is answered by a server there, as kube-proxy would. */
async function openPage(host: Host): Promise<void> {
  const page = join(import.meta.dirname, '../lab/page.ts')
  const child = host.spawn([process.execPath, page, `8080=${host.name}`])
  await child.line(/^ready$/)
  await host.execOk(['nft', 'add table ip page; ' +
    'add chain ip page before { type nat hook prerouting priority dstnat; }'])
  await setPage(host, true)
}

/** As kube-proxy: with policy Local a node without an endpoint that serves drops new connections. */
export async function setPage(host: Host, isServed: boolean): Promise<void> {
  await host.execOk(['nft', '-f', '-'], { stdin: `
    flush chain ip page before
    add rule ip page before ip daddr 192.168.1.60-192.168.1.250 tcp dport 80 ${
      isServed ? 'redirect to :8080' : 'drop'}
` })
}

/** A run of a speaker, with what is left of it when it has ended. */
interface Run {
  readonly role: Role
  isStopping: boolean
}

function describeStage(rig: Rig, instruments: Instruments): Omit<Stage, typeof Symbol.asyncDispose> {
  const speakers = new Map<string, Role>()
  const runs = new Map<string, Run[]>(nodes.map((node) => [node, []]))
  const start: Stage['start'] = (node, plan) => {
    const role = rig.spawnSpeaker(node, plan)
    speakers.set(node, role)
    runs.get(node)?.push({ role, isStopping: false })
  }
  const stop: Stage['stop'] = async (node, signal) => {
    const role = speakers.get(node)
    speakers.delete(node)
    await role?.child.stop(signal)
  }
  const seen: Stage['seen'] = async (node) =>
    readSeen(node, await roleOf(speakers, node).page('/status?format=json'))
  const nodeOf = (mac: string): string =>
    [...nodes, 'client', 'stranger'].find((name) => rig.lab.host(name).mac('eth0') === mac) ?? mac
  return {
    rig, instruments, speakers, start, stop, seen, nodeOf,
    host: (node) => rig.lab.host(node),
    gossipOn: async (segment) => {
      await Promise.all(nodes.map((node) => stop(node)))
      await Promise.all(nodes.map((node) => rig.placePod(node, segment)))
    },
    steady: async () => {
      let why = ''
      for (const node of nodes) if (!speakers.has(node)) start(node)
      return until('all agree on owners', async () => {
        const agreed = await agreement(nodes, seen)
        why = agreed.why
        // Asking costs what is measured.
        if (agreed.owner === undefined) await lasting(askAgainMs)
        return agreed.owner
      }, steadyCapMs).catch((error: unknown) => {
        throw new Error(`${error instanceof Error ? error.message : ''}: ${why}`)
      })
    },
    successor: (old, sinceMs, address = vip) =>
      until(`somebody after "${old}" speaks`, () =>
        voicesOf(instruments.frames(sinceMs, wallMs()), address).map(({ mac }) => nodeOf(mac))
          .find((name) => name !== old), successorCapMs),
    log: (node, sinceMs) =>
      (runs.get(node) ?? []).flatMap(({ role }) => role.log())
        .filter((line) => Date.parse(String(line['ts'])) >= sinceMs),
    wire: (argv, stdin) => rig.lab.wire(argv, stdin),
  }
}

/** A conflict is probed every 10 s at first. */
const successorCapMs = 30_000

function roleOf(speakers: ReadonlyMap<string, Role>, node: string): Role {
  const role = speakers.get(node)
  if (role === undefined) throw new Error(`No speaker runs on "${node}"`)
  return role
}

function readSeen(node: string, text: string): Seen {
  const ownership = at(JSON.parse(text), 'ownership')
  return {
    node,
    alive: listAt(ownership, 'members').filter((member) => at(member, 'isAlive') === true).length,
    isStarting: at(ownership, 'isStarting') === true,
    units: listAt(ownership, 'units').map((unit) => ({
      addresses: listAt(unit, 'addresses').map(String),
      owner: String(at(unit, 'owner')),
      isOurs: at(unit, 'isOurs') === true,
      isQuiet: at(unit, 'silence') !== undefined || at(unit, 'conflict') !== undefined,
    })),
  }
}

/** The owner of the first unit, where every node names one owner of each unit, and that node says so too. */
async function agreement(
  names: readonly string[], seen: (node: string) => Promise<Seen>,
): Promise<{ readonly owner: string | undefined; readonly why: string }> {
  const no = (why: string): { readonly owner: undefined; readonly why: string } => ({ owner: undefined, why })
  try {
    const all = await Promise.all(names.map(seen))
    const few = all.find(({ alive }) => alive !== names.length)
    if (few !== undefined) return no(`"${few.node}" sees ${few.alive} members`)
    const [first] = all
    if (first === undefined || first.units.length === 0 || first.isStarting) return no('nothing is owned yet')
    for (const [i, unit] of first.units.entries()) {
      const views = all.map(({ units }) => units[i])
      if (views.some((view) => view?.owner !== unit.owner)) {
        return no(`views of ${unit.addresses.join()} differ: ${views.map((view) => view?.owner).join()}`)
      }
      const owning = all.filter(({ units }) => units[i]?.isOurs === true && units[i]?.isQuiet !== true)
      if (owning.map(({ node }) => node).join() !== unit.owner) {
        return no(`"${unit.owner}" should own ${unit.addresses.join()}`)
      }
    }
    return { owner: first.units[0]?.owner, why: '' }
  } catch (error) {
    return no(error instanceof Error ? error.message.slice(0, 200) : '')
  }
}

/** Sleeps; only for how long a fault lasts, never instead of waiting for something. */
export function lasting(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(leastMs, ms)))
}
