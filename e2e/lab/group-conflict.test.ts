/** Another machine has an address of a group: whichever host finds that, the allocating one gives another. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { lan, openLab } from './lab.ts'
import { type Arpeggio, lanPool, openArpeggio } from './program.ts'

const names = ['a', 'b'] as const
/** A group comes into being, and a host asks again after 10 s at the earliest. */
const slowCapMs = 40_000

const lab = await openLab({
  hosts: { a: { lan: lan(11) }, b: { lan: lan(12) }, other: { lan: lan(30) }, client: { lan: lan(20) } },
})
test.after(async () => void await lab[Symbol.asyncDispose]())
const [other, client] = [lab.host('other'), lab.host('client')]

const service = (name: string, port: number, more = ''): string => `---
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: default${more} }
spec: { type: LoadBalancer, ports: [{ port: ${port} }] }
`
const asks = ", annotations: { metallb.io/loadBalancerIPs: '192.168.1.249' }"
const input = [lanPool, ...Array.from({ length: 4 }, (_, i) => service(`web-${i}`, 80 + i)),
  service('zoo', 90, asks)].join('')

const programs = await Promise.all(names.map(async (name): Promise<Arpeggio> => {
  await mkdir(join(lab.folder, name))
  await writeFile(join(lab.folder, name, 'all.yaml'), input)
  return openArpeggio(lab.host(name), [
    '--node-name', name, '--no-forward', '--state-dir', join(lab.folder, `${name}-state`),
    '--join', '192.168.1.11,192.168.1.12', join(lab.folder, name),
  ], slowCapMs)
}))

/** Every host shows these addresses, in the order of the Services' names, and owners of all of them. */
async function everywhere(want: readonly string[]): Promise<void> {
  for (const program of programs) {
    await program.statusWhen(`addresses are ${want.join()}`, ({ services, ownership }) =>
      services.map(({ addresses }) => addresses.join()).join() === want.join() &&
      want.every((text) => ownership?.units.some(({ unit, owner }) => unit === text && owner !== undefined)),
    slowCapMs)
  }
}

async function voices(text: string): Promise<readonly string[]> {
  const { stdout } = await client.exec(['arping', '-b', '-c', '2', '-w', '2', '-I', 'eth0', text])
  const macs = [...stdout.matchAll(/\[([0-9A-Fa-f:]{17})\]/g)].map(([, mac = '']) => mac.toLowerCase())
  return [...new Set(macs)].map((mac) => names.find((name) => lab.host(name).mac('eth0') === mac) ?? 'other')
}

async function take(text: string): Promise<void> {
  await other.execOk(['ip', 'address', 'add', `${text}/24`, 'dev', 'eth0'])
  await other.exec(['arping', '-U', '-c', '1', '-I', 'eth0', text])
}

const ip = (n: number): string => `192.168.1.${n}`

test('addresses of both hosts are taken: both Services get others, and the rest stays', async () => {
  await everywhere([240, 241, 242, 243, 249].map(ip))
  const owners = await Promise.all([240, 241, 242, 243].map(async (n) => (await voices(ip(n)))[0]))
  const [ofA, ofB] = names.map((name) => 240 + owners.indexOf(name))
  assert.ok(ofA !== undefined && ofB !== undefined && ofA >= 240 && ofB >= 240, owners.join())
  await take(ip(ofA))
  const first = [240, 241, 242, 243, 249].map((n) => n === ofA ? 244 : n)
  await everywhere(first.map(ip))
  await take(ip(ofB))
  await everywhere(first.map((n) => ip(n === ofB ? 245 : n)))
  for (const n of [ofA, ofB]) assert.equal(await voices(ip(n)), ['other'])
  for (const n of [244, 245]) {
    const heard = await voices(ip(n))
    assert.ok(heard.length === 1 && heard[0] !== 'other', heard.join())
  }
  const said = programs.flatMap(({ child }) => child.lines)
    .filter((line) => line.includes('"event":"foreignHost"'))
  assert.is(said.length, 2, said.join('\n'))
  assert.ok(said.every((line) => line.includes(`"mac":"${other.mac('eth0')}"`)))
})

test('what was asked for by name stays, and says whose it is', async () => {
  const before = (await programs[0]?.status())?.services.map(({ addresses }) => addresses.join())
  const [owner] = await voices(ip(249))
  await take(ip(249))
  await programs[names.findIndex((name) => name === owner)]?.statusWhen('the conflict is told', (status) =>
    status.findings.some(({ reason, message }) => reason === 'inConflict' && message.includes(ip(249))),
  slowCapMs)
  const after = (await programs[0]?.status())?.services.map(({ addresses }) => addresses.join())
  assert.equal(after, before)
  assert.equal(await voices(ip(249)), ['other'])
})

test.run()
