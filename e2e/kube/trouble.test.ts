/** Trouble between the controller and the API server: nothing is renumbered, and all converges after. */
import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { until } from '../lab/command.ts'
import type { Fault, Rule, Seen } from './proxy.ts'
import { openScenarios, type Scenario } from './scenarios.ts'
import { convergeCapMs, eventsOf, type Stage } from './stage.ts'

const begin = await openScenarios(test)

/** Each ends with a Service that gets an address and a flawless history. */
const scenario: Scenario = (name, body) => begin(name, async (stage) => {
  await stage.proxy.seen()
  await body(stage)
  await stage.proxy.setRules([])
  await stage.converges(`last-${name.replaceAll(/\W+/g, '-').slice(0, 30)}x`.toLowerCase())
})

/** Each of the present rules has been met at least so often. */
async function meet({ proxy }: Stage, ...times: readonly number[]): Promise<void> {
  const met = async (): Promise<boolean> =>
    (await proxy.hits()).every((hits, i) => hits >= (times[i] ?? 1))
  await until(`faults are met ${times.join()} times`, met, convergeCapMs)
}

async function seenUntil(
  { proxy }: Stage, what: string, find: (seen: readonly Seen[]) => boolean,
): Promise<readonly Seen[]> {
  const all: Seen[] = []
  await until(what, async () => {
    all.push(...await proxy.seen())
    return find(all)
  }, convergeCapMs)
  return all
}

const watches = 'watch=true'
const services = '^/api/v1/services\\?'
const statuses = '/services/[^/]+/status'
const answer = (status: number, more: { retryAfter?: number; body?: unknown } = {}): Fault =>
  ({ kind: 'answer', status, ...more })

/** Ten minutes by hand; what matters is crossed by then: lease, backoffs at their longest, all watches. */
const outageMs = Number(process.env['ARPEGGIO_OUTAGE_S'] ?? 0) * 1_000

scenario('the server is down until the lease is lost', async (stage) => {
  const port = Number(/"port":(\d+)/.exec(stage.said('listening')[0] ?? '')?.[1])
  const gauges = async (): Promise<number> => {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    return text.split('\n').filter((line) => /^metallb_allocator_\w+\{pool=/.test(line)).length
  }
  assert.is(await gauges(), 6)
  await stage.proxy.down()
  await stage.create('born-in-an-outage')
  await until('the lease is lost', () => stage.said('no longer leading').length > 0, convergeCapMs)
  await until('gauges of pools are nobody\'s', async () => await gauges() === 0)
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  assert.match(metrics, /^arpeggio_findings\{reason="notLeading"\} 1$/m)
  await sleep(outageMs)
  // The kubelet must not restart it: that would help nobody.
  assert.is((await fetch(`http://127.0.0.1:${port}/healthz`)).status, 200)
  await stage.proxy.up()
  await stage.addressOf('born-in-an-outage')
  // They are told after the address, which waits for nothing.
  await until('gauges of pools are its own again', async () => await gauges() === 6, convergeCapMs)
})

scenario('every connection is cut, time and again', async (stage) => {
  for (let i = 0; i < 5; i += 1) {
    await stage.proxy.cut()
    await stage.converges(`cut-${i}`)
  }
})

scenario('watches end in the middle of an event', async (stage) => {
  const fault: Fault = { kind: 'cut', afterBytes: 300 }
  await stage.proxy.setRules([{ path: `${services}.*${watches}`, times: 3, fault }])
  await stage.proxy.cut()
  await seenUntil(stage, 'the watch is open', (seen) => seen.some(({ path }) => isWatch(path, 'services')))
  await stage.create('cut-in-two')
  await stage.addressOf('cut-in-two')
  await meet(stage, 3)
})

function isWatch(path: string, name: string): boolean {
  return path.includes(`/${name}?${watches}`)
}

const gone = { kind: 'Status', status: 'Failure', code: 410, reason: 'Expired', message: 'too old' }

scenario('the version is gone: 410 as a status, and as an event', async (stage) => {
  const asEvent = answer(200, { body: { type: 'ERROR', object: gone } })
  await stage.proxy.setRules([
    { path: `${services}.*${watches}`, times: 2, fault: answer(410, { body: gone }) },
    { path: watches, times: 12, fault: asEvent },
  ])
  await stage.proxy.cut()
  await meet(stage, 2, 12)
  const isList = ({ path, status }: Seen): boolean => path === '/api/v1/services?limit=500' && status === 200
  await seenUntil(stage, 'Services are listed again', (seen) => seen.filter(isList).length >= 2)
})

scenario('a list in pages, one of which has expired', async (stage) => {
  const { admin, proxy } = stage
  const spec = { type: 'ExternalName', externalName: 'example.org' }
  const names = Array.from({ length: 1_500 }, (_, i) => `a-page-${i}`)
  const path = '/api/v1/namespaces/default/services'
  await Promise.all(names.map((name) => admin.must('POST', path, { metadata: { name }, spec })))
  await stage.create('z-on-the-last-page')
  await stage.addressOf('z-on-the-last-page')
  await proxy.setRules([
    { path: `${services}.*${watches}`, times: 1, fault: answer(410, { body: gone }) },
    { path: 'continue=', times: 1, fault: answer(410, { body: gone }) },
    // Slow enough that turns are taken while half of the list is there.
    { path: 'continue=', fault: { kind: 'trickle', bytes: 20_000, everyMs: 10 } },
  ])
  await proxy.cut()
  await stage.converges('z-while-pages-arrive')
  await meet(stage, 1, 1, 3)
})

scenario('somebody else writes the Service at the same time', async (stage) => {
  const { admin, proxy } = stage
  // News of Services comes late, so that what is written is based on what was.
  const slow: Fault = { kind: 'trickle', bytes: 40, everyMs: 20 }
  await proxy.setRules([{ path: `${services}.*${watches}`, fault: slow }])
  await proxy.cut()
  await seenUntil(stage, 'the watch is open', (seen) => seen.some(({ path }) => isWatch(path, 'services')))
  await stage.create('contested')
  const path = '/api/v1/namespaces/default/services/contested'
  await admin.must('PATCH', path, { metadata: { labels: { edited: 'once' } } }, 'merge')
  await seenUntil(stage, 'a conflict', (seen) =>
    seen.some((one) => one.path.includes('contested/status') && one.status === 409))
  await stage.addressOf('contested')
})

scenario('the token expires after it was replaced', async (stage) => {
  const { token } = stage
  const told = stage.said('write refused').length
  await expire(stage, await token())
  await stage.converges('after-rotation')
  assert.is(stage.said('write refused').length, told)
})

scenario('the token expires before it is replaced', async (stage) => {
  const { proxy } = stage
  await expire(stage, undefined)
  await stage.create('unauthorized')
  await until('writes are refused', () => stage.said('write refused').length > 0, convergeCapMs)
  await proxy.seen()
  writeFileSync(stage.controller.tokenFile, await stage.token())
  await stage.addressOf('unauthorized')
})

/** From now on only tokens other than the present one are let in. */
async function expire({ proxy, controller }: Stage, fresh: string | undefined): Promise<void> {
  const token = readFileSync(controller.tokenFile, 'utf8')
  if (fresh !== undefined) writeFileSync(controller.tokenFile, fresh)
  await proxy.setRules([{ token, fault: answer(401) }])
  await proxy.cut()
}

scenario('a slow server', async (stage) => {
  const leading = stage.said('leading').length
  await stage.proxy.setRules([{ fault: { kind: 'delay', ms: 1_500 } }])
  await stage.proxy.cut()
  await stage.converges('slow')
  assert.is(stage.said('leading').length, leading)
})

scenario('a server that asks for patience, and one that does not answer', async (stage) => {
  const rules: readonly Rule[] = [
    { method: 'PATCH', path: statuses, times: 2, fault: answer(503) },
    { method: 'PATCH', path: statuses, times: 1, fault: answer(429, { retryAfter: 1 }) },
    { method: 'PATCH', path: statuses, times: 1, fault: { kind: 'hold' } },
    { path: watches, times: 5, fault: answer(500) },
  ]
  await stage.proxy.setRules(rules)
  await stage.proxy.cut()
  await stage.create('patient')
  await stage.addressOf('patient')
  await meet(stage, ...rules.map(({ times = 1 }) => times))
})

scenario('one Service that cannot be written holds up no other', async (stage) => {
  await stage.proxy.setRules([{ path: '/services/poison/status', fault: answer(500) }])
  await stage.create('poison')
  await meet(stage, 3)
  for (const name of ['healthy-0', 'healthy-1', 'healthy-2']) await stage.converges(name)
  await stage.proxy.setRules([])
  await stage.addressOf('poison')
})

scenario('answers are lost after the work was done', async (stage) => {
  const rules: readonly Rule[] = [
    { method: 'PATCH', path: statuses, times: 1, fault: { kind: 'lose' } },
    { method: 'POST', path: '/events', times: 1, fault: { kind: 'lose' } },
    { method: 'PUT', path: '/leases/', times: 2, fault: { kind: 'lose' } },
  ]
  const lost = stage.said('no longer leading').length
  await stage.proxy.setRules(rules)
  await stage.create('lost')
  await stage.addressOf('lost')
  await meet(stage, ...rules.map(({ times = 1 }) => times))
  const events = await until('its event is there', async () => {
    const found = await eventsOf(stage.admin, 'lost')
    return found.includes('IPAllocated') && found
  }, convergeCapMs)
  assert.is(events.filter((reason) => reason === 'IPAllocated').length, 1)
  assert.is(stage.said('no longer leading').length, lost)
})

test.run()
