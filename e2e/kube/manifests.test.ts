/** The manifests in deploy/: the names, labels and ports that users type, and no right too many. */
import { appendFile, cp, mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { run, runOk, type RunOptions } from '../lab/command.ts'
import { arpeggio } from '../lab/program.ts'
import { findAssets, testUnless } from './assets.ts'

type Fields = Readonly<Record<string, unknown>>

const root = join(import.meta.dirname, '../..')
const rendered = join(root, 'deploy/arpeggio.yaml')
const base = join(root, 'deploy/base')
const scratch = await mkdtemp(join(tmpdir(), 'arpeggio-manifests-'))
test.after(() => rm(scratch, { recursive: true }))

test('an edit of the base alone is noticed', async () => {
  await mkdir(join(scratch, 'hack'))
  for (const name of ['hack/render', 'hack/arguments']) await cp(join(root, name), join(scratch, name))
  await cp(join(root, 'deploy'), join(scratch, 'deploy'), { recursive: true })
  const render = join(scratch, 'hack/render')
  await runOk([render])
  await appendFile(join(scratch, 'deploy/base/config.yaml'), '# edited\n')
  const { code, stderr } = await run([render, '--check'])
  assert.is(code, 1)
  assert.is(stderr.trim(), 'deploy/arpeggio.yaml differs from what it is made of: run hack/render')
  await runOk([render])
  assert.is((await run([render, '--check'])).code, 0)
  assert.is((await run([render, '--chek'])).code, 2)
})

test('the rendered file is the base', async () => {
  assert.is((await run([join(root, 'hack/render'), '--check'])).stderr, '')
})

test('the program finds nothing wrong in them', async () => {
  const { code, stdout } = await run([...arpeggio, 'check', '-o', 'json', rendered, base])
  const answer: unknown = JSON.parse(stdout)
  // That nobody pools an address yet is no fault; kustomization.yaml is not of our kinds.
  assert.equal([code, at(answer, 'problems'), at(answer, 'warnings')], [0, [], []])
})

const assets = await findAssets(['kubectl'])
const lack = 'lack' in assets ? assets.lack : undefined
const program = join('folder' in assets ? assets.folder : '', 'kubectl')
const check = testUnless(lack, test)
const objects = lack === undefined ? await readObjects(await readFile(rendered, 'utf8')) : []
const workloads = objects.filter(({ kind }) => kind === 'Deployment' || kind === 'DaemonSet')

/** Runs kubectl without any cluster; its standard output. */
function kubectl(args: readonly string[], options?: RunOptions): Promise<string> {
  return runOk(['env', 'KUBECONFIG=/dev/null', program, ...args], options)
}

/** All objects of a YAML text, in its order. */
async function readObjects(yaml: string): Promise<readonly Fields[]> {
  // An empty patch, applied here: kubectl's way of printing a file as JSON without a server.
  const json = await kubectl(
    ['patch', '--local', '-f', '-', '--type=merge', '-p', '{}', '-o', 'json'], { stdin: yaml },
  )
  return json.split(/(?<=^\})\n/m).filter((text) => text.trim() !== '').map((text) => {
    const value: unknown = JSON.parse(text)
    if (isFields(value)) return value
    throw new Error(`Not an object: ${text}`)
  })
}

/** What stands at a path of keys and indices; undefined where there is none. */
function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((part, key) => {
    if (Array.isArray(part)) return typeof key === 'number' ? part[key] : undefined
    return isFields(part) ? part[String(key)] : undefined
  }, value)
}

/** The list at a path; [] where there is none. */
function listAt(value: unknown, ...path: readonly (string | number)[]): readonly unknown[] {
  const list = at(value, ...path)
  return Array.isArray(list) ? list : []
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function nameOf(object: unknown): string {
  return String(at(object, 'metadata', 'name'))
}

function idOf(object: unknown): string {
  const namespace = at(object, 'metadata', 'namespace')
  const prefix = namespace === undefined ? '' : `${String(namespace)}/`
  return `${String(at(object, 'kind'))} ${prefix}${nameOf(object)}`
}

/** `controller role: apps deployments [controller] get`, one line a kind of object. */
function rightsOf(object: Fields): readonly string[] {
  return listAt(object, 'rules').flatMap((rule) => {
    const names = listAt(rule, 'resourceNames').join(' ')
    const verbs = listAt(rule, 'verbs').join(' ')
    return listAt(rule, 'resources').map((resource) => {
      const group = listAt(rule, 'apiGroups').join(' ') || 'core'
      return `${nameOf(object)}: ${group} ${String(resource)}${names && ` [${names}]`} ${verbs}`
    })
  })
}

function matches(selector: string, labels: unknown): boolean {
  return selector.split(',').every((term) => {
    const [key = '', value = ''] = term.split('=')
    return at(labels, key) === value
  })
}

/** The one object of this name. */
function only(id: string): Fields {
  const [object, second] = objects.filter((one) => idOf(one) === id)
  if (object === undefined || second !== undefined) throw new Error(`Not exactly one "${id}"`)
  return object
}

function podOf(name: string): unknown {
  return at(workloads.find((object) => nameOf(object) === name), 'spec', 'template')
}

function containerOf(name: string): unknown {
  return at(podOf(name), 'spec', 'containers', 0)
}

check('these objects, and no webhook', () => {
  const rest = objects.filter(({ kind }) => kind !== 'CustomResourceDefinition')
  assert.equal(rest.map(idOf), [
    'Namespace metallb-system',
    'ServiceAccount metallb-system/controller', 'ServiceAccount metallb-system/speaker',
    'Role metallb-system/controller', 'RoleBinding metallb-system/controller',
    'ClusterRole metallb-system:controller', 'ClusterRoleBinding metallb-system:controller',
    'Role metallb-system/speaker', 'RoleBinding metallb-system/speaker',
    'ClusterRole metallb-system:speaker', 'ClusterRoleBinding metallb-system:speaker',
    'ConfigMap metallb-system/metallb-excludel2',
    'Deployment metallb-system/controller', 'DaemonSet metallb-system/speaker',
  ])
})

check('every resource that a right names is defined', () => {
  const kinds = objects.filter(({ kind }) => kind === 'CustomResourceDefinition')
    .map((object) => String(at(object, 'spec', 'names', 'plural')))
  const wanted = objects.flatMap(({ rules }) => listAt(rules))
    .filter((rule) => listAt(rule, 'apiGroups').includes('metallb.io'))
    .flatMap((rule) => listAt(rule, 'resources'))
    .map((resource) => String(resource).replace(/\/.*/, ''))
  assert.equal([...new Set(wanted)].filter((plural) => !kinds.includes(plural)), [])
})

check('kustomize makes the same, and changes both images in one place', async () => {
  const byId = (list: readonly Fields[]): readonly Fields[] =>
    list.toSorted((a, b) => (idOf(a) < idOf(b) ? -1 : 1))
  const made = await readObjects(await kubectl(['kustomize', base]))
  assert.equal(byId(made), byId(objects))
  const overlay = join(scratch, 'overlay')
  await mkdir(overlay)
  await writeFile(join(overlay, 'kustomization.yaml'), JSON.stringify({
    resources: [relative(overlay, base)],
    images: [{ name: 'arpeggio', newName: 'registry.example/lan/arpeggio', newTag: 'edge' }],
  }))
  const changed = await kubectl(['kustomize', overlay])
  assert.equal(changed.match(/image: .*/g), Array(2).fill('image: registry.example/lan/arpeggio:edge'))
  assert.not.match(changed, /arpeggio:0/)
})

check('the image has the version of the program', async () => {
  const version = (await runOk([...arpeggio, '--version'])).trim().replace(' ', ':')
  assert.equal(workloads.map((object) => at(containerOf(nameOf(object)), 'image')), [version, version])
})

// Each command as the public layer-2 guide types it, and the Pods that it is about.
const both = ['controller', 'speaker']
const selections = [
  { it: 'kubectl wait … pod --selector=app=metallb', by: 'app=metallb', want: both },
  { it: 'kubectl logs … -l app=metallb,component=controller', by: 'app=metallb,component=controller',
    want: ['controller'] },
  { it: 'kubectl logs … -l app=metallb,component=speaker', by: 'app=metallb,component=speaker',
    want: ['speaker'] },
  { it: 'kubectl get pods … -l component=speaker', by: 'component=speaker', want: ['speaker'] },
]
for (const { it, by, want } of selections) {
  check(it, () => {
    const chosen = workloads.filter((object) =>
      matches(by, at(object, 'spec', 'template', 'metadata', 'labels')))
    assert.equal(chosen.map(nameOf), want)
  })
}

check('an installation of MetalLB is replaced in place: selectors cannot be changed', () => {
  for (const object of workloads) {
    const labels = { app: 'metallb', component: nameOf(object) }
    assert.equal(at(object, 'spec', 'selector'), { matchLabels: labels })
    assert.equal(listAt(object, 'spec', 'template', 'spec', 'containers').map((container) =>
      at(container, 'name')), [nameOf(object)])
  }
})

check('speakers listen where the NetworkPolicy of the guide lets others in', () => {
  const ports = listAt(containerOf('speaker'), 'ports').map((port) =>
    `${String(at(port, 'protocol') ?? 'TCP')} ${String(at(port, 'containerPort'))}`)
  assert.equal(ports, ['TCP 7472', 'TCP 7946', 'UDP 7946'])
  assert.ok(listAt(containerOf('speaker'), 'args').includes('--http-port=7472')) // exec … wget
})

/** A kubeconfig's reader is the largest part of the program: a loaded machine takes its time. */
const startCap: RunOptions = { capMs: 30_000 }

const foreign = [
  { name: 'controller', args: ['--port=9120', '--log-level=info', '--webhook-mode=disabled',
    '--tls-min-version=VersionTLS12', '--cert-dir=/tmp'], ignored: ['cert-dir', 'tls-min-version'] },
  { name: 'speaker', args: ['--port=9120', '--log-level=info', '--node-name=n', '--host=192.0.2.1'],
    ignored: ['host'] },
]
for (const { name, args, ignored } of foreign) {
  test(`${name}: MetalLB's own arguments start it, and those without effect are told`, async () => {
    const missing = join(scratch, 'no-such-kubeconfig')
    const { code, stdout } = await run([...arpeggio, name, ...args, '--kubeconfig', missing], startCap)
    assert.is(code, 1)
    const told: unknown[] = stdout.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line))
    assert.equal(told.map((line) => `${String(at(line, 'level'))} ${String(at(line, 'option'))}`).toSorted(),
      ignored.map((option) => `warn ${option}`))
  })
}

const roles = [
  { name: 'controller', variables: ['METALLB_NAMESPACE', 'METALLB_POD_NAME', 'METALLB_ML_SECRET_NAME',
    'METALLB_DEPLOYMENT'] },
  { name: 'speaker', variables: ['METALLB_NAMESPACE', 'METALLB_NODE_NAME', 'METALLB_POD_NAME',
    'METALLB_HOST', 'METALLB_ML_BIND_ADDR', 'METALLB_ML_LABELS', 'METALLB_ML_SECRET_KEY_PATH'] },
]
for (const { name, variables } of roles) {
  check(`${name}: the program takes the arguments and the environment`, async () => {
    const container = containerOf(name)
    const env = listAt(container, 'env').map((variable) =>
      `${String(at(variable, 'name'))}=${String(at(variable, 'value') ?? '192.0.2.1')}`)
    assert.equal(env.map((pair) => pair.replace(/=.*/, '')), variables)
    const args = listAt(container, 'args').map(String)
    const missing = join(scratch, 'no-such-kubeconfig')
    const { code, stderr } = await run(
      ['env', ...env, ...arpeggio, ...args, '--kubeconfig', missing], startCap)
    // 2 would be wrong usage; a cluster is all that it lacks.
    assert.is(code, 1)
    assert.match(stderr, /^Cannot read the kubeconfig/)
  })

  check(`${name}: the kubelet asks the port of the probes`, () => {
    const timing = {
      initialDelaySeconds: 10, periodSeconds: 10, timeoutSeconds: 1, successThreshold: 1,
      failureThreshold: 3,
    }
    const host = name === 'speaker' ? { host: '127.0.0.1' } : {}
    for (const [probe, path] of [['livenessProbe', '/healthz'], ['readinessProbe', '/readyz']] as const) {
      const want = { httpGet: { ...host, path, port: 17472 }, ...timing }
      assert.equal(at(containerOf(name), probe), want)
    }
    assert.ok(listAt(containerOf(name), 'args').includes('--health-probe-port=17472'))
  })

  check(`${name}: runs under its own account, bound to its own roles`, () => {
    assert.is(at(podOf(name), 'spec', 'serviceAccountName'), name)
    const subjects = [{ kind: 'ServiceAccount', name, namespace: 'metallb-system' }]
    const bindings = [
      { binding: `RoleBinding metallb-system/${name}`, kind: 'Role', role: name },
      { binding: `ClusterRoleBinding metallb-system:${name}`, kind: 'ClusterRole',
        role: `metallb-system:${name}` },
    ]
    for (const { binding, kind, role } of bindings) {
      const apiGroup = 'rbac.authorization.k8s.io'
      assert.equal(at(only(binding), 'roleRef'), { apiGroup, kind, name: role })
      assert.equal(at(only(binding), 'subjects'), subjects)
    }
  })
}

check('the controller is nobody, and a speaker may only send raw packets', () => {
  const dropped = { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true }
  assert.equal(at(containerOf('controller'), 'securityContext'),
    { ...dropped, capabilities: { drop: ['ALL'] } })
  assert.equal(at(containerOf('speaker'), 'securityContext'),
    { ...dropped, capabilities: { drop: ['ALL'], add: ['NET_RAW'] } })
  assert.is(at(podOf('controller'), 'spec', 'securityContext', 'runAsNonRoot'), true)
  assert.is(at(podOf('controller'), 'spec', 'hostNetwork'), undefined)
  assert.is(at(podOf('speaker'), 'spec', 'hostNetwork'), true)
  const labels = at(only('Namespace metallb-system'), 'metadata', 'labels')
  for (const mode of ['enforce', 'audit', 'warn']) {
    assert.is(at(labels, `pod-security.kubernetes.io/${mode}`), 'privileged')
  }
})

check('the memberlist secret is the one that the controller makes', () => {
  const env = listAt(containerOf('controller'), 'env')
  const made = env.find((variable) => at(variable, 'name') === 'METALLB_ML_SECRET_NAME')
  const [read] = listAt(podOf('speaker'), 'spec', 'volumes')
  assert.equal([at(made, 'value'), at(read, 'secret', 'secretName'), at(read, 'secret', 'optional')],
    ['memberlist', 'memberlist', undefined])
})

check('exactly these rights', () => {
  const rights = objects.filter(({ rules }) => rules !== undefined).flatMap(rightsOf)
  assert.equal(rights, [
    'controller: metallb.io ipaddresspools list watch',
    'controller: metallb.io l2advertisements list watch',
    'controller: metallb.io bgpadvertisements list watch',
    'controller: metallb.io servicel2statuses list watch',
    'controller: metallb.io ipaddresspools/status patch',
    'controller: metallb.io configurationstates list watch create patch',
    'controller: metallb.io configurationstates/status patch',
    'controller: core configmaps list watch create',
    'controller: core configmaps [arpeggio-last-good] patch',
    'controller: core secrets create',
    'controller: core secrets [memberlist] get',
    'controller: apps deployments [controller] get',
    'controller: core pods get list watch',
    'controller: coordination.k8s.io leases create',
    'controller: coordination.k8s.io leases [arpeggio-controller] get update',
    'metallb-system:controller: core services list watch',
    'metallb-system:controller: core namespaces list watch',
    'metallb-system:controller: core nodes list watch',
    'metallb-system:controller: core services/status patch',
    'metallb-system:controller: discovery.k8s.io endpointslices list watch',
    'metallb-system:controller: core events create patch',
    'speaker: metallb.io ipaddresspools list watch',
    'speaker: metallb.io l2advertisements list watch',
    'speaker: metallb.io bgpadvertisements list watch',
    'speaker: core configmaps list watch',
    'speaker: metallb.io configurationstates list watch create patch',
    'speaker: metallb.io configurationstates/status patch',
    'speaker: metallb.io servicel2statuses list watch create delete',
    'speaker: metallb.io servicel2statuses/status patch',
    'speaker: core pods get list watch',
    'metallb-system:speaker: core services list watch',
    'metallb-system:speaker: core nodes list watch',
    'metallb-system:speaker: discovery.k8s.io endpointslices list watch',
    'metallb-system:speaker: core events create patch',
  ])
})

test.run()
