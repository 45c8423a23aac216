/** What `arpeggio plan` prints: the rows of a decision as table, JSON or YAML. */
import type { Reading } from '../config/model.ts'
import type { Output } from '../config/option-values.ts'
import type { PlanOptions } from '../config/options.ts'
import { dumpYaml } from '../config/yaml.ts'
import { decide, membersOf } from '../plan/decision.ts'
import { isBadNews, reportRows, type ServiceRow } from '../plan/report.ts'
import { formatProblem, formatWarning } from './check.ts'
import { formatTable } from './table.ts'

export interface PlanResult {
  readonly stdout: string
  /**
   * Problems and warnings, one a line; beside JSON and YAML the sentences that the table shows; what the
   * input lacks.
   */
  readonly stderr: string
  /** 1 = unusable input, a refused Service, or an address that nobody announces. */
  readonly exitCode: 0 | 1
}

/** Decides over what was read, every Node alive, and writes nothing. */
export function runPlan(reading: Reading, options: PlanOptions): PlanResult {
  const findings = [...reading.problems.map(formatProblem), ...reading.warnings.map(formatWarning)]
  const { world } = reading
  if (world === undefined) {
    return { stdout: formatRows([], options.output), stderr: findings.join('\n'), exitCode: 1 }
  }
  const decision = decide({
    world,
    members: membersOf(world.nodes),
    loadBalancerClass: options.loadBalancerClass,
    placement: options.placement,
    announceEverywhere: options.announceEverywhere,
    ignoreExcludeLabel: options.ignoreExcludeLabel,
  })
  const rows = reportRows(decision, world.nodes.length > 0)
  const exitCode = rows.some(isBadNews) ? 1 : 0
  const nodes = hintOfNodes(rows, world.nodes.length, options.paths)
  const sentences = options.output === 'table' ? [] : rows.flatMap(formatSentence)
  const stderr = [...findings, ...sentences, ...nodes].join('\n')
  return { stdout: formatRows(rows, options.output), stderr, exitCode }
}

/** Without Nodes nobody announces, which is no bad news: the input lacks them. One line, or none. */
function hintOfNodes(
  rows: readonly ServiceRow[], nodes: number, paths: readonly string[],
): readonly string[] {
  if (nodes > 0 || !rows.some(({ addresses }) => addresses.length > 0)) return []
  const files = paths.filter((path) => path !== '-').map(quoted)
  return ['No Node in the input, so it is left open who announces; of a cluster, give them too: ' +
    `kubectl get nodes -o yaml | arpeggio plan ${[...files, '-'].join(' ')}`]
}

/** As a shell takes it. */
function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`
}

function formatSentence({ namespace, name, verdict, message }: ServiceRow): readonly string[] {
  return message === '' ? [] : [`${namespace}/${name}: ${verdict}: ${message}`]
}

function formatRows(rows: readonly ServiceRow[], output: Output): string {
  if (output === 'table') return formatServiceTable(rows)
  // The format is frozen: sentences may change, so they are no part of it.
  const services = rows.map(({ message: _, ...row }) => row)
  return output === 'json'
    ? JSON.stringify({ services }, undefined, 2)
    : dumpYaml({ services }).trimEnd()
}

/** One line per Service and address; a Service without address has one line. */
export function formatServiceTable(rows: readonly ServiceRow[]): string {
  const lines = rows.flatMap((row) => {
    const start = [row.namespace, row.name, row.verdict]
    if (row.addresses.length === 0) {
      return [[...start, row.pool ?? '', '', '', '', row.message || row.reason]]
    }
    return row.addresses.map((address) => {
      const at = row.announcements.filter((a) => a.address === address)
      const silent = row.silent.filter((s) => s.address === address)
      return [
        ...start,
        row.pool ?? '',
        address,
        at.map((a) => a.node).join(','),
        at.map((a) => a.interfaces.join(',')).join(' '),
        silent.map((s) => `${s.node ?? '*'}: ${s.reason}`).join(', ') || row.message,
      ]
    })
  })
  return formatTable(
    ['NAMESPACE', 'NAME', 'VERDICT', 'POOL', 'ADDRESS', 'NODE', 'INTERFACES', 'WHY'], lines,
  )
}
