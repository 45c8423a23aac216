/** Flux's real helm-controller installs the chart, once; after that it finds nothing to do, and no drift. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { testUnless } from '../kube/assets.ts'
import { at, listAt, namespace, service, textAt } from '../kube/objects.ts'
import { blockOf, runBlocks } from '../kube/readme.ts'
import { freePort, type KubeServer, openServer } from '../kube/server.ts'
import { type Child, openChild, runOk, startCapMs, until } from '../lab/command.ts'
import { addressOf, get, openController, untilAssigned, versionsOf, waitMs } from './cluster.ts'
import { auditPolicy } from './flux.ts'
import { findEngines } from './tools.ts'

const root = join(import.meta.dirname, '../..')
const { lack, folder, kubeFolder } = await findEngines(['helm-controller', 'definitions', 'helm4'])
const check = testUnless(lack, test)
const system = ['-n', 'flux-system']

/** Serves the chart as hack/release packs it; its digest and address. */
async function serveChart(server: KubeServer, closing: AsyncDisposableStack): Promise<Artifact> {
  await runOk([join(root, 'hack/release'), '--to', server.folder], { capMs: startCapMs })
  const path = join(server.folder, 'arpeggio-0.1.0.tgz')
  const port = await freePort()
  const child = closing.use(
    openChild([process.execPath, join(import.meta.dirname, 'serve.ts'), path, String(port)]))
  await child.line(/^listening$/, 20_000)
  const digest = createHash('sha256').update(await readFile(path)).digest('hex')
  return {
    digest: `sha256:${digest}`, path: 'arpeggio-0.1.0.tgz', revision: '0.1.0',
    url: `http://127.0.0.1:${port}/arpeggio-0.1.0.tgz`, lastUpdateTime: '2026-01-01T00:00:00Z',
  }
}

interface Artifact {
  readonly digest: string
  readonly path: string
  readonly revision: string
  readonly url: string
  readonly lastUpdateTime: string
}

/** What Flux's source-controller, which nobody runs here, would say of the chart that is asked for. */
async function publish(server: KubeServer, artifact: Artifact): Promise<void> {
  const chart = await until('the chart is asked for', () =>
    get(server, 'helmchart', 'flux-system-arpeggio', ...system), waitMs)
  assert.equal([at(chart, 'spec', 'chart'), at(chart, 'spec', 'sourceRef', 'kind')],
    ['./deploy/chart', 'GitRepository'])
  const observedGeneration = at(chart, 'metadata', 'generation')
  const ready = {
    type: 'Ready', status: 'True', reason: 'ChartPackageSucceeded', message: 'packed', observedGeneration,
    lastTransitionTime: artifact.lastUpdateTime,
  }
  const status = { observedGeneration, observedChartName: 'arpeggio', artifact, conditions: [ready] }
  await patch(server, 'helmchart/flux-system-arpeggio', { status }, '--subresource=status')
}

async function patch(
  server: KubeServer, object: string, value: object, ...more: readonly string[]
): Promise<void> {
  await server.kubectlOk(['patch', object, ...system, '--type=merge', ...more, '-p', JSON.stringify(value)])
}

async function startHelmController(server: KubeServer): Promise<Child> {
  const child = openChild([
    'env', `KUBECONFIG=${server.kubeconfig}`, 'RUNTIME_NAMESPACE=flux-system', `TMPDIR=${server.folder}`,
    join(folder, 'helm-controller'), '--metrics-addr=127.0.0.1:0',
    `--health-addr=127.0.0.1:${await freePort()}`,
  ])
  await child.line(/Starting workers/, 60_000)
  return child
}

/** Asks for a round, as `flux reconcile` does; the release when the round has ended. */
async function reconcile(server: KubeServer, token: string): Promise<unknown> {
  const annotation = `reconcile.fluxcd.io/requestedAt=${token}`
  await server.kubectlOk(['annotate', 'helmrelease', 'arpeggio', ...system, '--overwrite', annotation])
  return until(`round ${token} has ended, and is good`, async () => {
    const release = await get(server, 'helmrelease', 'arpeggio', ...system)
    const isSeen = at(release, 'status', 'lastHandledReconcileAt') === token &&
      at(release, 'status', 'observedGeneration') === at(release, 'metadata', 'generation')
    return isSeen && conditionOf(release, 'Ready') === 'True' && release
  }, waitMs * 2)
}

function conditionOf(release: unknown, type: string): string {
  const found = listAt(release, 'status', 'conditions').find((one) => textAt(one, 'type') === type)
  return textAt(found, 'status')
}

/** Writes of helm-controller, under any of its names, to objects that are not its own. */
function changes(server: KubeServer): readonly string[] {
  return server.audit()
    .filter((event) => !/^(kubectl|arpeggio|kube-|etcd)/.test(textAt(event, 'userAgent')) &&
      !textAt(event, 'requestURI').includes('dryRun=All') &&
      !/^(helmreleases|helmcharts|events|leases|secrets)$/.test(textAt(event, 'objectRef', 'resource')))
    .map((event) => `${textAt(event, 'verb')} ${textAt(event, 'objectRef', 'resource')} ` +
      textAt(event, 'objectRef', 'name'))
}

check('as README says: installed in one pass, then nothing changes, and no drift is seen', async () => {
  await using closing = new AsyncDisposableStack()
  const server = closing.use(await openServer({ assets: kubeFolder, auditPolicy }))
  await server.kubectlOk(['create', 'namespace', 'flux-system'])
  for (const file of ['helmreleases.yaml', 'definitions']) {
    await server.kubectlOk(['apply', '--server-side', '-f', join(folder, file)])
  }
  await server.kubectlOk(['wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all'])
  const artifact = await serveChart(server, closing)
  const flux = closing.use(await startHelmController(server))
  await runBlocks(server, kubeFolder, [await blockOf('README.md',
    'kubectl apply -f deploy/gitops/flux/source.yaml -f deploy/gitops/flux/helm')])
  // Pods never become ready without kubelets.
  const noWait = { disableWait: true }
  await patch(server, 'helmrelease/arpeggio', { spec: { install: noWait, upgrade: noWait } })
  await publish(server, artifact)

  const release = await reconcile(server, 'first')
  assert.equal(listAt(release, 'status', 'history').map((one) => at(one, 'version')), [1])
  const controller = closing.use(await openController(server))
  await server.kubectlOk(['create', '-f', '-'], { stdin: JSON.stringify(service('web')) })
  assert.equal(await addressOf(server, 'web'), ['192.0.2.240'], controller.lines.join('\n'))
  await untilAssigned(server, 'lan', 1)
  const manifest = await runOk([
    'env', `HELM_CACHE_HOME=${server.folder}`, join(folder, 'helm4'), '--kubeconfig', server.kubeconfig,
    ...system, 'get', 'manifest', 'arpeggio', // Flux keeps a release beside its HelmRelease
  ], { capMs: startCapMs })
  const versions = async (): Promise<readonly string[]> => {
    const all = await versionsOf(server, manifest)
    // A pool's status counts its addresses.
    return [...all].map(([id, version]) => id === 'IPAddressPool lan' ? id : `${id} ${version}`)
  }
  const before = await versions()
  assert.ok(before.includes('IPAddressPool lan') && before.some((id) => id.startsWith('DaemonSet speaker ')))
  const first = changes(server)
  assert.ok(first.some((change) => change.includes('daemonsets')), first.join('\n'))

  await patch(server, 'helmrelease/arpeggio', { spec: { driftDetection: { mode: 'enabled' } } })
  for (const round of ['second', 'third']) {
    const now = await reconcile(server, round)
    assert.equal(listAt(now, 'status', 'history').map((one) => at(one, 'version')), [1])
    assert.equal(await versions(), before)
    assert.equal(changes(server).slice(first.length), [])
    await server.kubectlOk(['create', '-f', '-'], { stdin: JSON.stringify(service(`guest-${round}`)) })
    await addressOf(server, `guest-${round}`)
  }

  // It is awake, and would have seen a difference.
  await server.kubectlOk(['set', 'image', 'deployment/controller', '-n', namespace, 'controller=other:1'])
  await reconcile(server, 'fourth')
  assert.ok(changes(server).slice(first.length).some((change) => change.includes('deployments controller')),
    'a change of somebody else is reverted')
  assert.ok(controller.isRunning() && flux.isRunning())
})

test.run()
