/** What a host may do to the program: kills at any instant, missing rights, ports and tools. */
import { watch } from 'node:fs'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Child, startCapMs, until } from './command.ts'
import { type Host, lan, openLab } from './lab.ts'
import { arpeggio, openArpeggio } from './program.ts'

const pool = `
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: { name: lan, namespace: metallb-system }
spec: { addresses: [192.168.1.100-192.168.1.199] }
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: { name: lan, namespace: metallb-system }
`

const service = (name: string): string => `---
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: default }
spec: { type: LoadBalancer, ports: [{ port: 80 }] }
`

const lab = await openLab({ hosts: { node: { lan: lan(10) }, client: { lan: lan(20) } } })
test.after(async () => void await lab[Symbol.asyncDispose]())
const node = lab.host('node')
const client = lab.host('client')

async function folder(name: string): Promise<{ input: string; state: string }> {
  const [input, state] = [join(lab.folder, name), join(lab.folder, `${name}-state`)]
  await mkdir(input)
  await writeFile(join(input, 'pool.yaml'), pool)
  return { input, state }
}

/** The program's arguments for one lane: many run at once, so no port is shared. */
function argumentsFor(at: { input: string; state: string }): string[] {
  return ['standalone', '--no-forward', '--http-port', '0', '--state-dir', at.state, at.input]
}

type Held = Readonly<Record<string, readonly string[]>>

async function readLedger(state: string): Promise<Held> {
  const text = await readFile(join(state, 'ledger.json'), 'utf8').catch(() => '{"services":{}}')
  const { services } = JSON.parse(text)
  return services
}

/** No address changed and none is held twice. */
function compare(before: Held, after: Held): void {
  const all = Object.values(after).flat()
  assert.is(new Set(all).size, all.length, 'no address is held twice')
  for (const [name, addresses] of Object.entries(before)) {
    assert.equal(after[name], addresses, `${name} keeps its address`)
  }
}

const kills = 200
const lanes = 4

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** A random instant: anywhere, while the ledger is being written, or just after it was. */
async function instant(n: number, child: Child, state: string): Promise<void> {
  if (n % 3 === 0) return pause(Math.random() * 1_000)
  if (n % 3 === 1) return void await child.line(/ipAllocated/, startCapMs)
  await mkdir(state, { recursive: true })
  const watcher = watch(state)
  await new Promise((resolve) => watcher.once('change', resolve))
  watcher.close()
  await pause(Math.random() * 3)
}

/** Starts the program, lets it work for a random while, and kills it; again and again. */
async function killAgain(lane: number): Promise<number> {
  const at = await folder(`lane-${lane}`)
  let held: Held = {}
  for (let n = 0; n < kills / lanes; n += 1) {
    await writeFile(join(at.input, `s${n}.yaml`), service(`lane-${lane}-${n}`))
    const child = node.spawn([...arpeggio, ...argumentsFor(at)])
    await instant(n, child, at.state)
    await child.stop('SIGKILL')
    const now = await readLedger(at.state)
    compare(held, now)
    held = now
  }
  const { length } = Object.keys(held)
  const last = node.spawn([...arpeggio, ...argumentsFor(at)])
  await last.line(/standalone started/, startCapMs)
  await last.stop()
  const end = await readLedger(at.state)
  compare(held, end)
  assert.is(Object.keys(end).length, kills / lanes, 'every Service has an address at last')
  return length
}

test(`${kills} kills at random instants: the ledger stays whole, no address changes`, async () => {
  const held = await Promise.all(Array.from({ length: lanes }, (_, lane) => killAgain(lane)))
  assert.ok(held.every((count) => count > 10), `addresses were given between kills: ${held}`)
})

test('a taken port: the second instance ends with a sentence and says nothing on the wire', async () => {
  const first = await folder('port')
  await writeFile(join(first.input, 'a.yaml'), service('a'))
  await using program = await openArpeggio(node, ['--state-dir', first.state, first.input])
  const wire = await lab.capture('lan', 'arp')
  const second = await folder('port-2')
  await writeFile(join(second.input, 'b.yaml'), pool.replaceAll('100-192.168.1.199', '200/32'))
  await writeFile(join(second.input, 'pool.yaml'), service('b'))
  const { code, stderr } = await node.exec(
    [...arpeggio, 'standalone', '--state-dir', second.state, second.input],
    { capMs: startCapMs },
  )
  assert.is(code, 1)
  assert.match(stderr, /port 7472: another program uses it; choose one with --http-port/)
  await wire.settle()
  assert.equal(wire.matching(/192\.168\.1\.200/), [])
  assert.match(await node.execOk(['nft', 'list', 'tables']), /arpeggio/, 'the rules of the first stand')
  await program.status()
})

test('a state folder in use: the second instance ends with a sentence, the first is untouched', async () => {
  const at = await folder('held')
  await writeFile(join(at.input, 'a.yaml'), service('a'))
  await using program = await openArpeggio(node, ['--state-dir', at.state, at.input])
  const { code, stderr } = await node.exec(
    [...arpeggio, 'standalone', '--http-port', '0', '--state-dir', at.state, at.input],
    { capMs: startCapMs },
  )
  assert.is(code, 1)
  assert.match(stderr, /Cannot use the state folder ".*": another arpeggio uses it; see --state-dir/)
  assert.match(await node.execOk(['nft', 'list', 'tables']), /arpeggio/, 'its rules stand')
  await program.status()
})

const setpriv = (right: string): string[] =>
  ['setpriv', `--bounding-set=-${right}`, `--inh-caps=-${right}`]

async function logOf(host: Host, argv: readonly string[], pattern: RegExp): Promise<string> {
  await using child = host.spawn(argv)
  const line = await child.line(pattern, startCapMs)
  await child.line(/standalone started/)
  return line
}

test('without CAP_NET_RAW nothing is announced, and log and reason say why', async () => {
  const at = await folder('raw')
  await writeFile(join(at.input, 'a.yaml'), service('a'))
  const argv = [...setpriv('net_raw'), ...arpeggio, ...argumentsFor(at)]
  const line = await logOf(node, argv, /packet socket failed/)
  assert.match(line, /Operation not permitted \(needs CAP_NET_RAW\)/)
  const silent = await logOf(node, argv, /notAnnounced/)
  assert.match(silent, /"reason":"socketFailed"/)
})

test('without CAP_NET_ADMIN it announces all the same, and says that it cannot forward', async () => {
  const at = await folder('admin')
  await writeFile(join(at.input, 'a.yaml'), service('a'))
  const argv = ['standalone', '--http-port', '0', '--state-dir', at.state, at.input]
  await using child = node.spawn([...setpriv('net_admin'), ...arpeggio, ...argv])
  assert.match(await child.line(/rulesNotLoaded/, startCapMs), /needs CAP_NET_ADMIN/)
  await child.line(/serviceAnnounced/)
  await until('it answers', async () => (await client.exec(
    ['arping', '-c', '1', '-w', '1', '-I', 'eth0', '192.168.1.100'])).code === 0)
})

test('the rights that the systemd unit and the Compose file give are enough', async () => {
  const deploy = join(import.meta.dirname, '../../deploy/standalone')
  const unit = await readFile(join(deploy, 'arpeggio.service'), 'utf8')
  const compose = await readFile(join(deploy, 'compose.yaml'), 'utf8')
  const rights = /^AmbientCapabilities=(.*)$/m.exec(unit)?.[1]?.split(' ') ?? []
  const added = /^ {4}cap_add: \[(.*)\]$/m.exec(compose)?.[1]?.split(', ') ?? []
  assert.equal(rights, added.map((name) => `CAP_${name}`))
  const command = /^ExecStart=.*src\/main\.ts (.*)$/m.exec(unit)?.[1]?.split(' ') ?? []
  assert.equal(command, ['standalone', '--state-dir', '/var/lib/arpeggio', '/etc/arpeggio'])
  assert.match(compose, '    command: [standalone, --state-dir, /state, /config]\n')

  const at = await folder('rights')
  await writeFile(join(at.input, 'a.yaml'), service('a'))
  const list = ['-all', ...added.map((name) => `+${name.toLowerCase()}`)].join(',')
  const only = ['setpriv', `--bounding-set=${list}`, `--inh-caps=${list}`, '--no-new-privs']
  const argv = ['standalone', '--http-port', '0', '--state-dir', at.state, at.input]
  await using child = node.spawn([...only, ...arpeggio, ...argv])
  await child.line(/standalone started/, startCapMs)
  await child.line(/serviceAnnounced/)
  assert.match(await node.execOk(['nft', 'list', 'tables']), /arpeggio/)
  const missed = /socket failed|rulesNotLoaded|notAnnounced|not permitted/
  assert.equal(child.lines.filter((line) => missed.test(line)), [])
})

test('without nft it announces all the same, and names the package', async () => {
  const at = await folder('nft')
  await writeFile(join(at.input, 'a.yaml'), service('a'))
  // A PATH with a shell and without nft; the program looks in /usr/sbin, too, so that is hidden.
  const argv = ['standalone', '--http-port', '0', '--state-dir', at.state, at.input]
  const hide = 'mount -t tmpfs tmpfs /usr/sbin && exec "$@"'
  await using child = node.spawn(
    ['unshare', '--mount', 'sh', '-c', hide, 'sh', ...arpeggio, ...argv],
  )
  assert.match(await child.line(/rulesNotLoaded/, startCapMs), /install the package nftables/)
  await child.line(/serviceAnnounced/)
})

test('an nft that cannot list is no flushed ruleset: nothing is loaded again for it', async () => {
  const at = await folder('blind')
  await writeFile(join(at.input, 'a.yaml'), service('a'))
  const tools = join(lab.folder, 'blind-tools')
  await mkdir(tools)
  const blind = '#!/bin/sh\ncase "$*" in *list*) exit 1;; esac\nexec /usr/sbin/nft "$@"\n'
  await writeFile(join(tools, 'nft'), blind, { mode: 0o755 })
  const argv = ['standalone', '--http-port', '0', '--state-dir', at.state, at.input]
  await using child = node.spawn(
    ['env', `PATH=${tools}:/usr/sbin:/usr/bin:/sbin:/bin`, ...arpeggio, ...argv],
  )
  await child.line(/serviceAnnounced.*default\/a/, startCapMs)
  await writeFile(join(at.input, 'b.yaml'), service('b'))
  await child.line(/serviceAnnounced.*default\/b/)
  assert.equal(child.lines.filter((line) => line.includes('rulesGone')), [])
})

test('a state folder that cannot be made ends it with a sentence', async () => {
  const at = await folder('state')
  const { code, stderr } = await node.exec(
    [...arpeggio, ...argumentsFor({ ...at, state: '/proc/x' })], { capMs: startCapMs },
  )
  assert.is(code, 1)
  assert.match(stderr, /^Cannot use the state folder "\/proc\/x": .*see --state-dir/)
})

test('a state folder that is lost: nothing new is given, which status tells, until it is back', async () => {
  const at = await folder('lost')
  await writeFile(join(at.input, 'a.yaml'), service('a'))
  await using program = await openArpeggio(node, ['--no-forward', '--state-dir', at.state, at.input])
  await program.statusWhen('a has an address', ({ services }) => services.length === 1)
  await rename(at.state, `${at.state}-away`)
  await writeFile(join(at.input, 'b.yaml'), service('b'))
  const { services, findings } = await program.statusWhen('it is told', (status) =>
    status.findings.some(({ reason }) => reason === 'stateNotStored'))
  assert.equal(services.flatMap(({ addresses }) => addresses), ['192.168.1.100'])
  assert.match(findings[0]?.message ?? '', /^Cannot store assigned addresses in ".*": .*; nothing changes/)
  await rename(`${at.state}-away`, at.state)
  await writeFile(join(at.input, 'c.yaml'), service('c'))
  await program.statusWhen('all have one, and nothing is told', (status) =>
    status.findings.length === 0 && status.services.flatMap(({ addresses }) => addresses).length === 3)
})

test('SIGTERM in the middle of a turn: it ends, silent, and takes its rules along', async () => {
  const at = await folder('slow')
  await writeFile(join(at.input, 'a.yaml'), service('a'))
  const tools = join(lab.folder, 'tools')
  await mkdir(tools)
  const slow = '#!/bin/sh\nsleep 1\nexec /usr/sbin/nft "$@"\n'
  await writeFile(join(tools, 'nft'), slow, { mode: 0o755 })
  const argv = ['standalone', '--http-port', '0', '--state-dir', at.state, at.input]
  await using child = node.spawn(
    ['env', `PATH=${tools}:/usr/sbin:/usr/bin:/sbin:/bin`, ...arpeggio, ...argv],
  )
  await child.line(/serviceAnnounced/, startCapMs)
  const wire = await lab.capture('lan', 'arp')
  await writeFile(join(at.input, 'b.yaml'), service('b'))
  await until('the turn has stored the ledger', async () =>
    Object.keys(await readLedger(at.state)).length === 2)
  assert.is(await child.stop('SIGTERM'), 0)
  const seen = wire.frames().length
  await wire.settle()
  assert.is(wire.frames().length, seen, 'nothing is said after the end')
  assert.not.match(await node.execOk(['nft', 'list', 'tables']), /arpeggio/)
})

test.run()
