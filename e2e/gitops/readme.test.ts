/** The READMEs' ways into a cluster that exists, as typed, and what they leave there. */
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { testUnless } from '../kube/assets.ts'
import { at, listAt, namespace, textAt } from '../kube/objects.ts'
import { blockOf, runBlocks } from '../kube/readme.ts'
import { type KubeServer, openServer } from '../kube/server.ts'
import { addressOf, get, openController, untilAssigned } from './cluster.ts'
import { findEngines } from './tools.ts'
import { openReader } from './yaml.ts'

const root = join(import.meta.dirname, '../..')
const { lack, folder, kubeFolder } = await findEngines(['helm3', 'helm4', 'definitions'])
const check = testUnless(lack, test)

/** The first block of YAML below this text in a README. */
async function yamlBelow(file: string, words: string): Promise<string> {
  const text = await readFile(join(root, file), 'utf8')
  const found = /^```yaml\n([^]*?)^```$/m.exec(text.slice(text.indexOf(words)))
  if (!text.includes(words) || found === null) throw new Error(`No YAML below "${words}" in ${file}`)
  return found[1] ?? ''
}

interface Way {
  readonly it: string
  readonly file: string
  readonly begins: string
  /** The Helm that `helm` is. */
  readonly helm?: 'helm3' | 'helm4'
  readonly image: string
  /** It brings pools with it. */
  readonly hasPools?: true
}

const own = 'arpeggio:0.1.0'
const other = 'registry.example/lan/arpeggio:0.1.0'
const chart = 'helm install arpeggio deploy/chart'
const ways: readonly Way[] = [
  { it: 'kubectl', file: 'README.md', begins: 'kubectl apply -k deploy/base', image: own },
  { it: 'kubectl, one file and the base', file: 'deploy/README.md', image: own,
    begins: 'kubectl apply -f deploy/arpeggio.yaml     #' },
  { it: 'kubectl, another image', file: 'deploy/README.md', begins: "sed 's#image:", image: other },
  { it: 'Helm 3', file: 'README.md', begins: chart, helm: 'helm3', image: own },
  { it: 'Helm 4', file: 'README.md', begins: chart, helm: 'helm4', image: own },
  { it: 'Helm, with values', file: 'deploy/README.md', helm: 'helm3', image: other, hasPools: true,
    begins: 'helm install arpeggio deploy/chart -n metallb-system' },
]

/** Types a block in a folder that has what a clone has, and `values.yaml`. */
async function type(
  server: KubeServer, { file, begins, helm }: Pick<Way, 'file' | 'begins' | 'helm'>,
): Promise<void> {
  const bin = join(server.folder, 'bin')
  const clone = join(server.folder, 'clone')
  await mkdir(bin)
  await mkdir(clone)
  await symlink(join(root, 'deploy'), join(clone, 'deploy'))
  await writeFile(join(clone, 'values.yaml'), await yamlBelow('deploy/README.md', 'Helm 3 or 4;'))
  if (helm !== undefined) await symlink(join(folder, helm), join(bin, 'helm'))
  const homes = ['CACHE', 'CONFIG', 'DATA'].map((kind) => `HELM_${kind}_HOME=${server.folder}`)
  await runBlocks(server, `${kubeFolder}:${bin}`, [`cd ${clone}\n`, await blockOf(file, begins)],
    ['env', ...homes])
}

for (const way of ways) {
  check(`${way.it}: installed, and README's ten lines give an address`, async () => {
    await using server = await openServer({ assets: kubeFolder })
    await type(server, way)
    for (const workload of ['deployment/controller', 'daemonset/speaker']) {
      const spec = at(await get(server, workload, '-n', namespace), 'spec', 'template', 'spec')
      assert.equal(listAt(spec, 'containers').map((one) => textAt(one, 'image')), [way.image], workload)
    }
    if (way.hasPools !== true) {
      const pools = await yamlBelow('README.md', '## Ten lines of configuration')
      await server.kubectlOk(['wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all'])
      await server.kubectlOk(['apply', '-f', '-'], { stdin: pools })
    }
    await using controller = await openController(server)
    // Its slice has names that only files may have.
    const [web = ''] = (await yamlBelow('README.md', 'and a Service with its endpoints')).split('---\n')
    await server.kubectlOk(['apply', '-f', '-'], { stdin: web })
    assert.equal(await addressOf(server, 'web'), ['192.0.2.240'], controller.lines.join('\n'))
    await untilAssigned(server, 'lan', 1)
  })
}

check('Helm, side by side: the class, the ports and the namespace of the overlay', async () => {
  await using server = await openServer({ assets: kubeFolder })
  await type(server, {
    file: 'deploy/README.md', helm: 'helm4', begins: 'helm install arpeggio deploy/chart -n arpeggio-system',
  })
  const folder = join(root, 'deploy/overlays/beside-metallb')
  const overlay = await openReader(join(kubeFolder, 'kubectl')).build(folder)
  for (const [kind, name] of [['Deployment', 'controller'], ['DaemonSet', 'speaker']] as const) {
    const argsOf = (object: unknown): readonly unknown[] =>
      listAt(object, 'spec', 'template', 'spec', 'containers', 0, 'args').toSorted()
    const wanted = argsOf(overlay.find((one) => textAt(one, 'kind') === kind))
    // The chart has one port for both roles; the overlay moves only the one that is the node's.
    const moved = wanted.map((text) => text === '--http-port=7472' ? '--http-port=7482' : text).toSorted()
    assert.equal(argsOf(await get(server, kind, name, '-n', 'arpeggio-system')), moved, name)
  }
})

check('Argo CD: its own definition takes both examples', async () => {
  await using server = await openServer({ assets: kubeFolder })
  await server.kubectlOk(['create', 'namespace', 'argocd'])
  await server.kubectlOk(
    ['apply', '--server-side', '-f', join(folder, 'definitions/application-crd.yaml')])
  await server.kubectlOk(['wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all'])
  await type(server, { file: 'README.md', begins: 'kubectl apply -f deploy/gitops/argocd' })
  const application = await get(server, 'application', 'arpeggio', '-n', 'argocd')
  assert.is(at(application, 'spec', 'source', 'path'), 'deploy/overlays/lan')
  const byChart = join(root, 'deploy/gitops/argocd/application-chart.yaml')
  await server.kubectlOk(['apply', '--validate=strict', '-f', byChart])
  const changed = await get(server, 'application', 'arpeggio', '-n', 'argocd')
  assert.is(at(changed, 'spec', 'source', 'path'), 'deploy/chart')
})

test.run()
