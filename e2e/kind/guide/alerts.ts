/** Judges the guide's alerts by Prometheus' own engine (promtool), over what the program's Pods say. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../../lab/command.ts'
import { kubectl } from '../cluster.ts'

/** A series with its one value. */
export interface Sample {
  readonly series: string
  readonly value: number
}

/** An alert that must fire: its labels beside its name, and its annotations. */
export interface Firing {
  readonly exp_labels: Readonly<Record<string, string>>
  readonly exp_annotations: Readonly<Record<string, string>>
}

interface Pod {
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> }
}

/**
 * What a Prometheus with one job a component would have: `up` of each Pod, its metrics under the labels
 * job and instance, and a `kube_node_info` a node, which is kube-state-metrics' to say.
 */
export async function scrape(): Promise<readonly Sample[]> {
  const nodes = (await kubectl(['get', 'nodes', '-o', 'name'])).trim().split('\n')
  const samples = nodes.map((node): Sample => ({ series: `kube_node_info{node="${node}"}`, value: 1 }))
  const { items }: { items: readonly Pod[] } = JSON.parse(
    await kubectl(['-n', 'metallb-system', 'get', 'pods', '-l', 'app=metallb', '-o', 'json']))
  for (const { metadata: { name, labels } } of items) {
    const target = `job="metallb-${labels['component']}",instance="${name}"`
    const path = `/api/v1/namespaces/metallb-system/pods/${name}:7472/proxy/metrics`
    const { code, stdout } = await run(['timeout', '5', 'kubectl', 'get', '--raw', path], { capMs: 20_000 })
    samples.push({ series: `up{${target}}`, value: code === 0 ? 1 : 0 })
    const lines = stdout.matchAll(/^(metallb_allocator_\w+)(?:\{(.*)\})? (\S+)$/gm)
    for (const [, metric = '', inner, value] of lines) {
      const all = inner === undefined ? target : `${inner},${target}`
      samples.push({ series: `${metric}{${all}}`, value: Number(value) })
    }
  }
  return samples
}

/** Rules as the cluster has them, in a file of Prometheus' form; disposing removes it. */
export async function openRules(namespace: string, name: string): Promise<Rules> {
  const { spec } = JSON.parse(await kubectl(['-n', namespace, 'get', 'prometheusrule', name, '-o', 'json']))
  const folder = mkdtempSync(join(tmpdir(), 'arpeggio-rules-'))
  const rules = join(folder, 'rules.json')
  writeFileSync(rules, JSON.stringify(spec))
  const promtool = async (...argv: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await run(['promtool', ...argv], { capMs: 60_000 })
    return `exit code ${code}\n${stdout}${stderr}`
  }
  return {
    check: () => promtool('check', 'rules', rules),
    fires: (samples, alert, firing) => {
      const input = join(folder, 'test.json')
      writeFileSync(input, JSON.stringify({
        rule_files: [rules],
        tests: [{
          interval: '1m',
          // As if all had stayed so for twenty minutes: longer than any alert waits.
          input_series: samples.map(({ series, value }) => ({ series, values: `${value}x20` })),
          alert_rule_test: [{ eval_time: '20m', alertname: alert, exp_alerts: firing }],
        }],
      }))
      return promtool('test', 'rules', input)
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  }
}

export interface Rules extends Disposable {
  /** What promtool says of the rules themselves. */
  check(): Promise<string>
  /** What promtool says if, of this alert, exactly `firing` is expected. */
  fires(samples: readonly Sample[], alert: string, firing: readonly Firing[]): Promise<string>
}
