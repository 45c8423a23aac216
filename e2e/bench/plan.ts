/** Measures planning: everything at once, one newcomer, the whole decision, by size of the pool. */
import { type Held, loadPlanner, type Verdict } from './source.ts'
import { formatNumber, formatRatio, median, printTable } from './table.ts'

/** RFC 2544's network is for benchmarks; a /18 of it has room for the largest size, and no more. */
const pools = [
  { name: '/8', entries: '10.0.0.0/8', family: 'ipv4', length: 8 },
  { name: '/64', entries: '2001:db8::/64', family: 'ipv6', length: 64 },
  { name: '/18', entries: '198.18.0.0/18', family: 'ipv4', length: 18 },
] as const

type PoolPlan = typeof pools[number]

/** Turns of each measurement, and turns before it that are not counted: they compile. */
const turns = { 100: 60, 1_000: 24, 10_000: 9 } as const
const warmTurns = { 100: 60, 1_000: 8, 10_000: 1 } as const
type Size = keyof typeof turns
const sizes: readonly Size[] = [100, 1_000, 10_000]

const planner = loadPlanner()

/** One situation: n holders of a pool, and one newcomer. */
interface Scene {
  readonly config: object
  readonly holders: readonly unknown[]
  readonly newcomer: unknown
  readonly ledger: Held
  readonly first: () => readonly Verdict[]
}

function openScene({ name, entries, family }: PoolPlan, n: number): Scene {
  const advertisement = {
    name: 'all', pools: new Set([name]), nodeSelectors: [], interfaces: [], serviceSelectors: [],
    preferred: [],
  }
  const config = {
    ...planner.config(planner.pool(name, entries)), advertisements: [advertisement],
  }
  const services = Array.from({ length: n + 1 }, (_, i) =>
    planner.service(`s${i}`, { families: [family], createdAtMs: i * 1_000 }))
  const holders = services.slice(0, n)
  const first = (): readonly Verdict[] => planner.planAllocation({ config, services: holders })
  const ledger = new Map(first().map(({ service, addresses }) => [service, addresses]))
  return { config, holders, newcomer: services[n], ledger, first }
}

/** One measured call, and what must hold of its result: a plan that failed is not measured. */
interface Task {
  readonly act: () => Outcome
  readonly holds: (outcome: Outcome) => boolean
}

interface Outcome {
  readonly verdicts: readonly Verdict[]
  readonly placed: number
}

/** Median milliseconds of each task; they take turns, so that a slow second slows all alike. */
function clockMs(tasks: readonly Task[], n: Size): readonly number[] {
  const times = tasks.map((): number[] => [])
  for (let turn = -warmTurns[n]; turn < turns[n]; turn += 1) {
    for (let place = 0; place < tasks.length; place += 1) {
      // Each turn starts with another: garbage is collected where it happens to pile up.
      const i = (warmTurns[n] + turn + place) % tasks.length
      const task = tasks[i]
      if (task === undefined) continue
      const { act, holds } = task
      const begun = performance.now()
      const outcome = act()
      const ms = performance.now() - begun
      if (!holds(outcome)) throw new Error('Cannot measure: the plan is not what it should be')
      if (turn >= 0) times[i]?.push(ms)
    }
  }
  return times.map(median)
}

/** Members with one interface each, whose prefix covers the pool. */
function members({ entries, family, length }: PoolPlan, count: number): readonly object[] {
  const [range] = rangesOf(planner.pool('prefix', entries))
  const prefix = { family, bits: range?.first ?? 0n, length }
  return Array.from({ length: count }, (_, i) => ({
    name: `node-${i}`,
    links: [{
      index: 2, name: 'eth0', mac: `02:00:00:00:00:0${i}`, mtuBytes: 1_500, isUp: true,
      hasCarrier: true, master: undefined, isLoopback: false, isNoArp: false, isBroadcast: true,
      addresses: [{
        address: { family, bits: prefix.bits + BigInt(i + 1) }, prefix, isTentative: false,
      }],
    }],
  }))
}

function rangesOf(pool: unknown): readonly { readonly first: bigint }[] {
  const { ranges }: { ranges: readonly { readonly first: bigint }[] } = Object(pool)
  return ranges
}

function allocateAnew(scene: Scene): Outcome {
  const services = [...scene.holders, scene.newcomer]
  const { config, ledger } = scene
  return { verdicts: planner.planAllocation({ config, services, ledger }), placed: 0 }
}

/** The whole decision of a running system after one new Service: owners and holders stay. */
function decideAnew(scene: Scene, plan: PoolPlan, count: number): () => Outcome {
  const input = {
    world: {
      config: scene.config, services: scene.holders, nodes: [], endpoints: undefined,
    },
    members: members(plan, count),
    loadBalancerClass: '',
    placement: 'sticky',
    announceEverywhere: false,
    ignoreExcludeLabel: false,
    ledger: scene.ledger,
  }
  const owners = new Map(planner.decide(input).announcements.placed
    .map(({ text, node }) => [text, node]))
  const world = { ...input.world, services: [...scene.holders, scene.newcomer] }
  return () => {
    const { verdicts, announcements } = planner.decide({ ...input, world, owners })
    return { verdicts, placed: announcements.placed.length }
  }
}

/** The tasks of one pool, by what they measure. */
function tasksOf(plan: PoolPlan, n: Size): Readonly<Record<string, Task>> {
  const scene = openScene(plan, n)
  const hasAll = (count: number, placed: number) => (outcome: Outcome): boolean =>
    outcome.verdicts.filter(({ addresses }) => addresses?.length === 1).length === count &&
    outcome.placed === placed
  const decided = (count: number): Task =>
    ({ act: decideAnew(scene, plan, count), holds: hasAll(n + 1, n + 1) })
  return {
    'addresses for all, none held':
      { act: () => ({ verdicts: scene.first(), placed: 0 }), holds: hasAll(n, 0) },
    'address for one newcomer': { act: () => allocateAnew(scene), holds: hasAll(n + 1, 0) },
    'whole decision on it, 1 member': decided(1),
    'whole decision on it, 3 members': decided(3),
  }
}

/** Runs the part and prints its table. */
export function benchPlan(): void {
  const rows: string[][] = []
  for (const n of sizes) {
    const byPool = pools.map((plan) => tasksOf(plan, n))
    for (const what of Object.keys(byPool[0] ?? {})) {
      const times = clockMs(byPool.flatMap((tasks) => tasks[what] ?? []), n)
      const [wide = Number.NaN, , narrow = Number.NaN] = times
      const count = n.toLocaleString('en')
      rows.push([count, what, ...times.map(formatNumber), formatRatio(wide / narrow)])
    }
  }
  const head = pools.map(({ name }) => `${name} ms`)
  printTable(
    `Planning, medians of ${Object.values(turns).join(', ')} turns: a pool 1,024 times as large ` +
      '(/8 : /18) takes as long',
    [['SERVICES', 'WHAT', ...head, '/8 : /18'], ...rows],
  )
}
