/** What happens to an address when its node dies, freezes, is cut off or drained, or its speaker goes. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openChild } from '../lab/command.ts'
import { apply, docker, eventually, kubectl, type Machine, openCluster } from './cluster.ts'
import { addressesOf, advertisement, lonePage, onNodes, openStage, pool, service } from './objects.ts'
import { answerers, fetchPage, namesOf } from './voice.ts'

const closing = new AsyncDisposableStack()
const cluster = closing.use(await openCluster())
const { namespace, image } = closing.use(await openStage('failover', ['failover']))
const wire = closing.use(await cluster.capture('arp'))
const names = cluster.workers.map(({ name }) => name)

await apply(
  // The control plane has the API server: it must not be what is stopped.
  pool('failover', [`${cluster.ipv4(220)}-${cluster.ipv4(223)}`]),
  advertisement('failover', onNodes(...names)),
  lonePage(namespace, image),
  service(namespace, 'steady', { pool: 'failover' }),
  service(namespace, 'lone', { pool: 'failover', policy: 'Local', app: 'lone' }),
)
const [steady = ''] = await addressesOf(namespace, 'steady')
const [lone = ''] = await addressesOf(namespace, 'lone')

/** The one node that answers, as soon as exactly one does. */
async function ownerOf(address: string): Promise<Machine> {
  return eventually(`exactly one answers for ${address}`, async () => {
    const machines = await cluster.machines()
    const macs = await answerers(cluster.client, address)
    return macs.length === 1 && machines.find(({ mac }) => mac === macs[0])
  })
}

/** The one node that answers, once it is another. */
async function moved(address: string, from: Machine): Promise<Machine> {
  return eventually(`not ${from.name} but another answers for ${address}`, async () => {
    const owner = await ownerOf(address)
    return owner.name !== from.name && owner
  })
}

/** Voices of a node since an instant (seconds, as tcpdump prints them): replies and gratuitous requests. */
function voices(address: string, mac: string, since: number): readonly number[] {
  const text = address.replaceAll('.', '\\.')
  const voice = new RegExp(`${mac} > .*(?:Reply ${text} is-at |Request who-has ${text} .*tell ${text},)`)
  return wire.matching(voice).map((line) => Number(line.split(' ')[0])).filter((at) => at >= since)
}

/**
 * Waits until a node that was lost is back. Its objects never said otherwise, so its speaker is asked, and
 * all others with it, whether they have a whole ring.
 */
async function isReady(name: string): Promise<void> {
  await eventually('a whole ring', async () => {
    const machines = await cluster.machines()
    const said = await Promise.all(machines.map(({ ipv4 }) => cluster.host.exec(
      ['sh', '-c', `curl -sS -m 3 http://${ipv4}:7472/metrics 2>&1 || :`], { capMs: 20_000 })))
    const whole = `arpeggio_memberlist_members{state="alive"} ${machines.length}\n`
    return said.every((text) => text.includes(whole))
  })
  await kubectl(['wait', '--for=condition=Ready', `node/${name}`, '--timeout=170s'])
  await kubectl(['-n', 'metallb-system', 'rollout', 'status', 'daemonset/speaker', '--timeout=170s'])
  await kubectl(['-n', namespace, 'rollout', 'status', 'daemonset/page', '--timeout=170s'])
}

/** Turns that the capture is told in; more would be a quarrel. */
const maxTurns = 6

/**
 * Tells who spoke when since an instant (seconds, as tcpdump prints them), in the order of the wire: a
 * turn ends with the other's first voice. Figures are printed, and nothing is asserted of them.
 */
function tell(it: string, address: string, since: number): void {
  const heard = cluster.workers.flatMap(({ name, mac }) =>
    voices(address, mac, since).map((at) => ({ name, at: at - since }))
  ).toSorted((a, b) => a.at - b.at)
  const starts = heard.filter(({ name }, n) => heard[n - 1]?.name !== name)
  const turns = starts.slice(0, maxTurns).map(({ name, at }, n) => {
    const next = starts[n + 1]?.at ?? Infinity
    const end = heard.filter((voice) => voice.at < next).at(-1)?.at ?? at
    return `${name} ${at.toFixed(2)} to ${end.toFixed(2)} s`
  })
  console.log(`measured ${it}: voices of ${turns.join(', ')}${starts.length > maxTurns ? ', …' : ''}`)
}

/** Far above what is promised (0.6 s): this machine may be very busy. */
const darkCapS = 5

interface Fault {
  readonly it: string
  readonly strike: (node: string) => Promise<unknown>
  readonly mend: (node: string) => Promise<unknown>
}

const faults: readonly Fault[] = [
  { it: 'docker kill', strike: (node) => docker('kill', node), mend: (node) => docker('start', node) },
  { it: 'docker pause', strike: (node) => docker('pause', node), mend: (node) => docker('unpause', node) },
  { it: 'docker network disconnect', strike: (node) => docker('network', 'disconnect', 'kind', node),
    // It gets its address again: the lowest that is free.
    mend: (node) => docker('network', 'connect', 'kind', node) },
]

for (const { it, strike, mend } of faults) {
  test(`${it}: exactly one other node answers, and exactly one when the node is back`, async () => {
    const from = await ownerOf(steady)
    const at = Date.now() / 1_000
    await using _asking = openAskers(steady)
    await strike(from.name)
    let mendedAt = Infinity
    let to = from
    try {
      to = await moved(steady, from)
      await eventually('a page', async () => (await fetchPage(cluster.client, steady)).startsWith('page on'))
    } finally {
      mendedAt = Date.now() / 1_000
      await mend(from.name)
    }
    const machines = await cluster.machines()
    assert.is(machines.find((machine) => machine.name === from.name)?.ipv4, from.ipv4)
    await isReady(from.name)
    await ownerOf(steady)
    await eventually('a page', async () => (await fetchPage(cluster.client, steady)).startsWith('page on'))
    tell(it, steady, at)
    const last = voices(steady, from.mac, at).filter((voice) => voice < mendedAt).at(-1) ?? at
    const first = voices(steady, to.mac, at)[0] ?? Infinity
    console.log(`measured ${it}: dark ${(first - last).toFixed(2)} s between voices`)
    assert.ok(last < first, `${from.name} speaks ${last - first} s after ${to.name} has begun`)
    assert.ok(first - last < darkCapS, `nobody speaks for ${first - last} s`)
  })
}

/** Five that ask for an address once a second each, so that its owner speaks all the time. */
function openAskers(address: string): AsyncDisposableStack {
  const askers = new AsyncDisposableStack()
  for (let n = 0; n < 5; n += 1) {
    askers.use(openChild([...cluster.client.enter, 'arping', '-q', '-b', '-I', 'eth0', address]))
  }
  return askers
}

test('drain: an address whose only page is evicted goes where it runs again', async () => {
  const from = await ownerOf(lone)
  const at = Date.now() / 1_000
  try {
    await kubectl(['drain', from.name, '--ignore-daemonsets', '--delete-emptydir-data', '--force'])
    const to = await moved(lone, from)
    tell('drain', lone, at)
    await eventually('its page, which sees the client', async () =>
      await fetchPage(cluster.client, lone) === `page on ${to.name} for ${cluster.client.ipv4}\n`)
  } finally {
    await kubectl(['uncordon', from.name])
  }
})

test('speaker Pod deleted: exactly one node answers', async () => {
  const from = await ownerOf(steady)
  const at = Date.now() / 1_000
  const pod = ['-n', 'metallb-system', 'delete', 'pod', '-l', 'component=speaker']
  await kubectl([...pod, `--field-selector=spec.nodeName=${from.name}`])
  await isReady(from.name)
  const to = await ownerOf(steady)
  tell('speaker Pod deleted', steady, at)
  assert.equal(namesOf(await answerers(cluster.host, steady), await cluster.machines()), [to.name])
  assert.match(await fetchPage(cluster.client, steady), /^page on /)
})

test.after(() => closing.disposeAsync())
test.run()
