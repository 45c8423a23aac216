/** Events of Services in trouble, by a real API server: true when told, told once, and none is lost. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { until } from '../lab/command.ts'
import type { Admin } from './admin.ts'
import { at, ingressOf, isOurs, listAt, service, textAt } from './objects.ts'
import type { Fault } from './proxy.ts'
import { openReplica, type Replica } from './replica.ts'
import { openScenarios } from './scenarios.ts'
import { convergeCapMs, type Stage } from './stage.ts'

const scenario = await openScenarios(test)

const services = '/api/v1/namespaces/default/services'
const events = '/api/v1/namespaces/default/events'
const ask = 'metallb.io/loadBalancerIPs'

function eventsPath(name: string): string {
  return `${events}?fieldSelector=involvedObject.name%3D${name}`
}

/** Events that tell of an address, as `UID ×COUNT MESSAGE`; whether it is announced is another matter. */
async function told(admin: Admin, name: string): Promise<readonly string[]> {
  const list = await admin.must('GET', eventsPath(name))
  const ours = listAt(list, 'items').filter((event) =>
    isOurs(event) && textAt(event, 'reason') !== 'notAnnounced')
  return ours.map((event) =>
    `${textAt(event, 'involvedObject', 'uid')} ×${String(at(event, 'count'))} ${textAt(event, 'message')}`)
}

async function request(admin: Admin, name: string, address: string): Promise<void> {
  const metadata = { annotations: { [ask]: address } }
  await admin.must('PATCH', `${services}/${name}`, { metadata }, 'merge')
}

async function holds({ admin }: Stage, name: string, address: string): Promise<string> {
  return until(`${name} has ${address}`, async () => {
    const { status, value } = await admin.ask('GET', `${services}/${name}`)
    return status === 200 && ingressOf(value).join() === address && textAt(value, 'metadata', 'uid')
  }, convergeCapMs)
}

/** What is due has been told: a Service that came later has its event. */
async function settle({ admin, create }: Stage, name: string): Promise<void> {
  await create(name)
  await until(`${name} has its event`, async () => (await told(admin, name)).length > 0, convergeCapMs)
}

async function met({ proxy }: Stage): Promise<void> {
  await until('the first rule was met', async () => (await proxy.hits())[0] === 1, convergeCapMs)
}

/** News of Services come slowly, so that the loss of an answer comes first. */
async function losesAnswer(stage: Stage, name: string): Promise<void> {
  const { admin, proxy } = stage
  const slow: Fault = { kind: 'trickle', bytes: 40, everyMs: 20 }
  const watch = { path: '^/api/v1/services\\?.*watch=true', fault: slow }
  await proxy.seen()
  await proxy.setRules([
    { method: 'PATCH', path: `/services/${name}/status`, times: 1, fault: { kind: 'lose' } },
    { method: 'PATCH', path: `/services/${name}/status`, fault: { kind: 'answer', status: 503 } },
    { method: 'POST', path: '/events', fault: { kind: 'answer', status: 503 } }, watch,
  ])
  await proxy.cut()
  await until('the watch is open', async () =>
    (await proxy.seen()).some(({ path }) => /\/api\/v1\/services\?.*watch=true/.test(path)), convergeCapMs)
  await admin.must('POST', services, service(name))
  await met(stage)
  // Asked is not yet written.
  await until('the server has taken it', async () =>
    ingressOf(await admin.must('GET', `${services}/${name}`)).length > 0, convergeCapMs)
  await proxy.down()
}

function isSaid({ child }: Replica, msg: string, times = 1): () => boolean {
  return () => child.lines.filter((line) => line.includes(`"msg":"${msg}"`)).length >= times
}

scenario('another address is asked for while the first is under way', async (stage) => {
  const { admin, proxy } = stage
  await proxy.setRules([
    { method: 'PATCH', path: '/services/changes/status', times: 1, fault: { kind: 'delay', ms: 1_500 } },
  ])
  await admin.must('POST', services, service('changes', {}, { [ask]: '192.0.2.201' }))
  await met(stage)
  await request(admin, 'changes', '192.0.2.202')
  const uid = await holds(stage, 'changes', '192.0.2.202')
  await settle(stage, 'after-changes')
  assert.equal(await told(admin, 'changes'), [`${uid} ×1 Assigned IP ["192.0.2.202"]`])
})

scenario('another Service under the name, while the status of the first is under way', async (stage) => {
  const { admin, proxy } = stage
  await proxy.setRules([
    { method: 'PATCH', path: '/services/twin/status', times: 1, fault: { kind: 'delay', ms: 1_500 } },
  ])
  const plan = service('twin', {}, { [ask]: '192.0.2.203' })
  await admin.must('POST', services, plan)
  await met(stage)
  await admin.must('DELETE', `${services}/twin`)
  await admin.must('POST', services, plan)
  const uid = await holds(stage, 'twin', '192.0.2.203')
  await settle(stage, 'after-twin')
  assert.equal(await told(admin, 'twin'), [`${uid} ×1 Assigned IP ["192.0.2.203"]`])
})

scenario('an event that the server has forgotten happens again', async (stage) => {
  const { admin } = stage
  await admin.must('POST', services, service('again', {}, { [ask]: '192.0.2.204' }))
  await holds(stage, 'again', '192.0.2.204')
  await request(admin, 'again', '192.0.2.205')
  const uid = await holds(stage, 'again', '192.0.2.205')
  await settle(stage, 'after-again')
  await admin.must('DELETE', eventsPath('again'))
  await request(admin, 'again', '192.0.2.204')
  await holds(stage, 'again', '192.0.2.204')
  await settle(stage, 'long-after-again')
  const assigned = (await told(admin, 'again')).filter((one) => one.includes('Assigned'))
  assert.equal(assigned, [`${uid} ×1 Assigned IP ["192.0.2.204"]`])
})

scenario('an answer is lost, and the outage outlasts the lease', async (stage) => {
  const { admin, proxy, controller } = stage
  await losesAnswer(stage, 'lost')
  await until('the lease is lost', isSaid(controller, 'no longer leading'), convergeCapMs)
  await proxy.setRules([])
  await proxy.up()
  await until('it leads again', isSaid(controller, 'leading', 2), convergeCapMs)
  await settle(stage, 'after-lost')
  const [address = ''] = ingressOf(await admin.must('GET', `${services}/lost`))
  const [event = '', ...more] = await told(admin, 'lost')
  assert.match(event, `×1 Assigned IP ["${address}"]`)
  assert.equal(more, [])
})

scenario('an answer is lost, and another controller leads by the time it is known', async (stage) => {
  const { server, admin, proxy, controller, token } = stage
  const port = Number(new URL(server.url).port)
  const other = openReplica({ server, name: 'controller-1', port, token: await token() })
  try {
    await until('the other waits', isSaid(other, 'controller started'), convergeCapMs)
    await losesAnswer(stage, 'left')
    await until('the other leads', isSaid(other, 'leading'), convergeCapMs)
    await settle(stage, 'after-left')
    const early = await told(admin, 'left')
    await proxy.setRules([])
    await proxy.up()
    await until('it is told', async () => (await told(admin, 'left')).length > 0, convergeCapMs)
    const [address = ''] = ingressOf(await admin.must('GET', `${services}/left`))
    assert.equal([early, (await told(admin, 'left')).length], [[], 1])
    assert.match((await told(admin, 'left')).join(), `×1 Assigned IP ["${address}"]`)
    assert.not(isSaid(controller, 'leading', 3)())
  } finally {
    await other.child.stop()
  }
})

test.run()
