/** Trouble with the API server as the LAN sees it: who answers goes on answering, and nobody else does. */
import { cpSync, globSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Child, until } from '../lab/command.ts'
import { findAssets, testUnless } from './assets.ts'
import {
  advertisement, at, conditionOf, ingressOf, listAt, namespace, pool, service, slice, textAt,
} from './objects.ts'
import type { Fault, Proxy } from './proxy.ts'
import { openRig, type Rig, type Role, waitMs } from './rig.ts'
import { serverPrograms } from './server.ts'

const assets = await findAssets(serverPrograms)
const check = testUnless('lack' in assets ? assets.lack : undefined, test)
const nodes = ['a', 'b'] as const
const names = ['web-0', 'web-1', 'web-2', 'web-3'] as const
/** Backoffs of some seconds on both sides, on a machine with other work. */
const convergeCapMs = 40_000
/** Longer than a kind must be denied to count as removed (10 s). */
const denialMs = 12_000
const outageMs = Number(process.env['ARPEGGIO_OUTAGE_S'] ?? 0) * 1_000

/** Steps CLOCK_REALTIME of the roles, where it is installed. */
const library = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1')[0]
const clock = join(tmpdir(), `arpeggio-clock-${process.pid}`)
const stepped = library === undefined ? [] : [
  `LD_PRELOAD=${library}`, `FAKETIME_TIMESTAMP_FILE=${clock}`, 'FAKETIME_NO_CACHE=1',
  'FAKETIME_DONT_FAKE_MONOTONIC=1',
]

let rig: Rig
let proxy: Proxy
let controller: Role
let speakers: readonly Role[] = []
const addresses: string[] = []
const askers: Child[] = []
let before = ''
if ('folder' in assets) {
  writeFileSync(clock, '+0')
  rig = await openRig({ assets: assets.folder, nodes, hasProxy: true, environment: stepped })
  test.after(async () => {
    await rig[Symbol.asyncDispose]()
    rmSync(clock, { force: true })
  })
  if (rig.proxy === undefined) throw new Error('The rig has no proxy')
  proxy = rig.proxy
  await rig.apply(pool('lan', ['192.168.1.240-192.168.1.250']), advertisement('lan'))
  controller = await rig.startController()
  speakers = await Promise.all(nodes.map((name) => rig.startSpeaker(name)))
  await rig.apply(...names.flatMap((name) => [service(name), sliceOf(name)]))
  for (const name of names) addresses.push(ingressOf(await announced(name)).join())
  before = await voicesNow()
  // One question a second for each address, by broadcast, to the end.
  for (const address of addresses) {
    askers.push(rig.client.spawn(['arping', '-b', '-I', 'eth0', address]))
  }
}

function sliceOf(name: string): ReturnType<typeof slice> {
  return slice(name, nodes.map((node) => ({ node })))
}

async function announced(name: string): Promise<unknown> {
  return until(`${name} is announced`, async () => {
    const now = await rig.service(name)
    return conditionOf(now) === 'True announced' && now
  }, convergeCapMs)
}

/** Who announces what since when, by each speaker's own word; and the objects that say so. */
async function voicesNow(): Promise<string> {
  const rows: string[] = []
  for (const node of nodes) {
    const ask = ['curl', '-sS', '-H', 'accept: application/json', 'http://127.0.0.1:7472/status']
    const status: unknown = JSON.parse(await rig.lab.host(node).execOk(ask, { capMs: waitMs }))
    for (const one of listAt(status, 'announcements')) {
      const address = textAt(one, 'address')
      if (addresses.includes(address)) rows.push(`${node} ${address} ${textAt(one, 'since')}`)
    }
  }
  return rows.toSorted().join('\n')
}

function replies(asker: Child): readonly string[] {
  return asker.lines.flatMap((line) => /\[([0-9A-Fa-f:]{17})\]/.exec(line)?.[1]?.toLowerCase() ?? [])
}

/** Every address is answered once more at least, now. */
async function isAnswered(): Promise<void> {
  const counts = askers.map((asker) => replies(asker).length)
  await until('every address is answered', () =>
    askers.every((asker, i) => replies(asker).length > (counts[i] ?? 0) + 1), waitMs)
}

let stalls = 0

/**
 * Nobody announces anything else, or since another time. On a machine that lets a speaker wait for
 * longer than its right to answer lasts (300 ms), an address moves, as it should: that is told, and
 * what is there then is compared from then on.
 */
async function isUnmoved(): Promise<void> {
  const now = await voicesNow()
  const found = speakers.reduce((sum, { child }) =>
    sum + child.lines.filter((line) => /"reason":"(expired|ownerSilent)"/.test(line)).length, 0)
  if (found === stalls) return assert.is(now, before)
  console.log(`a speaker stalled, ${found - stalls} lines of it: who announces is not compared here`)
  stalls = found
  before = now
}

/** Nothing was withdrawn, moved or renumbered, and something new is announced. */
async function isWell(name: string): Promise<void> {
  await proxy.setRules([])
  await isAnswered()
  await rig.apply(service(name), sliceOf(name))
  await announced(name)
  await isUnmoved()
  const now = await Promise.all(names.map((one) => rig.service(one)))
  assert.equal(now.map((one) => ingressOf(one).join()), addresses)
  // Of two hosts that answer, the one would be seen in the other's place.
  if (stalls === 0) assert.equal(askers.map((asker) => new Set(replies(asker)).size), askers.map(() => 1))
  await rig.kubectl('delete', 'service', name)
}

function said({ child }: Role, msg: string): number {
  return child.lines.filter((line) => line.includes(`"msg":"${msg}"`)).length
}

const watches = 'watch=true'
const gone: Fault = { kind: 'answer', status: 410 }

check('a long outage', async () => {
  await proxy.down()
  await until('the lease is lost', () => said(controller, 'no longer leading') > 0, convergeCapMs)
  await sleep(outageMs)
  await isAnswered()
  await isUnmoved()
  await proxy.up()
  await isWell('after-outage')
})

check('watches cut in the middle of events, and versions that are gone', async () => {
  const cut: Fault = { kind: 'cut', afterBytes: 300 }
  await proxy.setRules([
    { path: watches, times: 20, fault: gone }, { path: watches, times: 30, fault: cut },
  ])
  await proxy.cut()
  for (const name of names) await rig.kubectl('label', 'service', name, 'edited=yes')
  await until('watches were refused', async () => (await proxy.hits())[0] === 20, convergeCapMs)
  await isWell('after-cuts')
})

check('something in between denies every kind', async () => {
  await proxy.setRules([{ fault: { kind: 'answer', status: 404 } }])
  await proxy.cut()
  await sleep(denialMs)
  await isAnswered()
  await isWell('after-denial')
})

check('the API server is restarted', async () => {
  await rig.server.restart('SIGKILL')
  await isWell('after-restart')
})

check('etcd is restored from a backup', async () => {
  const { server } = rig
  const backup = join(server.folder, 'backup')
  await server.stopStore()
  cpSync(server.store, backup, { recursive: true })
  server.startStore()
  for (const name of ['lost-0', 'lost-1', 'lost-2']) await isWell(name)
  await server.stopApi()
  await server.stopStore()
  rmSync(server.store, { recursive: true })
  cpSync(backup, server.store, { recursive: true })
  server.startStore()
  await server.startApi()
  await isWell('after-restore')
})

const timed = library === undefined ? testUnless('faketime is not installed', test) : check

timed('the clocks of all roles step five minutes', async () => {
  for (const [i, step] of ['+300', '-300', '+0'].entries()) {
    writeFileSync(clock, step)
    await isWell(`after-step-${i}`)
  }
})

check('the whole time, no speaker withdrew anything of theirs', async () => {
  const withdrawn = speakers.flatMap(({ child }) => child.lines.filter((line) =>
    line.includes('withdrawn') && addresses.some((address) => line.includes(`"${address}"`))))
  assert.equal(withdrawn, [])
  const path = `/apis/metallb.io/v1beta1/namespaces/${namespace}/servicel2statuses`
  const objects = listAt(await rig.read(path), 'items')
    .map((one) => textAt(one, 'status', 'serviceName')).filter((name) => name.startsWith('web-'))
  assert.equal(objects.toSorted(), [...names])
  assert.is(at(await rig.service('web-0'), 'status', 'loadBalancer', 'ingress', 0, 'ipMode'), 'VIP')
})

test.run()
