/** The fault lab: arguments choose faults, each is tried some times, and all end in one table. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { arch, cpus, release, tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatNumber, median, printTable } from '../bench/table.ts'
import { runTrial, type Watch } from '../bench/trial.ts'
import { findAssets } from '../kube/assets.ts'
import { serverPrograms } from '../kube/server.ts'
import { doubtOf, measureTwoAnswerers } from './check.ts'
import { crowd, exodus, openCrowd } from './crowd.ts'
import { type Fault, type Outcome, strikeOnce } from './fault.ts'
import { faults } from './faults.ts'
import { wallMs } from './instruments.ts'
import { nodes, openStage, type Stage } from './stage.ts'

interface Choice {
  readonly names: readonly string[]
  readonly trials: number
  /** How often a void trial is repeated. */
  readonly repeats: number
}

/** What a row of the table names. */
type Named = Omit<Fault, 'strike'>

interface Row {
  readonly fault: Named
  readonly outcomes: readonly Outcome[]
  /** Those during which the machine was here all the time. */
  readonly valid: readonly Outcome[]
  readonly voids: number
  /** Trials that are shown although the machine was elsewhere in all their repeats. */
  readonly shownVoids: number
  readonly errors: number
  /** Wall time of a trial, by and large. */
  readonly eachS: number
}

const crowds = [crowd, exodus]
const known = [...faults, ...crowds].map(({ name }) => name)

/** `NAME… [--trials N] [--repeats N]`; a text = what is wrong with it. */
function parseArguments(words: readonly string[]): Choice | string {
  const names: string[] = []
  const numbers = new Map([['--trials', 3], ['--repeats', 3]])
  for (let i = 0; i < words.length; i += 1) {
    const word = words[i] ?? ''
    if (numbers.has(word)) {
      const value = Number(words[++i])
      if (!Number.isInteger(value) || value < (word === '--trials' ? 1 : 0)) return `${word} wants a number`
      numbers.set(word, value)
    } else if (known.includes(word)) names.push(word)
    else return `Unknown fault "${word}": faults are ${known.join(' ')}`
  }
  return { names, trials: numbers.get('--trials') ?? 3, repeats: numbers.get('--repeats') ?? 3 }
}

/** All trials of one fault; an error of one is printed and counted, and does not end the others. */
async function tryFault(
  fault: Named, stage: Stage, { trials, repeats }: Choice, strike: (watch: Watch) => Promise<Outcome>,
): Promise<Row> {
  const outcomes: Outcome[] = []
  const valid: Outcome[] = []
  const sinceMs = wallMs()
  let [voids, errors] = [0, 0]
  for (let n = 1; n <= trials; n += 1) {
    const begunMs = wallMs()
    try {
      const trial = await runTrial(strike, repeats)
      voids += trial.voids
      if (!trial.isVoid) valid.push(trial.result)
      outcomes.push(trial.result)
      tell(fault, n, trial.result, trial.isVoid)
      if (trial.result.broken.length > 0) keep(fault, n, stage, begunMs)
    } catch (error) {
      errors += 1
      console.log(`${fault.name} ${n}: ERROR ${error instanceof Error ? error.message : String(error)}`)
      keep(fault, n, stage, begunMs)
    }
  }
  const eachS = (wallMs() - sinceMs) / 1_000 / (trials + voids)
  return { fault, outcomes, valid, voids, shownVoids: trials - errors - valid.length, errors, eachS }
}

function tell(fault: Named, n: number, outcome: Outcome, isVoid: boolean): void {
  const { darkMs, muteMs, mute6Ms, overlapMs, moves, failures, frames, owners, broken } = outcome
  console.log(
    `${fault.name} ${n}: dark ${darkMs.toFixed(0)} ` +
    `mute ${muteMs.toFixed(0)}${mute6Ms === undefined ? '' : ` ipv6 ${mute6Ms.toFixed(0)}`} ` +
    `overlap ${overlapMs.toFixed(1)} ` +
    `moves ${moves} (${owners.join('>')}) failed ${failures} frames ${frames}` +
    `${isVoid ? ' VOID' : ''}${broken.length === 0 ? '' : ` BROKEN: ${broken.join('; ')}`}`,
  )
}

const kept = join(tmpdir(), `arpeggio-fault-${process.pid}`)

/** What a trial left, for whoever looks into it: frames and logs, by time. */
function keep(fault: Named, n: number, stage: Stage, sinceMs: number): void {
  mkdirSync(kept, { recursive: true })
  const frames = stage.instruments.frames(sinceMs, wallMs()).map((frame) => ({
    atMs: frame.atMs,
    text: `${new Date(frame.atMs).toISOString()} ${stage.nodeOf(frame.source)} ` +
      `${frame.isReply ? 'says' : 'asks'} ${frame.sender} at ${stage.nodeOf(frame.senderMac)} ` +
      `to ${frame.target}`,
  }))
  const lines = nodes.flatMap((node) => stage.log(node, sinceMs).map((line) => ({
    atMs: Date.parse(String(line['ts'])), text: `${String(line['ts'])} LOG ${node} ${JSON.stringify(line)}`,
  })))
  const path = join(kept, `${fault.name}-${n}.txt`)
  const all = [...frames, ...lines].toSorted((a, b) => a.atMs - b.atMs)
  writeFileSync(path, `${all.map(({ text }) => text).join('\n')}\n`)
  console.log(`    frames and logs: ${path}`)
}

/** Least, middle and most. */
function spread(values: readonly number[]): string {
  const [least, most] = [Math.min(...values), Math.max(...values)]
  if (values.length === 0) return '-'
  return least === most ? formatNumber(least) : [least, median(values), most].map(formatNumber).join(' / ')
}

function rowOf(row: Row): readonly string[] {
  const { fault, outcomes, voids, shownVoids, eachS } = row
  const of = (pick: (outcome: Outcome) => number | undefined): string =>
    spread(outcomes.map(pick).filter((value) => value !== undefined)
      .map((value) => Math.round(value * 10) / 10))
  return [
    fault.name, String(outcomes.length), `${voids}${shownVoids === 0 ? '' : ` (${shownVoids} shown)`}`,
    of(({ darkMs }) => darkMs), of(({ failures }) => failures), of(({ muteMs }) => muteMs),
    of(({ mute6Ms }) => mute6Ms),
    of(({ overlapMs }) => overlapMs), of(({ moves }) => moves), of(({ frames }) => frames),
    verdictOf(row), fault.peer, eachS.toFixed(1),
  ]
}

const held = 'held'
const verdictColumn = 10

/** Whether all that must hold did: of each trial, and of the times of valid trials together. */
function verdictOf({ fault: { promised }, outcomes, valid, errors }: Row): string {
  const broken = outcomes.filter((outcome) => outcome.broken.length > 0).length
  if (broken + errors > 0) return `BROKEN ${broken}${errors === 0 ? '' : `, errors ${errors}`}`
  if (promised === undefined) return held
  const silentMs = valid.map(({ darkMs, muteMs, mute6Ms = 0 }) => Math.max(darkMs, muteMs, mute6Ms))
  if (silentMs.length === 0) return 'VOID'
  const [middleMs, mostMs] = [median(silentMs), Math.max(...silentMs)]
  return middleMs <= promised.medianMs && mostMs <= promised.mostMs
    ? held
    : `SLOW ${middleMs.toFixed(0)} / ${mostMs.toFixed(0)}, at most ${promised.medianMs} / ${promised.mostMs}`
}

const head = [
  'fault', 'trials', 'void', 'dark ms', 'failed', 'mute ms', 'IPv6 mute', 'overlap ms', 'moves', 'frames',
  'verdict', 'MetalLB', 's each',
]

/** Adds a row for each fault as soon as it has been tried. */
async function tryAll(choice: Choice, assets: string, rows: (readonly string[])[]): Promise<void> {
  const isChosen = ({ name }: Named): boolean => choice.names.length === 0 || choice.names.includes(name)
  await using stage = await openStage(assets)
  const seen = await measureTwoAnswerers(stage)
  const doubt = doubtOf(seen)
  const overlaps = seen.map(({ overlapMs }) => overlapMs.toFixed(0)).join(' ms by ARP, ')
  console.log(`two answerers on purpose: overlap ${overlaps} ms by neighbour discovery`)
  if (doubt !== undefined) throw new Error(`Cannot trust the instrument: ${doubt}`)
  for (const segment of ['lan', 'control'] as const) {
    const chosen = faults.filter((fault) => isChosen(fault) && (fault.gossip ?? 'lan') === segment)
    if (segment === 'control' && chosen.length > 0) await stage.gossipOn(segment)
    for (const fault of chosen) {
      const lack = fault.lack?.()
      if (lack !== undefined) console.log(`${fault.name}: left out: ${lack}`)
      else rows.push(rowOf(await tryFault(fault, stage, choice, (watch) => strikeOnce(fault, stage, watch))))
    }
  }
  const chosen = crowds.filter(isChosen)
  if (chosen.length === 0) return
  const thousand = await openCrowd(stage)
  for (const one of chosen) {
    await using trials = await thousand.watch(one)
    rows.push(rowOf(await tryFault(one, stage, choice, trials.strike)))
  }
}

const choice = parseArguments(process.argv.slice(2))
if (typeof choice === 'string') {
  console.error(choice)
  process.exitCode = 2
} else {
  const assets = await findAssets(serverPrograms)
  if ('lack' in assets) throw new Error(`Cannot go on: ${assets.lack}`)
  const begun = performance.now()
  console.log(`Node.js ${process.version}, Linux ${release()} ${arch()}, ${cpus().length} processors`)
  const rows: (readonly string[])[] = []
  let failure = ''
  try {
    await tryAll(choice, assets.folder, rows)
  } catch (error) {
    // What has been measured is printed all the same.
    failure = error instanceof Error ? error.message : String(error)
  }
  printTable('Faults: least / median / most. Dark = no new TCP connection, mute = no voice', [head, ...rows])
  for (const { name, about } of [...faults, ...crowds]) {
    if (rows.some(([row]) => row === name)) console.log(`${name}: ${about}`)
  }
  const missed = rows.filter((row) => row[verdictColumn] !== held)
    .map((row) => `, not ${row[0]}: ${row[verdictColumn]}`)
  console.log(`\nheld ${rows.length - missed.length} of ${rows.length}${missed.join('')}`)
  console.log(`Done in ${((performance.now() - begun) / 1_000).toFixed(0)} s`)
  if (failure !== '') console.log(`ENDED EARLY: ${failure}`)
  if (failure !== '' || missed.length > 0) process.exitCode = 1
}
