/** A release whose chart has the definitions among its templates becomes ours: the pools stay. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { testUnless } from '../kube/assets.ts'
import { advertisement, namespace, pool, service } from '../kube/objects.ts'
import { openServer } from '../kube/server.ts'
import { runOk } from '../lab/command.ts'
import { addressOf, get, openController, untilAssigned } from './cluster.ts'
import { findEngines } from './tools.ts'

const chart = join(import.meta.dirname, '../../deploy/chart')
const { lack, folder, kubeFolder } = await findEngines(['helm3', 'helm4'])
const check = testUnless(lack, test)

/** As MetalLB's chart has them, as far as it matters here: definitions, and workloads of other names. */
const former = ['ipaddresspools IPAddressPool', 'l2advertisements L2Advertisement'].map((words) => {
  const [plural = '', kind = ''] = words.split(' ')
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } }
  return {
    apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.metallb.io` },
    spec: {
      group: 'metallb.io', scope: 'Namespaced', names: { kind, plural },
      versions: [{ name: 'v1beta1', served: true, storage: true, schema, subresources: { status: {} } }],
    },
  }
})
const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'metallb-controller' } }

for (const name of ['helm3', 'helm4']) {
  check(`${name}: as deploy/README.md says, no pool is lost and no address moves`, async () => {
    await using server = await openServer({ assets: kubeFolder })
    const old = join(server.folder, 'metallb')
    await mkdir(join(old, 'templates'), { recursive: true })
    await writeFile(join(old, 'Chart.yaml'), 'apiVersion: v2\nname: metallb\nversion: 0.16.0\n')
    await writeFile(join(old, 'templates/all.yaml'),
      [...former, account].map((object) => JSON.stringify(object)).join('\n---\n'))
    const homes = ['CACHE', 'CONFIG', 'DATA'].map((kind) => `HELM_${kind}_HOME=${server.folder}`)
    const words = ['env', ...homes, join(folder, name)]
    const helm = (...args: readonly string[]): Promise<string> =>
      runOk([...words, '--kubeconfig', server.kubeconfig, '-n', namespace, ...args], { capMs: 120_000 })

    await helm('install', 'metallb', old, '--create-namespace')
    await server.kubectlOk(['wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all'])
    const held = { ...service('web'), status: { loadBalancer: { ingress: [{ ip: '192.0.2.9' }] } } }
    const items = [pool('lan', ['192.0.2.0/28']), advertisement('lan'), held]
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
    await server.kubectlOk(['create', '-f', '-'], { stdin: list })
    await server.kubectlOk(['patch', 'service', 'web', '--subresource=status', '-p',
      JSON.stringify({ status: held.status })])

    await server.kubectlOk(['annotate', 'crd', '--all', 'helm.sh/resource-policy=keep'])
    const definitions = await helm('show', 'crds', chart)
    await server.kubectlOk(
      ['apply', '--server-side', '--force-conflicts', '-f', '-'], { stdin: definitions },
    )
    await helm('upgrade', 'metallb', chart)

    assert.ok(await get(server, 'ipaddresspool', 'lan', '-n', namespace), 'the pool is there')
    assert.ok(await get(server, 'deployment', 'controller', '-n', namespace))
    assert.is(await get(server, 'serviceaccount', 'metallb-controller', '-n', namespace), undefined)
    await using controller = await openController(server)
    await untilAssigned(server, 'lan', 1)
    assert.equal(await addressOf(server, 'web'), ['192.0.2.9'], controller.lines.join('\n'))
  })
}

test.run()
