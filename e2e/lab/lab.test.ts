/** The lab itself: hosts reach each other, captures see it, and nothing of it outlives its use. */
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Child, openChild } from './command.ts'
import { lan, type LabPlan, openLab } from './lab.ts'
import { findNamespaces } from './namespace.ts'

/** One broadcast question, answered or given up after `seconds`. */
const ask = (address: string, seconds = 2): readonly string[] =>
  ['arping', '-b', '-c', '1', '-w', String(seconds), '-I', 'eth0', address]

const pair: LabPlan = { hosts: { a: { lan: lan(10) }, b: { lan: lan(20) } } }

test('hosts of a segment resolve each other by ARP and by neighbour discovery', async () => {
  await using lab = await openLab(pair)
  const b = lab.host('b')
  const mac = lab.host('a').mac('eth0')
  const arping = await b.execOk(ask('192.168.1.10'))
  assert.match(arping.toLowerCase(), `[${mac}]`)
  const ndisc6 = await b.execOk(['ndisc6', '-1', '-w', '2000', '2001:db8:1::10', 'eth0'])
  assert.match(ndisc6.toLowerCase(), mac)
})

test('a capture has every frame sent before it settles, once, and no other', async () => {
  await using lab = await openLab(pair)
  const capture = await lab.capture('lan', 'arp')
  await lab.host('b').execOk(ask('192.168.1.10'))
  await lab.host('b').execOk(ask('192.168.1.10'))
  await capture.settle()
  assert.is(capture.matching(/Request who-has 192\.168\.1\.10 .*tell 192\.168\.1\.20/).length, 2)
  assert.is(capture.matching(/Reply 192\.168\.1\.10 is-at 02:00:00:00:01:00/).length, 2)
  assert.is(capture.frames().length, 4)
})

test('segments are apart, and a host with two interfaces is on both', async () => {
  await using lab = await openLab({
    hosts: {
      node: { lan: lan(10), side: ['192.168.9.1/24'] },
      client: { lan: lan(20) },
      other: { side: ['192.168.9.2/24'] },
    },
    routes: { other: ['192.168.1.0/24 dev eth0'] },
  })
  const { code } = await lab.host('other').exec(ask('192.168.1.20', 1))
  assert.is(code, 1)
  await lab.host('other').execOk(ask('192.168.9.1'))
  assert.is(lab.host('node').mac('eth1'), '02:00:00:00:01:01')
})

test('a page names its Service and who asks', async () => {
  await using lab = await openLab(pair)
  const page = lab.host('a').spawn([process.execPath, 'e2e/lab/page.ts', '80=web'])
  await page.line(/^ready$/)
  for (const url of ['http://192.168.1.10/', 'http://[2001:db8:1::10]/']) {
    const text = await lab.host('b').execOk(['curl', '-sS', url])
    assert.match(text, /^page of web, asked for as \S+, by (192\.168\.1\.20|2001:db8:1::20)\n$/)
  }
})

test('a wait names what it waited for', async () => {
  await using lab = await openLab(pair)
  const child = lab.host('a').spawn(['echo', 'only this'])
  const error = await child.line(/something else/).catch(String)
  assert.match(error, /Ended early: .*echo only this.*: only this$/s)
})

test('an exception leaves no namespace, no folder and no child', async () => {
  let seen = { prefix: '', folder: '' }
  let child: Child | undefined
  const failing = async (): Promise<void> => {
    await using lab = await openLab(pair)
    seen = lab
    child = lab.host('a').spawn(['sleep', '1000'])
    throw new Error('on purpose')
  }
  assert.is(await failing().catch(String), 'Error: on purpose')
  assert.is.not(seen.prefix, '')
  assertGone(seen.prefix, seen.folder)
  assert.is(child?.isRunning(), false)
})

const program = `
  import { openLab } from './e2e/lab/lab.ts'
  const lab = await openLab(${JSON.stringify(pair)})
  const child = lab.host('a').spawn(['sleep', '1000'])
  console.log('built', lab.prefix, lab.folder, child.pid)
`

const endings = [
  { it: 'SIGINT', signal: 'SIGINT', code: 130 },
  { it: 'SIGTERM', signal: 'SIGTERM', code: 143 },
] as const
for (const { it, signal, code } of endings) {
  test(`${it} leaves nothing of a lab`, async () => {
    await using run = openChild([process.execPath, '--input-type=module-typescript', '-e', program])
    const [, prefix = '', folder = '', pid = ''] = (await run.line(/^built /)).split(' ')
    assert.is(findNamespaces(prefix).length, 3)
    assert.is(await run.stop(signal), code)
    assertGone(prefix, folder)
    assert.not.ok(isRunning(pid))
  })
}

test('what SIGKILL leaves is swept up by the next lab', async () => {
  await using run = openChild([process.execPath, '--input-type=module-typescript', '-e', program])
  const [, prefix = '', folder = '', pid = ''] = (await run.line(/^built /)).split(' ')
  await run.stop('SIGKILL')
  assert.is(findNamespaces(prefix).length, 3)
  await using _next = await openLab(pair)
  assertGone(prefix, folder)
  assert.not.ok(isRunning(pid))
})

test('a lab that cannot be built leaves nothing', async () => {
  const before = findNamespaces(`arpl-${process.pid}-`)
  const error = await openLab({ hosts: { a: { lan: ['not an address'] } } }).catch(String)
  assert.match(String(error), /Failed with exit code 1: "ip -n \S+ -batch -"/)
  assert.equal(findNamespaces(`arpl-${process.pid}-`), before)
})

/** A process that has ended may wait for init to take note; it has no command line then. */
function isRunning(pid: string): boolean {
  const path = `/proc/${pid}/cmdline`
  return existsSync(path) && readFileSync(path, 'utf8') !== ''
}

function assertGone(prefix: string, folder: string): void {
  assert.equal(findNamespaces(prefix), [])
  assert.is(existsSync(folder), false)
}

test.run()
