/** An idle address behind a switch that forgets, and interfaces that come late or move away. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { runOk, until } from './command.ts'
import { lan, openLab } from './lab.ts'
import { openArpeggio } from './program.ts'

const configuration = (entries: string, families: string): string => `
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: { name: lan, namespace: metallb-system }
spec: { addresses: [${entries}] }
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: { name: lan, namespace: metallb-system }
---
apiVersion: v1
kind: Service
metadata: { name: idle, namespace: default }
spec: { type: LoadBalancer, ${families}, ports: [{ port: 80 }] }
`

test('an idle address outlives the ageing of a switch: it is refreshed, nobody has to ask', async () => {
  const address = '192.168.1.240'
  await using lab = await openLab({ hosts: { node: { lan: lan(10) }, router: { lan: lan(1) } } })
  const [node, router] = [lab.host('node'), lab.host('router')]
  const hub = ['ip', 'netns', 'exec', `${lab.prefix}wire`]
  // In hundredths of a second: the switch forgets a station after 30 s of silence.
  await runOk([...hub, 'ip', 'link', 'set', 'lan', 'type', 'bridge', 'ageing_time', '3000'])
  await router.execOk(['sysctl', '-q', '-w', 'net.ipv4.neigh.eth0.base_reachable_time_ms=3600000'])
  const config = join(lab.folder, 'config.yaml')
  await writeFile(config, configuration(`${address}/32`, 'ipFamilies: [IPv4]'))
  const wire = await lab.capture('lan', 'arp')
  await openArpeggio(node, ['--state-dir', lab.folder, config])
  await router.execOk(['arping', '-c', '1', '-w', '3', '-I', 'eth0', address])
  await router.exec(['curl', '-s', '-m', '3', `http://${address}`])

  const gratuitous = new RegExp(`${node.mac('eth0')} > ff:ff:ff:ff:ff:ff, .*Reply ${address}`)
  const burstRounds = 10
  await until('two refreshes followed the burst', () =>
    wire.matching(gratuitous).length >= burstRounds + 2, 90_000)
  const stations = await runOk([...hub, 'bridge', 'fdb', 'show', 'br', 'lan', 'dynamic'])
  assert.match(stations, node.mac('eth0'), 'the switch knows the node')
  const before = wire.frames().length
  const { code } = await router.exec(['curl', '-s', '-m', '3', `http://${address}`])
  assert.is(code, 7, 'the first packet arrives: the unserved port is refused at once')
  await wire.settle()
  const asked = wire.frames().slice(before).filter((line) => line.includes(`who-has ${address}`))
  assert.equal(asked.filter((line) => line.includes(`${router.mac('eth0')} >`)), [])
})

test('a switch that snoops on multicast learns of the group, and lets solicitations pass', async () => {
  const address = '2001:db8:1::240'
  await using lab = await openLab({ hosts: { node: { lan: lan(10) }, client: { lan: lan(20) } } })
  const hub = ['ip', 'netns', 'exec', `${lab.prefix}wire`]
  await runOk([...hub, 'ip', 'link', 'set', 'lan', 'type', 'bridge', 'mcast_snooping', '1',
    'mcast_querier', '1', 'mcast_query_response_interval', '100'])
  const config = join(lab.folder, 'config.yaml')
  await writeFile(config, configuration(`"${address}/128"`, 'ipFamilies: [IPv6]'))
  await openArpeggio(lab.host('node'), ['--state-dir', lab.folder, config])
  await until('the switch knows the group', async () =>
    (await runOk([...hub, 'bridge', 'mdb', 'show', 'dev', 'lan'])).includes('ff02::1:ff00:240'))
  assert.is((await lab.host('client').exec(['ndisc6', '-1', address, 'eth0'])).code, 0)
})

test('an interface that comes late answers both families; one that moves away falls silent', async () => {
  const [four, six] = ['198.51.100.240', '2001:db8:9::240']
  await using lab = await openLab({
    hosts: { node: { lan: lan(10) }, far: { late: ['198.51.100.1/24', '2001:db8:9::1/64'] } },
  })
  const [node, far] = [lab.host('node'), lab.host('far')]
  const config = join(lab.folder, 'config.yaml')
  const families = 'ipFamilyPolicy: RequireDualStack'
  await writeFile(config, configuration(`${four}/32, "${six}/128"`, families))
  const program = await openArpeggio(node, ['--state-dir', lab.folder, config])

  const wire = `${lab.prefix}wire`
  await runOk(['ip', 'link', 'add', 'late-port', 'netns', wire, 'type', 'veth',
    'peer', 'name', 'late', 'netns', node.namespace])
  await runOk(['ip', '-n', wire, 'link', 'set', 'late-port', 'master', 'late', 'up'])
  await node.execOk(['ip', 'addr', 'add', '198.51.100.10/24', 'dev', 'late'])
  await node.execOk(['ip', 'addr', 'add', '2001:db8:9::10/64', 'dev', 'late', 'nodad'])
  await node.execOk(['ip', 'link', 'set', 'late', 'up'])
  const on = (name: string) => program.statusWhen(`both are announced on ${name}`, (status) =>
    status.announcements.filter(({ interfaces }) => interfaces.join() === name).length === 2)
  await on('late')
  assert.is((await far.exec(['arping', '-c', '1', '-w', '3', '-I', 'eth0', four])).code, 0)
  assert.is((await far.exec(['ndisc6', '-1', six, 'eth0'])).code, 0)

  await node.execOk(['ip', 'link', 'set', 'late', 'down'])
  await node.execOk(['ip', 'link', 'set', 'late', 'name', 'data'])
  await node.execOk(['ip', 'link', 'set', 'data', 'up'])
  await node.execOk(['ip', 'addr', 'replace', '2001:db8:9::10/64', 'dev', 'data', 'nodad'])
  await on('data')
  assert.is((await far.exec(['ndisc6', '-1', six, 'eth0'])).code, 0, 'renamed, and down and up again')

  await node.execOk(['ip', 'link', 'set', 'data', 'netns', far.namespace])
  await program.statusWhen('it is announced there no more', ({ announcements }) =>
    announcements.every(({ interfaces }) => !interfaces.includes('data')))
  assert.is.not((await far.exec(['arping', '-c', '1', '-w', '1', '-I', 'eth0', four])).code, 0)
})

test.run()
