/** Flux's real kustomize-controller reconciles while Services come and go: one apply, then peace. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { testUnless } from '../kube/assets.ts'
import { conditionOf, ingressOf, namespace, service, slice } from '../kube/objects.ts'
import { openRig, type Rig } from '../kube/rig.ts'
import { until } from '../lab/command.ts'
import { untilAssigned } from './cluster.ts'
import { auditPolicy, fluxWrites, startFlux } from './flux.ts'
import { findEngines } from './tools.ts'

const { lack, folder, kubeFolder } = await findEngines(['kustomize-controller', 'definitions'])
const check = testUnless(lack, test)

/** A few rounds, or as many as fit into some minutes at the interval that the issue names. */
const minutes = Number(process.env['ARPEGGIO_FLUX_MINUTES'] ?? '0')
const plan = minutes > 0 ? { interval: '30s', rounds: minutes * 2 } : { interval: '3s', rounds: 6 }
const roundMs = minutes > 0 ? 90_000 : 60_000

/** One more Service comes, is announced, and goes. */
async function comeAndGo(rig: Rig, name: string): Promise<void> {
  await rig.apply(service(name), slice(name, [{ node: 'a' }]))
  await rig.serviceWhen(name, 'is announced', (now) => /^True /.test(conditionOf(now)))
  await untilAssigned(rig.server, 'lan', 2)
  await rig.kubectl('delete', 'service', name)
  await untilAssigned(rig.server, 'lan', 1)
}

check(`${plan.rounds} rounds change nothing after the first apply, and revert nothing of ours`, async () => {
  await using rig = await openRig({
    assets: kubeFolder, nodes: ['a'], idle: ['daemonset-controller'],
    auditPolicy,
  })
  const folders = { tools: folder, assets: kubeFolder }
  await startFlux(rig, { ...folders, interval: plan.interval })
  await using controller = await rig.startController()
  await using speaker = await rig.startSpeaker('a')
  await rig.apply(slice('web', [{ node: 'a' }]))
  const isAnnounced = (now: unknown): boolean => /^True /.test(conditionOf(now))
  const web = await rig.serviceWhen('web', 'is applied and announced', isAnnounced)
  await untilAssigned(rig.server, 'lan', 1)
  // The round that applied may not have ended; the one after it has seen all of it.
  const begun = fluxWrites(rig).rounds
  await until('Flux goes on', () => fluxWrites(rig).rounds > begun, roundMs)
  const first = fluxWrites(rig)
  const end = performance.now() + plan.rounds * roundMs
  assert.ok(first.changes.includes('patch daemonsets speaker'), first.changes.join('\n'))

  const wanted = first.rounds + plan.rounds
  let services = 0
  while (fluxWrites(rig).rounds < wanted) {
    services += 1
    await comeAndGo(rig, `guest-${services}`)
    assert.ok(performance.now() < end, 'Flux has stopped')
  }
  const last = fluxWrites(rig)
  assert.equal(last.changes.slice(first.changes.length), [])
  const now = await rig.service('web')
  assert.equal(ingressOf(now), ingressOf(web))
  assert.is(conditionOf(now), conditionOf(web))
  console.log(`${last.rounds - first.rounds} rounds, ${services} Services came and went`)

  // It is awake, and this count sees it: what somebody else changes comes back.
  await rig.kubectl('set', 'image', 'deployment/controller', '-n', namespace, 'controller=other:1')
  await until('Flux reverts what is not ours', () =>
    fluxWrites(rig).changes.slice(last.changes.length).includes('patch deployments controller')
  , roundMs)
  assert.ok(controller.child.isRunning() && speaker.child.isRunning())
})

test.run()
