/** The commands of deploy/README.md that put our manifests in MetalLB's place, as they stand there. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { findAssets, testUnless } from './assets.ts'
import {
  advertisement, at, type Fields, ingressOf, listAt, namespace, pool, service, textAt,
} from './objects.ts'
import { blocksOf, runBlocks } from './readme.ts'
import { type KubeServer, openServer, serverPrograms } from './server.ts'

const assets = await findAssets(serverPrograms)
const check = testUnless('lack' in assets ? assets.lack : undefined, test)

const labels = { app: 'metallb' }
const named = (kind: string, name: string, rest: Fields, apiVersion = 'v1'): Fields =>
  ({ apiVersion, kind, metadata: { name, namespace, labels }, ...rest })

/** One of MetalLB's two, as far as what is left of it could matter. */
function workload(kind: string, role: string, pod: Fields, container: Fields): Fields {
  const own = { ...labels, component: role }
  return named(kind, role, { spec: {
    revisionHistoryLimit: 3, selector: { matchLabels: own },
    template: {
      metadata: { labels: own, annotations: { 'prometheus.io/port': '9120' } },
      spec: { serviceAccountName: role, ...pod, containers: [{
        name: role, image: `former/${role}:v0`, args: ['--port=9120', '--log-level=info'], ...container,
      }] },
    },
  } }, 'apps/v1')
}

function binding(name: string, account: string, role: string): Fields {
  return named('RoleBinding', name, {
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: role },
    subjects: [{ kind: 'ServiceAccount', name: account }],
  }, 'rbac.authorization.k8s.io/v1')
}

const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } }

function definition(plural: string, kind: string, versions: readonly string[], more: Fields = {}): Fields {
  return {
    apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.metallb.io`, labels },
    spec: { group: 'metallb.io', scope: 'Namespaced', names: { kind, plural }, ...more,
      versions: versions.map((name, i) =>
        ({ name, served: true, storage: i === 0, schema, subresources: { status: {} } })) },
  }
}

const webhook = { name: 'metallb-webhook-service', namespace }

/** What `metallb-native.yaml` leaves in a cluster, in words of ours. */
const former: readonly Fields[] = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
  definition('ipaddresspools', 'IPAddressPool', ['v1beta1']),
  definition('l2advertisements', 'L2Advertisement', ['v1beta1']),
  definition('bgppeers', 'BGPPeer', ['v1beta2', 'v1beta1'], { conversion: { strategy: 'Webhook', webhook: {
    clientConfig: { service: { ...webhook, path: '/convert' } }, conversionReviewVersions: ['v1'],
  } } }),
  named('ServiceAccount', 'controller', {}), named('ServiceAccount', 'speaker', {}),
  binding('controller', 'controller', 'controller'), binding('pod-lister', 'speaker', 'pod-lister'),
  named('Secret', 'metallb-webhook-cert', {}),
  named('Secret', 'memberlist', { stringData: { secretkey: 'AAECAwQFBgcICQoLDA0ODw' } }),
  named('ConfigMap', 'metallb-excludel2', { data: { 'excludel2.yaml': 'announcedInterfacesToExclude: []' } }),
  named('Service', webhook.name, { spec: { ports: [{ port: 443, targetPort: 9443 }] } }),
  workload('Deployment', 'controller',
    { volumes: [{ name: 'cert', secret: { secretName: 'metallb-webhook-cert' } }] }, {
      ports: [{ name: 'metricshttps', containerPort: 9120 }, { name: 'webhook-server', containerPort: 9443 }],
      volumeMounts: [{ name: 'cert', mountPath: '/certs', readOnly: true }],
    }),
  workload('DaemonSet', 'speaker', { hostNetwork: true, terminationGracePeriodSeconds: 2 }, {
    ports: [{ name: 'metricshttps', containerPort: 9120 }], env: [{ name: 'METALLB_OLD', value: 'x' }],
  }),
  {
    apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingWebhookConfiguration',
    metadata: { name: 'metallb-webhook-configuration', labels },
    webhooks: [{
      name: 'ipaddresspoolvalidationwebhook.metallb.io', admissionReviewVersions: ['v1'], sideEffects: 'None',
      clientConfig: { service: { ...webhook, path: '/validate' } }, failurePolicy: 'Fail',
      rules: [{ apiGroups: ['metallb.io'], apiVersions: ['v1beta1'], operations: ['CREATE', 'UPDATE'],
        resources: ['ipaddresspools'] }],
    }],
  },
]

async function apply(server: KubeServer, objects: readonly Fields[]): Promise<void> {
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })
  await server.kubectlOk(['apply', '-f', '-'], { stdin: list })
}

check('as typed: nothing of MetalLB is in the way, pools, addresses and the secret stay', async () => {
  const folder = 'folder' in assets ? assets.folder : ''
  await using server = await openServer({ assets: folder })
  const definitions = former.filter(({ kind }) => kind === 'CustomResourceDefinition')
  await apply(server, [...former.slice(0, 1), ...definitions])
  await server.kubectlOk(['wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all'])
  // The webhook comes last, as it would refuse what nobody checks here.
  await apply(server, [pool('lan', ['192.0.2.0/28']), advertisement('lan'), service('web'), ...former])
  await server.kubectlOk(['patch', 'service', 'web', '--subresource=status', '-p',
    JSON.stringify({ status: { loadBalancer: { ingress: [{ ip: '192.0.2.9' }] } } })])
  const get = async (...words: readonly string[]): Promise<unknown> =>
    JSON.parse(await server.kubectlOk(['get', ...words, '-o', 'json']))
  const more = JSON.stringify(pool('more', ['192.0.2.16/28']))
  assert.match((await server.kubectl(['apply', '-f', '-'], { stdin: more })).stderr, /failed calling webhook/)
  const secret = textAt(await get('secret', 'memberlist', '-n', namespace), 'metadata', 'uid')

  const blocks = await blocksOf('deploy/README.md', 'Where MetalLB was')
  assert.is(blocks.length, 1)
  const [short] = await blocksOf('README.md', 'Leaving MetalLB')
  assert.is(short, blocks[0], 'the main README has the same')
  await runBlocks(server, folder, blocks)

  await server.kubectlOk(['apply', '-f', '-'], { stdin: more })
  assert.equal(at(await get('ipaddresspool', 'lan', '-n', namespace), 'spec', 'addresses'), ['192.0.2.0/28'])
  assert.equal(ingressOf(await get('service', 'web')), ['192.0.2.9'])
  assert.is(textAt(await get('secret', 'memberlist', '-n', namespace), 'metadata', 'uid'), secret)
  assert.is(at(await get('crd', 'bgppeers.metallb.io'), 'spec', 'conversion', 'strategy'), 'None')
  for (const [kind, role] of [['deployment', 'controller'], ['daemonset', 'speaker']] as const) {
    const spec = at(await get(kind, role, '-n', namespace), 'spec', 'template', 'spec')
    const [container] = listAt(spec, 'containers')
    assert.is(textAt(container, 'args', 0), role)
    assert.equal(listAt(container, 'ports').map((port) => at(port, 'containerPort')).includes(9120), false)
    const leftovers = JSON.stringify(spec).match(/"cert"|webhook|METALLB_OLD/g) ?? []
    assert.equal([...leftovers], [], `${role} has nothing of MetalLB's`)
  }
})

test.run()
