/** The chart as Helm 3 and Helm 4 render it: the objects of deploy/base, and what values change. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { testUnless } from '../kube/assets.ts'
import { at, type Fields, listAt } from '../kube/objects.ts'
import { run, startCapMs } from '../lab/command.ts'
import { arpeggio } from '../lab/program.ts'
import { chart, namespace, openRenderer } from './render.ts'
import { findEngines } from './tools.ts'
import { byId, idOf, only, openReader } from './yaml.ts'

const root = join(import.meta.dirname, '../..')
const { lack, folder, kubeFolder } = await findEngines(['helm3', 'helm4'], ['kubectl'])
const check = testUnless(lack, test)
const { read, build } = openReader(join(kubeFolder, 'kubectl'))
const { scratch, render, close } = await openRenderer(join(kubeFolder, 'kubectl'))
test.after(close)
const helms = ['helm3', 'helm4'].map((name) => ({
  name, program: join(folder, name),
}))

function container(objects: readonly Fields[], id: string): unknown {
  return at(only(objects, id), 'spec', 'template', 'spec', 'containers', 0)
}

const deployment = `Deployment ${namespace}/controller`
const daemonSet = `DaemonSet ${namespace}/speaker`

for (const { name, program } of helms) {
  check(`${name}: without values it is deploy/base, but for the namespace`, async () => {
    const base = await read(await readFile(join(root, 'deploy/arpeggio.yaml'), 'utf8'))
    const { objects, error } = await render(program, {}, '--include-crds')
    assert.is(error, '')
    const wanted = byId(base.filter(({ kind }) => kind !== 'Namespace'))
    assert.equal(byId(objects).map(idOf), wanted.map(idOf))
    for (const [i, object] of byId(objects).entries()) assert.equal(object, wanted[i], idOf(object))
  })
}

/** Values, and the line with which the schema refuses them. */
const refused: readonly (readonly [values: unknown, line: RegExp])[] = [
  [{ controller: { webhook: true } }, /'?\/controller'?: additional properties 'webhook' not allowed/],
  [{ configInline: {} }, /additional properties 'configInline' not allowed/],
  [{ frrk8s: { enabled: true } }, /^frrk8s\.enabled: BGP is not served here: say false$/m],
  [{ speaker: { logLevel: 'loud' } }, /\/speaker\/logLevel'?: value must be one of 'all', 'debug'/],
  [{ speaker: { memberlist: { mlBindPort: '7946' } } }, /mlBindPort'?: got string, want integer/],
  [{ ipAddressPools: { lan: {} } }, /\/ipAddressPools\/lan'?: missing property 'spec'/],
  [{ ipAddressPools: { lan: { spec: { addresses: [] } } } }, /addresses'?: minItems: got 0, want 1/],
  [{ ipAddressPools: { LAN: { spec: { addresses: ['192.0.2.1/32'] } } } }, /'LAN' does not match pattern/],
  [{ controller: { webhookMode: 'onlywebhook' } }, /webhookMode'?: value must be one of 'enabled'/],
  [{ crds: { validationFailurePolicy: 'Maybe' } }, /FailurePolicy'?: value must be one of 'Ignore'/],
  [{ controller: { webhookMode: 'enabled', extraArgs: ['--webhook-port=9444'] } },
    /controller\.extraArgs: --webhook-port=9444 contradicts the chart/],
  [{ controller: { extraArgs: ['--webhook-mode=enabled'] } },
    /controller\.extraArgs: --webhook-mode=enabled contradicts/],
  [{ speaker: { extraArgs: ['--log-level=debug'] } },
    /speaker\.extraArgs: --log-level=debug contradicts the chart: set speaker\.logLevel/],
  [{ speaker: { priorityClassName: 'A B' } }, /priorityClassName'?: 'A B' does not match pattern/],
  [{ controller: { readinessProbe: { port: 1 } } }, /livenessProbe.port and readinessProbe.port differ/],
  [{ ipAddressPools: { lan: { spec: { addresses: ['192.0.2.0/28'], autoAsign: false } } } },
    /'autoAsign' not allowed/],
  [{ l2Advertisements: { lan: { spec: { ipAddressPool: ['lan'] } } } }, /'ipAddressPool' not allowed/],
  [{ loadBalancerClass: 'a #b' }, /loadBalancerClass'?: 'a #b' does not match pattern/],
  [{ image: { repository: 'A B' } }, /repository'?: 'A B' does not match pattern/],
  [{ speaker: { secretName: 'A B' } }, /secretName'?: 'A B' does not match pattern/],
  [{ prometheus: { metricsPort: 17472 } }, /one port is given twice: metrics, probes/],
  [{ speaker: { memberlist: { mlBindPort: 7472 } } }, /one port is given twice: .*membership/],
  [{ prometheus: { metricsPort: 9443 }, controller: { webhookMode: 'enabled' } },
    /one port is given twice: .*webhook/],
]
for (const { name, program } of helms) {
  for (const [values, line] of refused) {
    check(`${name} refuses ${JSON.stringify(values)}`, async () => {
      assert.match((await render(program, values)).error, line)
    })
  }
}

check('the schema has every field of a pool and an advertisement, and no other', async () => {
  const schema: unknown = JSON.parse(await readFile(join(chart, 'values.schema.json'), 'utf8'))
  const definitions = await read(await readFile(join(root, 'deploy/base/crds.yaml'), 'utf8'))
  const names = (value: unknown): readonly string[] => Object.keys(Object(value)).toSorted()
  for (const [part, kind] of [['pool', 'ipaddresspools'], ['advertisement', 'l2advertisements']] as const) {
    const definition = only(definitions, `CustomResourceDefinition ${kind}.metallb.io`)
    const whole = at(definition, 'spec', 'versions', 0, 'schema', 'openAPIV3Schema', 'properties')
    const live = at(whole, 'spec', 'properties')
    const ours = at(schema, 'definitions', part, 'properties', 'spec', 'properties')
    assert.equal(names(ours), names(live), kind)
    assert.equal(names(at(ours, 'serviceAllocation', 'properties')),
      names(at(live, 'serviceAllocation', 'properties')), kind)
  }
})

check('a name that YAML takes for something else stays a name', async () => {
  for (const name of ['123', 'true', 'yes']) {
    const classes = { priorityClassName: name, runtimeClassName: name }
    const { objects, error } = await render(helms[0]?.program ?? '', {
      loadBalancerClass: name, ipAddressPools: { [name]: { spec: { addresses: ['192.0.2.0/28'] } } },
      controller: classes, speaker: { secretName: name, serviceAccount: { name }, ...classes },
      prometheus: { podMonitor: { enabled: true, jobLabel: name, interval: name } },
    })
    assert.is(error, '')
    only(objects, `ServiceAccount ${namespace}/${name}`)
    only(objects, `IPAddressPool ${namespace}/${name}`)
    const pod = at(only(objects, daemonSet), 'spec', 'template', 'spec')
    assert.is(at(pod, 'serviceAccountName'), name)
    assert.is(at(pod, 'volumes', 0, 'secret', 'secretName'), name)
    for (const id of [deployment, daemonSet]) {
      const spec = at(only(objects, id), 'spec', 'template', 'spec')
      assert.equal([at(spec, 'priorityClassName'), at(spec, 'runtimeClassName')], [name, name], id)
    }
    assert.is(at(only(objects, `PodMonitor ${namespace}/speaker`), 'spec', 'jobLabel'), name)
  }
})

/** Arguments that others of the chart's say, in the environment of the container. */
const saidInEnvironment = {
  controller: ['--namespace=a', '--pod-name=a', '--ml-secret-name=a', '--deployment=a'],
  speaker: [
    '--namespace=a', '--pod-name=a', '--node-name=a', '--ml-labels=a=b', '--ml-bindaddr=192.0.2.1',
    '--ml-secret-key-path=/a',
  ],
}

for (const [role, id] of [['controller', deployment], ['speaker', daemonSet]] as const) {
  check(`extraArgs of the ${role} say nothing that other values say`, async () => {
    const program = helms[1]?.program ?? ''
    const all = {
      loadBalancerClass: 'lan.example/l2', placement: 'hash', controller: { webhookMode: 'enabled' },
      speaker: { memberlist: { mlBindPort: 7956 }, wanConfig: true, ignoreExcludeLB: true },
    }
    const said = listAt(container((await render(program, all)).objects, id), 'args').slice(1).map(String)
    assert.ok(said.length > 6, said.join(' '))
    for (const argument of ['--port=7473', ...said, ...saidInEnvironment[role]]) {
      const { error } = await render(program, { [role]: { extraArgs: [argument] } })
      const want = `${role}.extraArgs: ${argument} contradicts the chart`
      assert.ok(error.includes(want), `${argument}: ${error}`)
    }
    const own = '--http-host=192.0.2.1'
    const { objects, error } = await render(program, { [role]: { extraArgs: [own] } })
    assert.is(error, '')
    assert.is(listAt(container(objects, id), 'args').at(-1), own)
  })
}

check('names of MetalLB\'s chart mean the same', async () => {
  const { objects, error } = await render(helms[0]?.program ?? '', {
    loadBalancerClass: 'lan.example/l2', frrk8s: { enabled: false },
    imagePullSecrets: [{ name: 'pull' }],
    prometheus: { metricsPort: 9120, scrapeAnnotations: false },
    controller: {
      image: { repository: 'registry.example/a', tag: 'b', pullPolicy: 'Always' }, logLevel: 'debug',
      webhookMode: 'disabled', resources: { limits: { memory: '1Gi' } }, nodeSelector: { a: 'b' },
      tolerations: [{ operator: 'Exists' }], affinity: { nodeAffinity: {} },
      serviceAccount: { name: 'other' }, podAnnotations: { c: 'd' }, labels: { e: 'f' },
      livenessProbe: { enabled: false },
    },
    speaker: {
      frr: { enabled: false }, tolerateMaster: false, ignoreExcludeLB: true, secretName: 'mine',
      excludeInterfaces: { enabled: true }, wanConfig: true,
      memberlist: { mlBindPort: 7956, mlBindAddrOverride: '192.0.2.1' },
      updateStrategy: { type: 'OnDelete' }, runtimeClassName: 'r',
    },
  })
  assert.is(error, '')
  const pod = at(only(objects, deployment), 'spec', 'template')
  const controller = container(objects, deployment)
  assert.equal(at(pod, 'metadata'), {
    labels: { app: 'metallb', component: 'controller', e: 'f' }, annotations: { c: 'd' },
  })
  assert.equal(at(controller, 'args'), [
    'controller', '--log-level=debug', '--http-port=9120', '--health-probe-port=17472',
    '--lb-class=lan.example/l2', '--ignore-exclude-lb',
  ])
  assert.equal(['image', 'imagePullPolicy'].map((key) => at(controller, key)),
    ['registry.example/a:b', 'Always'])
  assert.equal([at(controller, 'livenessProbe'), at(controller, 'readinessProbe', 'httpGet', 'port')],
    [undefined, 17472])
  assert.is(at(controller, 'resources', 'limits', 'memory'), '1Gi')
  assert.equal(['nodeSelector', 'tolerations', 'affinity', 'serviceAccountName', 'imagePullSecrets']
    .map((key) => at(pod, 'spec', key)), [
    { a: 'b', 'kubernetes.io/os': 'linux' }, [{ operator: 'Exists' }], { nodeAffinity: {} }, 'other',
    [{ name: 'pull' }],
  ])
  assert.equal(at(only(objects, `RoleBinding ${namespace}/controller`), 'subjects', 0, 'name'), 'other')
  only(objects, `ServiceAccount ${namespace}/other`)
  const speaker = container(objects, daemonSet)
  assert.equal(listAt(speaker, 'args').slice(1), [
    '--log-level=info', '--http-port=9120', '--health-probe-port=17472', '--lb-class=lan.example/l2',
    '--ignore-exclude-lb', '--ml-bindport=7956', '--ml-wan-config',
  ])
  assert.equal(listAt(speaker, 'ports').map((port) => at(port, 'containerPort')), [9120, 7956, 7956])
  assert.is(at(only(objects, daemonSet), 'spec', 'template', 'spec', 'tolerations'), undefined)
  assert.equal(at(only(objects, daemonSet), 'spec', 'updateStrategy'), { type: 'OnDelete' })
  const secrets = listAt(only(objects, `Role ${namespace}/controller`), 'rules')
    .filter((rule) => listAt(rule, 'resources').includes('secrets'))
  assert.equal(secrets.map((rule) => at(rule, 'resourceNames')), [undefined, ['mine']])
})

check('the webhook is the overlay\'s, but for the namespace and the failure policy', async () => {
  const overlay = await build(join(root, 'deploy/overlays/webhook'))
  const values = { controller: { webhookMode: 'enabled' } }
  const { objects, error } = await render(helms[0]?.program ?? '', values, '--include-crds')
  assert.is(error, '')
  const wanted = byId(overlay.filter(({ kind }) => kind !== 'Namespace'))
  assert.equal(byId(objects).map(idOf), wanted.map(idOf))
  for (const [i, object] of byId(objects).entries()) assert.equal(object, wanted[i], idOf(object))
  const strict = await render(helms[1]?.program ?? '', {
    ...values, crds: { validationFailurePolicy: 'Fail' }, controller: {
      webhookMode: 'enabled', serviceAccount: { name: 'other' },
    },
  }, '-n', 'lan')
  const hooks = listAt(only(strict.objects, 'ValidatingWebhookConfiguration metallb-webhook-configuration'),
    'webhooks')
  assert.equal(hooks.map((hook) => at(hook, 'failurePolicy')), ['Fail', 'Fail', 'Fail'])
  assert.not.match(JSON.stringify(strict.objects), /metallb-system/)
  const bound = strict.objects.filter((object) => /Binding .*controller-webhook$/.test(idOf(object)))
  assert.equal(bound.map((object) => at(object, 'subjects', 0, 'name')), ['other', 'other'])
})

check('membership may be left out, and a role', async () => {
  const { objects } = await render(helms[1]?.program ?? '', {
    controller: { enabled: false }, speaker: { memberlist: { enabled: false } }, crds: { enabled: false },
  }, '--include-crds')
  assert.equal(objects.map(idOf).filter((id) => /controller|Custom/.test(id)), [])
  const speaker = JSON.stringify(only(objects, daemonSet))
  assert.equal([speaker.includes('METALLB_ML'), speaker.includes('7946')], [false, false])
})

check('pools are objects of the release, in its namespace', async () => {
  const { objects } = await render(helms[1]?.program ?? '', {
    ipAddressPools: { lan: {
      annotations: { 'arpeggio.io/exclude': '192.0.2.1' }, spec: { addresses: ['192.0.2.0/28'] },
    } },
    l2Advertisements: { all: {} },
  }, '-n', 'lan')
  const made = objects.filter(({ apiVersion }) => apiVersion === 'metallb.io/v1beta1')
  assert.equal(byId(made), [
    { apiVersion: 'metallb.io/v1beta1', kind: 'IPAddressPool', metadata: {
      name: 'lan', namespace: 'lan', annotations: { 'arpeggio.io/exclude': '192.0.2.1' },
    }, spec: { addresses: ['192.0.2.0/28'] } },
    { apiVersion: 'metallb.io/v1beta1', kind: 'L2Advertisement', metadata: { name: 'all', namespace: 'lan' },
      spec: {} },
  ])
  // Names without a namespace are the release's own: two releases do not fight.
  assert.equal(objects.filter(({ kind }) => /^ClusterRole/.test(String(kind))).map(idOf).toSorted(), [
    'ClusterRole lan:controller', 'ClusterRole lan:speaker',
    'ClusterRoleBinding lan:controller', 'ClusterRoleBinding lan:speaker',
  ])
})

for (const [role, id] of [['controller', deployment], ['speaker', daemonSet]] as const) {
  check(`the ${role} takes every argument that values make`, async () => {
    const { objects } = await render(helms[0]?.program ?? '', {
      loadBalancerClass: 'lan.example/l2', placement: 'hash', prometheus: { metricsPort: 7482 },
      speaker: { memberlist: { mlBindPort: 7956 }, wanConfig: true, ignoreExcludeLB: true },
    })
    const args = listAt(container(objects, id), 'args').map(String)
    const { code, stderr } = await run(
      ['env', 'METALLB_NODE_NAME=a', ...arpeggio, ...args, '--kubeconfig', join(scratch, 'none')],
      { capMs: startCapMs },
    )
    // 2 would be wrong usage; a cluster is all that it lacks.
    assert.is(code, 1, stderr)
    assert.match(stderr, /^Cannot read the kubeconfig/)
  })
}

test.run()
