/** What `arpeggio check` prints: problems, warnings, pools; JSON and YAML in a frozen format. */
import type { Config, Pool, Problem, Reading } from '../config/model.ts'
import type { Output } from '../config/option-values.ts'
import { dumpYaml } from '../config/yaml.ts'
import { poolCapacity } from '../ipam/usage.ts'
import { formatRange } from '../net/range.ts'
import { formatTable } from './table.ts'

export interface PoolRow {
  readonly name: string
  readonly ranges: readonly string[]
  /** A decimal number as text: a /64 has more than 2⁵³; unusable addresses are subtracted. */
  readonly addresses: string
}

export interface CheckReport {
  readonly ok: boolean
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
  readonly pools: readonly PoolRow[]
}

/** The frozen document behind `-o json`. */
export function checkReport(reading: Reading): CheckReport {
  const { problems, warnings } = reading
  return { ok: problems.length === 0, problems, warnings, pools: poolRows(reading.config) }
}

function poolRows(config: Config): readonly PoolRow[] {
  return config.pools.map((pool: Pool) => {
    const { ipv4, ipv6 } = poolCapacity(pool)
    return { name: pool.name, ranges: pool.ranges.map(formatRange), addresses: String(ipv4 + ipv6) }
  })
}

/** The report in the form asked for, without a final line break. */
export function formatCheck(reading: Reading, output: Output): string {
  const report = checkReport(reading)
  if (output === 'json') return JSON.stringify(report, undefined, 2)
  if (output === 'yaml') return dumpYaml(report).trimEnd()
  const lines = report.problems.map(formatProblem)
  lines.push(...report.warnings.map(formatWarning))
  if (report.pools.length > 0) {
    const rows = report.pools.map((pool) => [pool.name, pool.addresses, pool.ranges.join(' ')])
    lines.push(formatTable(['POOL', 'ADDRESSES', 'RANGES'], rows))
  }
  const { length } = report.problems
  return [...lines, length === 0 ? 'ok' : `${length} problem${length === 1 ? '' : 's'}`].join('\n')
}

/** What to say beside a good report of nothing: a folder that was meant may be another. */
export function hintOf({ world, problems, config }: Reading): string {
  const isBare = config.pools.length + config.advertisements.length + (world?.services.length ?? 0) === 0
  return isBare && problems.length === 0 ? 'Nothing to check: found no pool, advertisement or Service' : ''
}

/** A warning in the form of a problem. */
export function formatWarning(warning: Problem): string {
  return `warning: ${formatProblem(warning)}`
}

/** `file:document object path: Reason: message`, parts that are empty left out. */
export function formatProblem(problem: Problem): string {
  const where = [`${problem.file}:${problem.document}`, problem.object, problem.path]
  return `${where.filter((part) => part !== '').join(' ')}: ${problem.reason}: ${problem.message}`
}
