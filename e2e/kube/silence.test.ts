/** Why not: each reason for which an address is silent is provoked, shown everywhere, and healed. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { runOk, until } from '../lab/command.ts'
import { findAssets, testUnless } from './assets.ts'
import {
  advertisement, conditionMessage, conditionOf, type EndpointPlan, type Fields, namespace, pool,
  service, slice,
} from './objects.ts'
import { openRig, type Rig, type Role, waitMs } from './rig.ts'
import { serverPrograms } from './server.ts'

const assets = await findAssets(serverPrograms)
const check = testUnless('lack' in assets ? assets.lack : undefined, test)
const nodes = ['a', 'b', 'c']
const address = '192.168.1.240'
const everywhere: readonly EndpointPlan[] = nodes.map((node) => ({ node }))

let rig: Rig
let controller: Role
const speakers = new Map<string, Role>()
if ('folder' in assets) {
  rig = await openRig({ assets: assets.folder, nodes })
  test.after(async () => void await rig[Symbol.asyncDispose]())
  const begun = nodes.map(async (name) => void speakers.set(name, await rig.startSpeaker(name)))
  controller = await rig.startController()
  await Promise.all(begun)
  await rig.apply(service('web'), slice('web', everywhere))
}

/** How long each reason took to show: the promise is 5 s; a loaded machine may break it now and then. */
const delaysMs: number[] = []

interface Case {
  readonly reason: string
  /** What the sentence says. */
  readonly text: RegExp
  readonly harm: () => Promise<unknown>
  readonly heal: () => Promise<unknown>
}

const each = (step: (node: string) => Promise<unknown>) => (): Promise<unknown> =>
  Promise.all(nodes.map(step))
const advertise = (spec: Fields) => (): Promise<unknown> => rig.apply(advertisement('lan', spec))
const plain = advertise({})
const endpoints = (...plans: readonly EndpointPlan[]) => (): Promise<unknown> =>
  rig.apply(slice('web', plans))
const policy = (name: string): Promise<unknown> =>
  rig.kubectl('patch', 'service', 'web', '-p', JSON.stringify({ spec: { externalTrafficPolicy: name } }))
const label = 'node.kubernetes.io/exclude-from-external-load-balancers'
const network = (status: string) => each((name) =>
  rig.kubectl('patch', 'node', name, '--subresource=status', '-p', JSON.stringify({ status: { conditions: [
    { type: 'NetworkUnavailable', status, reason: 'Suite', message: 'made by hand' },
  ] } })))
/** The port of a node's leg on the LAN, seen from the bridge: down means no carrier. */
const cable = (state: string) => each((name) =>
  runOk(['ip', '-n', `${rig.lab.prefix}wire`, 'link', 'set', `${name}.0`, state]))
const link = (state: string) => each((name) =>
  rig.lab.host(name).execOk(['ip', 'link', 'set', 'eth0', state]))
const nobody = { matchLabels: { nobody: 'has-it' } }

const cases: readonly Case[] = [
  { reason: 'noPool', text: /^no address: no pool/,
    harm: async () => undefined, heal: () => rig.apply(pool('lan', [`${address}/32`])) },
  { reason: 'noL2Advertisement', text: /no L2Advertisement selects its pool \(noL2Advertisement\)/,
    harm: async () => undefined, heal: plain },
  { reason: 'noEndpoints', text: /no endpoint of the Service can serve/,
    harm: endpoints({ node: 'a', ready: false }), heal: endpoints(...everywhere) },
  { reason: 'noLocalEndpoints', text: /nodes "a", "b", "c": externalTrafficPolicy is Local and no endpoint/,
    harm: async () => (await policy('Local'), await endpoints({ node: 'elsewhere' })()),
    heal: async () => (await policy('Cluster'), await endpoints(...everywhere)()) },
  { reason: 'nodeExcluded', text: /nodes "a", "b", "c": the label \S+ excludes it \(nodeExcluded\)/,
    harm: () => rig.kubectl('label', 'node', ...nodes, `${label}=`),
    heal: () => rig.kubectl('label', 'node', ...nodes, `${label}-`) },
  { reason: 'networkUnavailable', text: /nodes "a", "b", "c": its condition NetworkUnavailable is True/,
    harm: network('True'), heal: network('False') },
  { reason: 'noNodeMatch', text: /the nodeSelectors of every L2Advertisement of its pool match no node/,
    harm: advertise({ nodeSelectors: [nobody] }), heal: plain },
  { reason: 'noServiceMatch', text: /the serviceSelectors of every L2Advertisement of its pool leave/,
    harm: advertise({ serviceSelectors: [nobody] }), heal: plain },
  { reason: 'interfaceMissing', text: /nodes "a", "b", "c": it has none of the interfaces/,
    harm: advertise({ interfaces: ['nope'] }), heal: plain },
  { reason: 'noCarrier', text: /nodes "a", "b", "c": its interface has no carrier/,
    harm: async () => (await advertise({ interfaces: ['eth0'] })(), await cable('down')()),
    heal: async () => (await cable('up')(), await plain()) },
  { reason: 'interfaceDown', text: /nodes "a", "b", "c": its interface is down or cannot resolve/,
    harm: async () => (await advertise({ interfaces: ['eth0'] })(), await link('down')()),
    heal: async () => (await link('up')(), await addSix(), await plain()) },
  { reason: 'speakerAbsent', text: /nodes "a", "b", "c": no speaker runs on it/,
    harm: each((name) => endSpeaker(name)), heal: each(async (name) => {
      speakers.set(name, await rig.startSpeaker(name))
    }) },
]

/** An interface that goes down loses its IPv6 addresses. */
function addSix(): Promise<unknown> {
  return Promise.all(nodes.map((name, i) => rig.lab.host(name).execOk([
    'ip', 'address', 'add', `2001:db8:1::${11 + i}/64`, 'dev', 'eth0', 'nodad',
  ])))
}

async function endSpeaker(name: string): Promise<void> {
  await speakers.get(name)?.child.stop()
  await rig.kubectl('delete', 'pod', `speaker-${name}`, '-n', namespace)
}

for (const { reason, text, harm, heal } of cases) {
  check(`${reason}: in the condition, one event, the log and the metric; then it is healed`, async () => {
    const before = await timesTold('web')
    await harm()
    const message = await isTold('web', reason)
    assert.match(message, text)
    const want = message.startsWith('no address') ? before : before + 1
    await until('one event tells of it', async () => await timesTold('web') === want, waitMs)
    await heal()
    if (reason === 'noPool') return // with a pool, the next reason takes the place of this one
    const now = await isAnnounced('web')
    assert.match(conditionMessage(now), /^192\.168\.1\.240 is announced from node "[abc]" on eth0$/)
    assert.equal(await silentSeries(), [])
  })
}

async function isAnnounced(name: string): Promise<unknown> {
  return rig.serviceWhen(name, 'is announced', (now) => conditionOf(now) === 'True announced')
}

async function silentSeries(): Promise<readonly string[]> {
  return [...await controller.metrics()]
    .filter(([series]) => series.startsWith('arpeggio_services_not_announced'))
    .map(([series, count]) => `${series} ${count}`)
}

/** The reason stands in the condition, in one event, in a line of the log and in the metric. */
async function isTold(name: string, reason: string): Promise<string> {
  const begun = performance.now()
  const now = await rig.serviceWhen(name, reason, (one) => conditionOf(one) === `False ${reason}`)
  delaysMs.push(performance.now() - begun)
  const message = conditionMessage(now)
  // A refusal is told where it is decided, and nowhere else.
  const isRefusal = message.startsWith('no address')
  const lines = controller.log().filter((one) => one['service'] === `default/${name}`)
  const line = lines.findLast((one) => one['event'] === (isRefusal ? 'allocationFailed' : 'notAnnounced'))
  const want = message.replace(/^no address: /, '')
  assert.equal([line?.['level'], line?.['reason'], line?.['error']], ['warn', reason, want])
  if (isRefusal) assert.not.ok(lines.some((one) => one['error'] === message))
  assert.equal(await silentSeries(), [`arpeggio_services_not_announced{reason="${reason}"} 1`])
  const event = isRefusal
    ? /^Warning AllocationFailed metallb-controller ×1 Failed to allocate IP for "default\/\w+": /
    : new RegExp(`^Warning notAnnounced metallb-controller ×\\d+ ${escape(message)}$`)
  await until(`one event tells ${reason}`, async () => {
    const found = (await rig.events(name)).filter((text) => event.test(text))
    return found.length === 1
  }, waitMs)
  return message
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

/** How often events have told that the Service is not announced. */
async function timesTold(name: string): Promise<number> {
  const counts = (await rig.events(name)).flatMap((text) => / notAnnounced \S+ ×(\d+) /.exec(text)?.[1] ?? [])
  return counts.reduce((sum, count) => sum + Number(count), 0)
}

check('a chosen node whose speaker does not say that it announces: speakerAbsent, of that node', async () => {
  await rig.apply(advertisement('lan', { nodeSelectors: [{ matchLabels: { chosen: 'true' } }] }))
  await rig.kubectl('label', 'node', 'b', 'chosen=true')
  await rig.serviceWhen('web', 'is on b', (now) => conditionMessage(now).includes('from node "b"'))
  const pid = speakers.get('b')?.child.pid ?? 0
  process.kill(pid, 'SIGSTOP')
  try {
    await rig.kubectl('delete', 'servicel2statuses', '--all', '-n', namespace)
    assert.match(await isTold('web', 'speakerAbsent'), /node "b": no speaker runs on it, or it does not/)
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  await isAnnounced('web')
})

check('each node has its own reason; the word is that of a node that was meant to announce', async () => {
  await rig.kubectl('label', 'node', 'b', `${label}=`)
  const message = await isTold('web', 'nodeExcluded')
  assert.match(message, /nodes "a", "c": the nodeSelectors of .* leave the node out \(nodeNotSelected\)/)
  assert.match(message, /node "b": the label \S+ excludes it \(nodeExcluded\)/)
  await rig.kubectl('label', 'node', 'b', `${label}-`, 'chosen-')
  await plain()
  await isAnnounced('web')
})

check('a refused configuration is the reason where another would help, and only there', async () => {
  await rig.kubectl('delete', 'l2advertisement', 'lan', '-n', namespace)
  await isTold('web', 'noL2Advertisement')
  const crossing = pool('crossing', [`${address}/32`])
  await rig.apply(crossing, advertisement('lan'))
  assert.match(await isTold('web', 'configurationStale'), /\(noL2Advertisement\); the configuration in the/)
  await rig.kubectl('delete', 'ipaddresspool', 'crossing', '-n', namespace)
  await isAnnounced('web')
})

check('a shared address and an L2Advertisement with serviceSelectors do not go together', async () => {
  await rig.kubectl('label', 'service', 'web', 'tier=front')
  await advertise({ serviceSelectors: [{ matchLabels: { tier: 'front' } }] })()
  await isAnnounced('web')
  await rig.kubectl('annotate', 'service', 'web', 'metallb.io/allow-shared-ip=k')
  await isTold('web', 'sharedIPWithServiceSelector')
  await rig.kubectl('annotate', 'service', 'web', 'metallb.io/allow-shared-ip-')
  await plain()
  await isAnnounced('web')
})

check('a pair whose prefixes are on different nodes: the second address has no prefix there', async () => {
  await rig.kubectl('delete', 'service', 'web')
  await rig.apply(pool('lan', [`${address}/32`, '2001:db8:1::f0/128']))
  const host = (name: string, ...argv: string[]): Promise<string> => rig.lab.host(name).execOk(argv)
  await host('a', 'ip', 'address', 'del', '2001:db8:1::11/64', 'dev', 'eth0')
  await host('b', 'ip', 'address', 'del', '2001:db8:1::12/64', 'dev', 'eth0')
  await host('c', 'ip', 'address', 'del', '192.168.1.13/24', 'dev', 'eth0')
  await rig.apply(service('pair', { ipFamilyPolicy: 'RequireDualStack' }), slice('pair', everywhere))
  const message = await isTold('pair', 'noPrefix')
  assert.match(message, /192\.168\.1\.240 is announced from node "[ab]" on eth0; 2001:db8:1::f0 is not/)
  assert.match(message, /nodes "a", "b": none of its interfaces has a connected prefix .*\(noPrefix\)/)
  assert.match(message, /node "c": another address of the Service keeps it .*\(unitElsewhere\)/)
  await host('a', 'ip', 'address', 'add', '2001:db8:1::11/64', 'dev', 'eth0', 'nodad')
  const now = await isAnnounced('pair')
  assert.match(conditionMessage(now), /f0 is announced from node "a"/)
})

check('a speaker without CAP_NET_RAW cannot open a socket: socketFailed', async () => {
  await rig.kubectl('label', 'node', 'a', 'chosen=true')
  await advertise({ nodeSelectors: [{ matchLabels: { chosen: 'true' } }] })()
  await rig.serviceWhen('pair', 'is on a', (now) =>
    conditionMessage(now).includes('f0 is announced from node "a"'))
  await endSpeaker('a')
  const weak = await rig.startWeakSpeaker('a')
  assert.match(await isTold('pair', 'socketFailed'), /node "a": no packet socket can be opened/)
  await weak.child.stop()
  speakers.set('a', await rig.startSpeaker('a'))
  await isAnnounced('pair')
})

check('half of all reasons showed within 5 s', () => {
  const median = delaysMs.toSorted((a, b) => a - b)[Math.floor(delaysMs.length / 2)] ?? 0
  assert.ok(median < 5_000, delaysMs.map(Math.round).join(' '))
})

test.run()
