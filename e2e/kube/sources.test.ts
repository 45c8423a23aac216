/** Where configuration comes from: the old ConfigMap, CRDs that come later, both, bad edits, nothing. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { until } from '../lab/command.ts'
import { findAssets, testUnless } from './assets.ts'
import {
  advertisement, at, conditionMessage, conditionOf, type Fields, ingressOf, namespace, pool, service,
  slice, textAt,
} from './objects.ts'
import { openRig, type Rig, type Role, waitMs } from './rig.ts'
import { serverPrograms } from './server.ts'

const assets = await findAssets(serverPrograms)
const check = testUnless('lack' in assets ? assets.lack : undefined, test)
const group = `/apis/metallb.io/v1beta1/namespaces/${namespace}`

let rig: Rig
let controller: Role
let speaker: Role
if ('folder' in assets) {
  rig = await openRig({ assets: assets.folder, nodes: ['a'], hasCrds: false })
  test.after(async () => void await rig[Symbol.asyncDispose]())
  await start()
}

async function start(): Promise<void> {
  [controller, speaker] = await Promise.all([rig.startController(), rig.startSpeaker('a')])
}

async function stop(): Promise<void> {
  assert.equal(await Promise.all([controller.child.stop(), speaker.child.stop()]), [0, 0])
}

function configMap(text: string): Fields {
  const metadata = { name: 'config', namespace }
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { config: text } }
}

const legacy = (range: string): string => `
address-pools:
- name: old
  protocol: layer2
  addresses: [${range}]
`

const has = (address: string) => (of: unknown): boolean => String(ingressOf(of)) === address
const isAnnounced = (of: unknown): boolean => conditionOf(of) === 'True announced'
const poolOf = (of: unknown): string =>
  textAt(of, 'metadata', 'annotations', 'metallb.io/ip-allocated-from-pool')

async function add(name: string, annotations: Readonly<Record<string, string>> = {}): Promise<void> {
  await rig.apply(service(name, {}, annotations), slice(name, [{ node: 'a' }]))
}

async function answeredByA(address: string): Promise<void> {
  const mac = rig.lab.host('a').mac('eth0')
  await until(`${address} is answered by node a`, async () =>
    [...await rig.answers(address)].join() === mac, waitMs)
}

/** Result of a ConfigurationState, once it is that. */
async function stateIs(name: string, result: string): Promise<unknown> {
  return until(`${name} is ${result}`, async () => {
    const state = await rig.read(`${group}/configurationstates/${name}`)
    return textAt(state, 'status', 'result') === result && state
  }, waitMs)
}

check('the old ConfigMap alone is enough, before any CRD is installed', async () => {
  await rig.apply(configMap(legacy('192.168.1.240-192.168.1.243')))
  await add('web')
  const web = await rig.serviceWhen('web', 'is announced', isAnnounced)
  assert.equal([ingressOf(web), poolOf(web)], [['192.168.1.240'], 'old'])
  await answeredByA('192.168.1.240')
})

check('CRDs installed later are noticed: pools are read, statuses are written', async () => {
  await rig.installCrds()
  await stateIs('controller', 'Valid')
  await stateIs('speaker-a', 'Valid')
  await rig.apply(pool('new', ['192.168.1.220-192.168.1.223']), advertisement('all'))
  await add('modern', { 'metallb.io/address-pool': 'new' })
  await rig.serviceWhen('modern', 'has an address', has('192.168.1.220'))
  await answeredByA('192.168.1.220')
  await until('both Services have a status object', async () => {
    const names = await rig.kubectl('get', 'servicel2statuses', '-n', namespace, '-o', 'json')
    return ['web', 'modern'].every((name) => names.includes(`"serviceName": "${name}"`))
  }, waitMs)
  const web = await rig.serviceWhen('web', 'is announced as before', isAnnounced)
  assert.equal([ingressOf(web), poolOf(web)], [['192.168.1.240'], 'old'], 'nothing happened to it')
})

check('what is taken in is counted, an object at a time; a Service that is refused has failed', async () => {
  type Counts = readonly [updates: number, errors: number]
  const countsOf = async (role: Role): Promise<Counts> => {
    const metrics = await role.metrics()
    const count = (name: string): number => metrics.get(`metallb_k8s_client_${name}_total`) ?? -1
    return [count('updates'), count('update_errors')]
  }
  const [[updates, errors], [heard]] = [await countsOf(controller), await countsOf(speaker)]
  await add('misled', { 'metallb.io/address-pool': 'nowhere' })
  await rig.serviceWhen('misled', 'is refused', (now) => conditionOf(now) === 'False unknownPool')
  await rig.kubectl('delete', 'service', 'misled')
  // Created, its condition written, deleted; the speaker saw its endpoints too.
  await until('the controller has counted', async () => (await countsOf(controller))[0] >= updates + 3)
  await until('the speaker has counted', async () => (await countsOf(speaker))[0] >= heard + 4)
  assert.is((await countsOf(controller))[1], errors + 1)
})

check('a ConfigMap pool that overlaps a CRD pool is ignored with a warning; its addresses stay', async () => {
  await rig.apply(pool('heir', ['192.168.1.240-192.168.1.247']))
  const web = await rig.serviceWhen('web', 'has another pool', (now) => poolOf(now) === 'heir')
  assert.equal(ingressOf(web), ['192.168.1.240'])
  const warning = await until('it warns', () =>
    controller.log().find(({ msg, reason }) => msg === 'configuration warning' && reason === 'IgnoredPool'))
  assert.match(String(warning['message']), /"old".*"heir"|"heir".*"old"/)
  await stateIs('controller', 'Valid')
  await answeredByA('192.168.1.240')
  await rig.kubectl('delete', 'configmap', 'config', '-n', namespace)
})

check('a bad edit leaves the last good configuration in force, and says where it is wrong', async () => {
  await rig.apply(pool('crossing', ['192.168.1.242/32']))
  for (const name of ['controller', 'speaker-a']) {
    const state = await stateIs(name, 'Invalid')
    assert.match(textAt(state, 'status', 'errorSummary'), /^configuration error: .*192\.168\.1\.242\/32/)
  }
  for (const role of [controller, speaker]) {
    const line = role.log().find((one) => one['msg'] === 'failed to parse the configuration')
    assert.equal([line?.['level'], line?.['reason']], ['error', 'Overlap'])
    assert.is((await role.metrics()).get('metallb_k8s_client_config_stale_bool'), 1)
  }
  await add('meanwhile', { 'metallb.io/address-pool': 'heir' })
  await rig.serviceWhen('meanwhile', 'is served all the same', (now) =>
    isAnnounced(now) && has('192.168.1.241')(now))
  await answeredByA('192.168.1.240')
})

check('a restart beside the bad edit restores what was good', async () => {
  const kept = await rig.read(`/api/v1/namespaces/${namespace}/configmaps/arpeggio-last-good`)
  assert.match(textAt(kept, 'data', 'config'), /192\.168\.1\.240-192\.168\.1\.247/)
  await stop()
  await start()
  assert.ok(controller.log().some((line) => line['event'] === 'configRestored'))
  await answeredByA('192.168.1.240')
  await add('after', { 'metallb.io/address-pool': 'heir' })
  await rig.serviceWhen('after', 'is served', (now) => isAnnounced(now) && has('192.168.1.242')(now))
  assert.equal(ingressOf(await rig.service('web')), ['192.168.1.240'])
  await rig.kubectl('delete', 'ipaddresspool', 'crossing', '-n', namespace)
  await stateIs('controller', 'Valid')
  await stateIs('speaker-a', 'Valid')
  for (const role of [controller, speaker]) {
    assert.is((await role.metrics()).get('metallb_k8s_client_config_stale_bool'), 0)
  }
})

check('where nothing good was ever read, Services say so and nothing is taken from them', async () => {
  await stop()
  await rig.kubectl('delete', 'configmap', 'arpeggio-last-good', '-n', namespace)
  await rig.apply(configMap('address-pools: [{ name: half'))
  await start()
  await add('late')
  const isStale = (now: unknown): boolean => conditionOf(now) === 'False configurationStale'
  await rig.serviceWhen('late', 'says why', isStale)
  const web = await rig.serviceWhen('web', 'says why', isStale)
  assert.match(conditionMessage(web), /^192\.168\.1\.240 is not announced: .*refused \(see configurationst/)
  assert.equal(ingressOf(web), ['192.168.1.240'])
  assert.ok(controller.log().some((line) =>
    line['msg'] === 'configuration is missing, MetalLB will not function'))
  await rig.kubectl('delete', 'configmap', 'config', '-n', namespace)
  await rig.serviceWhen('web', 'is announced again', isAnnounced)
  await rig.serviceWhen('late', 'is served', isAnnounced)
  await answeredByA('192.168.1.240')
})

check('with the last pool go the addresses that we gave, and no other', async () => {
  await rig.apply(service('foreign', { loadBalancerClass: 'example.org/other' }), service('rival'))
  await rig.serviceWhen('rival', 'has one of ours', (now) => ingressOf(now).length === 1)
  const status = { status: { loadBalancer: { ingress: [{ ip: '203.0.113.77' }] } } }
  await rig.kubectl('patch', 'service', 'foreign', '--subresource=status', '-p', JSON.stringify(status))
  await rig.kubectl('delete', 'ipaddresspools', '--all', '-n', namespace)
  for (const name of ['web', 'modern', 'meanwhile', 'after', 'late', 'rival']) {
    const now = await rig.serviceWhen(name, 'is cleared', (one) =>
      ingressOf(one).length === 0 && conditionOf(one) === 'False noPool')
    assert.is(poolOf(now), '')
  }
  const cleared = /^Normal ClearAssignment metallb-controller ×1 current IP for "default\/web" not allowed/
  await until('its event is there', async () =>
    (await rig.events('web')).some((line) => cleared.test(line)), waitMs)
  // One without an address of ours gets one from elsewhere: it stays, though no pool contains it.
  await rig.kubectl('patch', 'service', 'rival', '--subresource=status', '-p', JSON.stringify(status))
  await add('witness')
  await rig.serviceWhen('witness', 'is told', (now) => conditionOf(now) === 'False noPool')
  assert.equal(ingressOf(await rig.service('rival')), ['203.0.113.77'])
  assert.equal(ingressOf(await rig.service('foreign')), ['203.0.113.77'])
  await until('nothing is answered', async () => (await rig.answers('192.168.1.240')).size === 0, waitMs)
  assert.equal(at(await rig.service('foreign'), 'status', 'conditions'), undefined)
})

test.run()
