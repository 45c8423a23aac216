/** Flux's real kustomize-controller in a lab host; the suite plays the source it reads. */
import { createHash } from 'node:crypto'
import { cp, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { at, textAt } from '../kube/objects.ts'
import { blockOf, runBlocks } from '../kube/readme.ts'
import type { Rig } from '../kube/rig.ts'
import { freePort } from '../kube/server.ts'
import { runOk } from '../lab/command.ts'
import { writeOverlay } from './stage.ts'

const deploy = join(import.meta.dirname, '../../deploy')

/** Writes of everybody, without what they say: enough to tell who changed which object. */
export const auditPolicy = JSON.stringify({
  apiVersion: 'audit.k8s.io/v1', kind: 'Policy', omitStages: ['RequestReceived'],
  rules: [{ level: 'Metadata', verbs: ['create', 'update', 'patch', 'delete', 'deletecollection'] }],
})

export interface FluxPlan {
  /** The folder of kustomize-controller. */
  readonly tools: string
  /** The folder of kubectl. */
  readonly assets: string
  readonly interval: string
}

/**
 * Starts it, and applies the example as README has it; then of the example the interval, the path (which has
 * a Service beside deploy/overlays/lan) and the waiting are others: Pods never become ready without kubelets.
 */
export async function startFlux(rig: Rig, { tools, assets, interval }: FluxPlan): Promise<void> {
  const { server, lab } = rig
  await rig.kubectl('create', 'namespace', 'flux-system')
  await rig.applyFile(join(tools, 'kustomizations.yaml'))
  await rig.applyFile(join(tools, 'definitions'))
  await rig.kubectl('wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all')
  const host = lab.host('api')
  const child = host.spawn([
    'env', `KUBECONFIG=${server.kubeconfig}`, 'RUNTIME_NAMESPACE=flux-system', `TMPDIR=${lab.folder}`,
    join(tools, 'kustomize-controller'), '--metrics-addr=127.0.0.1:0', '--health-addr=127.0.0.1:9440',
  ])
  await child.line(/Starting workers/, 30_000)
  const block = await blockOf('README.md',
    'kubectl apply -f deploy/gitops/flux/source.yaml -f deploy/gitops/flux/kust')
  await runBlocks(server, assets, [block], ['ip', 'netns', 'exec', host.namespace])
  const spec = { interval, path: './overlay', wait: false }
  await rig.kubectl('patch', 'kustomization', 'arpeggio', '-n', 'flux-system', '--type=merge', '-p',
    JSON.stringify({ spec }))
  await publish(rig)
}

/** What Flux's source-controller would make of a repository: a tarball, and a status that names it. */
async function publish({ lab, kubectl }: Rig): Promise<void> {
  const folder = join(lab.folder, 'repository')
  const tarball = join(lab.folder, 'repository.tar.gz')
  await mkdir(folder)
  for (const name of ['base', 'overlays']) {
    await cp(join(deploy, name), join(folder, 'deploy', name), { recursive: true })
  }
  await writeOverlay(join(folder, 'overlay'), join(folder, 'deploy/overlays/lan'))
  await runOk(['tar', '-C', folder, '-czf', tarball, 'deploy', 'overlay'])
  const port = await freePort()
  const served = lab.host('api').spawn(
    [process.execPath, join(import.meta.dirname, 'serve.ts'), tarball, String(port)],
  )
  await served.line(/^listening$/, 20_000)
  const digest = `sha256:${createHash('sha256').update(await readFile(tarball)).digest('hex')}`
  const artifact = {
    digest, path: 'repository.tar.gz', revision: `v0.1.0@${digest}`,
    url: `http://127.0.0.1:${port}/repository.tar.gz`, lastUpdateTime: '2026-01-01T00:00:00Z',
  }
  const ready = {
    type: 'Ready', status: 'True', reason: 'Succeeded', message: 'stored', observedGeneration: 1,
    lastTransitionTime: artifact.lastUpdateTime,
  }
  const status = JSON.stringify({ status: { artifact, observedGeneration: 1, conditions: [ready] } })
  await kubectl('patch', 'gitrepository', 'arpeggio', '-n', 'flux-system', '--type=merge',
    '--subresource=status', '-p', status)
}

/** What Flux has asked of the API server so far, by the server's own record. */
export function fluxWrites(rig: Rig): { readonly rounds: number; readonly changes: readonly string[] } {
  const asked = rig.server.audit()
    .filter((event) => textAt(event, 'userAgent').startsWith('kustomize-controller'))
  const isTrial = (event: unknown): boolean => textAt(event, 'requestURI').includes('dryRun=All')
  const own = /^(kustomizations|gitrepositories|events|leases)$/
  return {
    // Each round tries every object first, and applies those that would change.
    rounds: asked.filter((event) =>
      isTrial(event) && textAt(event, 'requestURI').includes('/deployments/controller')).length,
    changes: asked.filter((event) => !isTrial(event) && !own.test(textAt(event, 'objectRef', 'resource')))
      .map((event) => `${textAt(event, 'verb')} ${String(at(event, 'objectRef', 'resource'))} ` +
        textAt(event, 'objectRef', 'name')),
  }
}
