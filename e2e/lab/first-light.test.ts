/** The main job end to end: the guide's Services on the wire, seen by tools that are not ours. */
import { writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { run } from './command.ts'
import { badEdits, goodEdit, late, refusedService } from './edit.ts'
import { type Host, lan, openLab } from './lab.ts'
import { arpeggio, openArpeggio, type Problem, type Status } from './program.ts'
import { openWorld, promised } from './world.ts'

const world = await openWorld()
const wire = await world.lab.capture('lan', 'arp or icmp6')
const behind = await world.lab.capture('pods', 'arp')
const program = await world.start()
const mac = world.node.mac('eth0')
const clientMac = world.client.mac('eth0')
test.after(async () => void await world[Symbol.asyncDispose]())

/** Asks once by broadcast; whether anybody answered within `seconds`. */
async function isAnswered(host: Host, address: string, seconds = 3): Promise<boolean> {
  const argv = ['arping', '-b', '-c', '1', '-w', String(seconds), '-I', 'eth0', address]
  return (await host.exec(argv)).code === 0
}

/** Replies about `address`: gratuitous ones go to everybody, answers to the one who asked. */
function repliesTo(destination: string, address: string): RegExp {
  return new RegExp(`> ${destination}, .*Reply ${address} is-at ${mac},`)
}

async function page(url: string, seconds = 3): Promise<string> {
  return (await world.client.exec(['curl', '-sS', '-m', String(seconds), url])).stdout
}

function announced({ announcements }: Status): readonly string[] {
  return announcements.map(({ address, since }) => `${address} since ${since}`)
}

function held({ services }: Status): readonly string[] {
  return services.map(({ name, addresses, reason }) => `${name} ${addresses.join()} ${reason}`)
}

/** Once a time is given, the address is answered. */
function isAnnounced(address: string): (status: Status) => boolean {
  return ({ announcements }) =>
    announcements.some((row) => row.address === address && row.since !== '')
}

for (const { name, address, pool, port } of promised) {
  test(`${name} gets ${address} from ${pool}`, async () => {
    const row = (await program.status()).services.find((service) => service.name === name)
    assert.equal([row?.addresses, row?.pool, row?.reason], [[address], pool, ''])
  })

  test(`${address} is announced in a burst, each time as a request and as a reply`, async () => {
    const request = new RegExp(
      `${mac} > ff:ff:ff:ff:ff:ff, .*Request who-has ${address} .*tell ${address},`,
    )
    const reply = repliesTo('ff:ff:ff:ff:ff:ff', address)
    await wire.atLeast(6, request)
    await wire.atLeast(6, reply)
    const forms = wire.frames().filter((line) => request.test(line) || reply.test(line))
      .map((line) => request.test(line) ? 'request' : 'reply')
    assert.equal(forms.slice(0, 12), Array(6).fill(['request', 'reply']).flat())
  })

  test(`each of three requests for ${address} is answered once, to who asked`, async () => {
    const answer = repliesTo(clientMac, address)
    await wire.settle()
    const before = wire.matching(answer).length
    for (let n = 0; n < 3; n += 1) assert.ok(await isAnswered(world.client, address))
    await wire.settle()
    assert.is(wire.matching(answer).length - before, 3)
  })

  test(`the client fetches the page of ${name} through ${address}`, async () => {
    assert.match(await page(`http://${address}:${port}/`), `page of ${name},`)
  })
}

test('the client knows each address by the hardware address of the node', async () => {
  const neighbours = await world.client.execOk(['ip', 'neigh', 'show', 'dev', 'eth0'])
  for (const { address } of promised) assert.match(neighbours, `${address} lladdr ${mac}`)
})

const unannounced = [
  { it: 'in no pool', address: '192.168.1.99' },
  { it: 'in a pool, given to nobody', address: '192.168.1.250' },
  { it: 'of a pool, but unfit for some devices', address: '192.168.1.255' },
]
test('an address that is not announced is not answered', async () => {
  const answers = await Promise.all(unannounced.map(async ({ it, address }) =>
    `${it}: ${await isAnswered(world.client, address, 1)}`
  ))
  assert.equal(answers, unannounced.map(({ it }) => `${it}: false`))
  await wire.settle()
  for (const { address } of unannounced) {
    assert.equal(wire.matching(new RegExp(`${mac} > .*${address.replaceAll('.', '\\.')}\\b`)), [])
  }
})

test('an interface without a prefix that covers the address is left alone', async () => {
  assert.not.ok(await isAnswered(world.lab.host('backend'), '192.168.1.240', 1))
  await behind.settle()
  assert.equal(behind.matching(/02:00:00:00:01:01 > .*192\.168\.1\.2[04]/), [])
})

test('a refused Service has no address, and says why', async () => {
  await world.write('refused.yaml', refusedService)
  const isRefused = (row: Status['services'][number]): boolean => row.verdict === 'refused'
  const status = await program.statusWhen('a Service is refused', ({ services }) =>
    services.some(isRefused))
  const row = status.services.find(isRefused)
  assert.is(row?.name, 'refused-service')
  assert.is(row?.reason, 'addressNotInPool')
  assert.equal(row?.addresses, [])
  assert.match(row?.message ?? '', '192.168.1.99')
})

test('a Service that comes is announced, and nothing else changes', async () => {
  const before = announced(await program.status())
  await world.write('late.yaml', goodEdit)
  const status = await program.statusWhen('it is announced', isAnnounced(late.address))
  assert.equal(announced(status).filter((row) => !row.startsWith(late.address)), before)
  assert.ok(await isAnswered(world.client, late.address))
  assert.match(await page(`http://${late.address}/`), 'page of late-service,')
})

for (const edit of badEdits) {
  test(`${edit.it}: reported with place and reason, and nothing changes`, async () => {
    const before = await program.status()
    await world.write(edit.file, edit.text)
    try {
      const after = await program.statusWhen('the edit is reported', ({ config }) => !config.ok)
      const { it: _, text: __, ...want } = edit
      assert.equal(after.config.problems.map(whereAndWhy), [want])
      const check = await run([...arpeggio, 'check', '-o', 'json', world.input])
      const found: { ok: boolean; problems: readonly Problem[] } = JSON.parse(check.stdout)
      assert.equal([check.code, found.ok, found.problems.map(whereAndWhy)], [1, false, [want]])
      assert.equal(announced(after), announced(before))
      assert.equal(held(after), held(before))
      for (const { name, address, port } of [...promised, late]) {
        assert.ok(await isAnswered(world.client, address))
        assert.match(await page(`http://${address}:${port}/`), `page of ${name},`)
      }
    } finally {
      await world.remove(edit.file)
    }
    const healed = await program.statusWhen('the input is whole', ({ config }) => config.ok)
    assert.equal(announced(healed), announced(before))
  })
}

function whereAndWhy({ file, document, object, path, reason }: Problem): object {
  return { file: basename(file), document, object, path, reason }
}

test('a Service that goes is withdrawn at once: no answer, no rule, no page', async () => {
  await world.remove('late.yaml')
  await program.statusWhen('the address is withdrawn', ({ announcements }) =>
    announcements.every(({ address }) => address !== late.address))
  assert.not.ok(await isAnswered(world.client, late.address, 1))
  const rules = await world.node.execOk(['nft', 'list', 'ruleset'])
  assert.match(rules, '192.168.1.240')
  assert.not.match(rules, late.address)
})

const six = `
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: { name: six-pool, namespace: metallb-system }
spec: { addresses: ["2001:db8:1::240-2001:db8:1::24f"] }
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: { name: six-advertisement, namespace: metallb-system }
spec: { ipAddressPools: [six-pool] }
---
apiVersion: v1
kind: Service
metadata: { name: six, namespace: default }
spec:
  type: LoadBalancer
  ipFamilies: [IPv6]
  ports: [{ port: 80 }]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: six-lab
  namespace: default
  labels: { kubernetes.io/service-name: six }
addressType: IPv6
endpoints: [{ addresses: ["2001:db8:1::10"], nodeName: node }]
ports: [{ name: "", port: 8081, protocol: TCP }]
`

test('an IPv6 address is announced, resolved by neighbour discovery, and serves', async () => {
  const of = (kind: string): RegExp => new RegExp(`hlim 255.*${kind} 2001:db8:1::240[, ]`)
  const { source } = of('tgt is')
  const answer = new RegExp(`> ${clientMac}, .*${source}.*\\[solicited.*${mac}`)
  await world.write('six.yaml', six)
  await wire.atLeast(6, new RegExp(`> 33:33:00:00:00:01, .*${source}.*\\[override\\].*${mac}`))
  for (let n = 0; n < 3; n += 1) {
    assert.match(await page('http://[2001:db8:1::240]/'), 'page of late-service,')
    const neighbours = await world.client.execOk(['ip', '-6', 'neigh', 'show', '2001:db8:1::240'])
    assert.match(neighbours, `lladdr ${mac}`)
    await world.client.execOk(['ip', '-6', 'neigh', 'flush', 'dev', 'eth0'])
  }
  assert.is(await page('http://[2001:db8:1::24f]/', 1), '')
  await wire.settle()
  const asked = wire.matching(of('who has')).filter((line) => line.includes(`${clientMac} >`))
  assert.ok(asked.length >= 3)
  assert.is(wire.matching(answer).length, asked.length)
  assert.equal(wire.matching(/tgt is 2001:db8:1::24f/), [])
})

test('on SIGTERM the program falls silent, takes its rules along, and exits with 0', async () => {
  assert.is(await program.child.stop('SIGTERM'), 0)
  assert.not.ok(await isAnswered(world.client, '192.168.1.240', 1))
  assert.not.match(await world.node.execOk(['nft', 'list', 'ruleset']), '192.168.1.240')
})

const twoLegs = `
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: { name: first-leg, namespace: metallb-system }
spec: { addresses: [192.168.1.240/32], autoAssign: false }
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: { name: both-legs, namespace: metallb-system }
spec: { addresses: [192.168.1.241/32], autoAssign: false }
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: { name: first-leg, namespace: metallb-system }
spec: { ipAddressPools: [first-leg], interfaces: [eth0] }
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: { name: both-legs, namespace: metallb-system }
spec: { ipAddressPools: [both-legs] }
---
apiVersion: v1
kind: Service
metadata: { name: one, namespace: default, annotations: { metallb.io/address-pool: first-leg } }
spec: { type: LoadBalancer, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: two, namespace: default, annotations: { metallb.io/address-pool: both-legs } }
spec: { type: LoadBalancer, ports: [{ port: 80 }] }
`

test('an interface that is not allowed hears nothing, one that is hears all', async () => {
  await using lab = await openLab({
    hosts: {
      node: { lan: lan(10), side: ['192.168.1.11/24'] },
      left: { lan: lan(20) },
      right: { side: ['192.168.1.21/24'] },
    },
  })
  const side = await lab.capture('side', 'arp')
  const config = join(lab.folder, 'config.yaml')
  await writeFile(config, twoLegs)
  await openArpeggio(lab.host('node'), ['--state-dir', lab.folder, config])
  await side.atLeast(12, /02:00:00:00:01:01 > ff:ff:ff:ff:ff:ff, .*192\.168\.1\.241/)
  assert.ok(await isAnswered(lab.host('left'), '192.168.1.240'))
  assert.ok(await isAnswered(lab.host('left'), '192.168.1.241'))
  assert.ok(await isAnswered(lab.host('right'), '192.168.1.241'))
  assert.not.ok(await isAnswered(lab.host('right'), '192.168.1.240', 1))
  await side.settle()
  assert.equal(side.matching(/02:00:00:00:01:0\d > .*192\.168\.1\.240/), [])
  assert.is(side.matching(/Reply 192\.168\.1\.241 is-at 02:00:00:00:01:01/)
    .filter((line) => line.includes(`> ${lab.host('right').mac('eth0')},`)).length, 1)
})

test.run()
