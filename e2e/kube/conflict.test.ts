/** What only the wire shows is why a Service is silent: its condition says so, for as long as that lasts. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { runOk, until } from '../lab/command.ts'
import { lan } from '../lab/lab.ts'
import { findAssets, testUnless } from './assets.ts'
import {
  advertisement, at, conditionMessage, conditionOf, namespace, pool, service, slice, textAt,
} from './objects.ts'
import { auditPolicyFor } from './rights.ts'
import { openRig, type Rig, type Role, waitMs } from './rig.ts'
import { serverPrograms } from './server.ts'

const assets = await findAssets(serverPrograms)
const check = testUnless('lack' in assets ? assets.lack : undefined, test)
const nodes = ['a', 'b', 'c']
const address = '192.168.1.240'
/** What a reason may take to show, and one generous cap on a busy machine. */
const promisedMs = 5_000
const account = `system:serviceaccount:${namespace}:speaker`

let rig: Rig
const speakers = new Map<string, Role>()
if ('folder' in assets) {
  rig = await openRig({
    assets: assets.folder, nodes, others: { foreign: { lan: lan(40) } },
    auditPolicy: auditPolicyFor([account]),
  })
  test.after(async () => void await rig[Symbol.asyncDispose]())
  const begun = nodes.map(async (name) => void speakers.set(name, await rig.startSpeaker(name)))
  await rig.startController()
  await Promise.all(begun)
  // Asked for by name: the controller must not give it another address.
  const named = { 'metallb.io/loadBalancerIPs': address }
  await rig.apply(
    pool('lan', [`${address}/30`]), advertisement('lan'), service('web', {}, named),
    slice('web', nodes.map((node) => ({ node }))),
  )
}

async function isAnnounced(): Promise<string> {
  const now = await rig.serviceWhen('web', 'is announced', (one) => conditionOf(one) === 'True announced')
  const [, owner = ''] = /from node "([abc])" on eth0$/.exec(conditionMessage(now)) ?? []
  assert.ok(nodes.includes(owner), conditionMessage(now))
  return owner
}

/** How often speakers have changed what they tell of themselves, besides the configuration. */
function countTold(): number {
  return rig.server.audit().filter((event) => {
    const found = at(event, 'objectRef')
    return textAt(event, 'verb') === 'patch' && textAt(found, 'resource') === 'configurationstates' &&
      textAt(found, 'subresource') === ''
  }).length
}

async function timesTold(): Promise<number> {
  const events = (await rig.events('web')).filter((text) => text.includes(' notAnnounced '))
  return events.reduce((sum, text) => sum + Number(/ ×(\d+) /.exec(text)?.[1]), 0)
}

const annotationOf = async (node: string): Promise<string> => textAt(await rig.read(
  `/apis/metallb.io/v1beta1/namespaces/${namespace}/configurationstates/speaker-${node}`,
), 'metadata', 'annotations', 'arpeggio.io/silent')

/** Waits for the reason, and says how long that took. */
async function showsWithin(reason: string, begunMs: number): Promise<string> {
  const now = await rig.serviceWhen('web', reason, (one) => conditionOf(one) === `False ${reason}`)
  const tookMs = performance.now() - begunMs
  assert.ok(tookMs < promisedMs, `${reason} after ${Math.round(tookMs)} ms`)
  return conditionMessage(now)
}

check('a foreign host takes an address: the condition names node and MAC, until it has gone', async () => {
  const owner = await isAnnounced()
  const [before, events] = [countTold(), await timesTold()]
  const host = rig.lab.host('foreign')
  const mac = host.mac('eth0')
  const begunMs = performance.now()
  await host.execOk(['ip', 'address', 'add', `${address}/24`, 'dev', 'eth0'])
  await host.exec(['arping', '-U', '-c', '1', '-I', 'eth0', address])
  const message = await showsWithin('inConflict', begunMs)
  const words = 'a machine that is none of ours answers for the address, or for one that goes with it'
  assert.is(message, `${address} is not announced: node "${owner}": ${words}: ${mac} (inConflict)`)
  assert.equal(JSON.parse(await annotationOf(owner)), [{ text: address, reason: 'inConflict', mac }])
  const page: unknown = JSON.parse(await speakers.get(owner)?.page('/status?format=json') ?? '')
  const row = at(page, 'services', 0, 'silent', 0)
  assert.equal(row, { address, node: owner, reason: 'inConflict' })
  // Asked again after ten seconds.
  await host.execOk(['ip', 'address', 'del', `${address}/24`, 'dev', 'eth0'])
  await until('it is announced again', async () => conditionOf(await rig.service('web')) === 'True announced',
    2 * waitMs)
  assert.is(await isAnnounced(), owner)
  assert.is(await annotationOf(owner), '')
  assert.is(await timesTold(), events + 1)
  await until('both writes are in the log', () => countTold() - before >= 2, waitMs)
  assert.is(countTold() - before, 2)
})

check('an owner whose uplink is gone and that has no successor: ownerDeaf, with the interface', async () => {
  const owner = await isAnnounced()
  await rig.kubectl('label', 'node', owner, 'chosen=true')
  await rig.apply(advertisement('lan', { nodeSelectors: [{ matchLabels: { chosen: 'true' } }] }))
  assert.is(await isAnnounced(), owner)
  const port = (...words: readonly string[]): Promise<unknown> =>
    runOk(['ip', '-n', `${rig.lab.prefix}wire`, 'link', 'set', `${owner}.0`, ...words])
  const begunMs = performance.now()
  await port('nomaster')
  const message = await showsWithin('ownerDeaf', begunMs)
  assert.match(message, new RegExp(`node "${owner}": it owns the address, and hears no other host on eth0`))
  await port('master', 'lan')
  assert.is(await isAnnounced(), owner)
  await rig.apply(advertisement('lan'))
})

check('an owner dies: its successor announces, and nobody tells of a silence', async () => {
  const owner = await isAnnounced()
  const [before, events] = [countTold(), await timesTold()]
  process.kill(speakers.get(owner)?.child.pid ?? 0, 'SIGKILL')
  await rig.serviceWhen('web', 'is elsewhere', (now) =>
    /from node "[abc]"/.test(conditionMessage(now)) && !conditionMessage(now).includes(`"${owner}"`))
  // A silence that had lasted would be told by now.
  await new Promise((resolve) => setTimeout(resolve, 2_500))
  assert.equal([countTold() - before, await timesTold() - events], [0, 0])
  for (const node of nodes) assert.is(await annotationOf(node), '')
})

test.run()
