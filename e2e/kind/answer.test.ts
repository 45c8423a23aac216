/** Who answers on the docker network, with which hardware address, and what is said unasked. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { apply, eventually, kubectl, openCluster } from './cluster.ts'
import { addressesOf, advertisement, onNodes, openStage, pool, service } from './objects.ts'
import { answerers, fetchPage, namesOf } from './voice.ts'

const names = ['answer', 'answer-first', 'answer-second', 'answer-nowhere']
const closing = new AsyncDisposableStack()
const cluster = closing.use(await openCluster())
const { namespace } = closing.use(await openStage('answer', names))
const machines = await cluster.machines()
const places = [cluster.host, cluster.client]
const [first, second] = cluster.workers
const wire = closing.use(await cluster.capture('arp or icmp6'))
const { ipv4, ipv6 } = cluster

await apply(
  pool('answer', [`${ipv4(200)}-${ipv4(203)}`, `${ipv6(0)}-${ipv6(3)}`]), advertisement('answer'),
  service(namespace, 'both', { pool: 'answer', families: 'RequireDualStack' }),
)
const addresses = await addressesOf(namespace, 'both', 2)

/** The node that the cluster's own object names as the announcer; one, once all is settled. */
async function announcerOf(name: string): Promise<string> {
  const rows = await eventually(`one ServiceL2Status for ${name}`, async () => {
    const { items }: { items: readonly L2Status[] } = JSON.parse(
      await kubectl(['-n', 'metallb-system', 'get', 'servicel2statuses', '-o', 'json']))
    const found = items.filter(({ status }) =>
      status?.serviceNamespace === namespace && status.serviceName === name)
    return found.length === 1 && found
  })
  return rows[0]?.status?.node ?? ''
}

interface L2Status {
  readonly status?: { readonly node: string; readonly serviceName: string; readonly serviceNamespace: string }
}

/** What everybody is told unasked about an address: requests and replies, or advertisements. */
function unasked(address: string): readonly string[] {
  const text = address.replaceAll('.', '\\.')
  const forms = address.includes(':')
    ? new RegExp(`> 33:33:00:00:00:01, .*neighbor advertisement, .*tgt is ${text}\\b`)
    : new RegExp(`> ff:ff:ff:ff:ff:ff, .*(?:Request who-has ${text} .*tell ${text}|Reply ${text} is-at )`)
  return wire.matching(forms)
}

test('a dual-stack Service gets an address of each family from the pool', () => {
  assert.equal(addresses.toSorted(), [ipv4(200), ipv6(0)].toSorted())
})

for (const address of [ipv4(200), ipv6(0)]) {
  test(`${address}: exactly one answers, the node that the cluster names`, async () => {
    const announcer = await announcerOf('both')
    for (const place of places) {
      const answers = namesOf(await answerers(place, address), machines)
      assert.equal(answers, [announcer], `asked from ${place.name}`)
    }
  })

  test(`${address}: announced in a burst, by this node alone`, async () => {
    const announcer = await announcerOf('both')
    const frames = await eventually('a burst', async () => unasked(address).length >= 6 && unasked(address))
    const senders = frames.map((line) => /(\S+) > /.exec(line)?.[1] ?? '')
    assert.equal(namesOf([...new Set(senders)], machines), [announcer])
    if (address.includes(':')) return
    const forms = frames.map((line) => line.includes('Request') ? 'request' : 'reply')
    assert.equal(forms.slice(0, 6), ['request', 'reply', 'request', 'reply', 'request', 'reply'])
  })

  test(`${address}: the page is there, from the host and from a container`, async () => {
    for (const place of places) assert.match(await fetchPage(place, address), /^page on \S+ for /)
  })
}

test('nobody answers for an address that no Service has', async () => {
  assert.equal(await answerers(cluster.client, ipv4(201)), [])
  assert.equal(await answerers(cluster.client, ipv6(1)), [])
})

test('an address is not answered any more once its Service has gone', async () => {
  await apply(service(namespace, 'short', { pool: 'answer' }))
  const [address = ''] = await addressesOf(namespace, 'short')
  await eventually('an answer', async () => (await answerers(cluster.client, address)).length === 1)
  await kubectl(['-n', namespace, 'delete', 'service', 'short'])
  await eventually('silence', async () => (await answerers(cluster.client, address)).length === 0)
})

for (const [n, machine] of [first, second].entries()) {
  test(`a node selector: only ${machine?.name} answers`, async () => {
    const name = names[n + 1] ?? ''
    const address = ipv4(204 + n)
    await apply(
      pool(name, [`${address}/32`]), advertisement(name, onNodes(machine?.name ?? '')),
      service(namespace, name, { pool: name }),
    )
    assert.equal(await addressesOf(namespace, name), [address])
    const answers = await eventually('an answer', async () => {
      const macs = await answerers(cluster.client, address)
      return macs.length > 0 && macs
    })
    assert.equal(namesOf(answers, machines), [machine?.name])
  })
}

test('an interface that no node has: nobody answers, until the selector names one of theirs', async () => {
  const name = 'answer-nowhere'
  const address = ipv4(206)
  await apply(
    pool(name, [`${address}/32`]), advertisement(name, { interfaces: ['nowhere0'] }),
    service(namespace, name, { pool: name }),
  )
  assert.equal(await addressesOf(namespace, name), [address])
  await eventually('the Service says why', async () => {
    const { status } = JSON.parse(await kubectl(['-n', namespace, 'get', 'service', name, '-o', 'json']))
    const conditions: readonly { type: string; status: string; message: string }[] =
      status.conditions ?? []
    const { status: isTrue, message } =
      conditions.find(({ type }) => type === 'arpeggio.io/Announced') ?? {}
    return isTrue === 'False' && /none of the interfaces/.test(message ?? '')
  })
  assert.equal(await answerers(cluster.client, address), [])
  await apply(advertisement(name, { interfaces: ['eth0'] }))
  await eventually('an answer', async () => (await answerers(cluster.client, address)).length === 1)
})

test.after(() => closing.disposeAsync())
test.run()
