/** Runs every suite as a program of its own, and counts: the last line is `N passed, N failed`. */
import { type ChildProcess, spawn } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

interface Suite {
  readonly runtime: 'node' | 'deno' | 'tsc'
  /** Path of the test file; what is printed and what arguments choose by. */
  readonly name: string
  readonly command: readonly string[]
  readonly capMs: number
}

interface Outcome {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  /** A line for each skipped test, each `measured` figure, and what is wrong with the suite as a whole. */
  readonly remarks: readonly string[]
  readonly output: string
}

const node = process.execPath
const deno = ['node_modules/.bin/deno', 'run', '--allow-all', '--no-lock', '--no-prompt']

/** Sockets differ between the runtimes: raw-socket is there on Node only. */
const isWire = /^src\/l2\/linux\//

/** Suites that need root: they make namespaces and open raw sockets. One by one, most on Node only. */
const privileged = [isWire, /^src\/announcer\.test\.ts$/, /^e2e\/(?!kind\/guide\/|(?:readme|bin|hack)\.)/]

/** Random histories: long, and the same on each runtime. On Node only, beside the other units. */
const swarms = [/^src\/sim\/(swarm|mutation|scenarios)\.test\.ts$/]

/** Suites that need the cluster of hack/e2e, which runs them. */
const clustered = /^e2e\/kind\/[^/]+$/

const unitCapMs = 60_000
const swarmCapMs = 600_000
const privilegedCapMs = 480_000
/** Suites that start the program some hundred times, or wait for leases and backoffs to run out. */
const long = /^e2e\/kube\/(kills|trouble|restore|outage)\.test\.ts$/
const longCapMs = 600_000
/** kubelets are patient before they believe that something is wrong. */
const clusteredCapMs = 1_200_000
/** Chosen by name alone: their tools take minutes to build, which hack/gitops does first. */
const onDemand = /^e2e\/gitops\//
/** Time to clean up that a suite gets after SIGTERM. */
const graceMs = 5_000

const running = new Set<ChildProcess>()
let isStopping = false

/** Runs one suite to its end, or to the end of its time. Never rejects. */
async function runSuite(suite: Suite): Promise<Outcome> {
  const [program = '', ...args] = suite.command
  const { FORCE_COLOR: _, ...env } = process.env
  const child = spawn(program, args, {
    env: { ...env, NO_COLOR: '1', DENO_NO_UPDATE_CHECK: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => void (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => void (output += chunk.toString()))
  let isLate = false
  const cap = setTimeout(() => {
    isLate = true
    stop(child)
  }, suite.capMs)
  const end = await new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('close', (code, signal) => resolve(code === 0 ? '' : `exit ${code ?? signal}`))
  })
  clearTimeout(cap)
  running.delete(child)
  const how = isLate ? `stopped after ${suite.capMs / 1_000} s` : end
  return suite.runtime === 'tsc' ? judge(how, output) : count(how, output)
}

/** A check without tests of its own counts as one. */
function judge(how: string, output: string): Outcome {
  const failed = how === '' ? 0 : 1
  return { passed: 1 - failed, failed, skipped: 0, remarks: failed === 0 ? [] : [how], output }
}

/**
 * Reads uvu's totals. A suite that crashes, runs nothing, or skips without printing a line
 * `skipped NAME: REASON` fails as a whole, whatever its tests say.
 */
function count(how: string, output: string): Outcome {
  const total = readTotal(output, 'Total')
  const passed = readTotal(output, 'Passed') ?? 0
  const skipped = readTotal(output, 'Skipped') ?? 0
  const reasons = [...output.matchAll(/^\s*skipped (\S.*: .+)$/gm)].map((match) => match[1] ?? '')
  const wrong = [
    ...(how !== '' && (total === undefined || total === passed) ? [how] : []),
    ...(how === '' && total === undefined ? ['ended without a count'] : []),
    ...(total === 0 && skipped === 0 ? ['ran no test'] : []),
    ...(skipped > reasons.length ? [`${skipped - reasons.length} skipped without a reason`] : []),
  ]
  const failed = (total ?? 0) - passed
  const figures = [...output.matchAll(/\bmeasured \S.*: .+$/gm)].map(([text]) => text)
  return {
    passed,
    failed: wrong.length > 0 ? failed + 1 : failed,
    skipped: Math.max(skipped, reasons.length),
    remarks: [...wrong, ...reasons.map((reason) => `skipped ${reason}`), ...figures],
    output,
  }
}

function readTotal(output: string, label: string): number | undefined {
  const match = new RegExp(`^  ${label}: +(\\d+)$`, 'm').exec(output)
  return match === null ? undefined : Number(match[1])
}

function stop(child: ChildProcess): void {
  child.kill('SIGTERM')
  setTimeout(() => child.kill('SIGKILL'), graceMs).unref()
}

function findSuites(choice: readonly string[]): { unit: Suite[]; alone: Suite[] } {
  const files = globSync(['src/**/*.test.ts', 'e2e/**/*.test.ts']).toSorted()
  const isChosen = ({ name }: Suite): boolean =>
    choice.length === 0
      ? !onDemand.test(name)
      : choice.some((part) => name.includes(part) && (!onDemand.test(name) || part.includes('gitops')))
  const isAlone = (name: string): boolean => privileged.some((pattern) => pattern.test(name))
  const isSwarm = (name: string): boolean => swarms.some((pattern) => pattern.test(name))
  const capOf = (name: string): number => {
    if (clustered.test(name)) return clusteredCapMs
    if (long.test(name)) return longCapMs
    if (isAlone(name)) return privilegedCapMs
    return isSwarm(name) ? swarmCapMs : unitCapMs
  }
  const suite = (runtime: Suite['runtime'], name: string, command: readonly string[]): Suite =>
    ({ runtime, name, command, capMs: capOf(name) })
  const units = files.filter((name) => !isAlone(name))
  const unit = [
    suite('tsc', 'tsc --noEmit', [node, 'node_modules/typescript/bin/tsc', '--noEmit']),
    // The longest first, so that the others fill the time beside it.
    ...units.toSorted((a, b) => Number(isSwarm(b)) - Number(isSwarm(a)))
      .map((name) => suite('node', name, [node, name])),
    ...units.filter((name) => !isSwarm(name)).map((name) => suite('deno', name, [...deno, name])),
  ]
  const alone = files.filter(isAlone).flatMap((name) => [
    suite('node', name, [node, name]),
    ...(isWire.test(name) ? [suite('deno', name, [...deno, name])] : []),
  ])
  return { unit: unit.filter(isChosen), alone: alone.filter(isChosen) }
}

function print(suite: Suite, outcome: Outcome, ms: number): void {
  const word = outcome.failed > 0 ? 'FAIL' : 'ok'
  const time = `${(ms / 1_000).toFixed(1)} s`.padStart(7)
  const skipped = outcome.skipped === 0 ? '' : `, ${outcome.skipped} skipped`
  const counts = `${outcome.passed} passed, ${outcome.failed} failed${skipped}`
  console.log(`${word.padEnd(4)} ${time}  ${suite.runtime}  ${suite.name}: ${counts}`)
  for (const remark of outcome.remarks) console.log(`       ${remark}`)
  if (outcome.failed > 0) console.log(outcome.output.trimEnd().replace(/^/gm, '     | '))
}

/** Runs the suites, at most `width` at a time, in order of the list. */
async function runAll(suites: readonly Suite[], width: number): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  const queue = suites.values()
  const lane = async (): Promise<void> => {
    for (const suite of queue) {
      if (isStopping) return
      const begun = performance.now()
      const outcome = await runSuite(suite)
      outcomes.push(outcome)
      if (!isStopping) print(suite, outcome, performance.now() - begun)
    }
  }
  await Promise.all(Array.from({ length: width }, lane))
  return outcomes
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    isStopping = true
    for (const child of running) stop(child)
  })
}

/** Whether this program may make network namespaces; hack/as-root gives the right where it can. */
function canMakeHosts(): boolean {
  const bits = /^CapEff:\s*(\w+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'
  const wanted = 1n << 12n | 1n << 21n // CAP_NET_ADMIN, CAP_SYS_ADMIN: linux/capability.h
  return (BigInt(`0x${bits}`) & wanted) === wanted
}

/** Why a suite cannot run here; undefined = it can. */
function lackOf(name: string): string | undefined {
  if (!canMakeHosts()) return 'needs root'
  return clustered.test(name) && process.env['ARPEGGIO_CLUSTER'] === undefined
    ? 'needs a cluster: hack/e2e makes one and runs it'
    : undefined
}

const { unit, alone } = findSuites(process.argv.slice(2))
const outcomes = await runAll(unit, availableParallelism())
const lacks = new Map(alone.map(({ name }) => [name, lackOf(name)]))
const left = alone.filter(({ name }) => lacks.get(name) !== undefined)
outcomes.push(...await runAll(alone.filter((suite) => !left.includes(suite)), 1))
for (const { name } of left) console.log(`skipped ${name}: ${lacks.get(name)}`)
if (process.argv.length === 2) console.log('left out e2e/gitops: hack/gitops runs it')
const sum = (of: (outcome: Outcome) => number): number =>
  outcomes.reduce((total, outcome) => total + of(outcome), 0)
const failed = sum((outcome) => outcome.failed) + (outcomes.length + left.length === 0 ? 1 : 0)
const skipped = sum((outcome) => outcome.skipped) + left.length
if (isStopping) console.log('Stopped before the end')
if (outcomes.length + left.length === 0) {
  console.log(`No suite's path has ${process.argv.slice(2).join(' or ')}`)
}
console.log(
  `${sum((outcome) => outcome.passed)} passed, ${failed} failed` +
    (skipped === 0 ? '' : `, ${skipped} skipped`),
)
process.exitCode = isStopping ? 130 : failed > 0 ? 1 : 0
