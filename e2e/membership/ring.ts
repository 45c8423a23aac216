/** A ring of real memberlist nodes and ours, each a program on a host of its own. */
import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Child, run, runOk, until } from '../lab/command.ts'
import { type Lab, openLab } from '../lab/lab.ts'

const ourProgram = fileURLToPath(new URL('../../src/membership/net/peer.ts', import.meta.url))

/** Failure detection takes 5 to 8 s in a ring of three, and in rare cases more with loss. */
export const ringCapMs = 45_000

/** The program of the real memberlist, or why there is none. */
export async function findPeer(): Promise<{ readonly path: string } | { readonly reason: string }> {
  const script = fileURLToPath(new URL('../../hack/membership-peer', import.meta.url))
  const { code, stdout, stderr } = await run([script], { capMs: 200_000 }).catch((error: unknown) =>
    ({ code: 1, stdout: '', stderr: String(error) }))
  if (code === 0) return { path: stdout.trim() }
  return { reason: stderr.trim().split('\n').at(-1) ?? 'hack/membership-peer failed' }
}

/** A line that either program prints. */
interface Line {
  readonly event: string
  readonly name?: string
  readonly text?: string
  readonly meta?: string
}

export interface Station {
  readonly name: string
  readonly address: string
  readonly child: Child
  /** `joined b`, `message hello`, in the order printed. */
  told(): readonly string[]
  /** Waits for one of these. */
  tells(what: string): Promise<void>
  order(text: string): void
  /** Drops this share of the host's incoming membership traffic, in percent; 100 also cuts TCP. */
  lose(percent: number): Promise<void>
}

export interface Ring extends AsyncDisposable {
  station(name: string): Station
}

export interface RingPlan {
  readonly peer: string
  /** Names that start with "go" are real memberlist, the others ours. */
  readonly names: readonly string[]
  readonly secret: string
  readonly lossPercent?: number
}

/** Starts the nodes one after the other; each joins all before it. */
export async function openRing(plan: RingPlan): Promise<Ring> {
  const hosts = Object.fromEntries(plan.names.map((name, i) =>
    [name, { lan: [`192.168.1.${i + 1}/24`] }]))
  const lab = await openLab({ hosts })
  const stations = new Map<string, Station>()
  const fds: number[] = []
  const dispose = async (): Promise<void> => {
    await lab[Symbol.asyncDispose]()
    for (const fd of fds) closeSync(fd)
  }
  try {
    for (const [i, name] of plan.names.entries()) {
      const station = await startStation(lab, plan, { name, address: `192.168.1.${i + 1}`, fds })
      stations.set(name, station)
    }
  } catch (error) {
    await dispose()
    throw error
  }
  return {
    station: (name) => {
      const found = stations.get(name)
      if (found === undefined) throw new Error(`There is no station "${name}"`)
      return found
    },
    [Symbol.asyncDispose]: dispose,
  }
}

interface Place {
  readonly name: string
  readonly address: string
  readonly fds: number[]
}

async function startStation(
  lab: Lab, plan: RingPlan, { name, address, fds }: Place,
): Promise<Station> {
  const host = lab.host(name)
  const earlier = plan.names.slice(0, plan.names.indexOf(name)).map((_, i) => `192.168.1.${i + 1}`)
  const isReal = name.startsWith('go')
  const program = isReal ? [plan.peer] : [process.execPath, ourProgram]
  const lose = async (percent: number): Promise<void> => {
    const all = 'meta l4proto { tcp, udp } th'
    const rules = percent === 100
      ? [`${all} dport 7946 drop`, `${all} sport 7946 drop`]
      : percent === 0 ? [] : [`udp dport 7946 numgen random mod 100 < ${percent} drop`]
    await host.execOk(['nft', [
      'add table inet loss', 'flush table inet loss',
      'add chain inet loss in { type filter hook input priority 0; }',
      ...rules.map((rule) => `add rule inet loss in ${rule}`),
    ].join('; ')])
  }
  if (plan.lossPercent !== undefined) await lose(plan.lossPercent)
  const fifo = join(lab.folder, `${name}.orders`)
  await runOk(['mkfifo', fifo])
  // Open for both, so that nobody waits for the other side.
  const fd = openSync(fifo, 'r+')
  fds.push(fd)
  const options = Object.entries({
    name, bind: address, join: earlier.join(), secret: plan.secret, meta: `m-${name}`,
  })
  const argv = [...program, ...options.map(([key, value]) => `--${key}=${value}`)]
  const child = host.spawn(['sh', '-c', 'exec "$@" < "$0"', fifo, ...argv])
  const told = (): readonly string[] => child.lines.flatMap((line) => describe(parse(line)))
  await until(`${name} is ready`, () => told().includes('ready'), ringCapMs)
  return {
    name, address, child, told, lose,
    tells: async (what) =>
      void await until(`${name} tells "${what}": ${child.lines.slice(-12).join('\n')}`, () =>
        told().includes(what), ringCapMs),
    order: (text) => void writeSync(fd, `${text}\n`),
  }
}

function parse(line: string): Line {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value !== 'object' || value === null || !('event' in value)) return { event: line }
    const text = (key: string): string | undefined => {
      const field: unknown = Object.getOwnPropertyDescriptor(value, key)?.value
      return typeof field === 'string' ? field : undefined
    }
    const [name = '', said = '', meta = ''] = [text('name'), text('text'), text('meta')]
    return { event: String(value.event), name, text: said, meta }
  } catch {
    return { event: line }
  }
}

function describe({ event, name, text, meta }: Line): readonly string[] {
  switch (event) {
    case 'ready': return ['ready']
    case 'message':
    case 'state':
      return [`${event} ${text}`]
    case 'joined':
    case 'changed':
      return [`${event} ${name} ${meta}`, `${event} ${name}`]
    default: return [`${event} ${name}`]
  }
}
