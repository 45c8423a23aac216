/** Forwarding for real: endpoints here, behind and beside the host; both families; what blocks. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { until } from './command.ts'
import { type Host, lan, openLab } from './lab.ts'
import { arpeggio, openArpeggio } from './program.ts'

const pools = `
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: { name: lan, namespace: metallb-system }
spec: { addresses: [192.168.1.200-192.168.1.250, "2001:db8:1::200-2001:db8:1::2ff"] }
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: { name: lan, namespace: metallb-system }
`

interface Wanted {
  readonly name: string
  /** IPv4 or IPv6 address to ask for. */
  readonly address: string
  readonly endpoints: readonly string[]
  readonly port?: number
  readonly target?: number
  readonly protocol?: string
  readonly spec?: string
  readonly annotations?: string
  /** Node of the endpoints, for externalTrafficPolicy Local. */
  readonly node?: string
}

function manifest(wanted: Wanted): string {
  const { name, address, endpoints, port = 80, target = 8080, protocol = 'TCP' } = wanted
  const family = address.includes(':') ? 'IPv6' : 'IPv4'
  const place = wanted.node === undefined ? '' : `, nodeName: ${wanted.node}`
  return `
apiVersion: v1
kind: Service
metadata:
  name: ${name}
  namespace: default
  annotations: { metallb.io/loadBalancerIPs: "${address}"${wanted.annotations ?? ''} }
spec:
  type: LoadBalancer
  ipFamilies: [${family}]
  ports: [{ port: ${port}, protocol: ${protocol} }]
  ${wanted.spec ?? ''}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: ${name}-1, namespace: default, labels: { kubernetes.io/service-name: ${name} } }
addressType: ${family}
endpoints: [${endpoints.map((each) => `{ addresses: ["${each}"]${place} }`).join(', ')}]
ports: [{ name: "", port: ${target}, protocol: ${protocol} }]
`
}

const lab = await openLab({
  hosts: {
    node: { lan: lan(10), pods: ['10.244.1.1/24', '2001:db8:2::1/64'] },
    client: { lan: lan(20) },
    beside: { lan: lan(30) },
    pod: { pods: ['10.244.1.9/24', '2001:db8:2::9/64'] },
  },
  routes: { pod: ['default via 10.244.1.1', 'default via 2001:db8:2::1'] },
})
test.after(async () => void await lab[Symbol.asyncDispose]())
const [node, client] = [lab.host('node'), lab.host('client')]
const input = join(lab.folder, 'input')
await mkdir(input)
await writeFile(join(input, 'pools.yaml'), pools)

/** A server in one line that tells who asks; TCP over HTTP, UDP as an echo with the sender. */
const server = `
const { createServer } = require('node:http')
const { createSocket } = require('node:dgram')
createServer((ask, reply) => reply.end('by ' + ask.socket.remoteAddress.replace('::ffff:', '')))
  .listen(8080, '::', () => console.log('listening'))
const socket = createSocket({ type: 'udp6' })
socket.on('message', (text, from) => socket.send(text, from.port, from.address)).bind(8080)
`
for (const name of ['node', 'beside', 'pod']) {
  const child = lab.host(name).spawn([process.execPath, '-e', server])
  await child.line(/listening/)
}

const argv = ['--state-dir', join(lab.folder, 'state'), '--node-name', 'node', input]
let program = await openArpeggio(node, argv)

async function serve(wanted: Wanted): Promise<void> {
  await writeFile(join(input, `${wanted.name}.yaml`), manifest(wanted))
  await program.statusWhen(`${wanted.name} is announced`, ({ announcements }) =>
    announcements.some(({ address, since }) => address === wanted.address && since !== ''))
}

function url(address: string, port = 80): string {
  return `http://${address.includes(':') ? `[${address}]` : address}:${port}/`
}

async function fetch(host: Host, address: string, port = 80): Promise<string> {
  const { code, stdout } = await host.exec(['curl', '-sS', '-m', '3', url(address, port)])
  return code === 0 ? stdout : `exit ${code}`
}

interface Finding {
  readonly forwarding: { readonly findings: readonly { reason: string; message: string }[] }
}

async function findings(): Promise<readonly { reason: string; message: string }[]> {
  const text = await node.execOk(['curl', '-sS', 'http://127.0.0.1:7472/status?format=json'])
  const status: Finding = JSON.parse(text)
  return status.forwarding.findings
}

/** Runs the command that a finding of this reason names, as printed. */
async function runFix(reason: string): Promise<void> {
  const finding = (await findings()).find((one) => one.reason === reason)
  const command = /run "([^"]+)"/.exec(finding?.message ?? '')?.[1]
  assert.ok(command, `${reason}: ${finding?.message}`)
  await node.execOk(['sh', '-c', command ?? 'false'])
}

const own = { name: 'own', address: '192.168.1.201', endpoints: ['192.168.1.10'] }
const own6 = { name: 'own6', address: '2001:db8:1::201', endpoints: ['2001:db8:1::10'] }

test('an endpoint on the host\'s own LAN address needs no forwarding and sees the client', async () => {
  await node.execOk(['sysctl', '-q', '-w', 'net.ipv4.ip_forward=0', 'net.ipv6.conf.all.forwarding=0'])
  await serve(own)
  await serve(own6)
  assert.is(await fetch(client, own.address), 'by 192.168.1.20')
  assert.is(await fetch(client, own6.address), 'by 2001:db8:1::20')
  assert.equal(await findings(), [])
})

test('the host itself reaches its addresses', async () => {
  assert.match(await fetch(node, own.address), /^by /)
  assert.match(await fetch(node, own6.address), /^by /)
})

const pod = { name: 'pod', address: '192.168.1.202', endpoints: ['10.244.1.9'] }
const pod6 = { name: 'pod6', address: '2001:db8:1::202', endpoints: ['2001:db8:2::9'] }

test('an endpoint behind the host: forwarding is off, told with the command that helps', async () => {
  await serve(pod)
  await serve(pod6)
  assert.match(await fetch(client, pod.address), /^exit/)
  const reasons = (await findings()).map(({ reason }) => reason)
  assert.equal(reasons, ['forwardingOff', 'forwardingOff'])
  for (const { message } of await findings()) {
    await node.execOk(['sh', '-c', /run "([^"]+)"/.exec(message)?.[1] ?? 'false'])
  }
  assert.is(await fetch(client, pod.address), 'by 10.244.1.1')
  assert.is(await fetch(client, pod6.address), 'by 2001:db8:2::1')
})

test('an endpoint beside the client: masqueraded, so that answers come back this way', async () => {
  await serve({ name: 'beside', address: '192.168.1.203', endpoints: ['192.168.1.30'] })
  await serve({ name: 'beside6', address: '2001:db8:1::203', endpoints: ['2001:db8:1::30'] })
  assert.is(await fetch(client, '192.168.1.203'), 'by 192.168.1.10')
  assert.is(await fetch(client, '2001:db8:1::203'), 'by 2001:db8:1::10')
})

test('several endpoints share the connections, in both families', async () => {
  await serve({ ...own, name: 'several', address: '192.168.1.207',
    endpoints: [...own.endpoints, ...pod.endpoints] })
  await serve({ ...own6, name: 'several6', address: '2001:db8:1::207',
    endpoints: [...own6.endpoints, ...pod6.endpoints] })
  const seen = async (address: string): Promise<readonly string[]> => {
    const answers = new Set<string>()
    await until(`both endpoints of ${address} answered`, async () => {
      answers.add(await fetch(client, address))
      return answers.size === 2
    })
    return [...answers].toSorted()
  }
  assert.equal(await seen('192.168.1.207'), ['by 10.244.1.1', 'by 192.168.1.20'])
  assert.equal(await seen('2001:db8:1::207'), ['by 2001:db8:1::20', 'by 2001:db8:2::1'])
})

test('SCTP: the rules are loaded, and clear of the other protocols', async () => {
  await serve({ ...pod, name: 'sctp', address: '192.168.1.208', port: 9, protocol: 'SCTP' })
  await until('the rule is there', async () =>
    (await node.execOk(['nft', 'list', 'ruleset'])).includes('192.168.1.208 . sctp . 9'))
  assert.is(await fetch(client, own.address), 'by 192.168.1.20')
})

const hasSctp = (await node.execOk(['cat', '/proc/net/protocols'])).includes('SCTP')
const sctp = 'SCTP: an association through the address'
if (!hasSctp) console.log(`skipped ${sctp}: this kernel has no SCTP; modprobe sctp`)
;(hasSctp ? test : test.skip)(sctp, async () => {
  const script = (call: string): string => 'import socket\n' +
    's = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP)\n' + call
  const listen = 's.bind(("", 8080)); s.listen(); print("listening", flush=True)\n' +
    'c, _ = s.accept(); c.send(c.recv(9))'
  const server = lab.host('pod').spawn(['python3', '-c', script(listen)])
  await server.line(/listening/)
  const ask = 's.settimeout(5); s.connect(("192.168.1.208", 9)); s.send(b"echo"); print(s.recv(9))'
  assert.match(await client.execOk(['python3', '-c', script(ask)]), 'echo')
})

test('externalTrafficPolicy Local keeps the client\'s address', async () => {
  const local = { ...pod, name: 'local', address: '192.168.1.204', node: 'node' }
  await serve({ ...local, spec: 'externalTrafficPolicy: Local' })
  assert.is(await fetch(client, '192.168.1.204'), 'by 192.168.1.20')
})

test('two Services share an address on different ports; a third port is refused at once', async () => {
  const annotations = ', metallb.io/allow-shared-ip: pair'
  await serve({ ...own, name: 'one', address: '192.168.1.205', annotations })
  await serve({ ...pod, name: 'two', address: '192.168.1.205', port: 81, annotations })
  const shared = ({ announcements }: Awaited<ReturnType<typeof program.status>>): boolean =>
    announcements.some(({ address, interfaces }) => address === '192.168.1.205' && interfaces.length > 0)
  await program.statusWhen('the address is shared', shared)
  await until('the second Service serves', async () =>
    await fetch(client, '192.168.1.205', 81) === 'by 10.244.1.1')
  assert.is(await fetch(client, '192.168.1.205', 80), 'by 192.168.1.20')
  assert.is(await fetch(client, '192.168.1.205', 82), 'exit 7', 'refused, not timed out')
  assert.is(await fetch(client, own6.address, 82), 'exit 7', 'refused, not timed out')
})

const echo = (address: string): string => `
const socket = require('node:dgram').createSocket('${address.includes(':') ? 'udp6' : 'udp4'}')
socket.on('message', (text, from) => { console.log(text + ' from ' + from.address); process.exit(0) })
socket.send('echo', 53, '${address}')
`

test('UDP, in both families', async () => {
  const udp = { port: 53, protocol: 'UDP' }
  await serve({ ...pod, ...udp, name: 'dns', address: '192.168.1.206' })
  await serve({ ...pod6, ...udp, name: 'dns6', address: '2001:db8:1::206' })
  for (const address of ['192.168.1.206', '2001:db8:1::206']) {
    const text = await client.execOk([process.execPath, '-e', echo(address)])
    assert.is(text.trim(), `echo from ${address}`)
  }
})

test('an endpoint that goes takes its rule along; a loopback endpoint is refused', async () => {
  await writeFile(join(input, 'own.yaml'), manifest({ ...own, endpoints: ['127.0.0.1'] }))
  await until('the endpoint is gone', async () => await fetch(client, own.address) === 'exit 7')
  await until('the reason is shown', async () =>
    (await findings()).some(({ reason }) => reason === 'loopbackEndpoint'))
  await writeFile(join(input, 'own.yaml'), manifest(own))
  await until('it is back', async () => await fetch(client, own.address) === 'by 192.168.1.20')
})

test('a FORWARD policy of another table that drops is found, and the printed command helps', async () => {
  await node.execOk(['nft', '-f', '-'], { stdin: `
    add table ip filter
    add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }
` })
  assert.match(await fetch(client, pod.address), /^exit 28/)
  await writeFile(join(input, 'touch.yaml'), '# a change, so that the host is looked at again\n')
  await until('it is found', async () =>
    (await findings()).some(({ reason }) => reason === 'forwardBlocked'))
  await runFix('forwardBlocked')
  assert.is(await fetch(client, pod.address), 'by 10.244.1.1')
})

test('a flushed ruleset is noticed, and loaded again', async () => {
  await node.execOk(['nft', 'flush', 'ruleset'])
  await writeFile(join(input, 'touch.yaml'), '# another change\n')
  await program.child.line(/rulesGone|forwarding rules/)
  await until('it serves again', async () => await fetch(client, own.address) === 'by 192.168.1.20')
})

test('SIGKILL leaves the table; the next start replaces it; SIGTERM takes it away', async () => {
  await program.child.stop('SIGKILL')
  assert.match(await node.execOk(['nft', 'list', 'tables']), /inet arpeggio/)
  program = await openArpeggio(node, argv)
  assert.is(await fetch(client, pod.address), 'by 10.244.1.1')
  const before = await node.execOk(['nft', 'list', 'tables'])
  assert.is(before.match(/arpeggio/g)?.length, 1)
  assert.is(await program.child.stop('SIGTERM'), 0)
  assert.not.match(await node.execOk(['nft', 'list', 'tables']), /arpeggio/)
})

test('--set-sysctls switches forwarding on, and keeps router advertisements', async () => {
  const at = (name: string): string => `/proc/sys/net/ipv6/conf/${name}`
  await node.execOk(['sysctl', '-q', '-w', 'net.ipv4.ip_forward=0', 'net.ipv6.conf.all.forwarding=0'])
  await node.execOk(['sysctl', '-q', '-w', 'net.ipv6.conf.eth0.accept_ra=1'])
  await using running = node.spawn([...arpeggio, 'standalone', '--set-sysctls', ...argv])
  await running.line(/standalone started/)
  await until('forwarding is on', async () => {
    const values = await node.execOk(['cat', '/proc/sys/net/ipv4/ip_forward', at('all/forwarding'),
      at('eth0/accept_ra')])
    return values.trim().split('\n').join() === '1,1,2'
  })
})

test.run()
