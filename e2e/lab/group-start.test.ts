/** How hosts of a group start: with options that cannot work, too few of them, and not of one mind. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { startCapMs, until } from './command.ts'
import { lan, openLab } from './lab.ts'
import { type Arpeggio, arpeggio, lanPool, spawnArpeggio, type Status } from './program.ts'

const lab = await openLab({
  hosts: { a: { lan: lan(11) }, b: { lan: lan(12) }, c: { lan: lan(13) }, client: { lan: lan(20) } },
})
test.after(async () => void await lab[Symbol.asyncDispose]())
const join3 = ['--join', '192.168.1.11,192.168.1.12,192.168.1.13']
const input = join(lab.folder, 'input')
const keys = join(lab.folder, 'keys')
await mkdir(input)
await mkdir(keys)
await writeFile(join(keys, 'secretkey'), '')
const none = join(lab.folder, 'none')

const service = (name: string, more = ''): string => `
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: default }
spec: { type: LoadBalancer, ports: [{ port: 80 }]${more} }
`

const refused: readonly { it: string; argv: readonly string[]; code: number; want: string }[] = [
  { it: 'a secret that is not there', argv: [...join3, '--ml-secret-key-path', none], code: 1,
    want: `--ml-secret-key-path "${none}": "${join(none, 'secretkey')}": no such file` },
  { it: 'a secret that is empty', argv: [...join3, '--ml-secret-key-path', keys], code: 1,
    want: `--ml-secret-key-path "${keys}": "${join(keys, 'secretkey')}": the file is empty` },
  { it: 'no port to meet at', argv: [...join3, '--ml-bindport', '0'], code: 2,
    want: 'Bad value "0" of --ml-bindport' },
  { it: 'a name that no Node can have', argv: [...join3, '--node-name', 'Bad Name!'], code: 2,
    want: 'Bad value "Bad Name!" of --node-name' },
]
for (const { it, argv, code, want } of refused) {
  test(`${it}: the program ends, and says which option is wrong`, async () => {
    const state = ['--no-forward', '--state-dir', join(lab.folder, 'refused')]
    const ended = await lab.host('a').exec(
      [...arpeggio, 'standalone', ...state, ...argv, input], { capMs: startCapMs },
    )
    assert.is(ended.code, code, ended.stderr)
    assert.ok(ended.stderr.includes(want), ended.stderr)
  })
}

const names = ['a', 'b', 'c'] as const
type Name = (typeof names)[number]
/** Times of gossip and of elections are seconds: a cap for what waits for them. */
const slowCapMs = 20_000
const running = new Map<Name, Arpeggio>()

function program(name: Name): Arpeggio {
  const found = running.get(name)
  if (found === undefined) throw new Error(`No program on "${name}"`)
  return found
}

/** Resolves when the status can be asked for: a minority is never ready. */
async function start(name: Name, ...more: readonly string[]): Promise<void> {
  await startAs(name, name, ...more)
}

async function startAs(name: Name, node: string, ...more: readonly string[]): Promise<void> {
  const state = join(lab.folder, `${name}-state`)
  const own = ['--node-name', node, '--no-forward', '--state-dir', state, ...join3, ...more, input]
  const started = spawnArpeggio(lab.host(name), own)
  running.set(name, started)
  await started.child.line(/"msg":"standalone started"/, startCapMs)
}

async function when(name: Name, what: string, holds: (status: Status) => boolean): Promise<Status> {
  return await program(name).statusWhen(`${name}: ${what}`, holds, slowCapMs)
}

async function kill(name: Name): Promise<void> {
  await program(name).child.stop('SIGKILL')
  running.delete(name)
}

function heldIn(services: Status['services']): string {
  return services.filter(({ addresses }) => addresses.length > 0)
    .map(({ name, addresses }) => `${name} ${addresses.join(' ')}`).join(', ')
}

/**
 * How many answer the client's question for the address, as soon as somebody does. It asks twice, a second
 * apart: of a hand-over in between it hears both, and asks once more.
 */
async function voices(address: string): Promise<number> {
  const first = await ask(address)
  return first === 1 ? first : await ask(address)
}

async function ask(address: string): Promise<number> {
  return await until(`somebody answers for ${address}`, async () => {
    const argv = ['arping', '-b', '-c', '2', '-w', '2', '-I', 'eth0', address]
    const { stdout } = await lab.host('client').exec(argv)
    return new Set([...stdout.matchAll(/\[([0-9A-Fa-f:]{17})\]/g)].map(([, mac]) => mac)).size
      || undefined
  }, slowCapMs)
}

/** What a host says of options that differ, sorted. */
function differing({ findings }: Status): readonly string[] {
  return findings.filter(({ reason }) => reason === 'optionsDiffer').map(({ message }) => message)
}

/** Lines of the log with this message. */
function told(name: Name, message: string): readonly string[] {
  return program(name).child.lines.filter((line) => line.includes(`"msg":"${message}"`))
}

test('one of three, before anything was agreed: who is missing, how many are needed', async () => {
  const other = service('other', ', loadBalancerClass: x/y')
  await writeFile(join(input, 'all.yaml'), `${lanPool}---${service('web')}---${other}`)
  await start('c')
  const words = /hears 1 of 3 hosts .* needs 2; missing: 192.168.1.11, 192.168.1.12: nothing was agreed/
  const line = await program('c').child.line(/"msg":"group stands still"/, slowCapMs)
  assert.match(line, /"level":"warn"/)
  assert.match(line, words)
  const { group, findings, config } = await program('c').status()
  assert.is(config.ok, false)
  assert.equal([group?.size, group?.heard, group?.needed, group?.missing.join()],
    [3, 1, 2, '192.168.1.11,192.168.1.12'])
  assert.match(findings.find(({ reason }) => reason === 'minority')?.message ?? '', words)
  const { code, stdout: text } = await lab.host('c').exec([...arpeggio, 'status'], { capMs: startCapMs })
  assert.is(code, 1)
  assert.match(text, /^arpeggio .* NO CONFIGURATION IN FORCE: the hosts of the group have not agreed/)
  assert.match(text, words)
  assert.match(text, /^1 of 3 members live, nobody allocates, nothing agreed yet/m)
  const page = await lab.host('c').execOk(['curl', '-sS', 'http://127.0.0.1:7472/status?format=html'])
  assert.match(page, words)
  assert.match(page, /1 of 3 members live, nobody allocates/)
})

test('a host with another secret: both say why they do not meet', async () => {
  const secret = join(lab.folder, 'secret')
  await mkdir(secret)
  await writeFile(join(secret, 'secretkey'), 'another secret')
  await start('b', '--ml-secret-key-path', secret)
  for (const [name, other] of [['b', '192.168.1.13'], ['c', '192.168.1.12']] as const) {
    const words = `What ${other} sends cannot be read here: one of us has another secret, or none; give all`
    await when(name, 'what it hears cannot be read', ({ findings }) =>
      findings.some(({ reason, message }) => reason === 'otherSecret' && message.startsWith(words)))
    const counts = await lab.host(name).execOk(['curl', '-sS', 'http://127.0.0.1:7472/metrics'])
    assert.match(counts, /^arpeggio_findings\{reason="otherSecret"\} 1$/m)
  }
  // A stranger, whom nobody expects, adds nothing.
  const flood = 'for i in $(seq 300); do echo nonsense >/dev/udp/192.168.1.12/7946; done'
  await lab.host('client').execOk(['bash', '-c', flood])
  const { findings } = await program('b').status()
  assert.equal(findings.filter(({ message }) => message.includes('192.168.1.20')), [])
  for (const name of ['b', 'c'] as const) {
    const lines = told(name, 'memberlist messages cannot be read')
    assert.match(lines.join(), /"level":"warn".*"otherSecret","from":\["192\.168\.1\.1[23]"\]/)
    assert.is(lines.length, 1)
  }
  await kill('b')
})

test('with another secret, from an address that nobody knows: it says so at once', async () => {
  const secret = join(lab.folder, 'secret')
  const state = join(lab.folder, 'd-state')
  await using d = spawnArpeggio(lab.host('client'), ['--node-name', 'd', '--no-forward', '--state-dir', state,
    ...join3, '--ml-secret-key-path', secret, input])
  const line = /"msg":"memberlist messages cannot be read".*"from":\["192\.168\.1\.13"\]/
  await d.child.line(line, slowCapMs)
  const { findings } = await program('c').status()
  assert.equal(findings.filter(({ message }) => message.includes('192.168.1.20')), [])
})

test('a second host makes a majority: the log says so, and addresses are given', async () => {
  assert.is(told('c', 'group stands still').length, 1)
  await start('a')
  await program('c').child.line(/"msg":"group goes on"/, slowCapMs)
  await when('c', 'the Service has its address', ({ services }) =>
    heldIn(services) === 'web 192.168.1.240')
  await start('b')
  for (const name of names) {
    await when(name, 'all three are members', ({ group }) => group?.members.join() === 'a,b,c')
  }
})

test('in the minority again: members by name, and what was agreed before is served on', async () => {
  const before = told('c', 'group stands still').length
  for (const name of ['a', 'b'] as const) await kill(name)
  await until('it is told again', () => told('c', 'group stands still').length > before, slowCapMs)
  const words = /hears 1 of 3 .* needs 2; missing: a, b: what was agreed before stays in force/
  const status = await when('c', 'both are missed', ({ findings }) =>
    findings.some(({ reason, message }) => reason === 'minority' && words.test(message)))
  assert.ok(status.config.ok)
  assert.is(heldIn(status.services), 'web 192.168.1.240')
  assert.equal(status.group?.missing, ['a', 'b'])
})

test('a host with the name of another, and a ledger of the group: all name both, it is silent', async () => {
  await start('a')
  await when('a', 'a or c allocates', (status) => ['a', 'c'].includes(status.group?.allocator ?? ''))
  await startAs('b', 'c')
  const first = 'Host 192.168.1.12 has the name of this one (192.168.1.13), "c": it is no member; give'
  const second = 'Host 192.168.1.13 has the name of this one (192.168.1.12), "c", and is the one that'
  const neither = 'Hosts 192.168.1.13 and 192.168.1.12 have one name, "c": the second is no member; give'
  for (const [name, words] of [['c', first], ['a', neither], ['b', second]] as const) {
    await when(name, 'the name is told', ({ findings }) =>
      findings.some(({ reason, message }) => reason === 'sameName' && message.startsWith(words)))
    assert.ok(told(name, 'hosts have the same name').some((line) => line.includes('"level":"warn"')), name)
  }
  assert.is(await voices('192.168.1.240'), 1)
  assert.equal((await program('b').status()).announcements, [])
  const { group } = await program('a').status()
  assert.equal([group?.heard, group?.missing.join()], [2, 'b'])
  // Its end is not taken for that of the first.
  await program('b').child.stop('SIGTERM')
  running.delete('b')
  await kill('a')
  assert.equal(told('c', 'hosts have the same name').length, 1)
})

const otherwise = ['--lb-class', 'x/y', '--placement', 'hash', '--namespace', 'elsewhere']

test('a host with other options: all name it, the option and the values', async () => {
  await start('a')
  await when('a', 'a or c allocates', (status) => ['a', 'c'].includes(status.group?.allocator ?? ''))
  await start('b', ...otherwise)
  for (const name of names) {
    const found = differing(await when(name, 'three options differ', (status) => {
      const all = differing(status)
      return all.length === 3 && all.every((text) => text.includes('a, c'))
    }))
    const wants = [
      /^--lb-class differs .*: not given on a, c; "x\/y" on b\. In force for all of them is not given/,
      /^--namespace differs .*: not given on a, c; "elsewhere" on b\. In force for all of them is not given/,
      /^--placement differs .*: "hash" on b; "sticky" on a, c\. In force for all of them is "sticky"/,
    ]
    wants.forEach((want, i) => assert.match(found[i] ?? '', want, `${found[i]} on ${name}`))
    // Status tells what is so now, the log in the next turn.
    await until(`${name} logs it`, async () => told(name, 'options of hosts differ').some((line) =>
      line.includes('"level":"warn"') && line.includes('\\"x/y\\" on b')))
  }
  const text = await lab.host('a').execOk([...arpeggio, 'status'], { capMs: startCapMs })
  assert.match(text, /^ {2}optionsDiffer: --lb-class differs between the hosts of this group/m)
  const counts = await lab.host('a').execOk(['curl', '-sS', 'http://127.0.0.1:7472/metrics'])
  assert.match(counts, /^arpeggio_findings\{reason="optionsDiffer"\} 3$/m)
})

test('the host with other options allocates: addresses stay, one voice answers', async () => {
  const before = await when('a', 'one allocates', (status) => status.group?.allocator !== undefined)
  // Votes are leases: on a machine that stood still they may have gone to b by now.
  const isChosen = before.group?.allocator === 'b'
  if (isChosen) await kill('b')
  const { group } = await when('a', 'a or c allocates', (status) =>
    ['a', 'c'].includes(status.group?.allocator ?? ''))
  const first = group?.allocator === 'a' ? 'a' : 'c'
  const last = first === 'a' ? 'c' : 'a'
  if (isChosen) await start('b', ...otherwise)
  // Of the two that are left the hash chooses b.
  await kill(first)
  await when(last, 'b allocates', (status) => status.group?.allocator === 'b')
  for (const name of ['b', last] as const) {
    assert.is(heldIn((await program(name).status()).services), 'web 192.168.1.240', name)
  }
  assert.is(await voices('192.168.1.240'), 1)
  await when('b', 'one of them is not heard', (status) =>
    differing(status).every((text) => text.includes(`${first} (not heard)`)))
  await start(first, ...otherwise)
  await when(last, 'two of three have them, and nothing changes', (status) =>
    differing(status).some((text) => text.includes(`"hash" on ${[first, 'b'].toSorted().join(', ')}`)))
  assert.is(heldIn((await program(last).status()).services), 'web 192.168.1.240')
  await kill(last)
  await start(last, ...otherwise)
  for (const name of names) {
    const status = await when(name, 'all have them: they are in force', (each) =>
      each.group?.options?.['lb-class'] === 'x/y' && differing(each).length === 0)
    assert.equal([status.group?.options?.['placement'], status.group?.options?.['namespace']],
      ['hash', 'elsewhere'])
  }
  // A line an option when b had it, and one when the next did: not when somebody came or went.
  await program('b').child.line(/"event":"optionsAgree"/, slowCapMs)
  assert.is(told('b', 'options of hosts differ').length, 6)
  assert.is(told('b', 'hosts have the same options again').length, 1)
})

test.run()
