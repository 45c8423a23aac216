/** Neighbours of every kind: probing for long, ageing switches, routers deaf to announcements. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { until } from './command.ts'
import { type Host, lan, openLab } from './lab.ts'
import { openArpeggio } from './program.ts'

const four = '192.168.1.240'
const six = '2001:db8:1::240'

const config = `
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: { name: lan, namespace: metallb-system }
spec: { addresses: [${four}/32, "${six}/128"] }
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: { name: lan, namespace: metallb-system }
---
apiVersion: v1
kind: Service
metadata: { name: pair, namespace: default }
spec:
  type: LoadBalancer
  ipFamilyPolicy: RequireDualStack
  ports: [{ port: 9, protocol: UDP }, { port: 80 }]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: pair-4, namespace: default, labels: { kubernetes.io/service-name: pair } }
addressType: IPv4
endpoints: [{ addresses: [192.168.1.10] }]
ports: [{ port: 9, protocol: UDP }]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: pair-6, namespace: default, labels: { kubernetes.io/service-name: pair } }
addressType: IPv6
endpoints: [{ addresses: ["2001:db8:1::10"] }]
ports: [{ port: 9, protocol: UDP }]
`

/** Unicast probes of each family to live through; 350 take about ten minutes. */
const probes = Number(process.env['ARPEGGIO_PROBES'] ?? 8)

/** Sends a datagram to each address every 100 ms until ended: nothing confirms the neighbour. */
const talker = `
const { createSocket } = require('node:dgram')
const four = createSocket('udp4'), six = createSocket('udp6')
for (const socket of [four, six]) socket.on('error', () => {})
setInterval(() => { four.send('x', 9, '${four}'); six.send('x', 9, '${six}') }, 100)
`

const lab = await openLab({
  hosts: { node: { lan: lan(10) }, client: { lan: lan(20) }, router: { lan: lan(1) } },
})
test.after(async () => void await lab[Symbol.asyncDispose]())
const node = lab.host('node')
const client = lab.host('client')
const router = lab.host('router')
const wire = await lab.capture('lan', 'arp or icmp6')
await writeFile(join(lab.folder, 'config.yaml'), config)
const program = await openArpeggio(node, [
  '--state-dir', lab.folder, join(lab.folder, 'config.yaml'),
])
await program.statusWhen('both addresses are announced', ({ announcements }) =>
  announcements.filter(({ since }) => since !== '').length === 2)

/** Makes the kernel probe its neighbours about every second instead of every half minute. */
async function probeOften(host: Host): Promise<void> {
  for (const family of ['ipv4', 'ipv6']) {
    const at = `net.${family}.neigh.eth0`
    const settings = [`${at}.base_reachable_time_ms=600`, `${at}.delay_first_probe_time=1`]
    await host.execOk(['sysctl', '-q', '-w', ...settings])
  }
}

async function neighbour(host: Host, address: string): Promise<string> {
  return host.execOk(['ip', 'neigh', 'show', address])
}

test('ndisc6 and arping see the node\'s MAC', async () => {
  const found = await client.execOk(['ndisc6', '-1', six, 'eth0'])
  assert.match(found.toLowerCase(), node.mac('eth0'))
  const answer = await client.execOk(['arping', '-c', '1', '-w', '3', '-I', 'eth0', four])
  assert.match(answer.toLowerCase(), node.mac('eth0'))
})

test('a neighbour that is probed by unicast again and again stays resolved', async () => {
  await probeOften(client)
  await using talk = client.spawn([process.execPath, '-e', talker])
  const asked = `${client.mac('eth0')} > ${node.mac('eth0')}, `
  const told = `${node.mac('eth0')} > ${client.mac('eth0')}, `
  const capMs = 10_000 + probes * 4_000
  const unicast = (kind: string): RegExp => new RegExp(`${asked}.*${kind}`)
  await until('enough unicast probes were seen', async () => {
    for (const address of [four, six]) {
      const state = await neighbour(client, address)
      assert.not.match(state, /FAILED|INCOMPLETE/, state)
    }
    return wire.matching(unicast(`who-has ${four}`)).length >= probes &&
      wire.matching(unicast(`who has ${six}`)).length >= probes
  }, capMs)
  await talk.stop()
  await wire.settle()
  for (const [question, answer] of [
    [`who-has ${four}`, `Reply ${four}`], [`who has ${six}`, `tgt is ${six}.*solicited`],
  ]) {
    const questions = wire.matching(unicast(question ?? '')).length
    const answers = wire.matching(new RegExp(`${told}.*${answer}`)).length
    assert.ok(answers >= questions, `${answers} answers to ${questions} questions "${question}"`)
  }
})

test('duplicate address detection of another host hears of us', async () => {
  await router.execOk(['sysctl', '-q', '-w', 'net.ipv6.conf.eth0.accept_dad=1',
    'net.ipv6.conf.eth0.dad_transmits=1'])
  await router.execOk(['ip', 'addr', 'add', `${six}/64`, 'dev', 'eth0'])
  await until('the address is known as a duplicate', async () =>
    (await router.execOk(['ip', '-6', 'addr', 'show', 'dev', 'eth0'])).includes('dadfailed'))
  await router.execOk(['ip', 'addr', 'del', `${six}/64`, 'dev', 'eth0'])
  await router.execOk(['sysctl', '-q', '-w', 'net.ipv6.conf.eth0.accept_dad=0'])
})

test('a router deaf to announcements finds the address again when its MAC changes', async () => {
  await router.execOk(['nft', '-f', '-'], { stdin: `
    add table arp deaf
    add chain arp deaf in { type filter hook input priority 0; }
    add rule arp deaf in arp daddr ether ff:ff:ff:ff:ff:ff arp operation reply drop
    add rule arp deaf in arp daddr ether ff:ff:ff:ff:ff:ff arp saddr ip ${four} drop
    add table ip6 deaf
    add chain ip6 deaf in { type filter hook input priority 0; }
    add rule ip6 deaf in icmpv6 type nd-neighbor-advert ip6 daddr ff02::1 drop
` })
  await probeOften(router)
  await using talk = router.spawn([process.execPath, '-e', talker])
  const knows = (mac: string) => async (): Promise<boolean> => {
    const states = [await neighbour(router, four), await neighbour(router, six)]
    return states.every((state) => state.includes(mac) && /REACHABLE|STALE|DELAY/.test(state))
  }
  await until('the router knows both', knows(node.mac('eth0')))
  const fresh = '02:00:00:00:01:77'
  await node.execOk(['ip', 'link', 'set', 'eth0', 'address', fresh])
  await until('the router knows the new MAC', knows(fresh), 20_000)
  await talk.stop()
})

test.run()
