/** Every right of deploy/base is used, and nothing else is asked for: the API server's audit log says so. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { until } from '../lab/command.ts'
import { findAssets, testUnless } from './assets.ts'
import {
  advertisement, conditionOf, ingressOf, namespace, pool, service, slice, textAt,
} from './objects.ts'
import { openRig, type Rig, waitMs } from './rig.ts'
import { auditPolicyFor, grantedBy, type Usage, usageOf } from './rights.ts'
import { serverPrograms } from './server.ts'

const assets = await findAssets(serverPrograms)
const check = testUnless('lack' in assets ? assets.lack : undefined, test)
const folder = 'folder' in assets ? assets.folder : ''

const roles = ['controller', 'speaker'] as const
const accountOf = (role: string): string => `system:serviceaccount:${namespace}:${role}`

/** Rights that this run does not use, and why they are there. */
const unused: Readonly<Record<typeof roles[number], readonly string[]>> = {
  controller: [],
  speaker: [],
}

check('what is granted is used, and what is used is granted', async () => {
  await using rig = await openRig({
    assets: folder, nodes: ['a'], auditPolicy: auditPolicyFor(roles.map(accountOf)),
  })
  await exercise(rig)
  for (const role of roles) {
    const granted = grantedBy(await Promise.all([
      rig.read(`/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/roles/${role}`),
      rig.read(`/apis/rbac.authorization.k8s.io/v1/clusterroles/metallb-system:${role}`),
    ]))
    assert.ok(granted.size > 20, `${role}: ${granted.size} rights`)
    const usage = (): Usage => usageOf(rig.server.audit(), accountOf(role), granted)
    const idle = (): readonly string[] => [...granted].filter((right) => !usage().used.has(right)).toSorted()
    // What was asked for last may not be in the log yet.
    await until(`${role} has used its rights`, () => idle().length <= unused[role].length, waitMs)
      .catch(() => undefined)
    assert.equal({ role, denied: usage().denied, idle: idle() }, { role, denied: [], idle: unused[role] })
    // What must never happen would be seen.
    const token = (await rig.kubectl('create', 'token', role, '-n', namespace)).trim()
    await rig.server.kubectl(['--token', token, 'delete', 'service', 'last'])
    await until(`${role} is refused`, () => usage().denied.length > 0, waitMs)
    assert.equal(usage().denied, ['delete /services last'])
  }
})

/** A life with everything in it that either role writes. */
async function exercise(rig: Rig): Promise<void> {
  const announced = (name: string): Promise<unknown> =>
    rig.serviceWhen(name, 'is announced', (now) => conditionOf(now) === 'True announced')
  const silent = (name: string): Promise<unknown> =>
    rig.serviceWhen(name, 'is silent', (now) => conditionOf(now).startsWith('False'))
  await using _controller = await rig.startController()
  await using _speaker = await rig.startSpeaker('a')
  await rig.apply(pool('lan', ['192.168.1.240/30']), advertisement('lan'))
  await rig.apply(service('web'), slice('web', [{ node: 'a' }]))
  await announced('web')
  const secret = `/api/v1/namespaces/${namespace}/secrets/memberlist`
  await until('the secret is there', async () => await rig.read(secret) !== undefined, waitMs)
  // Twice the same, so that its events are counted up.
  for (let i = 0; i < 2; i += 1) {
    await rig.apply(slice('web', []))
    await silent('web')
    await rig.apply(slice('web', [{ node: 'a' }]))
    await announced('web')
  }
  const states = `/apis/metallb.io/v1beta1/namespaces/${namespace}/configurationstates`
  for (const name of ['controller', 'speaker-a']) {
    const label = (): Promise<string> => rig.read(`${states}/${name}`).then((state) =>
      textAt(state, 'metadata', 'labels', 'metallb.io/component-type'))
    await until(`${name} has told its state`, async () => await label() !== '', waitMs)
    await rig.kubectl('label', '-n', namespace, 'configurationstates', name, 'metallb.io/component-type-')
    await until(`${name} mends its labels`, async () => await label() !== '', waitMs)
  }
  // What was good is kept, and kept anew.
  await rig.apply(pool('lan', ['192.168.1.240/29']))
  const kept = `/api/v1/namespaces/${namespace}/configmaps/arpeggio-last-good`
  await until('the newest configuration is kept', async () =>
    textAt(await rig.read(kept), 'data', 'config').includes('192.168.1.240/29'), waitMs)
  await rig.kubectl('delete', 'service', 'web')
  await rig.apply(service('last'))
  await rig.serviceWhen('last', 'has an address', (now) => ingressOf(now).length > 0)
}

test.run()
