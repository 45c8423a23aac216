/** Connections to announced addresses through kube-proxy, in both its modes, with both traffic policies. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { apply, eventually, kubectl, openCluster } from './cluster.ts'
import { addressesOf, advertisement, openStage, pool, service } from './objects.ts'
import { answerers, fetchPage, namesOf } from './voice.ts'

const closing = new AsyncDisposableStack()
const cluster = closing.use(await openCluster())
const { namespace } = closing.use(await openStage('traffic', ['traffic']))
const machines = await cluster.machines()
const places = [cluster.host, cluster.client]
const { ipv4, ipv6 } = cluster
const sharing = { 'metallb.io/allow-shared-ip': 'traffic' }
const shared = ipv4(213)

await apply(
  pool('traffic', [`${ipv4(210)}-${ipv4(213)}`, `${ipv6(16)}-${ipv6(19)}`]), advertisement('traffic'),
  service(namespace, 'spread', { pool: 'traffic', families: 'RequireDualStack' }),
  service(namespace, 'near', { pool: 'traffic', families: 'RequireDualStack', policy: 'Local' }),
  ...[80, 81].map((port) => service(namespace, `shared-${port}`, {
    pool: 'traffic', port, annotations: { ...sharing, 'metallb.io/loadBalancerIPs': shared },
  })),
)
const spread = await addressesOf(namespace, 'spread', 2)
const near = await addressesOf(namespace, 'near', 2)

/** Restarts kube-proxy in a mode; rules of the other are its to remove. */
async function proxyBy(mode: string): Promise<void> {
  const system = ['-n', 'kube-system']
  const map = JSON.parse(await kubectl([...system, 'get', 'configmap', 'kube-proxy', '-o', 'json']))
  const text: string = map.data['config.conf']
  const changed = text.replace(/^mode: .*$/m, `mode: ${mode}`)
  assert.match(changed, `mode: ${mode}`)
  if (changed === text) return
  const patch = JSON.stringify({ data: { 'config.conf': changed } })
  await kubectl([...system, 'patch', 'configmap', 'kube-proxy', '--type=merge', '-p', patch])
  await kubectl([...system, 'rollout', 'restart', 'daemonset/kube-proxy'])
  await kubectl([...system, 'rollout', 'status', 'daemonset/kube-proxy', '--timeout=150s'])
  assert.match(await kubectl([...system, 'logs', 'daemonset/kube-proxy']), `Using ${mode} Proxier`)
}

for (const mode of ['iptables', 'nftables']) {
  test(`kube-proxy uses ${mode}`, async () => {
    await proxyBy(mode)
    for (const address of [...spread, ...near, shared]) {
      await eventually(`a page at ${address}`, async () =>
        (await fetchPage(cluster.client, address)).startsWith('page on'))
    }
  })

  for (const address of spread) {
    test(`${mode}, policy Cluster: ${address} reaches the pages on both workers`, async () => {
      for (const place of places) {
        const seen = new Set<string>()
        await eventually(`both pages, from ${place.name}`, async () => {
          seen.add(/^page on (\S+)/.exec(await fetchPage(place, address))?.[1] ?? 'no page')
          return seen.size >= cluster.workers.length
        })
        assert.equal([...seen].toSorted(), cluster.workers.map(({ name }) => name))
      }
    })
  }

  for (const address of near) {
    test(`${mode}, policy Local: ${address} keeps the client's address, on the announcing node`, async () => {
      for (const place of places) {
        const [announcer] = namesOf(await answerers(place, address), machines)
        const from = address.includes(':') ? place.ipv6 : place.ipv4
        const want = `page on ${announcer} for ${from}\n`
        assert.is(await fetchPage(place, address), want, `from ${place.name}`)
      }
    })
  }

  test(`${mode}: two Services share ${shared}, one node answers for it, each port has its page`, async () => {
    for (const port of [80, 81]) {
      assert.equal(await addressesOf(namespace, `shared-${port}`), [shared])
      assert.match(await fetchPage(cluster.client, shared, port), /^page on /)
    }
    assert.is((await answerers(cluster.client, shared)).length, 1)
  })
}

test.after(async () => {
  await proxyBy('iptables')
  await closing.disposeAsync()
})
test.run()
