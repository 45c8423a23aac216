/** Every value of MetalLB's chart (0.16): what it changes, that it has no effect, or why it is refused. */
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { testUnless } from '../kube/assets.ts'
import { at, type Fields, listAt } from '../kube/objects.ts'
import { blockOf, runBlocks } from '../kube/readme.ts'
import { openServer } from '../kube/server.ts'
import { namespace, openRenderer } from './render.ts'
import { findEngines } from './tools.ts'
import { idOf, only, openReader } from './yaml.ts'

const root = join(import.meta.dirname, '../..')
const { lack, folder, kubeFolder } = await findEngines(['helm3', 'helm4'])
const check = testUnless(lack, test)
const { scratch, render, notes, close } = await openRenderer(join(kubeFolder, 'kubectl'))
test.after(close)
const [helm3 = '', helm4 = ''] = ['helm3', 'helm4'].map((name) => join(folder, name))

const deployment = `Deployment ${namespace}/controller`
const daemonSet = `DaemonSet ${namespace}/speaker`
const rule = `PrometheusRule ${namespace}/arpeggio`
const pod = ['spec', 'template', 'spec'] as const
const container = [...pod, 'containers', 0] as const

type Look = (objects: readonly Fields[]) => unknown

const place = (id: string, ...path: readonly (string | number)[]): Look =>
  (objects) => at(only(objects, id), ...path)
const says = (id: string, argument: string): Look =>
  (objects) => listAt(only(objects, id), ...container, 'args').includes(argument)
const has = (id: string): Look => (objects) => objects.some((object) => idOf(object) === id)

/** An alert by its name. */
const alert = (name: string, ...path: readonly (string | number)[]): Look => (objects) => {
  const rules = listAt(only(objects, rule), 'spec', 'groups', 0, 'rules')
  const found = rules.find((one) => at(one, 'alert') === name)
  return path.length === 0 ? found !== undefined : at(found, ...path)
}
const excludes = (name: string): Look => (objects) =>
  String(alert(name, 'expr')(objects)).includes('pool!~"lab-.*"')

/** The path of a value, the value, where it shows, and as what. */
type Supported = readonly [path: string, value: unknown, look: Look, want: unknown]

/** The same for both roles. */
const ofRole = (role: 'controller' | 'speaker', id: string): readonly Supported[] => [
  [`${role}.logLevel`, 'debug', says(id, '--log-level=debug'), true],
  [`${role}.image.repository`, `registry.example/${role}`,
    place(id, ...container, 'image'), `registry.example/${role}:1`],
  [`${role}.image.tag`, '1', place(id, ...container, 'image'), `registry.example/${role}:1`],
  [`${role}.image.pullPolicy`, 'Always', place(id, ...container, 'imagePullPolicy'), 'Always'],
  [`${role}.serviceAccount.name`, `${role}-2`, place(id, ...pod, 'serviceAccountName'), `${role}-2`],
  [`${role}.serviceAccount.annotations`, { a: 'b' },
    place(`ServiceAccount ${namespace}/${role}-2`, 'metadata', 'annotations'), { a: 'b' }],
  [`${role}.securityContext`, { fsGroup: 7 }, place(id, ...pod, 'securityContext', 'fsGroup'), 7],
  [`${role}.resources`, { limits: { cpu: '1' } },
    place(id, ...container, 'resources', 'limits'), { cpu: '1' }],
  [`${role}.nodeSelector`, { a: 'b' }, place(id, ...pod, 'nodeSelector', 'a'), 'b'],
  [`${role}.tolerations`, [{ key: 'k' }],
    (objects) => listAt(only(objects, id), ...pod, 'tolerations').at(-1), { key: 'k' }],
  [`${role}.priorityClassName`, 'p', place(id, ...pod, 'priorityClassName'), 'p'],
  [`${role}.runtimeClassName`, 'r', place(id, ...pod, 'runtimeClassName'), 'r'],
  [`${role}.affinity`, { nodeAffinity: {} }, place(id, ...pod, 'affinity'), { nodeAffinity: {} }],
  [`${role}.podAnnotations`, { c: 'd' }, place(id, 'spec', 'template', 'metadata', 'annotations', 'c'), 'd'],
  [`${role}.labels`, { e: 'f' }, place(id, 'spec', 'template', 'metadata', 'labels', 'e'), 'f'],
  ...(['livenessProbe', 'readinessProbe'] as const).map((probe): Supported =>
    [`${role}.${probe}`, { periodSeconds: 3 }, place(id, ...container, probe, 'periodSeconds'), 3]),
  [`${role}.extraContainers`, [{ name: 'side', image: 'i' }],
    place(id, ...pod, 'containers', 1), { name: 'side', image: 'i' }],
]

const monitors = ['podMonitor', 'serviceMonitor'] as const
const monitorId = { podMonitor: 'PodMonitor', serviceMonitor: 'ServiceMonitor' } as const
const endpointsOf = { podMonitor: 'podMetricsEndpoints', serviceMonitor: 'endpoints' } as const
const suffix = { podMonitor: '', serviceMonitor: '-monitor' } as const

const ofMonitors = monitors.flatMap((kind): readonly Supported[] => {
  const path = `prometheus.${kind}`
  const id = `${monitorId[kind]} ${namespace}/speaker${suffix[kind]}`
  const endpoint = ['spec', endpointsOf[kind], 0] as const
  const relabelings = [{ action: 'keep' }]
  return [
    [`${path}.enabled`, true, has(id), true],
    [`${path}.jobLabel`, 'app.kubernetes.io/name', place(id, 'spec', 'jobLabel'), 'app.kubernetes.io/name'],
    [`${path}.interval`, '15s', place(id, ...endpoint, 'interval'), '15s'],
    [`${path}.metricRelabelings`, relabelings, place(id, ...endpoint, 'metricRelabelings'), relabelings],
    [`${path}.relabelings`, relabelings, place(id, ...endpoint, 'relabelings'), relabelings],
  ]
})

/** Rendered together: each shows, whatever the others are. */
const supported: readonly Supported[] = [
  ['imagePullSecrets', [{ name: 'pull' }], place(deployment, ...pod, 'imagePullSecrets'), [{ name: 'pull' }]],
  ['loadBalancerClass', 'lan.example/l2', says(daemonSet, '--lb-class=lan.example/l2'), true],
  ['prometheus.scrapeAnnotations', false,
    place(deployment, 'spec', 'template', 'metadata', 'annotations', 'prometheus.io/scrape'), undefined],
  ['prometheus.metricsPort', 9120, says(daemonSet, '--http-port=9120'), true],
  ['prometheus.serviceAccount', 'prom',
    place(`RoleBinding ${namespace}/prometheus`, 'subjects', 0, 'name'), 'prom'],
  ['prometheus.namespace', 'monitoring',
    place(`RoleBinding ${namespace}/prometheus`, 'subjects', 0, 'namespace'), 'monitoring'],
  ...ofMonitors,
  ['prometheus.podMonitor.additionalLabels', { release: 'p' },
    place(`PodMonitor ${namespace}/controller`, 'metadata', 'labels', 'release'), 'p'],
  ['prometheus.podMonitor.annotations', { a: 'p' },
    place(`PodMonitor ${namespace}/controller`, 'metadata', 'annotations', 'a'), 'p'],
  ...(['controller', 'speaker'] as const).flatMap((role): readonly Supported[] => [
    [`prometheus.serviceMonitor.${role}.additionalLabels`, { release: role },
      place(`ServiceMonitor ${namespace}/${role}-monitor`, 'metadata', 'labels', 'release'), role],
    [`prometheus.serviceMonitor.${role}.annotations`, { a: role },
      place(`ServiceMonitor ${namespace}/${role}-monitor`, 'metadata', 'annotations', 'a'), role],
  ]),
  ['prometheus.prometheusRule.enabled', true, has(rule), true],
  ['prometheus.prometheusRule.additionalLabels', { release: 'r' },
    place(rule, 'metadata', 'labels', 'release'), 'r'],
  ['prometheus.prometheusRule.annotations', { a: 'r' }, place(rule, 'metadata', 'annotations', 'a'), 'r'],
  ['prometheus.prometheusRule.staleConfig', { labels: { team: 'net' } },
    alert('MetalLBStaleConfig', 'labels'), { severity: 'warning', team: 'net' }],
  ['prometheus.prometheusRule.configNotLoaded', { enabled: false }, alert('MetalLBConfigNotLoaded'), false],
  ['prometheus.prometheusRule.addressPoolExhausted', { excludePools: 'lab-.*' },
    excludes('MetalLBAddressPoolExhausted'), true],
  ['prometheus.prometheusRule.addressPoolUsage.thresholds', [{ percent: 60, labels: { severity: 'none' } }],
    alert('MetalLBAddressPoolUsage60Percent', 'labels'), { severity: 'none' }],
  ['prometheus.prometheusRule.addressPoolUsage.excludePools', 'lab-.*',
    excludes('MetalLBAddressPoolUsage60Percent'), true],
  ['prometheus.prometheusRule.extraAlerts', [{ alert: 'Own', expr: 'up' }], alert('Own'), true],
  ...ofRole('controller', deployment),
  ['controller.webhookMode', 'enabled', says(deployment, '--webhook-mode=enabled'), true],
  ['controller.strategy', { type: 'Recreate' }, place(deployment, 'spec', 'strategy'), { type: 'Recreate' }],
  ...ofRole('speaker', daemonSet),
  ['speaker.tolerateMaster', false, place(daemonSet, ...pod, 'tolerations', 0), { key: 'k' }],
  ['speaker.memberlist.mlBindPort', 7956, says(daemonSet, '--ml-bindport=7956'), true],
  ['speaker.memberlist.mlBindAddrOverride', '192.0.2.1',
    (objects) => JSON.stringify(only(objects, daemonSet)).includes('"value":"192.0.2.1"'), true],
  ['speaker.memberlist.mlSecretKeyPath', '/key',
    place(daemonSet, ...container, 'volumeMounts', 0, 'mountPath'), '/key'],
  ['speaker.excludeInterfaces.enabled', true, has(`ConfigMap ${namespace}/metallb-excludel2`), true],
  ['speaker.ignoreExcludeLB', true, says(deployment, '--ignore-exclude-lb'), true],
  ['speaker.updateStrategy', { type: 'OnDelete' },
    place(daemonSet, 'spec', 'updateStrategy'), { type: 'OnDelete' }],
  ['speaker.secretName', 'mine', place(daemonSet, ...pod, 'volumes', 0, 'secret', 'secretName'), 'mine'],
  ['crds.validationFailurePolicy', 'Fail', place(
    'ValidatingWebhookConfiguration metallb-webhook-configuration', 'webhooks', 0, 'failurePolicy'), 'Fail'],
  ['networkpolicies.enabled', true, has(`NetworkPolicy ${namespace}/controller`), true],
  ['networkpolicies.defaultDeny', true, has(`NetworkPolicy ${namespace}/default-deny`), true],
  ['networkpolicies.apiPort', 8443,
    place(`NetworkPolicy ${namespace}/controller`, 'spec', 'egress', 0, 'ports', 0, 'port'), 8443],
]

/** Rendered one by one, with values that let them show. */
const alone: readonly (readonly [...Supported, beside: unknown])[] = [
  ['prometheus.podMonitor.enabled', true, has(`PodMonitor ${namespace}/speaker`), true, {}],
  ['prometheus.serviceMonitor.enabled', true, has(`ServiceMonitor ${namespace}/speaker-monitor`), true, {}],
  ['prometheus.prometheusRule.enabled', true, has(rule), true, {}],
  ['rbac.create', false, has(`Role ${namespace}/controller`), false, {}],
  ['prometheus.rbacPrometheus', false, has(`Role ${namespace}/prometheus`), false, {
    prometheus: { podMonitor: { enabled: true }, serviceAccount: 'prom', namespace: 'monitoring' },
  }],
  ['prometheus.prometheusRule.addressPoolUsage.enabled', false,
    alert('MetalLBAddressPoolUsage75Percent'), false, { prometheus: { prometheusRule: { enabled: true } } }],
  ['controller.enabled', false, has(deployment), false, {}],
  ['speaker.enabled', false, has(daemonSet), false, {}],
  ['controller.serviceAccount.create', false, has(`ServiceAccount ${namespace}/controller`), false, {}],
  ['speaker.serviceAccount.create', false, has(`ServiceAccount ${namespace}/speaker`), false, {}],
  ['speaker.memberlist.enabled', false,
    (objects) => JSON.stringify(only(objects, daemonSet)).includes('METALLB_ML'), false, {}],
  ['crds.enabled', false,
    (objects) => objects.some(({ kind }) => kind === 'CustomResourceDefinition'), false, {}],
]

/** Taken, and told without effect: what is rendered is the same. */
const unheard: readonly (readonly [path: string, value: unknown])[] = [
  ['nameOverride', 'a'],
  ['fullnameOverride', 'a'],
  ['tls.cipherSuites', 'TLS_AES_128_GCM_SHA256'],
  ['tls.curvePreferences', '29'],
  ['tls.minVersion', 'VersionTLS13'],
  ['prometheus.secureMetricsPort', 9120],
  ['prometheus.rbacProxy', { repository: 'registry.example/proxy' }],
  ['prometheus.serviceMonitor.controller.tlsConfig', { insecureSkipVerify: true }],
  ['prometheus.serviceMonitor.speaker.tlsConfig', { insecureSkipVerify: true }],
  ['prometheus.prometheusRule.bgpSessionDown.enabled', true],
  ['speaker.bgpDebounceTimeout', 3000],
  ['speaker.startupProbe.enabled', true],
  ['speaker.frr.image', { repository: 'registry.example/frr' }],
  ['speaker.frr.metricsPort', 9121],
  ['speaker.frr.secureMetricsPort', 9121],
  ['speaker.frr.resources', { limits: {} }],
  ['speaker.reloader.resources', { limits: {} }],
  ['speaker.frrMetrics.resources', { limits: {} }],
  ['speaker.initContainers', { cpFrrFiles: { resources: {} } }],
  ['frrk8s.namespace', 'a'],
  ['frr-k8s', { prometheus: { serviceMonitor: { enabled: true } } }],
]

/** Refused, with the rest of the line. */
const refused: readonly (readonly [path: string, value: unknown, why: string])[] = [
  ['controller.command', '/controller', 'the image knows what to start: leave it out'],
  ['speaker.command', '/speaker', 'the image knows what to start: leave it out'],
  ['tls.controllerMetricsTLSSecret', 'a', 'metrics are plain HTTP here: leave it out'],
  ['tls.speakerMetricsTLSSecret', 'a', 'metrics are plain HTTP here: leave it out'],
  ['speaker.frr.enabled', true, 'BGP is not served here: say false'],
  ['frrk8s.enabled', true, 'BGP is not served here: say false'],
  ['frrk8s.external', true, 'BGP is not served here: say false'],
  ['speaker.excludeInterfaces.enabled', false, 'the list of interfaces to leave out is built in'],
  ['image.repository', 'registry.example/metallb/speaker', 'registry.example/metallb/speaker is MetalLB'],
  ['controller.image.repository', 'registry.example/metallb/controller',
    'registry.example/metallb/controller is MetalLB'],
  ['speaker.image.repository', 'registry.example/metallb-speaker',
    'registry.example/metallb-speaker is MetalLB'],
  ['prometheus.serviceAccount', 'prom', 'prometheus.namespace is missing'],
  ['speaker.extraArgs', ['--announce-everywhere'], '--announce-everywhere is for both roles or none'],
]

/** `within`, with this value at the path. */
function put(within: unknown, [key, ...rest]: readonly string[], value: unknown): unknown {
  return key === undefined ? value : { ...Object(within), [key]: put(at(within, key), rest, value) }
}

function valuesOf(rows: readonly (readonly [path: string, value: unknown, ...unknown[]])[]): unknown {
  return rows.reduce<unknown>((values, [path, value]) => put(values, path.split('.'), value), {})
}

check('each value shows where it belongs', async () => {
  const plain = await render(helm4, {
    prometheus: { podMonitor: { enabled: true }, serviceMonitor: { enabled: true },
      prometheusRule: { enabled: true } },
  })
  for (const program of [helm3, helm4]) {
    const { objects, error } = await render(program, valuesOf(supported))
    assert.is(error, '')
    for (const [path, , look, want] of supported) assert.equal(look(objects), want, path)
  }
  const seen = (look: Look): unknown => {
    try {
      return look(plain.objects)
    } catch {
      return undefined // the object is not there
    }
  }
  // What is there without the value would prove nothing.
  const idle = supported.filter(([, , look, want]) => JSON.stringify(seen(look)) === JSON.stringify(want))
  assert.equal(idle.map(([path]) => path), [
    'prometheus.podMonitor.enabled', 'prometheus.serviceMonitor.enabled', 'prometheus.prometheusRule.enabled',
    'speaker.excludeInterfaces.enabled',
  ])
})

for (const [path, value, look, want, beside] of alone) {
  check(`${path}: ${JSON.stringify(value)}`, async () => {
    const before = await render(helm4, beside, '--include-crds')
    assert.not.equal(look(before.objects), want)
    const { objects, error } = await render(
      helm4, put(beside, path.split('.'), value), '--include-crds')
    assert.is(error, '')
    assert.equal(look(objects), want)
  })
}

check('what has no effect is told, and changes nothing', async () => {
  const monitored = { prometheus: { serviceMonitor: { enabled: true }, prometheusRule: { enabled: true } } }
  const plain = await render(helm4, monitored)
  const all = unheard.reduce<unknown>(
    (values, [path, value]) => put(values, path.split('.'), value), monitored)
  const { objects, error } = await render(helm4, all)
  assert.is(error, '')
  assert.equal(objects, plain.objects)
  const told = await notes(helm4, all)
  assert.equal([...told.matchAll(/^  ([\w.-]+): \S/gm)].map(([, path = '']) => path).toSorted(),
    unheard.map(([path]) => path).toSorted())
  assert.not.match(await notes(helm4, {}), /without effect/)
})

check('what MetalLB\'s chart leaves empty may stand empty', async () => {
  const empty = [
    ...['controller.image', 'speaker.image'].flatMap((path) => [`${path}.tag`, `${path}.pullPolicy`]),
    ...monitors.map((kind) => `prometheus.${kind}.interval`), 'speaker.bgpDebounceTimeout',
    'speaker.secretName', 'frr-k8s',
  ].map((path) => [path, null] as const)
  const words = ['controller.priorityClassName', 'controller.runtimeClassName', 'speaker.runtimeClassName',
    'prometheus.serviceAccount', 'prometheus.namespace', 'tls.minVersion', 'tls.controllerMetricsTLSSecret',
    'speaker.memberlist.mlBindAddrOverride', 'frrk8s.namespace', 'nameOverride', 'loadBalancerClass',
    'prometheus.prometheusRule.addressPoolExhausted.excludePools'].map((path) => [path, ''] as const)
  for (const program of [helm3, helm4]) {
    const values = valuesOf([...empty, ...words])
    const monitored = put(values, ['prometheus', 'serviceMonitor', 'enabled'], true)
    const { objects, error } = await render(program, monitored)
    assert.is(error, '')
    assert.is(place(daemonSet, ...container, 'image')(objects), 'arpeggio:0.1.0')
    assert.is(place(daemonSet, ...pod, 'volumes', 0, 'secret', 'secretName')(objects), 'memberlist')
  }
  assert.not.match(await notes(helm4, valuesOf([...empty, ...words])), /without effect/)
})

for (const [path, value, why] of refused) {
  check(`${path} is refused: ${why}`, async () => {
    for (const program of [helm3, helm4]) {
      const { error } = await render(program, put({}, path.split('.'), value))
      assert.ok(error.includes(`\n${path}: ${why}`), error)
    }
  })
}

check('all that is refused is told at once', async () => {
  const { error } = await render(helm3, valuesOf(refused))
  for (const [path, , why] of refused) assert.ok(error.includes(`\n${path}: ${why}`), path)
})

const everywhere = { extraArgs: ['--announce-everywhere'] }
const oneRole: readonly (readonly [it: string, values: unknown, error: RegExp])[] = [
  ['both', { controller: everywhere, speaker: everywhere }, /^$/],
  ['both, in another form',
    { controller: everywhere, speaker: { extraArgs: ['--announce-everywhere=true'] } }, /^$/],
  ['the controller alone', { controller: everywhere },
    /controller\.extraArgs: --announce-everywhere is for both .* in speaker\.extraArgs too/],
  ['the speaker alone', { speaker: everywhere },
    /speaker\.extraArgs: --announce-everywhere is for both .* in controller\.extraArgs too/],
  ['one says false', { controller: { extraArgs: ['--announce-everywhere=false'] } }, /^$/],
  ['the one, the other false',
    { controller: { extraArgs: ['--announce-everywhere=false'] }, speaker: everywhere },
    /speaker\.extraArgs: --announce-everywhere is for both/],
  ['the other role is of another release', { controller: { enabled: false }, speaker: everywhere }, /^$/],
]
for (const [it, values, error] of oneRole) {
  check(`--announce-everywhere: ${it}`, async () => {
    assert.match((await render(helm4, values)).error, error)
  })
}

check('as deploy/README.md tries a values file; an API server takes what is made', async () => {
  await using server = await openServer({ assets: kubeFolder })
  const clone = join(scratch, 'clone')
  await mkdir(clone)
  await symlink(join(root, 'deploy'), join(clone, 'deploy'))
  await symlink(helm4, join(clone, 'helm'))
  await writeFile(join(clone, 'values.yaml'), JSON.stringify(valuesOf(supported)))
  const block = await blockOf('deploy/README.md', 'helm template metallb deploy/chart')
  await runBlocks(server, `${kubeFolder}:${clone}`, [`cd ${clone}\n`, `(${block.trim()}) >made.yaml\n`],
    ['env', ...['CACHE', 'CONFIG', 'DATA'].map((kind) => `HELM_${kind}_HOME=${scratch}`)])
  const { read } = openReader(join(kubeFolder, 'kubectl'))
  const made = await read(await readFile(join(clone, 'made.yaml'), 'utf8'))
  // The operator's kinds are not there.
  const items = made.filter(({ apiVersion }) => apiVersion !== 'monitoring.coreos.com/v1')
  assert.ok(made.length > items.length && items.length > 15, String(made.length))
  await server.kubectlOk(['create', 'namespace', namespace])
  await server.kubectlOk(['apply', '--dry-run=server', '--validate=strict', '-f', '-'], {
    stdin: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }),
  })
})

check('deploy/README.md tells of each', async () => {
  const text = await readFile(join(root, 'deploy/README.md'), 'utf8')
  const [, part = ''] = text.split('\n### A values file of MetalLB\'s chart\n')
  const [body = ''] = part.split(/\n##+ /)
  const rows = body.split('\n').filter((line) => line.startsWith('| `'))
  const written = rows.flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)])
    .flatMap(([, path = '']) => path.startsWith('role.')
      ? ['controller', 'speaker'].map((role) => path.replace('role', role))
      : [path])
  // Of what is refused, the other way round: one table cannot ask for both at once.
  const more = [['controller.extraArgs']]
  const paths = [...supported, ...alone, ...unheard, ...refused, ...more].map(([path]) => path)
  assert.equal([...new Set(written)].toSorted(), [...new Set(paths)].toSorted())
})

test.run()
