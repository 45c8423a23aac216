/** The public layer-2 guide, executed: each of its blocks as typed, in order, with its outputs compared. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { run } from '../lab/command.ts'
import { apply, docker, eventually, kubectl, openCluster } from './cluster.ts'
import { type Firing, openRules, scrape } from './guide/alerts.ts'
import { isAltered } from './guide/altered.ts'
import { blocks } from './guide/blocks.ts'
import { judge } from './guide/model.ts'
import { loadPage } from './guide/page.ts'
import { openWalk, type Passage } from './guide/walk.ts'
import { addressesOf, service } from './objects.ts'

const closing = new AsyncDisposableStack()
const cluster = closing.use(await openCluster())
const standIn = await loadPage(process.env['ARPEGGIO_CLUSTER'] ?? '')
const walk = closing.use(await openWalk(cluster))
const system = ['-n', 'metallb-system']
/** As many Services as the pool of ten has addresses. */
const crowd = Array.from({ length: 10 }, (_, n) => `crowd-${n}`)

/** Kinds of others that its manifests are of. The fields are theirs, so they stand as they are. */
const group = 'monitoring.coreos.com'
await apply(
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'monitoring' } },
  {
    apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition',
    metadata: { name: `prometheusrules.${group}` },
    spec: {
      group, scope: 'Namespaced',
      names: { kind: 'PrometheusRule', plural: 'prometheusrules', singular: 'prometheusrule' },
      versions: [{
        name: 'v1', served: true, storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      }],
    },
  },
)
closing.defer(async () => {
  await kubectl(['delete', 'crd', `prometheusrules.${group}`])
  await kubectl(['delete', 'namespace', 'monitoring'])
})
await kubectl(['wait', `crd/prometheusrules.${group}`, '--for=condition=Established'])

const walked: Passage[] = []
const counts = { run: 0, matched: 0 }
const unmatched: string[] = []

for (const block of blocks) {
  test(`guide: ${block.id}`, async () => {
    const passages = await walk.pass(block)
    walked.push(...passages)
    counts.run += 1
    const wrong = passages.filter(({ faults }) => faults.length > 0)
    if (wrong.length === 0) counts.matched += 1
    else unmatched.push(block.id)
    assert.is(wrong.map(tellFaults).join('\n'), '')
  })
}

function tellFaults({ step, outcome, faults }: Passage): string {
  return `$ ${step.command}\n${outcome.output}\n${faults.join('\n')}`
}

test('every block ran, and matched', async () => {
  for (const [guide, here] of (await walk.substitutions())) {
    const file = here.replace(/^.*(?=deploy\/)/, '')
    console.log(`substituted: ${guide} by ${guide === 'node-1' ? 'the leader' : file}`)
  }
  if (standIn !== undefined) console.log(`substituted: ${standIn}`)
  console.log('the NetworkPolicy is applied, and the network of this cluster need not enforce it')
  const others = unmatched.length === 0 ? '' : `; not matched: ${unmatched.join(', ')}`
  console.log(`measured guide: blocks run ${counts.run}, matched ${counts.matched}${others}`)
  assert.equal([counts.run, counts.matched], [26, 26])
})

const bites: readonly { word: string; of: RegExp }[] = [
  { word: 'leader', of: /monitor|logs/ }, { word: 'announce', of: /logs/ },
  { word: 'memberlist', of: /memberlist/ },
  { word: 'Events', of: /describe/ }, { word: 'EXTERNAL-IP', of: /get service nginx-lb$/ },
  { word: 'controller-', of: /get pods/ }, { word: '192.168.1.240', of: /get service nginx-lb$/ },
]
for (const { word, of } of bites) {
  test(`it would be noticed if "${word}" were another word`, () => {
    const changes = walked.filter(({ step, outcome }) =>
      of.test(step.command) && outcome.output.includes(word))
    const noticed = changes.filter(({ step, outcome: { code, output } }) =>
      judge(step, { code, output: output.replaceAll(word, 'other') }).length > 0)
    assert.ok(noticed.length > 0)
  })
}

const controllerDown: Firing = {
  exp_labels: { severity: 'critical' }, exp_annotations: { summary: 'no controller' },
}
const speakerMissing: Firing = {
  exp_labels: { severity: 'warning' }, exp_annotations: { summary: 'fewer speakers than nodes' },
}
const poolExhausted = (instance: string): Firing => ({
  exp_labels: { severity: 'warning', pool: 'internal-services-pool', job: 'metallb-controller', instance },
  exp_annotations: {
    summary: 'a pool is nearly used up', description: 'of internal-services-pool more than 90 % is used',
  },
})

const podOf = (component: string): Promise<string> => kubectl([
  ...system, 'get', 'pods', '-l', `component=${component}`, '-o', 'jsonpath={.items[*].metadata.name}',
])

/** The alerts, each provoked; `strike` resolves with what must then fire. */
const alerts: readonly Provocation[] = [
  {
    alert: 'MetalLBControllerDown',
    strike: async () => {
      await kubectl([...system, 'scale', 'deployment/controller', '--replicas=0'])
      await eventually('no controller', async () => await podOf('controller') === '')
      return controllerDown
    },
    mend: async () => {
      await kubectl([...system, 'scale', 'deployment/controller', '--replicas=1'])
      await kubectl([...system, 'rollout', 'status', 'deployment/controller', '--timeout=150s'])
    },
  },
  {
    alert: 'MetalLBSpeakerMissing',
    strike: async () => {
      await docker('pause', cluster.workers[1]?.name ?? '')
      return speakerMissing
    },
    mend: async () => void await docker('unpause', cluster.workers[1]?.name ?? ''),
  },
  {
    alert: 'MetalLBPoolExhausted',
    strike: async () => {
      await apply(...crowd.map((name) => service('default', name, { pool: 'internal-services-pool' })))
      for (const name of crowd) await addressesOf('default', name)
      return poolExhausted(await podOf('controller'))
    },
    mend: async () => void await kubectl(['delete', 'service', ...crowd]),
  },
]

interface Provocation {
  readonly alert: string
  readonly strike: () => Promise<Firing>
  readonly mend: () => Promise<void>
}

const { code: noPromtool } = await run(['sh', '-c', 'command -v promtool'])
for (const { alert, strike, mend } of alerts) {
  const name = `${alert} does not fire, and fires when it should`
  const lack = noPromtool !== 0 ? 'promtool is not here, hack/promtool builds it with Go'
    : isAltered ? 'what is installed was altered: the blocks tell enough' : undefined
  if (lack !== undefined) {
    console.log(`skipped ${name}: ${lack}`)
    test.skip(name)
    continue
  }
  test(name, async () => {
    using rules = await openRules('monitoring', 'metallb-alerts')
    assert.match(await rules.check(), /^exit code 0\n[^]*SUCCESS: 3 rules found/)
    const good = /^exit code 0\n[^]*SUCCESS/
    await eventually('calm', async () => good.test(await rules.fires(await scrape(), alert, [])))
    try {
      const firing = await strike()
      await eventually(`${alert}`, async () => good.test(await rules.fires(await scrape(), alert, [firing])))
    } finally {
      await mend()
    }
    await eventually('calm again', async () => good.test(await rules.fires(await scrape(), alert, [])))
  })
}

test.after(() => closing.disposeAsync())
test.run()
