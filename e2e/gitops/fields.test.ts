/** An engine that owns its fields, and the program that writes beside it: neither touches the other's. */
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { findAssets, testUnless } from '../kube/assets.ts'
import { at, conditionOf, type Fields, listAt, namespace, slice, textAt } from '../kube/objects.ts'
import { openRig } from '../kube/rig.ts'
import { serverPrograms } from '../kube/server.ts'
import { startCapMs } from '../lab/command.ts'
import { untilAssigned, versionsOf } from './cluster.ts'
import { writeOverlay } from './stage.ts'

const assets = await findAssets(serverPrograms)
const check = testUnless('lack' in assets ? assets.lack : undefined, test)
const engine = 'argocd-controller'

/** Paths of the fields in a `fieldsV1`: `f:metadata f:labels f:app`. */
function pathsOf(fields: unknown, prefix = ''): readonly string[] {
  if (typeof fields !== 'object' || fields === null) return []
  return Object.entries(fields).flatMap(([key, inner]: readonly [string, unknown]) => {
    const path = prefix === '' ? key : `${prefix} ${key}`
    const below = pathsOf(inner, path)
    return key === '.' ? [] : below.length === 0 ? [path] : below
  })
}

/** Fields of an object by whose they are; kubectl and Kubernetes' own controllers are left out. */
function fieldsOf(object: unknown, whose: 'engine' | 'program'): readonly string[] {
  return listAt(object, 'metadata', 'managedFields')
    .filter((entry) => !/^kube/.test(textAt(entry, 'manager')))
    .filter((entry) => (textAt(entry, 'manager') === engine) === (whose === 'engine'))
    .flatMap((entry) => pathsOf(at(entry, 'fieldsV1')))
}

check('statuses, conditions and annotations of ours lie beside what an engine applied', async () => {
  await using rig = await openRig({
    assets: 'folder' in assets ? assets.folder : '', nodes: ['a'], idle: ['daemonset-controller'],
  })
  const { server } = rig
  const overlay = await writeOverlay(join(server.folder, 'overlay'))
  const apply = ['apply', '--server-side', `--field-manager=${engine}`, '-k', overlay]
  await server.kubectlOk([...apply, '--force-conflicts'], { capMs: startCapMs })
  await rig.apply(slice('web', [{ node: 'a' }]))
  await using controller = await rig.startController()
  await using speaker = await rig.startSpeaker('a')
  await rig.serviceWhen('web', 'is announced', (now) => /^True /.test(conditionOf(now)))
  await untilAssigned(server, 'lan', 1)
  assert.ok(controller.child.isRunning() && speaker.child.isRunning())

  const objects = await Promise.all([['service', 'web'], ['ipaddresspool', 'lan', '-n', namespace]]
    .map(async (words): Promise<Fields> =>
      JSON.parse(await rig.kubectl('get', ...words, '--show-managed-fields', '-o', 'json'))))
  const ours = objects.map((object) => fieldsOf(object, 'program'))
  const shared = objects.flatMap((object, i) => {
    const theirs = new Set(fieldsOf(object, 'engine'))
    assert.ok(theirs.size > 0)
    return ours[i]?.filter((path) => theirs.has(path)) ?? []
  })
  assert.equal(shared, [])
  const [service = [], pool = []] = ours
  assert.ok(service.includes('f:metadata f:annotations f:metallb.io/ip-allocated-from-pool'), service.join())
  assert.ok(service.some((path) => path.startsWith('f:status f:conditions')), service.join())
  assert.ok(pool.includes('f:status f:assignedIPv4'), pool.join())

  const diff = await server.kubectl(
    ['diff', '--server-side', `--field-manager=${engine}`, '-k', overlay], { capMs: startCapMs },
  )
  assert.equal([diff.code, diff.stdout], [0, ''], diff.stderr)
  const manifest = await rig.kubectl('kustomize', overlay)
  const before = await versionsOf(server, manifest, /^Deployment$/)
  await server.kubectlOk(apply, { capMs: startCapMs })
  assert.equal([...await versionsOf(server, manifest, /^Deployment$/)], [...before])
})

test.run()
