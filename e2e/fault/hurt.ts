/** Ways to hurt a stage, each undone by disposing of what it returns. */
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { lasting, nodes, type Stage } from './stage.ts'

/** Undoes what was done. */
export type Hurt = AsyncDisposable

const undo = (act: () => Promise<void>): Hurt => ({ [Symbol.asyncDispose]: act })

/** Pulls cables of a node at the switch: both ends lose their carrier. */
export async function cutLinks(stage: Stage, node: string, ports: readonly (0 | 1)[]): Promise<Hurt> {
  const set = (to: 'down' | 'up') => async (): Promise<void> => {
    for (const port of ports) await stage.wire(['ip', 'link', 'set', `${node}.${port}`, to])
  }
  await set('down')()
  return undo(set('up'))
}

/** Signals of a node's speaker. */
export async function freeze(stage: Stage, node: string): Promise<Hurt> {
  const pid = pidOf(stage, node)
  process.kill(pid, 'SIGSTOP')
  return undo(async () => void process.kill(pid, 'SIGCONT'))
}

function pidOf(stage: Stage, node: string): number {
  const pid = stage.speakers.get(node)?.child.pid
  if (pid === undefined) throw new Error(`No speaker runs on "${node}"`)
  return pid
}

/** Drops gossip and beats on every node, both ways; the segment stays whole. */
export async function blockGossip(stage: Stage): Promise<Hurt> {
  const rules = `
    table inet fault {
      chain in {
        type filter hook input priority -300;
        udp dport 7946 counter drop
        tcp dport 7946 counter drop
      }
      chain out {
        type filter hook output priority -300;
        udp dport 7946 counter drop
        tcp dport 7946 counter drop
      }
    }
`
  const each = (argv: readonly string[], stdin: string) => async (): Promise<void> =>
    void await Promise.all(nodes.map((node) => stage.host(node).execOk(argv, { stdin })))
  await each(['nft', '-f', '-'], rules)()
  return undo(each(['nft', 'delete', 'table', 'inet', 'fault'], ''))
}

/** The bridge passes nothing between these hosts and all others. */
export async function split(stage: Stage, names: readonly string[]): Promise<Hurt> {
  const side = `{ ${names.map((name) => `"${name}.0"`).join(', ')} }`
  const rules = `
    table bridge fault {
      chain between {
        type filter hook forward priority 0;
        iifname ${side} oifname != ${side} counter drop
        iifname != ${side} oifname ${side} counter drop
      }
    }
`
  await stage.wire(['nft', '-f', '-'], rules)
  return undo(() => stage.wire(['nft', 'delete', 'table', 'bridge', 'fault']))
}

/** Drops every frame of a port, both ways, at the switch: the carrier stays. */
export async function loseUplink(stage: Stage, node: string): Promise<Hurt> {
  return dropAt(stage, [`${node}.0`], '')
}

/** Of 10,000 frames on each way through a port: twice makes 30 % from host to host. */
const lossOf = 1_634
const parts = 10_000

/** Each frame between any two hosts is lost with this chance of 30 %. */
export async function loseFrames(stage: Stage): Promise<Hurt> {
  const ports = [...nodes, 'client', 'asker', 'caller', 'stranger'].map((name) => `${name}.0`)
  return dropAt(stage, ports, `numgen random mod ${parts} < ${lossOf}`)
}

async function dropAt(stage: Stage, ports: readonly string[], when: string): Promise<Hurt> {
  const chains = ports.flatMap((port, i) => (['ingress', 'egress'] as const).map((hook) => `
      chain ${hook}${i} {
        type filter hook ${hook} device "${port}" priority 0;
        ${when} counter drop
      }`))
  await stage.wire(['nft', '-f', '-'], `table netdev fault {${chains.join('')}\n}\n`)
  return undo(() => stage.wire(['nft', 'delete', 'table', 'netdev', 'fault']))
}

const groups = '/sys/fs/cgroup/cpu'

/** Gives a node's speaker 5 % of one processor: by cgroup, else by stopping it 95 ms of each 100. */
export async function starve(stage: Stage, node: string): Promise<Hurt & { readonly how: string }> {
  const pid = pidOf(stage, node)
  try {
    if (!existsSync(join(groups, 'cpu.cfs_quota_us'))) throw new Error('No controller of CPU time')
    const group = join(groups, `arpeggio-fault-${process.pid}`)
    mkdirSync(group, { recursive: true })
    writeFileSync(join(group, 'cpu.cfs_period_us'), '100000')
    writeFileSync(join(group, 'cpu.cfs_quota_us'), '5000')
    writeFileSync(join(group, 'cgroup.procs'), String(pid))
    return {
      how: 'cgroup quota',
      [Symbol.asyncDispose]: async () => {
        writeFileSync(join(groups, 'cgroup.procs'), String(pid))
        rmdirSync(group)
      },
    }
  } catch {
    return starveBySignals(pid)
  }
}

function starveBySignals(pid: number): Hurt & { readonly how: string } {
  let isOver = false
  const turns = (async () => {
    while (!isOver) {
      process.kill(pid, 'SIGSTOP')
      await lasting(95)
      process.kill(pid, 'SIGCONT')
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  })()
  return {
    how: 'SIGSTOP and SIGCONT',
    [Symbol.asyncDispose]: async () => {
      isOver = true
      await turns
    },
  }
}

const fakeLibraries = ['x86_64', 'aarch64'].map((arch) =>
  `/usr/lib/${arch}-linux-gnu/faketime/libfaketime.so.1`)

/** Why no process can be given a wall clock of its own here; undefined = it can. */
export function clockLack(): string | undefined {
  const isThere = fakeLibraries.some((path) => existsSync(path))
  return isThere ? undefined : 'faketime is missing (apt-get install faketime)'
}

/** What steps the clock of the one process that follows it: `+5m`. */
export function clockFile(folder: string): string {
  return join(folder, 'clock')
}

/** What goes before a command whose wall clock follows `clockFile`. */
export function steppedClock(folder: string): readonly string[] | undefined {
  const library = fakeLibraries.find((path) => existsSync(path))
  if (library === undefined) return undefined
  const file = clockFile(folder)
  writeFileSync(file, '+0')
  // The monotonic clocks stay as they are: a step is one of CLOCK_REALTIME.
  return [
    'env', `LD_PRELOAD=${library}`, 'FAKETIME_DONT_FAKE_MONOTONIC=1', 'FAKETIME_NO_CACHE=1',
    `FAKETIME_TIMESTAMP_FILE=${file}`,
  ]
}
