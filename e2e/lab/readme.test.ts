/** README on a real LAN: its files, and its commands as typed, on one host and on three. */
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { blockOf } from '../kube/readme.ts'
import { until } from './command.ts'
import { type Host, openLab } from './lab.ts'

const root = join(import.meta.dirname, '../..')
const slowCapMs = 30_000
const address = '192.0.2.240'

// README's addresses are of documentation, so nothing of them is substituted. The fourth has the endpoint.
const lab = await openLab({
  hosts: {
    alone: { home: ['192.0.2.10/24'] }, visitor: { home: ['192.0.2.20/24'] },
    a: { lan: ['192.0.2.11/24'] }, b: { lan: ['192.0.2.12/24'] }, c: { lan: ['192.0.2.13/24'] },
    client: { lan: ['192.0.2.20/24'] },
  },
})
test.after(async () => void await lab[Symbol.asyncDispose]())

/** A folder with what a clone has, and README's two files in `conf`. */
async function openClone(name: string): Promise<string> {
  const clone = join(lab.folder, name)
  await mkdir(join(clone, 'conf'), { recursive: true })
  for (const part of ['node_modules', 'src', 'package.json']) {
    await symlink(join(root, part), join(clone, part))
  }
  const text = await readFile(join(root, 'README.md'), 'utf8')
  const below = text.slice(text.indexOf('## Ten lines of configuration'))
  const files = [...below.matchAll(/^```yaml\n([^]*?)^```$/gm)].map(([, block = '']) => block)
  for (const [i, file] of files.entries()) await writeFile(join(clone, 'conf', `${i}.yaml`), file)
  assert.is(files.length, 2)
  return clone
}

/** Lines of a block, for a host of the lab: here everybody is root, and hosts share a name and a disk. */
async function linesOf(begins: string, host: Host): Promise<readonly string[]> {
  const own = `--node-name ${host.name} --state-dir ${join(lab.folder, `state-${host.name}`)}`
  await mkdir(join(lab.folder, `state-${host.name}`))
  return (await blockOf('README.md', begins)).trimEnd().split('\n')
    .map((line) => line.replace(/ *#.*/, '').replace('sudo ', '').replace('standalone conf', `$& ${own}`))
}

function answers(host: Host): Promise<{ readonly code: number; readonly stdout: string }> {
  return host.exec(['arping', '-b', '-c', '2', '-w', '3', '-I', 'eth0', address])
}

console.log('substituted: sudo by nothing; standalone has --node-name and --state-dir of its own')

test('check, plan and standalone, then arping and curl from another host', async () => {
  const host = lab.host('alone')
  const clone = await openClone('alone')
  const page = host.spawn([process.execPath, join(import.meta.dirname, 'page.ts'), '8080=web'])
  await page.line(/^ready$/)
  const [check = '', plan = '', standalone = '', ...others] =
    await linesOf('node_modules/.bin/node src/main.ts check', host)
  assert.equal(others, [])
  const typed = (line: string): readonly string[] => ['env', '-C', clone, 'bash', '-c', line]
  assert.match(await host.execOk(typed(check)), /^lan +11 +192\.0\.2\.240-192\.0\.2\.250$/m)
  assert.match(await host.execOk(typed(plan)), /192\.0\.2\.240/)
  await using program = host.spawn(typed(`exec ${standalone}`))
  const visitor = lab.host('visitor')
  await until('an answer', async () => (await answers(visitor)).code === 0, slowCapMs)
  await until('the page', async () =>
    (await visitor.exec(['curl', '-sS', '-m', '3', `http://${address}`])).stdout.startsWith('page of web')
  , slowCapMs)
  assert.ok(program.isRunning())
})

test('on each of three hosts: one of them answers', async () => {
  const hosts = ['a', 'b', 'c'].map((name) => lab.host(name))
  for (const host of hosts) {
    const clone = await openClone(host.name)
    const [line = ''] = await linesOf('sudo node_modules/.bin/node src/main.ts', host)
    assert.match(line, '--join 192.0.2.11,192.0.2.12,192.0.2.13')
    host.spawn(['env', '-C', clone, 'bash', '-c', `exec ${line}`])
  }
  const client = lab.host('client')
  await until('an answer', async () => (await answers(client)).code === 0, slowCapMs)
  // Who asks while it moves to its place hears two, once.
  await until('one voice', async () => {
    const macs = [...(await answers(client)).stdout.matchAll(/\[([0-9A-Fa-f:]{17})\]/g)]
    const known = hosts.map((host) => host.mac('eth0'))
    return new Set(macs.map(([, mac]) => mac)).size === 1 && known.includes(macs[0]?.[1]?.toLowerCase() ?? '')
  }, slowCapMs)
})

test.run()
