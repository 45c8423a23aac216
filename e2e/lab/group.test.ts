/** Three hosts without a cluster share their addresses: one voice, failover, union, majority, restart. */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { until } from './command.ts'
import { lan, openLab } from './lab.ts'
import { type Arpeggio, lanPool, openArpeggio, type Status } from './program.ts'

const names = ['a', 'b', 'c'] as const
type Name = (typeof names)[number]

/** Times of gossip and of elections are seconds: a cap for what waits for them. */
const slowCapMs = 20_000

const lab = await openLab({
  hosts: { a: { lan: lan(11) }, b: { lan: lan(12) }, c: { lan: lan(13) }, client: { lan: lan(20) } },
})
test.after(async () => void await lab[Symbol.asyncDispose]())
const client = lab.host('client')
const running = new Map<Name, Arpeggio>()

const service = (name: string, port = 80, named = ''): string => `
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: default }
spec: { type: LoadBalancer, ports: [{ port: ${port} }], loadBalancerIP: "${named}" }
`
/** It asks for its address by name: else it would be given another once a machine has taken it. */
const web = (port = 80): string => service('web', port, '192.168.1.240')

async function write(host: Name, name: string, text: string): Promise<void> {
  const folder = join(lab.folder, host)
  await mkdir(folder, { recursive: true })
  await writeFile(join(lab.folder, `${host}-${name}`), text)
  await rename(join(lab.folder, `${host}-${name}`), join(folder, name))
}

async function start(name: Name, ...more: readonly string[]): Promise<Arpeggio> {
  const program = await openArpeggio(lab.host(name), [
    '--node-name', name, '--no-forward', '--state-dir', join(lab.folder, `${name}-state`),
    '--join', '192.168.1.11,192.168.1.12,192.168.1.13', ...more, join(lab.folder, name),
  ], slowCapMs)
  running.set(name, program)
  return program
}

function program(name: Name): Arpeggio {
  const found = running.get(name)
  if (found === undefined) throw new Error(`No program on "${name}"`)
  return found
}

async function kill(name: Name): Promise<void> {
  await program(name).child.stop('SIGKILL')
  running.delete(name)
}

/** The hosts that answer the client's question for `address`, by name. */
async function voices(address: string): Promise<readonly string[]> {
  const { stdout } = await client.exec(['arping', '-b', '-c', '2', '-w', '2', '-I', 'eth0', address])
  const macs = [...stdout.matchAll(/\[([0-9A-Fa-f:]{17})\]/g)].map(([, mac = '']) => mac.toLowerCase())
  return [...new Set(macs)].map((mac) => names.find((name) => lab.host(name).mac('eth0') === mac) ?? mac)
    .toSorted()
}

/**
 * The one host that answers; that there is one voice only is asserted each time. The client asks
 * twice, a second apart: of a hand-over in between it hears both, and asks once more.
 */
async function owner(address: string): Promise<Name> {
  const ask = (): Promise<readonly string[]> => until(`somebody answers for ${address}`, async () => {
    const heard = await voices(address)
    return heard.length > 0 && heard
  }, slowCapMs)
  const first = await ask()
  const all = first.length === 1 ? first : await ask()
  assert.is(all.length, 1, `${all.join(' and ')} answer for ${address}`)
  const found = names.find((name) => name === all[0])
  if (found === undefined) throw new Error(`${all[0]} answers for ${address}`)
  return found
}

function heldIn(status: Status): Readonly<Record<string, string>> {
  return Object.fromEntries(status.services.filter(({ addresses }) => addresses.length > 0)
    .map(({ name, addresses }) => [name, addresses.join(' ')]))
}

/** Every running program shows this. */
async function everywhere(what: string, holds: (status: Status) => boolean): Promise<void> {
  for (const [name, each] of running) await each.statusWhen(`${what} on ${name}`, holds, slowCapMs)
}

function movesOf(status: Status): readonly string[] {
  return (status.ownership?.moves ?? []).map(({ kind, unit, cause }) => `${kind} ${unit} ${cause}`)
}

/**
 * Addresses that a host lost since it was not given processor time, by its own account: its deadline had
 * passed when another took over. On a machine that is busy with other things that is right, and says nothing
 * of a restart.
 */
async function lostByLateness(): Promise<ReadonlySet<string>> {
  const all = await Promise.all([...running.values()].map((each) => each.status()))
  return new Set(all.flatMap(({ ownership }) => ownership?.moves ?? [])
    .flatMap(({ kind, unit, cause }) => kind === 'released' && cause === 'expired' ? [unit] : []))
}

test('one input in three directories: one voice for each address', async () => {
  await write('a', 'pool.yaml', lanPool)
  await write('a', 'web.yaml', web())
  await write('b', 'mail.yaml', service('mail', 25))
  await write('b', 'web.yaml', web())
  await mkdir(join(lab.folder, 'c'), { recursive: true })
  await Promise.all(names.map((name) => start(name)))
  await everywhere('both Services have addresses', (status) => Object.keys(heldIn(status)).length === 2)
  assert.equal(heldIn(await program('c').status()), { web: '192.168.1.240', mail: '192.168.1.241' })
  await everywhere('all three are members', ({ group }) => group?.members.join() === 'a,b,c')
  for (const address of ['192.168.1.240', '192.168.1.241']) await owner(address)
})

let dead: Name = 'a'

test('the owner is killed: another one answers, and says why', async () => {
  dead = await owner('192.168.1.240')
  await kill(dead)
  const next = await until('another host answers', async () => {
    const [found] = await voices('192.168.1.240')
    return names.find((name) => name === found && name !== dead)
  }, slowCapMs)
  const status = await program(next).status()
  const move = status.ownership?.moves.find(({ unit, from }) => unit === '192.168.1.240' && from === dead)
  assert.ok(['ownerSilent', 'ownerDeaf'].includes(move?.cause ?? ''), movesOf(status).join('\n'))
})

test('the host returns: nothing moves, and it knows who owns what', async () => {
  await start(dead)
  await everywhere('all three live', ({ members = [] }) =>
    members.length === 3 && members.every(({ state }) => state === 'alive'))
  await program(dead).statusWhen('it knows the owner', ({ ownership }) =>
    ownership?.units.some(({ unit, owner: name }) =>
      unit === '192.168.1.240' && name !== undefined && name !== dead) === true)
  const lost = await lostByLateness()
  if (!lost.has('192.168.1.240')) assert.is.not(await owner('192.168.1.240'), dead)
  const moves = movesOf(await program(dead).status())
  assert.equal(moves.filter((move) => !lost.has(move.split(' ')[1] ?? '')), [])
})

test('a Service that appears on any host is everybody\'s', async () => {
  await write('c', 'late.yaml', service('late', 8080))
  await everywhere('it has an address', (status) => heldIn(status)['late'] === '192.168.1.242')
  await owner('192.168.1.242')
})

test('another machine takes an address: its owner is silent, all say why, and for how long', async () => {
  const address = '192.168.1.240'
  const silent = await owner(address)
  const setAddress = (verb: 'add' | 'del'): Promise<string> =>
    client.execOk(['ip', 'address', verb, `${address}/32`, 'dev', 'eth0'])
  await setAddress('add')
  await client.exec(['arping', '-A', '-c', '1', '-I', 'eth0', '-s', address, address])
  await everywhere('it is silent', ({ services }) => services.some(({ announcements, silent: rows }) =>
    rows.some((row) => row.address === address && row.node === silent && row.reason === 'inConflict') &&
    announcements.every((row) => row.address !== address)))
  await setAddress('del')
  const { ownership } = await program(silent).statusWhen('it answers again', (status) =>
    status.ownership?.pauses.at(-1)?.kind === 'resumed', slowCapMs)
  const [begun, ended] = ownership?.pauses.filter(({ unit }) => unit === address).slice(-2) ?? []
  assert.equal([begun, ended].map((each) => [each?.kind, each?.cause]),
    [['silenced', 'conflict'], ['resumed', 'conflict']])
  assert.ok((ended?.lastedMs ?? 0) >= 300)
  await everywhere('it is announced', ({ services }) =>
    services.every(({ silent: rows }) => rows.length === 0))
})

test('the gossip of one host is blocked: it is missed, and said to be on the wire', async () => {
  const drop = 'meta l4proto { tcp, udp } th dport 7946 drop'
  const chain = (hook: string): string =>
    `chain ${hook} {\n type filter hook ${hook} priority -300\n ${drop}\n }\n`
  const at = await owner('192.168.1.240')
  const blocked = lab.host(at)
  const rules = `table inet t {\n${chain('input')}${chain('output')}}\n`
  await blocked.execOk(['nft', '-f', '-'], { stdin: rules })
  try {
    for (const name of names.filter((each) => each !== at)) {
      await program(name).statusWhen(`${name} misses it, and hears it`, ({ findings }) =>
        findings.some(({ reason, message }) => reason === 'hostMissing' &&
          message.startsWith(`Not heard: ${at}, stopped, dead or blocked; `) &&
          message.includes('on the wire')), slowCapMs)
    }
  } finally {
    await blocked.execOk(['nft', 'delete', 'table', 'inet', 't'])
  }
  await everywhere('all three live', ({ members = [], findings }) => findings.length === 0 &&
    members.length === 3 && members.every(({ state }) => state === 'alive'))
})

test('differing copies: a problem that names both places, and what was agreed on stays', async () => {
  await write('b', 'web.yaml', web(8081))
  await everywhere('the difference is told', ({ config }) =>
    config.problems.some(({ reason, message }) => reason === 'DuplicateName' &&
      message.includes(`a:${join(lab.folder, 'a', 'web.yaml')}, document 1`) &&
      message.includes(`b:${join(lab.folder, 'b', 'web.yaml')}, document 1`) &&
      message.includes('the one agreed on before stays in force')))
  assert.is(heldIn(await program('c').status())['web'], '192.168.1.240')
  await write('a', 'web.yaml', web(8081))
  await everywhere('it is mended', ({ config }) => config.ok)
  assert.is(heldIn(await program('c').status())['web'], '192.168.1.240')
})

test('a host alone goes on serving and assigns nothing new; what only the others brought stays', async () => {
  await kill('b')
  await kill('c')
  const alone = program('a')
  await alone.statusWhen('it sees that it is a minority', ({ group }) => group?.standstill === 'minority',
    slowCapMs)
  await write('a', 'more.yaml', service('more', 9090))
  await alone.statusWhen('the new one waits, by name', ({ findings }) =>
    findings.some(({ reason, message }) =>
      reason === 'minority' && /hears 1 of 3.*Service\/default\/more/.test(message)))
  const held = heldIn(await alone.status())
  assert.equal(held, { web: '192.168.1.240', mail: '192.168.1.241', late: '192.168.1.242' })
  for (const address of Object.values(held)) assert.is(await owner(address), 'a')
  await start('b')
  await everywhere('a majority assigns it', (status) => heldIn(status)['more'] === '192.168.1.243')
  await start('c')
})

test('everything is killed and started: addresses and owners are as before', async () => {
  await everywhere('all three live', ({ members = [] }) =>
    members.length === 3 && members.every(({ state }) => state === 'alive'))
  const held = heldIn(await program('a').status())
  const owners = await Promise.all(Object.values(held).map(owner))
  for (const name of names) await kill(name)
  await Promise.all(names.map((name) => start(name)))
  await everywhere('the ledger is in force', (status) => Object.keys(heldIn(status)).length === 4)
  assert.equal(heldIn(await program('b').status()), held)
  // A host that starts late gets what it had within the first minute.
  for (const [i, address] of Object.values(held).entries()) {
    const isBack = async (): Promise<boolean> =>
      (await voices(address)).join() === owners[i] || (await lostByLateness()).has(address)
    await until(`${owners[i]} has ${address} again`, isBack, slowCapMs)
  }
})

test('a host that stops hands over; its own documents stay, until it is told to forget it', async () => {
  const before = heldIn(await program('a').status())
  const stopped = program('c').child
  const code = await stopped.stop()
  running.delete('c')
  assert.is(code, 0)
  assert.ok(stopped.lines.some((line) => line.includes('"event":"leaving"')), 'it does not say so')
  for (const address of Object.values(before)) assert.is.not(await owner(address), 'c')
  assert.equal(heldIn(await program('a').status()), before)
  const ledger: { members: readonly { name: string }[] } =
    JSON.parse(await readFile(join(lab.folder, 'a-state', 'group.json'), 'utf8'))
  assert.equal(ledger.members.map(({ name }) => name), ['a', 'b', 'c'])
  await rm(join(lab.folder, 'a', 'more.yaml'))
  await everywhere('what nobody brings any more goes', (status) => heldIn(status)['more'] === undefined)
  assert.is(heldIn(await program('a').status())['late'], '192.168.1.242')
})

test('the host that was stopped counts, and all say so; it is forgotten, and nobody else is', async () => {
  const words = /^Not heard: c, stopped or dead; all 3 hosts of the group count until they are heard or /
  await everywhere('it is missed, and counts', ({ findings, group }) => group?.size === 3 &&
    findings.some(({ reason, message }) => reason === 'hostMissing' && words.test(message)))
  const before = heldIn(await program('a').status())
  await program('b').child.stop()
  running.delete('b')
  // One that lives and is given up by mistake keeps all that it has brought, the pool among it.
  const { child, statusWhen } = await start('b', '--forget', 'c', '--forget', 'a', '--forget', 'nobody')
  await child.line(/"msg":"host of the group is forgotten","event":"forgotten","node":"c"/, slowCapMs)
  await everywhere('two are left, and none is missed', ({ group, findings }) => group?.size === 2 &&
    group.members.join() === 'a,b' && findings.every(({ reason }) => reason !== 'hostMissing'))
  await statusWhen('why the others are not', ({ findings }) => {
    const found = findings.filter(({ reason }) => reason === 'notForgotten').map(({ message }) => message)
    return found.length === 2 && found[0]?.startsWith('--forget a: it has been heard') === true &&
      found[1]?.startsWith('--forget nobody: no host of the group has this name') === true
  }, slowCapMs)
  for (const why of ['a: it has been heard since', 'nobody: no host of the group']) {
    const line = new RegExp(`"msg":"host of the group is not forgotten".*--forget ${why}`)
    await child.line(line, slowCapMs)
  }
  // What c alone brought goes with it; the rest stays where it was.
  const { late: _, ...rest } = before
  for (const name of ['a', 'b'] as const) assert.equal(heldIn(await program(name).status()), rest)
})

test.run()
