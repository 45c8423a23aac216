/** Bad input against the running program: told with its reason, and what ran goes on running. */
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { until } from './command.ts'
import { lan, openLab } from './lab.ts'
import { openArpeggio, type Status } from './program.ts'

const good = `
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: { name: lan, namespace: metallb-system }
spec: { addresses: [192.168.1.240/30, "2001:db8:1::240/126"] }
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: { name: lan, namespace: metallb-system }
---
apiVersion: v1
kind: Service
metadata: { name: pair, namespace: default }
spec: { type: LoadBalancer, ipFamilyPolicy: RequireDualStack, ports: [{ port: 80 }] }
`

const lab = await openLab({ hosts: { node: { lan: lan(10) }, client: { lan: lan(20) } } })
test.after(async () => void await lab[Symbol.asyncDispose]())
const [node, client] = [lab.host('node'), lab.host('client')]
const input = join(lab.folder, 'input')
await mkdir(input)
await writeFile(join(input, 'good.yaml'), good)
const argv = ['--no-forward', '--state-dir', join(lab.folder, 'state'), input]
let program = await openArpeggio(node, argv)
const isServing = ({ announcements }: Status): boolean =>
  announcements.filter(({ since }) => since !== '').length === 2
await program.statusWhen('both addresses are announced', isServing)

async function answers(): Promise<void> {
  const arp = await client.exec(['arping', '-c', '1', '-w', '3', '-I', 'eth0', '192.168.1.240'])
  const ndp = await client.exec(['ndisc6', '-1', '2001:db8:1::240', 'eth0'])
  assert.equal([arp.code, ndp.code], [0, 0], 'both addresses answer')
}

const service = (n: number): string =>
  `---\napiVersion: v1\nkind: Service\nmetadata: { name: s${n} }\nspec: { type: ClusterIP }\n`

const bomb = ['a: &a [x, x, x, x, x, x, x, x, x, x]',
  ...['b', 'c', 'd', 'e', 'f', 'g', 'h'].map((name, i) => {
    const before = String.fromCharCode('a'.charCodeAt(0) + i)
    return `${name}: &${name} [${Array.from({ length: 10 }, () => `*${before}`).join(', ')}]`
  })].join('\n')

const pool = (spec: string): string =>
  `apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: { name: more }\nspec: ${spec}\n`

const cases: readonly { it: string; text: string | Uint8Array; reason: string }[] = [
  { it: 'a half-written document', text: pool('{ addresses: [192.168.1.'), reason: 'BadSyntax' },
  { it: '50 MB', text: new Uint8Array(50 << 20).fill(0x20), reason: 'TooLarge' },
  { it: 'a YAML bomb', text: bomb, reason: 'TooLarge' },
  { it: 'a key that stands twice', text: pool('{ autoAssign: true, autoAssign: false }'),
    reason: 'DuplicateKey' },
  { it: 'another encoding', text: Uint8Array.from([0x61, 0x3a, 0x20, 0xff, 0xfe]),
    reason: 'Unreadable' },
  { it: 'NUL bytes', text: 'a: \0', reason: 'Unreadable' },
  { it: 'a copy that disagrees', text: good.replace('240/30', '248/30'), reason: 'DuplicateName' },
  { it: 'a million mistakes', reason: 'TooMany',
    text: pool(`{ addresses: [${'x,'.repeat(500_000)}] }`) },
]
for (const { it, text, reason } of cases) {
  test(`${it}: ${reason}, and both addresses go on answering`, async () => {
    // After the good one by name: what comes first is right, what comes second disagrees.
    const file = join(input, 'wrong.yaml')
    await writeFile(file, text)
    const isTold = ({ config }: Status): boolean =>
      config.problems.some((one) => one.reason === reason && one.file === file)
    const status = await program.statusWhen(`${reason} is reported`, isTold)
    assert.ok(status.config.problems.every(({ message }) => message !== ''))
    assert.ok(isServing(status))
    await answers()
    const told = (): number => program.child.lines.filter((line) => line.includes('is good again')).length
    const before = told()
    await rm(file)
    await program.statusWhen('the configuration is whole again', ({ config }) => config.ok)
    await until('the log tells so', () => told() > before)
    assert.is(told(), before + 1)
  })
}

test('a file emptied by an editor releases nothing', async () => {
  await writeFile(join(input, 'good.yaml'), '')
  await program.statusWhen('it is reported', ({ config }) =>
    config.problems.some(({ reason }) => reason === 'Emptied'))
  await answers()
  await writeFile(join(input, 'good.yaml'), good)
  const status = await program.statusWhen('it is whole again', ({ config }) => config.ok)
  assert.ok(isServing(status))
})

test('10,000 documents are read, and add nothing to what is held', async () => {
  await writeFile(join(input, 'many.yaml'), Array.from({ length: 10_000 }, (_, n) => service(n)).join(''))
  await writeFile(join(input, 'mark.yaml'), pool('{ addresses: [192.168.1.200/32] }'))
  const loaded = async (): Promise<boolean> =>
    (await node.execOk(['curl', '-s', 'http://127.0.0.1:7472/metrics'])).includes('pool="more"')
  await until('they are in force', loaded, 20_000)
  await answers()
  await rm(join(input, 'many.yaml'))
  await rm(join(input, 'mark.yaml'))
  await until('they are gone', async () => !await loaded(), 20_000)
})

test('an edit that takes a range away from an address in use: it moves, and the log says so', async () => {
  await writeFile(join(input, 'good.yaml'), good.replace('192.168.1.240/30', '192.168.1.244/30'))
  await program.statusWhen('it moved', ({ announcements }) =>
    announcements.some(({ address, since }) => address === '192.168.1.244' && since !== ''))
  assert.is.not((await client.exec(['arping', '-c', '1', '-w', '1', '-I', 'eth0', '192.168.1.240'])).code, 0)
  await writeFile(join(input, 'good.yaml'), good)
  await program.statusWhen('it is back', ({ announcements }) =>
    announcements.some(({ address, since }) => address === '192.168.1.240' && since !== ''))
})

test('the last good configuration is in force after a restart with a bad file', async () => {
  await writeFile(join(input, 'bad.yaml'), 'a:\n\tb: 1\n')
  await program.statusWhen('it is reported', ({ config }) => !config.ok)
  await program.child.stop('SIGKILL')
  program = await openArpeggio(node, argv)
  await program.statusWhen('both addresses are announced', isServing)
  await answers()
  await rm(join(input, 'bad.yaml'))
  await program.statusWhen('it is whole again', ({ config }) => config.ok)
})

const floodCount = 100_000
/** Sends frames of 1 to 1,514 random bytes, half of them with an ethertype that is looked at. */
const flood = `
import { openPackets } from '${new URL('../../src/l2/linux/packets.ts', import.meta.url)}'
import { openLinks } from '${new URL('../../src/l2/linux/links.ts', import.meta.url)}'
await using links = await openLinks()
const link = links.current().find(({ name }) => name === 'eth0')
await using packets = openPackets(() => {})
packets.attach(link)
let sent = 0
for (let n = 0; n < ${floodCount}; n += 1) {
  const frame = crypto.getRandomValues(new Uint8Array(1 + Math.floor(Math.random() * 1514)))
  if (n % 2 === 0 && frame.length > 14) {
    frame.set([255, 255, 255, 255, 255, 255])
    frame.set(n % 4 === 0 ? [8, 6] : [0x86, 0xdd], 12)
  }
  if (packets.send(link.index, frame) === undefined) sent += 1
  if (n % 500 === 0) await new Promise((resolve) => setTimeout(resolve, 5))
}
console.log('sent', sent)
`

async function residentKb(): Promise<number> {
  const status = await node.execOk(['cat', `/proc/${program.child.pid}/status`])
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1])
}

test(`${floodCount} frames of random bytes: dropped by reason, memory flat, both answer`, async () => {
  await answers()
  const before = await residentKb()
  const file = join(lab.folder, 'flood.mjs')
  await writeFile(file, flood)
  await chmod(file, 0o600)
  const sent = await client.execOk([process.execPath, file], { capMs: 60_000 })
  assert.match(sent, /^sent \d{5}/)
  await answers()
  const { drops } = await program.status()
  const dropped = Object.values(drops).reduce((sum, count) => sum + count, 0)
  assert.ok(dropped > 1_000, `${dropped} drops were counted: ${JSON.stringify(drops)}`)
  const grown = await residentKb() - before
  assert.ok(grown < 40_000, `memory grew by ${grown} kB`)
})

test.run()
