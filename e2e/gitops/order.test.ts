/** Definitions, namespace and pools applied in any order, while the controller runs: all converge. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { findAssets, testUnless } from '../kube/assets.ts'
import { service } from '../kube/objects.ts'
import { type KubeServer, openServer, serverPrograms } from '../kube/server.ts'
import { addressOf, openController } from './cluster.ts'

const deploy = join(import.meta.dirname, '../../deploy')
const assets = await findAssets(serverPrograms)
const check = testUnless('lack' in assets ? assets.lack : undefined, test)

type Part = 'namespace' | 'definitions' | 'pools' | 'rest'

/** As one `kubectl apply` each, of files as deploy/ has them. */
const files: Readonly<Record<Part, readonly string[]>> = {
  namespace: ['base/namespace.yaml'],
  definitions: ['base/crds.yaml'],
  pools: ['overlays/lan/pools.yaml'],
  rest: ['accounts', 'controller-rbac', 'speaker-rbac', 'config', 'controller', 'speaker']
    .map((name) => `base/${name}.yaml`),
}

async function apply(server: KubeServer, part: Part): Promise<boolean> {
  const args = files[part].flatMap((file) => ['-f', join(deploy, file)])
  return (await server.kubectl(['apply', '--server-side', ...args])).code === 0
}

/** Orders, and how many times all has to be applied: once more for what came too early. */
const orders: readonly (readonly [order: readonly Part[], rounds: number])[] = [
  [['namespace', 'definitions', 'rest', 'pools'], 1],
  [['pools', 'definitions', 'rest', 'namespace'], 2],
  [['rest', 'pools', 'namespace', 'definitions'], 2],
]

for (const [order, wanted] of orders) {
  check(`${order.join(', ')}: ${wanted === 1 ? 'at once' : `in ${wanted} rounds`}`, async () => {
    await using server = await openServer({ assets: 'folder' in assets ? assets.folder : '' })
    await using controller = await openController(server)
    await server.kubectlOk(['create', '-f', '-'], { stdin: JSON.stringify(service('web')) })
    let rounds = 0
    let isWhole = false
    while (!isWhole && rounds < 3) {
      rounds += 1
      isWhole = true
      for (const part of order) isWhole = await apply(server, part) && isWhole
      // What waits for a definition asks again a moment after it: as the engines do.
      const wait = ['wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all']
      await server.kubectlOk(wait)
    }
    assert.is(rounds, wanted)
    assert.equal(await addressOf(server, 'web'), ['192.0.2.240'], controller.lines.join('\n'))
  })
}

check('all in one call, pools first, is one round and another', async () => {
  await using server = await openServer({ assets: 'folder' in assets ? assets.folder : '' })
  await using controller = await openController(server)
  await server.kubectlOk(['create', '-f', '-'], { stdin: JSON.stringify(service('web')) })
  const all = await readFile(join(deploy, 'overlays/lan/pools.yaml'), 'utf8') + '---\n' +
    await readFile(join(deploy, 'arpeggio.yaml'), 'utf8')
  const codes: number[] = []
  for (let round = 0; round < 2; round += 1) {
    codes.push((await server.kubectl(['apply', '-f', '-'], { stdin: all })).code)
    await server.kubectlOk(['wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all'])
  }
  assert.equal(codes, [1, 0])
  assert.equal(await addressOf(server, 'web'), ['192.0.2.240'], controller.lines.join('\n'))
})

test.run()
