/** Named histories: a story told to a cluster, and the bounds that what was seen has to keep. */
import { rankByHash } from '../l2/placement.ts'
import type { Millis } from '../net/model.ts'
import { overlapBounds } from './bounds.ts'
import { answerersOf, checkConverged, checkStorm, isHandOver } from './checks.ts'
import type { Cluster, CreateBrain } from './cluster.ts'
import type { NeighbourTiming } from './hosts.ts'
import { type Options, plainOptions } from './plan.ts'
import { type Place, placeOf } from './record.ts'
import type { Segment } from './segment.ts'
import { historyOf, pass, startSimulation } from './simulation.ts'
import { gapsOf, movesOf, overlapsOf } from './tenure.ts'

/** A cluster at rest, and words to tell its story with. */
export interface Stage {
  readonly cluster: Cluster
  /** Owner of the first unit on the first segment when the story began. */
  readonly owner: string
  /** The other nodes, in order of name. */
  readonly others: readonly string[]
  lan(index?: number): Segment
  /** The key of a unit. */
  unit(index?: number): string
  /** Who answers for it now, on the gateway's side. */
  answerers(index?: number): readonly string[]
  pass(ms: Millis): void
  /** What follows is judged; before, only that it happened. Called at the start of a story by itself. */
  judgeFromHere(): void
}

/** What was seen since the judging began, over all units and segments. */
export interface Seen {
  readonly darkMs: Millis
  readonly overlapMs: Millis
  readonly moves: number
  readonly strays: number
}

export interface Scenario {
  readonly it: string
  readonly options?: Partial<Options>
  /** Runs with as many seeds; 4 if absent. */
  readonly seeds?: number
  /** Nodes start within this time; 500 ms if absent. */
  readonly spreadMs?: Millis
  readonly timing?: NeighbourTiming
  /** Before the story begins; 6 s if absent. */
  readonly warmUpMs?: Millis
  readonly story: (stage: Stage) => void
  /** Upper bounds; overlap is 0 unless a bound is given, what else is absent is not bounded. */
  readonly most: { readonly darkMs?: Millis; readonly overlapMs?: Millis; readonly moves?: number }
  /** The story ends with one owner for each unit, known to every cache; true if absent. */
  readonly isSettled?: boolean
  /** More that has to hold at the end; sentences say what does not. */
  readonly also?: (stage: Stage, seen: Seen) => readonly string[]
}

export interface Played {
  readonly complaints: readonly string[]
  readonly history: readonly string[]
  readonly seen: Seen
}

const historyLines = 80

/** Plays a scenario with one seed. */
export function play(
  scenario: Scenario, seed: number, createBrain: CreateBrain, isTold = false,
): Played {
  const options: Options = { ...plainOptions, ...scenario.options, seed }
  const cluster = startSimulation(options, {
    createBrain, isTold, spreadMs: scenario.spreadMs ?? 500,
    ...(scenario.timing === undefined ? {} : { timing: scenario.timing }),
  })
  pass(cluster, (scenario.warmUpMs ?? 6_000) + cluster.random.between(0, 200))
  const { stage, judgedFromMs } = createStage(cluster)
  scenario.story(stage)
  const fromMs = judgedFromMs()
  const seen = look(cluster, fromMs)
  const settled = scenario.isSettled === false ? [] : checkConverged(cluster)
  const findings = [...settled, ...checkStorm(cluster)]
  const complaints = [
    ...exceeded(seen, scenario.most),
    ...findings.map(({ check, text }) => `${check}: ${text}`),
    ...scenario.also?.(stage, seen) ?? [],
  ]
  return { complaints, history: isTold ? historyOf(cluster, findings) : [], seen }
}

export interface Complaint {
  readonly seed: number
  readonly text: string
  /** The end of it. */
  readonly history: readonly string[]
}

/** Plays a scenario with each of its seeds; the first that fails, with the end of its history. */
export function judge(scenario: Scenario, createBrain: CreateBrain): Complaint | undefined {
  for (let seed = 1; seed <= (scenario.seeds ?? 4); seed++) {
    const { complaints } = play(scenario, seed, createBrain)
    if (complaints.length === 0) continue
    const { history } = play(scenario, seed, createBrain, true)
    const text = `seed ${seed}: ${complaints.join('; ')}`
    return { seed, text, history: history.slice(-historyLines) }
  }
  return undefined
}

function exceeded(seen: Seen, most: Scenario['most']): readonly string[] {
  const bounds = { strays: 0, overlapMs: 0, ...most }
  const over = (what: keyof Seen): readonly string[] => {
    const bound = bounds[what]
    const value = Math.round(10 * seen[what]) / 10
    return bound === undefined || seen[what] <= bound ? [] : [`${what} ${value}, at most ${bound} allowed`]
  }
  return [...over('darkMs'), ...over('overlapMs'), ...over('moves'), ...over('strays')]
}

function createStage(cluster: Cluster): { stage: Stage; judgedFromMs: () => Millis } {
  let fromMs = cluster.clock.nowMs
  const lan = (index = 0): Segment => {
    const segment = cluster.segments[index]
    if (segment === undefined) throw new RangeError(`Cannot find segment ${index}`)
    return segment
  }
  const unit = (index = 0): string => {
    const key = [...cluster.api.units.keys()][index]
    if (key === undefined) throw new RangeError(`Cannot find unit ${index}`)
    return key
  }
  const answerers = (index = 0): readonly string[] => {
    const place = placeOf(cluster.record, unit(index), lan().name)
    return place === undefined ? [] : answerersOf(cluster, place)
  }
  const owner = cluster.options.units === 0 ? '' : answerers()[0] ?? ''
  if (owner === '' && cluster.options.units > 0) {
    throw new RangeError(`Nobody answers for ${unit()} when the story begins`)
  }
  const stage: Stage = {
    cluster, owner, others: [...cluster.machines.keys()].filter((name) => name !== owner),
    lan, unit, answerers,
    pass: (ms) => pass(cluster, ms),
    judgeFromHere: () => void (fromMs = cluster.clock.nowMs),
  }
  return { stage, judgedFromMs: () => fromMs }
}

function look(cluster: Cluster, fromMs: Millis): Seen {
  const places = [...cluster.record.places.values()]
  const most = (of: (place: Place) => readonly Millis[]): Millis => Math.max(0, ...places.flatMap(of))
  const [segment] = cluster.segments
  const ofFirst = places.filter((place) => place.segment === segment?.name)
  return {
    darkMs: most((place) => gapsOf(place, cluster.clock.nowMs)
      .filter((gap) => gap.toMs > fromMs).map((gap) => gap.toMs - Math.max(gap.fromMs, fromMs))),
    overlapMs: most((place) => overlapsOf(place).filter(({ toMs }) => toMs > fromMs)
      .map((overlap) => {
        const ms = overlap.toMs - overlap.fromMs
        // A planned hand-over makes before it breaks: placements of a start may move in their first minute.
        const isMeant = isHandOver(cluster, place, overlap) && ms <= overlapBounds.handOverMs
        return isMeant ? 0 : ms
      })),
    moves: ofFirst.flatMap(movesOf).filter(({ atMs }) => atMs > fromMs).length,
    strays: cluster.record.strays.length,
  }
}

/** The three nodes to which `owner` sends its beats, as production ranks them. */
export function monitorsOf({ cluster, owner }: Stage): readonly string[] {
  const others = [...cluster.machines.keys()].filter((name) => name !== owner)
  const ranked = rankByHash(others.map((node) => ({ node, score: 0 })), owner)
  return ranked.slice(0, 3).map(({ node }) => node)
}

/** Notes of a kind since the beginning, of any node. */
export function notesOf({ cluster }: Stage, kind: string): readonly string[] {
  return cluster.record.notes.filter(({ note }) => note.kind === kind).map(({ node }) => node)
}

