/** Controllers killed at random moments while they allocate: every version of every status is looked at. */
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { runOk, until } from '../lab/command.ts'
import { type Admin, openAdmin } from './admin.ts'
import { findAssets, testUnless } from './assets.ts'
import { type Chance, openChance } from './chance.ts'
import { type History, openHistory } from './history.ts'
import { service } from './objects.ts'
import {
  installAccounts, installPool, openReplica, type Replica, type ReplicaOptions,
} from './replica.ts'
import { type KubeServer, openServer, serverPrograms } from './server.ts'

const assets = await findAssets(serverPrograms)
const lack = 'lack' in assets ? assets.lack : undefined
const folder = 'folder' in assets ? assets.folder : ''
const scenario = testUnless(lack, test)

/** As many allocations as kills; half of both with two controllers. */
const kills = Number(process.env['KILLS'] ?? 200)
/** A life that does not get there is killed all the same. */
const patienceMs = 2_000
/** Until everything has its address after the last kill; a lease lives for 15 s. */
const settleCapMs = 60_000

interface Run {
  readonly server: KubeServer
  readonly admin: Admin
  readonly history: History
  readonly chance: Chance
  readonly start: (name: string) => Replica
  readonly kills: number
  killed: number
  created: number
}

async function openRun(what: string, count: number, body: (run: Run) => Promise<void>): Promise<void> {
  await using server = await openServer({ assets: folder })
  using admin = openAdmin(server)
  // Hardly more addresses than Services: one that is given twice is soon given twice.
  await installPool(admin, `192.0.2.1-192.0.2.${count + 5}`)
  const tokens = await installAccounts(server, ['controller'])
  // A copy: whoever bundles anew meanwhile does not change what runs here.
  const root = join(import.meta.dirname, '../..')
  await runOk([join(root, 'hack/bundle')], { capMs: 60_000 })
  const bundle = join(server.folder, 'bundle')
  cpSync(join(root, 'build'), bundle, { recursive: true })
  using history = await openHistory(admin)
  const options: Omit<ReplicaOptions, 'name'> = {
    server, port: Number(new URL(server.url).port), token: tokens.get('controller') ?? '',
    // The same program as in the image; compiled code is kept, so that 200 starts take less time.
    program: [process.execPath, join(bundle, 'arpeggio.js')],
    before: [`NODE_COMPILE_CACHE=${join(server.folder, 'compiled')}`],
  }
  const start = (name: string): Replica => openReplica({ ...options, name })
  await body({ server, admin, history, chance: openChance(what), start, kills: count, killed: 0, created: 0 })
}

/** Creates Services so that there is always something to allocate, several at a time now and then. */
async function feed(run: Run): Promise<void> {
  const { admin, chance } = run
  const ahead = chance.between(1, 8)
  while (run.created < Math.min(run.kills, run.killed + ahead)) {
    run.created += 1
    const name = `s-${String(run.created).padStart(3, '0')}`
    await admin.must('POST', '/api/v1/namespaces/default/services', service(name))
  }
}

/** Lives until a random moment: before, while or after it writes. */
async function liveAndDie(run: Run, name: string): Promise<void> {
  const { chance } = run
  const replica = run.start(name)
  const isEarly = chance.next() < 0.2
  const moment = chance.between(0, isEarly ? 200 : 120)
  if (!isEarly) await isSaid(replica, 'leading', patienceMs)
  await sleep(moment)
  await replica.child.stop('SIGKILL')
  run.killed += 1
}

async function isSaid({ child }: Replica, msg: string, cap: number): Promise<boolean> {
  const said = (): boolean => child.lines.some((line) => line.includes(`"msg":"${msg}"`))
  return until(msg, said, cap).then(() => true, () => false)
}

/** Everything has an address, each its own, and none had another or none in between. */
async function check(run: Run, name: string): Promise<void> {
  const { history } = run
  const replica = run.start(name)
  const own = (): readonly string[] =>
    [...history.now()].filter(([key]) => key.startsWith('default/s-')).flatMap(([, list]) => list)
  await until('every Service has an address', () => own().length === run.kills, settleCapMs)
  await replica.child.stop()
  assert.equal([run.created, new Set(own()).size, history.faults], [run.kills, run.kills, []])
  assert.is(history.holes, 0)
  assert.ok(history.versions >= 2 * run.kills, `${history.versions} versions`)
}

scenario('the history notices what must never happen', async () => {
  await using server = await openServer({ assets: folder })
  using admin = openAdmin(server)
  using history = await openHistory(admin)
  const patch = async (name: string, ...ips: readonly string[]): Promise<void> => {
    const ingress = ips.length === 0 ? null : ips.map((ip) => ({ ip }))
    const path = `/api/v1/namespaces/default/services/${name}/status`
    await admin.must('PATCH', path, { status: { loadBalancer: { ingress } } }, 'merge')
  }
  for (const name of ['a', 'b']) {
    await admin.must('POST', '/api/v1/namespaces/default/services', service(name))
  }
  await patch('a', '192.0.2.1')
  await patch('a', '192.0.2.2')
  await patch('b', '192.0.2.2')
  await patch('b')
  const words = (): readonly string[] => history.faults.map((fault) => fault.replace(/ \(\d+\)$/, ''))
  await until('the history has come so far', () => history.faults.length >= 3)
  assert.equal(words(), [
    'default/a had 192.0.2.1, then "192.0.2.2"',
    'default/b got 192.0.2.2, which default/a has',
    'default/b had 192.0.2.2, then ""',
  ])
})

scenario(`${kills} kills of one controller during ${kills} allocations`, () =>
  openRun('one controller', kills, async (run) => {
    while (run.killed < run.kills) {
      await feed(run)
      await liveAndDie(run, 'controller-0')
    }
    await check(run, 'controller-0')
  }))

scenario(`${kills / 2} kills of two controllers during ${kills / 2} allocations`, () =>
  openRun('two controllers', kills / 2, async (run) => {
    const live = async (name: string): Promise<void> => {
      while (run.killed < run.kills) {
        await feed(run)
        await liveAndDie(run, name)
      }
    }
    await Promise.all([live('controller-0'), live('controller-1')])
    // A third finds the lease of a dead one, and waits for its end.
    await check(run, 'controller-2')
  }))

test.run()
