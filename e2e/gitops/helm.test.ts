/** Helm 3 and Helm 4 against a real API server: pools in one pass, upgrades that change nothing. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { testUnless } from '../kube/assets.ts'
import { at, ingressOf, listAt, namespace, service, textAt } from '../kube/objects.ts'
import { type KubeServer, openServer } from '../kube/server.ts'
import { run, until } from '../lab/command.ts'
import { addressOf, get, openController, untilAssigned, versionsOf, waitMs } from './cluster.ts'
import { findEngines } from './tools.ts'

const root = join(import.meta.dirname, '../..')
const chart = join(root, 'deploy/chart')
const { lack, folder, kubeFolder } = await findEngines(['helm3', 'helm4'])
const check = testUnless(lack, test)
const helmCapMs = 120_000

const values = (addresses: readonly string[]): string => JSON.stringify({
  ipAddressPools: { lan: { spec: { addresses } } },
  l2Advertisements: { lan: { spec: { ipAddressPools: ['lan'] } } },
})

/** Runs a Helm against the server; its standard output. */
function bindHelm(server: KubeServer, name: string): (...args: readonly string[]) => Promise<string> {
  const program = join(folder, name)
  const homes = ['CACHE', 'CONFIG', 'DATA'].map((kind) => `HELM_${kind}_HOME=${server.folder}`)
  return async (...args) => {
    const words = ['env', ...homes, program, '--kubeconfig', server.kubeconfig, '-n', namespace, ...args]
    const { code, stdout, stderr } = await run(words, { capMs: helmCapMs })
    assert.is(code, 0, `helm ${args[0]}: ${stderr}`)
    return stdout
  }
}

for (const name of ['helm3', 'helm4']) {
  check(`${name}: pools in the release, an upgrade to itself, new definitions, and away`, async () => {
    await using server = await openServer({ assets: kubeFolder })
    const helm = bindHelm(server, name)
    const file = join(server.folder, 'values.json')
    await writeFile(file, values(['192.0.2.0/30']))
    const upgrade = ['upgrade', 'arpeggio', chart, '-f', file]
    await helm('install', 'arpeggio', chart, '--create-namespace', '-f', file)

    await using controller = await openController(server)
    await server.kubectlOk(['create', '-f', '-'], { stdin: JSON.stringify(service('web')) })
    assert.equal(await addressOf(server, 'web'), ['192.0.2.0'], controller.lines.join('\n'))
    await untilAssigned(server, 'lan', 1)

    const manifest = await helm('get', 'manifest', 'arpeggio')
    const before = await versionsOf(server, manifest)
    assert.ok(before.has('IPAddressPool lan') && before.has('DaemonSet speaker'))
    await helm(...upgrade)
    assert.equal([...await versionsOf(server, manifest)], [...before])

    await writeFile(file, values(['192.0.2.0/29']))
    await helm(...upgrade)
    await until('the wider pool counts', async () =>
      at(await get(server, 'ipaddresspool', 'lan', '-n', namespace), 'status', 'availableIPv4') === 7
    , waitMs)
    const after = await versionsOf(server, manifest)
    assert.equal([...after.keys()].filter((id) => after.get(id) !== before.get(id)), ['IPAddressPool lan'])
    assert.equal(ingressOf(await get(server, 'service', 'web')), ['192.0.2.0'])

    await replaceDefinitions(server, helm)

    await helm('uninstall', 'arpeggio')
    const left = await get(server, 'ipaddresspools,deployments,daemonsets', '-n', namespace)
    assert.equal(listAt(left, 'items').map((object) => textAt(object, 'metadata', 'name')), [])
    assert.ok(await get(server, 'crd', 'ipaddresspools.metallb.io'), 'definitions outlive the release')
  })
}

/** As deploy/README.md says: Helm alone never touches a definition that is there. */
async function replaceDefinitions(
  server: KubeServer, helm: (...args: readonly string[]) => Promise<string>,
): Promise<void> {
  const name = 'communities.metallb.io'
  const old = [{ op: 'add', path: '/spec/names/shortNames', value: ['older'] },
    { op: 'remove', path: '/spec/versions/0/schema/openAPIV3Schema/description' }]
  const read = async (): Promise<unknown> => at(await get(server, 'crd', name), 'spec', 'versions', 0)
  const before = await read()
  await server.kubectlOk(['patch', 'crd', name, '--type=json', '-p', JSON.stringify(old)])
  assert.not.equal(await read(), before)
  const definitions = await helm('show', 'crds', chart)
  await server.kubectlOk(
    ['apply', '--server-side', '--force-conflicts', '-f', '-'], { stdin: definitions },
  )
  assert.equal(await read(), before)
  const pools = await get(server, 'ipaddresspools', '-n', namespace)
  assert.is(listAt(pools, 'items').length, 1, 'pools outlive the replacement')
}

check('the definitions that the chart shows are those of deploy/base', async () => {
  const program = join(folder, 'helm4')
  const { stdout } = await run([program, 'show', 'crds', chart], { capMs: helmCapMs })
  assert.is(stdout.replace(/^---\n/, '').trim(),
    (await readFile(join(root, 'deploy/base/crds.yaml'), 'utf8')).trim())
})

test.run()
