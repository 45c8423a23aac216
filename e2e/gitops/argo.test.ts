/** Argo CD's own diff engine: nothing that the program writes is a difference to what is in git. */
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { testUnless } from '../kube/assets.ts'
import { conditionOf, type Fields, ingressOf, listAt, service, slice, textAt } from '../kube/objects.ts'
import { openRig, type Rig } from '../kube/rig.ts'
import { startCapMs } from '../lab/command.ts'
import { untilAssigned } from './cluster.ts'
import { writeOverlay } from './stage.ts'
import { findEngines } from './tools.ts'
import { openReader } from './yaml.ts'

const { lack, folder, kubeFolder } = await findEngines(['argo-diff'])
const check = testUnless(lack, test)
const kubectl = join(kubeFolder, 'kubectl')
const diffCapMs = 120_000

/** As Argo CD applies and compares: by what was applied last, or by asking the server. */
const ways = [
  { it: 'client-side', apply: [], compare: [] },
  { it: 'server-side', apply: ['--server-side', '--field-manager=argocd-controller', '--force-conflicts'],
    compare: ['-kubectl', kubectl] },
] as const

type Way = (typeof ways)[number]

/** What differs, as the engine sees it: `KIND NAME`. */
async function differences(
  { server, lab }: Rig, { compare }: Way, desired: readonly Fields[],
): Promise<readonly string[]> {
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: desired })
  const found: unknown = JSON.parse(await server.kubectlOk(
    ['get', '-f', '-', '--show-managed-fields', '-o', 'json'], { stdin: list }))
  const live = listAt(found, 'items') // in the order in which they are asked for
  const pairs = desired.map((object, i) => ({ desired: object, live: live[i] }))
  const program = join(folder, 'argo-diff')
  const said = await lab.host('api').execOk([program, ...compare, '-kubeconfig', server.kubeconfig],
    { stdin: JSON.stringify(pairs), capMs: diffCapMs })
  return said.split('\n').filter((line) => line !== '').map((line) => textAt(JSON.parse(line), 'object'))
}

for (const way of ways) {
  check(`${way.it}: in sync while Services come and go; an edit of another's is seen`, async () => {
    await using rig = await openRig({
      assets: kubeFolder, nodes: ['a'], idle: ['daemonset-controller'],
    })
    const { server } = rig
    const overlay = await writeOverlay(join(server.folder, 'overlay'))
    const desired = await openReader(kubectl).build(overlay)
    await server.kubectlOk(['apply', ...way.apply, '-k', overlay], { capMs: startCapMs })
    assert.equal(await differences(rig, way, desired), [])
    await rig.apply(slice('web', [{ node: 'a' }]))
    await using controller = await rig.startController()
    await using speaker = await rig.startSpeaker('a')
    await rig.serviceWhen('web', 'is announced', (now) => /^True /.test(conditionOf(now)))
    for (let i = 0; i < 3; i++) {
      await rig.apply(service('guest'), slice('guest', [{ node: 'a' }]))
      await rig.serviceWhen('guest', 'has an address', (now) => ingressOf(now).length === 1)
      await untilAssigned(server, 'lan', 2)
      assert.equal(await differences(rig, way, desired), [])
      await rig.kubectl('delete', 'service', 'guest')
    }
    assert.ok(controller.child.isRunning() && speaker.child.isRunning())
    await rig.kubectl('patch', 'ipaddresspool', 'lan', '-n', 'metallb-system', '--type=merge', '-p',
      JSON.stringify({ spec: { addresses: ['192.0.2.240-192.0.2.251'] } }))
    assert.equal(await differences(rig, way, desired), ['IPAddressPool lan'])
  })
}

test.run()
