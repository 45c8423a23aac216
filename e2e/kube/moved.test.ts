/** A machine has an address of ours: its Service gets another, or keeps what it asked for by name. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { until } from '../lab/command.ts'
import { lan } from '../lab/lab.ts'
import { findAssets, testUnless } from './assets.ts'
import {
  advertisement, conditionOf, ingressOf, namespace, pool, service, slice, textAt,
} from './objects.ts'
import { openRig, type Rig, type Role, waitMs } from './rig.ts'
import { serverPrograms } from './server.ts'

const assets = await findAssets(serverPrograms)
const check = testUnless('lack' in assets ? assets.lack : undefined, test)
const nodes = ['a', 'b']
const ip = (n: number): string => `192.168.1.${n}`

let rig: Rig
let controller: Role
const speakers = new Map<string, Role>()
if ('folder' in assets) {
  rig = await openRig({ assets: assets.folder, nodes, others: { foreign: { lan: lan(40) } } })
  test.after(async () => void await rig[Symbol.asyncDispose]())
  const begun = nodes.map(async (name) => void speakers.set(name, await rig.startSpeaker(name)))
  controller = await rig.startController()
  await Promise.all(begun)
  const slices = ['web', 'wiki', 'named'].map((name) => slice(name, nodes.map((node) => ({ node }))))
  await rig.apply(pool('lan', [`${ip(240)}-${ip(245)}`]), advertisement('lan'), service('web', {}), ...slices)
  await sees('web', 240)
  await rig.apply(service('wiki', {}))
  await sees('wiki', 241)
  await rig.apply(service('named', {}, { 'metallb.io/loadBalancerIPs': ip(245) }))
  await sees('named', 245)
}

/** Its status has this address, and its condition says that it is announced. */
async function sees(name: string, n: number): Promise<void> {
  await rig.serviceWhen(name, `is announced at ${ip(n)}`, (one) =>
    ingressOf(one).join() === ip(n) && conditionOf(one) === 'True announced')
}

async function take(n: number): Promise<void> {
  const host = rig.lab.host('foreign')
  await host.execOk(['ip', 'address', 'add', `${ip(n)}/24`, 'dev', 'eth0'])
  await host.exec(['arping', '-U', '-c', '1', '-I', 'eth0', ip(n)])
}

/** Names of the hosts that answer. */
async function voices(n: number): Promise<readonly string[]> {
  const names = [...nodes, 'foreign']
  return [...await rig.answers(ip(n))].map((mac) =>
    names.find((name) => rig.lab.host(name).mac('eth0') === mac) ?? mac)
}

async function moves(name: string): Promise<readonly string[]> {
  return (await rig.events(name)).filter((text) => text.includes('in place of'))
}

check('its Service is announced elsewhere, with one event that names the MAC; no other moves', async () => {
  const mac = rig.lab.host('foreign').mac('eth0')
  await take(241)
  await sees('wiki', 242)
  assert.equal(await voices(241), ['foreign'])
  const [owner, ...more] = await voices(242)
  assert.ok(nodes.includes(owner ?? '') && more.length === 0, `${owner} ${more.join()}`)
  const event = await until('the event is written', async () => {
    const all = await moves('wiki')
    return all.length > 0 && all
  }, waitMs)
  assert.is(event.length, 1, event.join('\n'))
  const words = `Assigned IP ["${ip(242)}"] (in place of ${ip(241)}, for which the host ${mac} answers)`
  assert.ok(event[0]?.includes(words), event[0])
  assert.equal((await rig.events('wiki')).filter((text) => text.includes('ClearAssignment')), [])
  const said = controller.child.lines.filter((line) => line.includes('"event":"foreignHost"'))
  assert.is(said.length, 1, said.join('\n'))
  for (const [name, n] of [['web', 240], ['named', 245]] as const) await sees(name, n)
})

check('another address is taken too, and the first one is free again: on to a third', async () => {
  await rig.lab.host('foreign').execOk(['ip', 'address', 'del', `${ip(241)}/24`, 'dev', 'eth0'])
  await take(242)
  await sees('wiki', 243)
  assert.equal(await voices(242), ['foreign'])
})

check('whoever asked for it by name keeps it, and says whose it is', async () => {
  await take(245)
  const now = await rig.serviceWhen('named', 'inConflict', (one) => conditionOf(one) === 'False inConflict')
  assert.equal(ingressOf(now), [ip(245)])
  assert.equal(await voices(245), ['foreign'])
  assert.equal(await moves('named'), [])
  // Nothing has gone back meanwhile.
  for (const [name, n] of [['web', 240], ['wiki', 243]] as const) await sees(name, n)
})

const blocked = `
  table inet fault {
    chain in { type filter hook input priority -300; meta l4proto { tcp, udp } th dport 7946 drop; }
  }
`

/** Addresses for which the node's speaker says that others answer. */
async function reportedBy(node: string): Promise<string> {
  const state = await rig.read(
    `/apis/metallb.io/v1beta1/namespaces/${namespace}/configurationstates/speaker-${node}`,
  )
  return textAt(state, 'metadata', 'annotations', 'arpeggio.io/silent')
}

check('gossip is cut, and a speaker that restarts knows no member: nothing moves', async () => {
  const [owner = ''] = await voices(240)
  const other = nodes.find((name) => name !== owner) ?? ''
  for (const name of nodes) await rig.lab.host(name).execOk(['nft', '-f', '-'], { stdin: blocked })
  await speakers.get(other)?.child.stop('SIGKILL')
  speakers.set(other, rig.spawnSpeaker(other))
  const isTold = async (): Promise<boolean> => (await reportedBy(other)).includes(`"${ip(240)}"`)
  await until('it reports the address', isTold, waitMs)
  // The controller has seen it by then, twice over.
  await new Promise((resolve) => setTimeout(resolve, 2_000))
  assert.ok((await reportedBy(other)).includes(`"${rig.lab.host(owner).mac('eth0')}"`))
  await sees('web', 240)
  assert.equal([await moves('web'), await voices(240)], [[], [owner]])
})

test.run()
