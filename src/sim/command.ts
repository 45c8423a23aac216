/** `hack/sim`: runs seeds over all cores, prints what they found, and replays one. */
import { availableParallelism } from 'node:os'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { counted } from '../config/words.ts'
import { conditions } from './conditions.ts'
import { createProduction } from './production.ts'
import { restarts } from './restarts.ts'
import { measureFaults, type Measured } from './measure.ts'
import { memberships } from './memberships.ts'
import { catchMutation, mutations, mutationSeeds, mutationsOf } from './mutation.ts'
import type { Setting } from './environment.ts'
import { play } from './scenario.ts'
import { schedules } from './schedules.ts'
import { survivors } from './survivors.ts'
import { thieves } from './thieves.ts'
import { type Outcome, runSeed, sizeBands, type SwarmLimits } from './swarm.ts'
import { figureLines, overlapLine, quantile } from './table.ts'

interface Task {
  readonly from: number
  readonly count: number
  readonly stride: number
  readonly limits: SwarmLimits
}

interface Summary {
  readonly seeds: number
  readonly events: number
  readonly virtualMs: number
  readonly darks: readonly (readonly [string, number])[]
  readonly lossOverlapsMs: readonly number[]
  /** So many were not plain, of each setting. */
  readonly settings: readonly Setting[]
  /** Nodes of each run. */
  readonly sizes: readonly number[]
  readonly failures: readonly Pick<Outcome, 'seed' | 'options' | 'setting' | 'findings'>[]
}

function sum({ from, count, stride, limits }: Task): Summary {
  const darks: (readonly [string, number])[] = []
  const failures: Summary['failures'][number][] = []
  const sizes: number[] = []
  const settings: Setting[] = []
  const lossOverlapsMs: number[] = []
  let events = 0
  let virtualMs = 0
  for (let i = 0; i < count; i++) {
    const outcome = runSeed(from + i * stride, limits, createProduction())
    const { seed, options, setting, findings, ...rest } = outcome
    events += rest.events
    virtualMs += rest.virtualMs
    sizes.push(options.nodes)
    settings.push(setting)
    lossOverlapsMs.push(...rest.lossOverlapsMs)
    for (const { kind, ms } of rest.darks) darks.push([kind, ms])
    if (findings.length > 0) failures.push({ seed, options, setting, findings: findings.slice(0, 5) })
  }
  return { seeds: count, events, virtualMs, darks, lossOverlapsMs, settings, sizes, failures }
}

const usage = `Usage: hack/sim --seeds N [--from S] [--nodes 3..100] [--jobs J]   random histories
       hack/sim --seed S [--nodes 3..100] [--verbose]      one of them, with its history
       hack/sim --scenario WORDS [--seed S] [--verbose]    named histories whose name has the words
       hack/sim --faults [--trials N]                      dark time of single faults
       hack/sim --figures [--trials N]                     promised figures, with exit code 1 beyond a bound
       hack/sim --mutate [--seeds N | --seed S]            rules left out: which seed sees it`

/** The value after `--name`; undefined when it is not there. */
function option(args: readonly string[], name: string): string | undefined {
  const at = args.indexOf(`--${name}`)
  return at < 0 ? undefined : args[at + 1] ?? ''
}

function number(args: readonly string[], name: string, otherwise: number): number {
  const text = option(args, name)
  if (text === undefined) return otherwise
  if (!/^\d+$/.test(text)) throw new RangeError(`Cannot read --${name} "${text}": a number is wanted`)
  return Number(text)
}

export function parseNodes(text: string): SwarmLimits['nodes'] {
  const match = /^(\d+)(?:\.\.(\d+))?$/.exec(text)
  if (match === null) throw new RangeError(`Cannot read --nodes "${text}": 3 or 3..100 is wanted`)
  const [from, to] = [Number(match[1]), Number(match[2] ?? match[1])]
  if (from < 1 || to < from) throw new RangeError(`Bad --nodes "${text}": from 1 up, the larger number last`)
  return { from, to }
}

const known = [
  'seeds', 'from', 'nodes', 'jobs', 'seed', 'verbose', 'scenario', 'faults', 'figures', 'trials', 'mutate',
  'commit',
]

async function main(args: readonly string[]): Promise<number> {
  const stray = args.find((arg) => arg.startsWith('--') && !known.includes(arg.slice(2)))
  if (stray !== undefined) throw new RangeError(`Unknown option "${stray}"`)
  const limits: SwarmLimits = { nodes: parseNodes(option(args, 'nodes') ?? '3..10') }
  const commit = option(args, 'commit') ?? 'unknown'
  if (args.includes('--faults')) return printFaults(number(args, 'trials', 20))
  if (args.includes('--figures')) return printFigures(number(args, 'trials', 20), commit)
  if (args.includes('--mutate') && args.includes('--seed')) return mutateSeed(number(args, 'seed', 1), limits)
  if (args.includes('--mutate')) return printMutations(number(args, 'seeds', mutationSeeds), limits)
  const words = option(args, 'scenario')
  if (words !== undefined) {
    return playNamed(words, option(args, 'seed') === undefined ? undefined : number(args, 'seed', 1),
      args.includes('--verbose'))
  }
  if (args.includes('--seed')) return replay(number(args, 'seed', 1), limits, args.includes('--verbose'))
  if (!args.includes('--seeds')) {
    console.log(usage)
    return 2
  }
  const seeds = number(args, 'seeds', 500)
  if (seeds === 0) throw new RangeError('Bad --seeds "0": nothing would be tried')
  const from = number(args, 'from', 1)
  console.log(`commit ${commit}, seeds ${from} to ${from + seeds - 1}`)
  const begun = performance.now()
  const lanes = Math.min(Math.max(1, number(args, 'jobs', availableParallelism())), seeds)
  const summaries = await Promise.all(Array.from({ length: lanes }, (_, lane) => runLane({
    from: from + lane, stride: lanes, limits,
    count: Math.floor(seeds / lanes) + (lane < seeds % lanes ? 1 : 0),
  })))
  return print(summaries, limits, performance.now() - begun)
}

function runLane(task: Task): Promise<Summary> {
  const worker = new Worker(new URL(import.meta.url), { workerData: task })
  return new Promise((resolve, reject) => {
    worker.on('message', resolve)
    worker.on('error', reject)
  })
}

function print(summaries: readonly Summary[], { nodes }: SwarmLimits, ms: number): number {
  const failures = summaries.flatMap((summary) => summary.failures).toSorted((a, b) => a.seed - b.seed)
  for (const { seed, options, setting, findings } of failures.slice(0, 20)) {
    const { nodes, segments, units, quality } = options
    console.log(`seed ${seed} (${nodes} nodes, ${segments} segments, ${units} units, ` +
      `loss ${quality.loss}, ${options.placement}${options.hasRings ? ', rings' : ''}, ${setting}):`)
    for (const { atMs, check, text } of findings) console.log(`  ${atMs.toFixed(0)} ${check}: ${text}`)
  }
  const total = (of: (summary: Summary) => number): number =>
    summaries.reduce((all, summary) => all + of(summary), 0)
  printDarks(summaries.flatMap(({ darks }) => darks))
  const isKept = printOverlaps(summaries.flatMap(({ lossOverlapsMs }) => lossOverlapsMs))
  printSizes(summaries.flatMap(({ sizes }) => sizes))
  printSettings(summaries.flatMap(({ settings }) => settings))
  console.log(`${total(({ seeds }) => seeds)} seeds, ${failures.length} failed, ` +
    `${total(({ events }) => events)} events, ${(total(({ virtualMs }) => virtualMs) / 3.6e6).toFixed(2)} ` +
    `virtual hours in ${(ms / 1_000).toFixed(1)} s`)
  const replayed = `hack/sim --seed ${failures[0]?.seed} --nodes ${nodes.from}..${nodes.to} --verbose`
  if (failures.length > 0) console.log(`replay one: ${replayed}`)
  return failures.length > 0 || !isKept ? 1 : 0
}

/** Whether 99 of 100 are within their bound; of fewer than 100, all but one. */
function printOverlaps(overlapsMs: readonly number[]): boolean {
  const { text, isKept } = overlapLine(overlapsMs)
  console.log(isKept ? text : `${text}  BEYOND ITS BOUND`)
  return isKept
}

function printSettings(settings: readonly Setting[]): void {
  const counts = [...Map.groupBy(settings, (setting) => setting)].map(([setting, list]) =>
    `${list.length} ${setting}`)
  console.log(`settings: ${counts.toSorted().join(', ')}`)
}

function printSizes(sizes: readonly number[]): void {
  const bands = sizeBands.flatMap(({ to }, i) => {
    const from = (sizeBands[i - 1]?.to ?? 0) + 1
    const within = sizes.filter((nodes) => nodes >= from && nodes <= to)
    if (within.length === 0) return []
    return [`${within.length} of ${Math.min(...within)} to ${Math.max(...within)}`]
  })
  console.log(`nodes: ${bands.join(', ')}`)
}

function printDarks(darks: readonly (readonly [string, number])[]): void {
  const byKind = Map.groupBy(darks, ([kind]) => kind)
  for (const [kind, list] of [...byKind].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const sorted = list.map(([, ms]) => ms).toSorted((a, b) => a - b)
    console.log(`dark after ${kind.padEnd(20)} n=${String(sorted.length).padEnd(6)} ` +
      `p50 ${quantile(sorted, 0.5)} ms, max ${quantile(sorted, 1)} ms`)
  }
}

function replay(seed: number, limits: SwarmLimits, isVerbose: boolean): number {
  const { options, findings, history } = runSeed(seed, limits, createProduction(), true)
  console.log(JSON.stringify(options))
  for (const line of isVerbose ? history : history.filter((text) => text.includes('***'))) {
    console.log(line)
  }
  const found = findings.length === 0 ? 'nothing found' : counted(findings.length, 'finding')
  console.log(`seed ${seed}: ${found}`)
  return findings.length === 0 ? 0 : 1
}

/** Plays the scenarios whose name has the words; with their own seeds, or with one. */
function playNamed(words: string, seed: number | undefined, isVerbose: boolean): number {
  const all = [...schedules, ...conditions, ...survivors, ...thieves, ...memberships, ...restarts]
  const chosen = all.filter(({ it }) => it.includes(words))
  if (chosen.length === 0) console.log(`No scenario's name has "${words}"`)
  let failed = chosen.length === 0 ? 1 : 0
  for (const scenario of chosen) {
    const seeds = seed === undefined
      ? Array.from({ length: scenario.seeds ?? 4 }, (_, i) => i + 1)
      : [seed]
    for (const each of seeds) {
      const { complaints, seen, history } = play(scenario, each, createProduction(), isVerbose)
      if (complaints.length > 0) failed++
      for (const line of history) console.log(line)
      console.log(`${complaints.length === 0 ? 'ok  ' : 'FAIL'} ${scenario.it} (seed ${each}): ` +
        `dark ${seen.darkMs.toFixed(0)} ms, overlap ${seen.overlapMs.toFixed(1)} ms, ${seen.moves} moves`)
      for (const text of complaints) console.log(`     ${text}`)
    }
  }
  return failed === 0 ? 0 : 1
}

function printFaults(trials: number): number {
  const row = ({ fault, nodes, darks, overlapMs, moves }: Measured): string => {
    const sorted = darks.toSorted((a, b) => a - b)
    return `${fault.padEnd(26)} ${String(nodes).padStart(3)} nodes  n=${String(sorted.length).padEnd(5)} ` +
      `dark p50 ${quantile(sorted, 0.5)}, max ${quantile(sorted, 1)} ms; ` +
      `overlap max ${overlapMs.toFixed(0)} ms; moves ${moves}`
  }
  for (const measured of measureFaults(trials)) console.log(row(measured))
  return 0
}

function printFigures(trials: number, commit: string): number {
  console.log(`commit ${commit}`)
  let beyond = 0
  for (const { text, isKept } of figureLines(trials)) {
    if (!isKept) beyond++
    console.log(isKept ? text : `${text}  BEYOND ITS BOUND`)
  }
  return beyond === 0 ? 0 : 1
}

/** Whether the seed notices each rule that is left out; none of them tells nothing of the checks. */
function mutateSeed(seed: number, limits: SwarmLimits): number {
  let isClean = true
  for (const { name, found } of mutationsOf(seed, limits)) {
    if (name === undefined) isClean = found.length === 0
    const [first] = found
    const verdict = first === undefined ? 'nothing found'
      : `${counted(found.length, 'finding')}, first ${first.atMs.toFixed(0)} ${first.check}: ${first.text}`
    console.log(`seed ${seed} ${name ?? 'with all rules'}: ${verdict}`)
  }
  return isClean ? 0 : 1
}

function printMutations(seeds: number, limits: SwarmLimits): number {
  let missed = 0
  for (const mutation of mutations) {
    const seed = catchMutation(mutation, seeds, limits)
    if (seed === undefined) missed++
    const verdict = seed === undefined ? `not caught in ${seeds} seeds` : `caught by seed ${seed}`
    console.log(`${mutation.name}: ${verdict}`)
  }
  return missed === 0 ? 0 : 1
}

if (isMainThread) {
  try {
    process.exitCode = await main(process.argv.slice(2))
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    console.error(error.message)
    process.exitCode = 2
  }
} else {
  const task: Task = workerData
  parentPort?.postMessage(sum(task))
}
