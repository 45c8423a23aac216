/** What `arpeggio check` prints: problems, warnings, pools; JSON and YAML in a frozen format. */
import type { Config, Pool, Problem, Reading } from '../config/model.ts'
import type { CheckOptions } from '../config/options.ts'
import type { Output } from '../config/option-values.ts'
import { counted } from '../config/words.ts'
import { dumpYaml } from '../config/yaml.ts'
import { poolCapacity } from '../ipam/usage.ts'
import { formatRange } from '../net/range.ts'
import { type RefusedRequest, refusedRequests } from '../plan/request.ts'
import { formatTable } from './table.ts'

export interface PoolRow {
  readonly name: string
  readonly ranges: readonly string[]
  /** A decimal number as text: a /64 has more than 2⁵³; unusable addresses are subtracted. */
  readonly addresses: string
}

export interface CheckReport {
  readonly ok: boolean
  /** Of the input itself, then what its Services ask for in vain, with the words of `plan`. */
  readonly problems: readonly (Problem | RefusedRequest)[]
  readonly warnings: readonly Problem[]
  readonly pools: readonly PoolRow[]
}

export interface CheckResult {
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: 0 | 1
}

/** Validates what was read; 1 = any problem. */
export function runCheck(reading: Reading, options: CheckOptions): CheckResult {
  const report = checkReport(reading, options.loadBalancerClass)
  return {
    stdout: formatReport(report, options.output), stderr: hintOf(reading), exitCode: report.ok ? 0 : 1,
  }
}

/** The frozen document behind `-o json`. */
export function checkReport(reading: Reading, loadBalancerClass = ''): CheckReport {
  const { warnings } = reading
  const problems = [...reading.problems, ...refusedRequests(reading, loadBalancerClass)]
  return { ok: problems.length === 0, problems, warnings, pools: poolRows(reading.config) }
}

function poolRows(config: Config): readonly PoolRow[] {
  return config.pools.map((pool: Pool) => {
    const { ipv4, ipv6 } = poolCapacity(pool)
    return { name: pool.name, ranges: pool.ranges.map(formatRange), addresses: String(ipv4 + ipv6) }
  })
}

/** The report in the form asked for, without a final line break. */
export function formatReport(report: CheckReport, output: Output): string {
  if (output === 'json') return JSON.stringify(report, undefined, 2)
  if (output === 'yaml') return dumpYaml(report).trimEnd()
  const lines = report.problems.map(formatProblem)
  lines.push(...report.warnings.map(formatWarning))
  if (report.pools.length > 0) {
    const rows = report.pools.map((pool) => [pool.name, pool.addresses, pool.ranges.join(' ')])
    lines.push(formatTable(['POOL', 'ADDRESSES', 'RANGES'], rows))
  }
  return [...lines, report.ok ? 'ok' : counted(report.problems.length, 'problem')].join('\n')
}

/** What to say beside a good report of nothing: a folder that was meant may be another. */
function hintOf({ world, problems, config }: Reading): string {
  const isBare = config.pools.length + config.advertisements.length + (world?.services.length ?? 0) === 0
  return isBare && problems.length === 0 ? 'Nothing to check: found no pool, advertisement or Service' : ''
}

/** A warning in the form of a problem. */
export function formatWarning(warning: Problem): string {
  return `warning: ${formatProblem(warning)}`
}

/** `file:document object path: Reason: message`, parts that are empty left out. */
export function formatProblem(problem: Problem | RefusedRequest): string {
  const where = [`${problem.file}:${problem.document}`, problem.object, problem.path]
  return `${where.filter((part) => part !== '').join(' ')}: ${problem.reason}: ${problem.message}`
}
