/**
 * Another machine of the LAN has an address of a host that is alone: silent, and said wherever one looks; a
 * Service that did not ask for it by name gets another one.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { capMs, startCapMs, until } from './command.ts'
import { lan, openLab } from './lab.ts'
import { arpeggio, lanPool, openArpeggio, type Status } from './program.ts'

const lab = await openLab({
  hosts: { node: { lan: lan(10) }, other: { lan: lan(30) }, client: { lan: lan(20) } },
})
test.after(async () => void await lab[Symbol.asyncDispose]())
const [node, other, client] = ['node', 'other', 'client'].map((name) => lab.host(name))
if (node === undefined || other === undefined || client === undefined) throw new Error('The lab has no hosts')
const address = '192.168.1.240'
const input = join(lab.folder, 'input')
await mkdir(input)
await writeFile(join(input, 'all.yaml'), `${lanPool}---
apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: default
  annotations: { metallb.io/loadBalancerIPs: ${address} }
spec: { type: LoadBalancer, ports: [{ port: 80 }] }
`)
/** Its kernel answers from now on, to each who asks and to nobody else: Linux announces nothing by itself. */
async function takeSilently(text = address): Promise<void> {
  await other?.execOk(['ip', 'address', 'add', `${text}/24`, 'dev', 'eth0'])
}
/** It says so by itself once, as a machine that comes up does. */
async function take(text = address): Promise<void> {
  await takeSilently(text)
  await other?.exec(['arping', '-U', '-c', '1', '-I', 'eth0', text])
}
await take()
const program = await openArpeggio(node, [
  '--node-name', 'node', '--no-forward', '--state-dir', join(lab.folder, 'state'), input,
])
/** So long it does not defend the address a second time (RFC 5227 §2.4). */
const defendMs = 10_000
/** It asks again every 10 to 60 s. */
const slowCapMs = 40_000
const words = `${other.mac('eth0')} answers for ${address}: this host is silent there until that ends`

async function voices(text = address): Promise<readonly string[]> {
  const { stdout } = await client?.exec(['arping', '-b', '-c', '2', '-w', '2', '-I', 'eth0', text]) ??
    { stdout: '' }
  const macs = [...stdout.matchAll(/\[([0-9A-Fa-f:]{17})\]/g)].map(([, mac = '']) => mac.toLowerCase())
  return [...new Set(macs)]
}

async function metrics(): Promise<string> {
  return await node?.execOk(['curl', '-sS', 'http://127.0.0.1:7472/metrics']) ?? ''
}

/** Everything that says so. */
async function seeConflict(): Promise<void> {
  const status: Status = await program.statusWhen('the conflict is told', ({ findings }) =>
    findings.some(({ reason, message }) => reason === 'inConflict' && message.startsWith(words)), slowCapMs)
  assert.equal(status.announcements, [])
  const [row] = status.services
  assert.equal([row?.addresses, row?.announcements, row?.silent],
    [[address], [], [{ address, node: 'node', reason: 'inConflict' }]])
  assert.equal(await voices(), [other?.mac('eth0')])
  const text = await metrics()
  assert.match(text, /^arpeggio_findings\{reason="inConflict"\} 1$/m)
  assert.not.match(text, /^metallb_speaker_announced\{/m)
  const { stdout } = await node?.exec([...arpeggio, 'status'], { capMs: startCapMs }) ?? { stdout: '' }
  assert.ok(stdout.includes(`  inConflict: ${words}`), stdout)
  assert.match(stdout, /^default +web .* node: inConflict$/m)
}

async function seeItEnd(): Promise<void> {
  await other?.execOk(['ip', 'address', 'del', `${address}/24`, 'dev', 'eth0'])
  const status = await program.statusWhen('the address is answered again', ({ announcements }) =>
    announcements.some((each) => each.address === address && each.since !== ''), slowCapMs)
  assert.equal([status.findings, status.services[0]?.silent], [[], []])
  assert.equal(await voices(), [node?.mac('eth0')])
  assert.match(await metrics(), /^metallb_speaker_announced\{.*ip="192\.168\.1\.240".*\} 1$/m)
}

test('a machine that had the address before: the host stays silent and says whose it is', async () => {
  await seeConflict()
  const line = /"level":"error".*"msg":"address conflict: .*"event":"inConflict".*"mac":"02:00:00:00:02:00"/
  assert.is(program.child.lines.filter((each) => line.test(each)).length, 1)
})

test('it goes: the host answers again by itself', async () => {
  await seeItEnd()
  await until('the end is logged', async () =>
    program.child.lines.some((each) => each.includes('"event":"conflictEnded"')))
})

test('a machine that comes later: the same, from its first frame on', async () => {
  await take()
  await seeConflict()
  await seeItEnd()
})

test('a machine that announces nothing: the host finds it by asking, and says so within 5 s', async () => {
  // Its announcements are over, and it may defend the address again.
  await setTimeout(defendMs)
  await takeSilently()
  await program.statusWhen('the silent machine is found', ({ findings, announcements }) =>
    announcements.length === 0 && findings.some(({ reason, message }) =>
      reason === 'inConflict' && message.startsWith(words)), capMs)
  await seeConflict()
  await seeItEnd()
})

const service = (name: string): string => `
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: default }
spec: { type: LoadBalancer, ports: [{ port: 81 }] }
`

/** Where wiki is, and answered for; a Service that asked for its address by name has it all the time. */
async function seeMoved(to: string, ...others: readonly (readonly [string, string[]])[]): Promise<void> {
  const want = [['web', [address]], ['wiki', [to]], ...others]
  const status = await program.statusWhen(`wiki is announced at ${to}`, ({ announcements, services }) =>
    announcements.some((each) => each.address === to && each.since !== '') &&
    services.length === want.length, slowCapMs)
  assert.equal(status.services.map(({ name, addresses }) => [name, addresses]), want)
  assert.equal(await voices(to), [node?.mac('eth0')])
  assert.equal(await voices(), [node?.mac('eth0')], 'nothing else has moved')
}

test('a Service that did not ask for its address by name gets another, and stays there', async () => {
  await writeFile(join(input, 'wiki.yaml'), service('wiki'))
  await seeMoved('192.168.1.241')
  await take('192.168.1.241')
  await seeMoved('192.168.1.242')
  assert.equal(await voices('192.168.1.241'), [other?.mac('eth0')])
  await take('192.168.1.242')
  await seeMoved('192.168.1.243')
  const { findings } = await program.status()
  assert.equal(findings.map(({ reason }) => reason), ['foreignHost'])
  assert.match(findings[0]?.message ?? '',
    /^02:00:00:00:02:00 answers for 192\.168\.1\.241, 02:\S+ answers for 192\.168\.1\.242: /)
  for (const text of ['192.168.1.241', '192.168.1.242']) {
    await other?.execOk(['ip', 'address', 'del', `${text}/24`, 'dev', 'eth0'])
  }
  // Both may be asked for by nobody now, and be taken all the same: whoever comes gets another.
  await writeFile(join(input, 'zoo.yaml'), service('zoo'))
  await seeMoved('192.168.1.243', ['zoo', ['192.168.1.244']])
  const said = program.child.lines.filter((line) => line.includes('"event":"foreignHost"'))
  const fields = /"ip":"([0-9.]+)","mac":"02:00:00:00:02:00","ips":\["([0-9.]+)"\]/
  assert.equal(said.map((line) => fields.exec(line)?.slice(1)),
    [['192.168.1.241', '192.168.1.242'], ['192.168.1.242', '192.168.1.243']])
})

test.run()
