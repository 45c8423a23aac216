/** An API server that comes back older, elsewhere or not at all, and clocks that step. */
import { cpSync, globSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { until } from '../lab/command.ts'
import type { Admin } from './admin.ts'
import { findAssets, testUnless } from './assets.ts'
import { openHistory } from './history.ts'
import { namespace } from './objects.ts'
import { openProxyFor, openReplica, poolText, type Replica } from './replica.ts'
import { serverPrograms } from './server.ts'
import { convergeCapMs, openStage } from './stage.ts'

const assets = await findAssets(serverPrograms)
const lack = 'lack' in assets ? assets.lack : undefined
const folder = 'folder' in assets ? assets.folder : ''
const scenario = testUnless(lack, test)

/** Steps CLOCK_REALTIME in one process; only the version for programs with threads will do. */
const library = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1')[0]
const timed = testUnless(lack ?? (library === undefined ? 'faketime is not installed' : undefined), test)

/** Longer than a kind must be denied to count as removed (10 s). */
const denialMs = 12_000

scenario('something in between answers 404 to everything: no kind is gone', async () => {
  await using stage = await openStage(folder)
  const { proxy, controller } = stage
  await proxy.setRules([{ fault: { kind: 'answer', status: 404 } }])
  await proxy.cut()
  const begunMs = performance.now()
  await until('every kind was asked for', async () => ((await proxy.hits())[0] ?? 0) > 20, convergeCapMs)
  await until('a kind would count as removed', () => performance.now() - begunMs > denialMs, 2 * denialMs)
  await proxy.setRules([])
  await stage.converges('known-again')
  // One that has just started knows nothing that could protect it.
  await controller.child.stop('SIGKILL')
  await proxy.setRules([{ fault: { kind: 'answer', status: 404 } }])
  await stage.start()
  await until('every kind was asked for', async () => ((await proxy.hits())[0] ?? 0) > 20, convergeCapMs)
  await proxy.setRules([])
  await stage.converges('known-from-the-start')
})

scenario('the API server is restarted, in order and by a crash', async () => {
  await using stage = await openStage(folder)
  await stage.server.restart()
  await stage.converges('after-a-restart')
  await stage.server.restart('SIGKILL')
  await stage.converges('after-a-crash')
})

scenario('etcd is restored from a backup: what came after it is given again', async () => {
  await using stage = await openStage(folder)
  const { server, proxy, create, addressOf, admin } = stage
  const backup = join(server.folder, 'backup')
  const names = ['late-0', 'late-1', 'late-2']
  await proxy.down()
  await Promise.all(names.map(create))
  await server.stopStore()
  cpSync(server.store, backup, { recursive: true })
  server.startStore()
  // What they get is not what would be first in the pool of the backup.
  const text = poolText('192.0.2.0-192.0.2.19\n  - 192.0.2.100-192.0.2.199')
  await until('the pool is another', () => editPool(admin, text).then(() => true, () => false), convergeCapMs)
  await proxy.setRules([{ path: '^/api/v1/services', fault: { kind: 'answer', status: 503 } }])
  await proxy.seen()
  await proxy.up()
  await until('the pool is read', async () =>
    (await proxy.seen()).some(({ path, status }) => path.includes('/configmaps?limit') && status === 200),
  convergeCapMs)
  await proxy.setRules([])
  const given = await Promise.all(names.map(addressOf))
  assert.equal(given.toSorted(), ['192.0.2.100', '192.0.2.101', '192.0.2.102'])
  const before = stage.history.now()
  // Versions that the backup does not know, and more than a few.
  for (let i = 0; i < 30; i += 1) await stage.converges(`lost-${i}`)
  const lost = stage.said('no longer leading').length
  await proxy.down()
  // What it knew in this term must outlive it.
  await until('the lease is lost', () => stage.said('no longer leading').length > lost, convergeCapMs)
  await server.stopApi()
  await server.stopStore()
  rmSync(server.store, { recursive: true })
  cpSync(backup, server.store, { recursive: true })
  server.startStore()
  await server.startApi()
  using history = await openHistory(admin)
  const addressNow = (name: string): string => history.now().get(name)?.join() ?? ''
  assert.equal(names.map((name) => addressNow(`default/${name}`)), names.map(() => ''))
  await proxy.up()
  await until('they have addresses again', () =>
    names.every((name) => addressNow(`default/${name}`) !== ''), convergeCapMs)
  assert.equal(names.map((name) => addressNow(`default/${name}`)), given)
  const old = [...before].filter(([name]) => name.startsWith('default/old-'))
  assert.equal(old.map(([name]) => addressNow(name)), old.map(([, addresses]) => addresses.join()))
  assert.equal(history.faults, [])
})

function editPool(admin: Admin, config: string): Promise<unknown> {
  const path = `/api/v1/namespaces/${namespace}/configmaps/config`
  return admin.must('PATCH', path, { data: { config } }, 'merge')
}

timed('clocks step five minutes: the lease stays, and nobody takes it early', async () => {
  await using stage = await openStage(folder)
  const { proxy, server, token } = stage
  await stage.controller.child.stop()
  const clock = join(server.folder, 'clock')
  const stepped = [
    `LD_PRELOAD=${library}`, `FAKETIME_TIMESTAMP_FILE=${clock}`, 'FAKETIME_NO_CACHE=1',
    'FAKETIME_DONT_FAKE_MONOTONIC=1',
  ]
  writeFileSync(clock, '+0')
  const replica = await stage.start('controller-0', stepped)
  await stage.converges('before-the-step')
  for (const step of ['+300', '-300', '+0']) {
    writeFileSync(clock, step)
    await stage.converges(`at${step.replaceAll(/\W/g, (sign) => sign === '+' ? '-plus-' : '-minus-')}`)
    // What was done is told after the address, which waits for nothing.
    await until(`it speaks by its clock at ${step}`, () =>
      Math.abs(lastLineMs(replica) - Date.now() - Number(step) * 1_000) < 100_000, convergeCapMs)
  }
  // A rival whose clock is ahead sees a lease that looks old, and one behind sees it from the future.
  await using other = await openProxyFor(server)
  for (const step of ['+300', '-300']) {
    writeFileSync(`${clock}-rival`, step)
    const before = stepped.map((word) => word.replace(clock, `${clock}-rival`))
    const rival = openReplica({
      server, name: `rival${step}`, port: other.port, token: await token(), before,
    })
    const isLook = ({ method, path }: { method: string; path: string }): boolean =>
      method === 'GET' && path.includes('/leases/')
    let looks = 0
    await until('it has looked at the lease', async () =>
      (looks += (await other.seen()).filter(isLook).length) >= 4, convergeCapMs)
    assert.is(rival.child.lines.some((line) => line.includes('"msg":"leading"')), false)
    await rival.child.stop('SIGKILL')
  }
  assert.equal([stage.said('leading').length, stage.said('no longer leading').length], [1, 0])
  await proxy.seen()
})

/** What the program's own clock said when it last wrote a line. */
function lastLineMs({ child }: Replica): number {
  const line = child.lines.findLast((one) => one.startsWith('{')) ?? '{}'
  return Date.parse(/"ts":"([^"]+)"/.exec(line)?.[1] ?? '')
}

test.run()
