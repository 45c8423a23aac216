/** The chart's alerts, judged by Prometheus' own engine: each fires for what it is for, and alone. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { testUnless } from '../kube/assets.ts'
import { at, listAt } from '../kube/objects.ts'
import { run, startCapMs } from '../lab/command.ts'
import { namespace, openRenderer } from './render.ts'
import { findEngines, findPromtool } from './tools.ts'
import { only } from './yaml.ts'

const { lack, folder, kubeFolder } = await findEngines(['helm4'], ['kubectl'])
const promtool = await findPromtool()
const check = testUnless(lack ?? ('lack' in promtool ? promtool.lack : undefined), test)
const { render, scratch, close } = await openRenderer(join(kubeFolder, 'kubectl'))
test.after(close)

async function judge(...args: readonly string[]): Promise<string> {
  const program = join('folder' in promtool ? promtool.folder : '', 'promtool')
  const { code, stdout, stderr } = await run([program, ...args], { capMs: startCapMs })
  return `exit code ${code}\n${stdout}${stderr}`
}

/** The rules for these values, as a file of Prometheus' form. */
async function rulesOf(more: unknown): Promise<{ readonly file: string; readonly spec: unknown }> {
  const { objects, error } = await render(join(folder, 'helm4'), {
    prometheus: { prometheusRule: { enabled: true, ...Object(more) } },
  })
  assert.is(error, '')
  const spec = at(only(objects, `PrometheusRule ${namespace}/arpeggio`), 'spec')
  const file = join(scratch, 'rules.json')
  await writeFile(file, JSON.stringify(spec))
  return { file, spec }
}

/** Series of a Pod, as the operator labels them. */
function series(pod: string, samples: Readonly<Record<string, string>>, of = namespace): readonly unknown[] {
  return Object.entries(samples).map(([name, values]) => {
    const [metric = '', inner = ''] = name.split(/[{}]/)
    const own = inner === '' ? '' : `,${inner}`
    return { series: `${metric}{namespace="${of}",pod="${pod}",job="metallb"${own}}`, values }
  })
}

const poolOf = (used: number, total: number): Readonly<Record<string, string>> => ({
  'metallb_allocator_addresses_in_use_total{pool="lan"}': `${used}x30`,
  'metallb_allocator_addresses_total{pool="lan"}': `${total}x30`,
})
const well = series('controller-0', {
  metallb_k8s_client_config_loaded_bool: '1x30', metallb_k8s_client_config_stale_bool: '0x30',
  arpeggio_send_failures_total: '0x30', ...poolOf(3, 10),
})
const voice = (node: string, service = 'default/web'): readonly unknown[] => series(`speaker-${node}`, {
  [`metallb_speaker_announced{service="${service}",protocol="layer2",node="${node}",ip="192.0.2.1"}`]: '1x30',
})

/** What fires, and how often; after twenty minutes, longer than any alert waits. */
interface Case {
  readonly it: string
  readonly input: readonly unknown[]
  readonly fires: Readonly<Record<string, number>>
  readonly values?: unknown
  readonly after?: string
}

const cases: readonly Case[] = [
  { it: 'all is well', input: [...well, ...voice('a')], fires: {} },
  { it: 'a stale configuration', fires: { MetalLBStaleConfig: 1 },
    input: series('speaker-a', { metallb_k8s_client_config_stale_bool: '1x30' }) },
  { it: 'no configuration, on two nodes', fires: { MetalLBConfigNotLoaded: 2 },
    input: ['a', 'b'].flatMap((node) =>
      series(`speaker-${node}`, { metallb_k8s_client_config_loaded_bool: '0x30' })) },
  { it: 'a full pool', input: series('controller-0', poolOf(10, 10)), fires: {
    MetalLBAddressPoolExhausted: 1, MetalLBAddressPoolUsage75Percent: 1,
    MetalLBAddressPoolUsage85Percent: 1, MetalLBAddressPoolUsage95Percent: 1,
  } },
  { it: 'a pool at its threshold, and not above', input: series('controller-0', poolOf(75, 100)), fires: {} },
  { it: 'a pool above one threshold', input: series('controller-0', poolOf(8, 10)),
    fires: { MetalLBAddressPoolUsage75Percent: 1 } },
  { it: 'an empty pool of addresses that are all excluded', input: series('controller-0', poolOf(0, 0)),
    fires: { MetalLBAddressPoolExhausted: 1 } },
  { it: 'a full pool that may be', input: series('controller-0', poolOf(10, 10)), fires: {},
    values: {
      addressPoolExhausted: { excludePools: 'la.' }, addressPoolUsage: { excludePools: 'lan|wan' },
    } },
  { it: 'pools of one name in two namespaces', fires: {},
    input: [...well, ...series('controller-1', poolOf(10, 10), 'other')] },
  { it: 'Services that nobody announces, for two reasons', fires: { ArpeggioServicesNotAnnounced: 2 },
    input: series('controller-0', {
      'arpeggio_services_not_announced{reason="noPrefix"}': '2x30',
      'arpeggio_services_not_announced{reason="poolExhausted"}': '1x30',
      'arpeggio_services_not_announced{reason="noEndpoints"}': '0x30',
    }) },
  { it: 'one address on two nodes', input: [...voice('a'), ...voice('b')],
    fires: { ArpeggioAddressAnnouncedTwice: 1 } },
  { it: 'one address of two Services', input: [...voice('a'), ...voice('a', 'default/other')], fires: {} },
  { it: 'frames that go on to be refused', fires: { ArpeggioSendFailures: 1 },
    input: series('speaker-a', { arpeggio_send_failures_total: '0+3x30' }) },
  { it: 'frames that were refused once, a moment ago', fires: {}, after: '9m',
    input: series('speaker-a', { arpeggio_send_failures_total: '0x5 3x25' }) },
  { it: 'an alert that is off', fires: {}, values: { staleConfig: { enabled: false } },
    input: series('speaker-a', { metallb_k8s_client_config_stale_bool: '1x30' }) },
]

for (const { it, input, fires, values, after = '20m' } of cases) {
  check(`${it}: ${Object.keys(fires).join(', ') || 'nothing'}`, async () => {
    const { file } = await rulesOf(values)
    const expected = Object.entries(fires)
      .map(([alert, value]) => ({ labels: `{alertname="${alert}"}`, value }))
    const story = join(scratch, 'story.json')
    await writeFile(story, JSON.stringify({
      rule_files: [file], evaluation_interval: '1m',
      tests: [{ interval: '1m', input_series: input, promql_expr_test: [{
        expr: 'count by (alertname) (ALERTS{alertstate="firing"})', eval_time: after, exp_samples: expected,
      }] }],
    }))
    assert.match(await judge('test', 'rules', story), /^exit code 0\n[^]*SUCCESS/)
  })
}

check('every alert says what is wrong, and Prometheus takes the rules', async () => {
  const { file, spec } = await rulesOf({ extraAlerts: [{ alert: 'Own', expr: 'up == 0' }] })
  assert.match(await judge('check', 'rules', file), /^exit code 0\n[^]*SUCCESS: 10 rules found/)
  const rules = listAt(spec, 'groups', 0, 'rules').filter((rule) => at(rule, 'alert') !== 'Own')
  const provoked = new Set(cases.flatMap(({ fires }) => Object.keys(fires)))
  for (const rule of rules) {
    const name = String(at(rule, 'alert'))
    assert.ok(provoked.has(name), `no case provokes ${name}`)
    assert.match(String(at(rule, 'annotations', 'summary')), /\w/, name)
    assert.match(String(at(rule, 'labels', 'severity')), /^(?:warning|critical)$/, name)
  }
})

check('what an alert says', async () => {
  const { file } = await rulesOf({})
  const story = join(scratch, 'words.json')
  const summary = 'More than 95 % of pool lan is used'
  const labels = { severity: 'critical', namespace, pod: 'controller-0', job: 'metallb', pool: 'lan' }
  await writeFile(story, JSON.stringify({
    rule_files: [file], evaluation_interval: '1m',
    tests: [{ interval: '1m', input_series: series('controller-0', poolOf(10, 10)), alert_rule_test: [{
      alertname: 'MetalLBAddressPoolUsage95Percent', eval_time: '20m',
      exp_alerts: [{ exp_labels: labels, exp_annotations: { summary } }],
    }] }],
  }))
  assert.match(await judge('test', 'rules', story), /^exit code 0\n[^]*SUCCESS/)
})

test.run()
