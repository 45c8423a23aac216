/** Measures how long waiting Services wait when the controller starts, and who works meanwhile. */
import { readdirSync, readFileSync } from 'node:fs'
import { type Child, until } from '../lab/command.ts'
import { load, resultOf, type Rig, spawnLoad, startController } from './kube-rig.ts'
import { wait } from './kube-use.ts'
import { readCpuSeconds } from './memory.ts'
import { formatNumber, formatRatio, median, printTable } from './table.ts'
import { wallMs } from './wall.ts'

const readyCapMs = 30_000
/** Speakers are at rest when together they use less than this part of a core, for so long. */
const restShare = 0.05
const restLookMs = 3_000
const restCapMs = 60_000
/** With more Services the bare writes, and that speakers take them back, last for minutes. */
const bareMost = 1_000
/** Kinds of requests that are printed: the most frequent ones. */
const maxKinds = 12

/** Starts a controller before `count` Services without address; fulfils when all have one, and an event. */
async function startBefore(
  rig: Rig, count: number,
): Promise<{ controller: Child; assignedMs: number; eventsMs: number }> {
  const waiting = spawnLoad(rig, { kind: 'await', count })
  await until('the load is ready', () => waiting.lines.includes('ready'), readyCapMs)
  const begunAtMs = wallMs()
  const controller = startController(rig)
  const done = await resultOf<{ assignedAtMs: number; eventsAtMs: number }>(waiting)
  return {
    controller, assignedMs: done.assignedAtMs - begunAtMs, eventsMs: done.eventsAtMs - begunAtMs,
  }
}

/** The same beside the API server's own limit, printed as tables; the controller goes on. */
export async function measureStart(
  rig: Rig, count: number, speakers: readonly Child[],
): Promise<Child> {
  const given = count > bareMost ? [] : await load<readonly number[]>(rig, { kind: 'give', count })
  await untilAtRest(speakers)
  const halves = await load<readonly number[]>(rig, { kind: 'patch', count })
  const limitMs = median(halves)
  const pids = [
    ...pidsOfServer(rig),
    ...speakers.map(({ pid }, i) => ({ name: `speaker ${rig.nodes[i] ?? ''}`, pid })),
  ]
  const before = pids.map(({ pid }) => readCpuSeconds(pid))
  const asked = await countRequests(rig)
  const begunAtMs = wallMs()
  const { controller, assignedMs, eventsMs } = await startBefore(rig, count)
  const seconds = (wallMs() - begunAtMs) / 1_000
  const used = [
    ...pids.map(({ name, pid }, i) => ({ name, cpu: readCpuSeconds(pid) - (before[i] ?? 0) })),
    { name: 'controller', cpu: readCpuSeconds(controller.pid) },
  ]
  printTable(`${count} waiting Services when the controller starts, until all have an address`, [
    ['WHAT', 'MS', 'TO LIMIT', 'PEER'],
    [`limit: ${count} bare status patches over 8 connections`, limitMs.toFixed(0), '1.00 x', ''],
    ...bareRows(given, limitMs),
    ['all have an address, process start included', assignedMs.toFixed(0),
      formatRatio(assignedMs / limitMs), '10.8 x'],
    ['and an event each', eventsMs.toFixed(0), formatRatio(eventsMs / limitMs), ''],
  ])
  printTable(`Processor meanwhile, ${seconds.toFixed(1)} s`, [
    ['WHO', 'S', 'PER SERVICE, MS'],
    ...used.map(({ name, cpu }) => [name, formatNumber(cpu), formatNumber(cpu / count * 1_000)]),
  ])
  printTable('Requests meanwhile', [
    ['WHAT', 'COUNT', 'MEAN MS'],
    ...await requestsSince(rig, asked),
  ])
  return controller
}

/** What nobody can do faster: the same writes, by a client that does nothing else, with speakers that act. */
function bareRows(
  [givenMs, toldMs]: readonly number[], limitMs: number,
): readonly (readonly string[])[] {
  if (givenMs === undefined || toldMs === undefined) return []
  const bothMs = givenMs + toldMs
  return [
    ['bare, addresses that speakers announce', givenMs.toFixed(0), formatRatio(givenMs / limitMs), ''],
    ['bare, and then an event each', bothMs.toFixed(0), formatRatio(bothMs / limitMs), ''],
  ]
}

/** They have withdrawn what they had to, and told of it. */
async function untilAtRest(speakers: readonly Child[]): Promise<void> {
  const cpu = (): number => speakers.reduce((sum, { pid }) => sum + readCpuSeconds(pid), 0)
  for (const endAtMs = wallMs() + restCapMs; wallMs() < endAtMs;) {
    const before = cpu()
    await wait(restLookMs)
    if (cpu() - before < restShare * restLookMs / 1_000) return
  }
}

function pidsOfServer({ server }: Rig): readonly { name: string; pid: number }[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    const words = wordsOf(pid)
    const name = words[0]?.split('/').at(-1) ?? ''
    const isOurs = /^(etcd|kube-apiserver|kube-controller-manager)$/.test(name)
    return isOurs && words.some((word) => word.includes(server.folder)) ? [{ name, pid: Number(pid) }] : []
  })
}

/** The command line; none of a process that has ended meanwhile. */
function wordsOf(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    return []
  }
}

interface Asked {
  readonly count: number
  readonly seconds: number
}

/** What the API server counts by verb and resource. */
async function countRequests({ server }: Rig): Promise<ReadonlyMap<string, Asked>> {
  const text = await server.kubectlOk(['get', '--raw', '/metrics'])
  const asked = new Map<string, Asked>()
  const pattern = /^apiserver_request_duration_seconds_(count|sum)\{(.*)\} (\S+)$/gm
  for (const [, kind, labels = '', value] of text.matchAll(pattern)) {
    const label = (name: string): string => new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(labels)?.[1] ?? ''
    const part = label('subresource') === '' ? '' : `/${label('subresource')}`
    const key = `${label('verb')} ${label('resource')}${part}`
    const { count, seconds } = asked.get(key) ?? { count: 0, seconds: 0 }
    const more = Number(value)
    asked.set(key, kind === 'count' ? { count: count + more, seconds } : { count, seconds: seconds + more })
  }
  return asked
}

async function requestsSince(
  rig: Rig, before: ReadonlyMap<string, Asked>,
): Promise<readonly (readonly string[])[]> {
  const after = await countRequests(rig)
  const more = [...after].map(([what, { count, seconds }]) => {
    const was = before.get(what) ?? { count: 0, seconds: 0 }
    return { what, count: count - was.count, seconds: seconds - was.seconds }
  })
  return more.filter(({ what, count }) => count > 1 && !what.startsWith('WATCH'))
    .toSorted((a, b) => b.count - a.count).slice(0, maxKinds)
    .map(({ what, count, seconds }) => [what, String(count), formatNumber(seconds / count * 1_000)])
}
