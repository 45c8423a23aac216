/** The overlays in deploy/: what they leave of the base, what they change, and the engines' examples. */
import { globSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { findAssets, testUnless } from '../kube/assets.ts'
import { at, type Fields, listAt, textAt } from '../kube/objects.ts'
import { run, startCapMs } from '../lab/command.ts'
import { arpeggio } from '../lab/program.ts'
import { byId, idOf, only, openReader } from './yaml.ts'

const deploy = join(import.meta.dirname, '../../deploy')
const assets = await findAssets(['kubectl'])
const check = testUnless('lack' in assets ? assets.lack : undefined, test)
const { read, build } = openReader(join('folder' in assets ? assets.folder : '', 'kubectl'))

const isDefinition = ({ kind }: Fields): boolean => kind === 'CustomResourceDefinition'

async function readBase(): Promise<readonly Fields[]> {
  return read(await readFile(join(deploy, 'arpeggio.yaml'), 'utf8'))
}

check('lan: the base, another image, and pools', async () => {
  const made = await build(join(deploy, 'overlays/lan'))
  const added = ['IPAddressPool metallb-system/lan', 'L2Advertisement metallb-system/lan']
  const base = await readBase()
  assert.equal(made.map(idOf).toSorted(), [...base.map(idOf), ...added].toSorted())
  for (const id of ['Deployment metallb-system/controller', 'DaemonSet metallb-system/speaker']) {
    const image = at(only(made, id), 'spec', 'template', 'spec', 'containers', 0, 'image')
    assert.is(image, 'registry.example/lan/arpeggio:0.1.0')
  }
})

check('legacy-configmap: no definitions, and a ConfigMap that the program reads', async () => {
  const folder = join(deploy, 'overlays/legacy-configmap')
  const made = await build(folder)
  const base = (await readBase()).filter((object) => !isDefinition(object))
  const rest = made.filter((object) => idOf(object) !== 'ConfigMap metallb-system/config')
  assert.equal(byId(rest), byId(base))
  assert.is(made.length, base.length + 1)
  const { code, stdout } = await run(
    [...arpeggio, 'check', '-o', 'json', join(folder, 'config.yaml')], { capMs: startCapMs },
  )
  const answer: unknown = JSON.parse(stdout)
  assert.equal([code, at(answer, 'problems'), at(answer, 'pools')], [0, [], [
    { name: 'lan', ranges: ['192.0.2.240-192.0.2.250'], addresses: '11' },
  ]])
})

check('beside-metallb: nothing of MetalLB\'s is named, and no port of a node is taken twice', async () => {
  const made = await build(join(deploy, 'overlays/beside-metallb'))
  const base = await readBase()
  const rename = (id: string): string => id.replaceAll('metallb-system', 'arpeggio-system')
  assert.equal(made.map(idOf).toSorted(),
    base.filter((object) => !isDefinition(object)).map(idOf).map(rename).toSorted())
  assert.not.match(JSON.stringify(made), /metallb-system/)

  const speaker = at(only(made, 'DaemonSet arpeggio-system/speaker'), 'spec', 'template', 'spec')
  const ports = listAt(speaker, 'containers', 0, 'ports').map((port) => at(port, 'containerPort'))
  assert.equal(ports, [7482, 7956, 7956])
  const args = listAt(speaker, 'containers', 0, 'args').map(String)
  assert.equal(args, [
    'speaker', '--log-level=info', '--http-port=7482', '--health-probe-port=17482', '--ml-bindport=7956',
    '--lb-class=arpeggio.io/arpeggio',
  ])
  for (const probe of ['livenessProbe', 'readinessProbe']) {
    assert.is(at(speaker, 'containers', 0, probe, 'httpGet', 'port'), 17482)
  }
  const controller = only(made, 'Deployment arpeggio-system/controller')
  const words = listAt(controller, 'spec', 'template', 'spec', 'containers', 0, 'args').map(String)
  assert.is(words.at(-1), '--lb-class=arpeggio.io/arpeggio')
  for (const [role, given] of [['speaker', args], ['controller', words]] as const) {
    const none = ['--kubeconfig', join(deploy, 'none')]
    const { code, stderr } = await run(
      ['env', 'METALLB_NODE_NAME=a', ...arpeggio, ...given, ...none], { capMs: startCapMs },
    )
    assert.is(code, 1, `${role}: ${stderr}`)
    assert.match(stderr, /^Cannot read the kubeconfig/)
  }
})

check('webhook: the base, its rights and its port beside it, and the same as a component', async () => {
  const base = await readBase()
  const made = await build(join(deploy, 'overlays/webhook'))
  const added = made.filter((object) => !base.some((one) => idOf(one) === idOf(object)))
  assert.equal(added.map(idOf).toSorted(), [
    'ClusterRole metallb-system:controller-webhook',
    'ClusterRoleBinding metallb-system:controller-webhook',
    'Role metallb-system/controller-webhook', 'RoleBinding metallb-system/controller-webhook',
    'Service metallb-system/metallb-webhook-service',
    'ValidatingWebhookConfiguration metallb-webhook-configuration',
  ])
  const id = 'Deployment metallb-system/controller'
  const others = made.filter((object) => !added.includes(object) && idOf(object) !== id)
  assert.equal(byId(others), byId(base.filter((object) => idOf(object) !== id)))
  const container = at(only(made, id), 'spec', 'template', 'spec', 'containers', 0)
  const before = at(only(base, id), 'spec', 'template', 'spec', 'containers', 0)
  assert.equal(listAt(container, 'args'), [...listAt(before, 'args'), '--webhook-mode=enabled'])
  assert.equal(listAt(container, 'ports'), [
    ...listAt(before, 'ports'), { name: 'webhook-server', containerPort: 9443 },
  ])
  const port = at(only(made, 'Service metallb-system/metallb-webhook-service'), 'spec', 'ports', 0)
  assert.equal(port, { port: 443, targetPort: 9443 })
  // Nobody else's: an engine that owned it would fight with the controller.
  assert.not.match(JSON.stringify(made), /caBundle/)
})

check('the examples name what is in this tree', async () => {
  const files = globSync(join(deploy, 'gitops/*/*.yaml')).toSorted()
  assert.is(files.length, 5)
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')))
  const named = texts.flatMap((text) =>
    [...text.matchAll(/\b(?:path|chart): (?:\.\/)?(deploy\/\S+)/g)].map(([, path = '']) => path))
  const [chart, lan] = ['deploy/chart', 'deploy/overlays/lan']
  assert.equal(named.toSorted(), [chart, chart, lan, lan])
  for (const path of named) {
    const inside = globSync(join(deploy, '..', path, '{kustomization,Chart}.yaml'))
    assert.is(inside.length, 1, path)
  }
})

/** Where each example keeps the chart's values. */
const valued = [
  ['argocd/application-chart.yaml', ['spec', 'source', 'helm', 'valuesObject']],
  ['flux/helmrelease.yaml', ['spec', 'values']],
] as const

check('the values of the examples are values of the chart', async () => {
  const schema: unknown = JSON.parse(await readFile(join(deploy, 'chart/values.schema.json'), 'utf8'))
  for (const [file, path] of valued) {
    const objects = await read(await readFile(join(deploy, 'gitops', file), 'utf8'))
    const values = at(objects.find(({ kind }) => /^(Application|HelmRelease)$/.test(String(kind))), ...path)
    const unknown = Object.keys(values ?? {}).filter((key) => at(schema, 'properties', key) === undefined)
    assert.equal([textAt(values, 'image', 'repository'), unknown], ['registry.example/lan/arpeggio', []])
  }
})

test.run()
