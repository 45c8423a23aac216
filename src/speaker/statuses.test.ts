/** Which ServiceL2Status objects are made, filled and deleted. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { address } from '../config/builders.ts'
import { labelKeys } from '../config/names.ts'
import { labelOfNode } from '../cluster/members.ts'
import { type LiveL2Status, narrowL2Status } from '../kube/live.ts'
import type { Job, Writer } from '../kube/writer.ts'
import type { Announcement, LinkState } from '../l2/model.ts'
import {
  createStatuses, planStatuses, type Spoken, spokenOf, type Statuses, type StatusStep,
} from './statuses.ts'

const live = (name: string, node: string, more: Partial<LiveL2Status> = {}): LiveL2Status => ({
  name, node, service: 'default/web', isFilled: true, interfaces: [], ...more,
})
const speaks = (...interfaces: string[]): ReadonlyMap<string, Spoken> =>
  new Map([['default/web', { service: 'default/web', interfaces }]])
const silent: ReadonlyMap<string, Spoken> = new Map()

const describe = (step: StatusStep): string =>
  step.kind === 'create' ? `create ${step.service}` : `${step.kind} ${step.name}`

interface Case {
  it: string
  live: LiveL2Status[]
  spoken: ReadonlyMap<string, Spoken>
  want: string[]
}

const cases: Case[] = [
  { it: 'a first one', live: [], spoken: speaks(), want: ['create default/web'] },
  { it: 'created, not filled yet', live: [live('x', 'a', { isFilled: false })], spoken: speaks(),
    want: ['fill x'] },
  { it: 'as it should be', live: [live('x', 'a', { interfaces: ['eth0'] })], spoken: speaks('eth0'),
    want: [] },
  { it: 'other interfaces', live: [live('x', 'a')], spoken: speaks('eth0'), want: ['fill x'] },
  { it: 'the last owner\'s goes', live: [live('y', 'b')], spoken: speaks(),
    want: ['delete y', 'create default/web'] },
  { it: 'of two of ours one goes', live: [live('x', 'a'), live('z', 'a')], spoken: speaks(),
    want: ['delete z'] },
  { it: 'not announced here: ours goes', live: [live('x', 'a')], spoken: silent, want: ['delete x'] },
  { it: 'not announced here: that of another stays', live: [live('y', 'b')], spoken: silent, want: [] },
]
for (const { it, live: objects, spoken, want } of cases) {
  test(it, () => assert.equal(planStatuses('a', objects, spoken).map(describe), want))
}

test('a node whose name is longer than a label keeps its object', () => {
  const node = `${'n'.repeat(60)}.example.com`
  const filled = narrowL2Status({
    metadata: { name: 'x', labels: {
      [labelKeys.statusNode]: labelOfNode(node),
      [labelKeys.statusNamespace]: 'default',
      [labelKeys.statusService]: 'web',
    } },
    status: { node, serviceNamespace: 'default', serviceName: 'web' },
  })
  const fresh = live('x', labelOfNode(node), { isFilled: false })
  assert.equal(planStatuses(node, filled === undefined ? [] : [filled], speaks()).map(describe), [])
  assert.equal(planStatuses(node, [fresh], speaks()).map(describe), ['fill x'])
})

interface World {
  readonly statuses: Statuses
  /** What was sent, as `METHOD NAME`. */
  readonly sent: string[]
  /** Lets the oldest that waits be sent, and answered with this status. */
  send(status?: number): void
  readonly waiting: Map<string, Job>
}

function open(): World {
  const waiting = new Map<string, Job>()
  const sent: string[] = []
  const writer: Writer = {
    put: (job) => void waiting.set(job.key, job),
    clear: () => undefined, pending: 0, idle: async () => undefined, trouble: undefined,
    [Symbol.asyncDispose]: async () => undefined,
  }
  const statuses = createStatuses({
    writer, namespace: 'metallb-system', node: 'a', owner: undefined, again: () => undefined,
  })
  const send = (status = 201): void => {
    const [job] = waiting.values()
    if (job === undefined) return
    waiting.delete(job.key)
    const call = job.make()
    if (call === undefined) return
    sent.push(`${call.method} ${call.path.split('/').slice(6).join('/')}`)
    job.settled?.({ status, value: { metadata: { name: 'l2-x' } }, retryAfterMs: undefined })
  }
  return { statuses, sent, send, waiting }
}

test('what was made is filled at once, and not again when the watch shows it late', () => {
  const { statuses, sent, send, waiting } = open()
  statuses.sync([], speaks('eth0'))
  send()
  send(200)
  statuses.sync([], speaks('eth0'))
  statuses.sync([live('l2-x', 'a', { isFilled: false })], speaks('eth0'))
  statuses.sync([live('l2-x', 'a', { interfaces: ['eth0'] })], speaks('eth0'))
  assert.equal(sent, ['POST servicel2statuses', 'PATCH servicel2statuses/l2-x/status'])
  assert.is(waiting.size, 0)
})

test('each is filled before another is made', () => {
  const { statuses, send, waiting } = open()
  const two = new Map(['default/a', 'default/b'].map((service) => [service, { service, interfaces: [] }]))
  statuses.sync([], two)
  send()
  const ranks = [...waiting.values()].map(({ key, rank }) => `${rank} ${key.split('/')[1]}`)
  assert.equal(ranks, ['1 create', '0 fill'])
})

test('what waits and is not wanted any more is not written, and wanted again it is', () => {
  const { statuses, sent, send } = open()
  statuses.sync([], speaks('eth0'))
  statuses.sync([], silent)
  send()
  assert.equal(sent, [])
  statuses.sync([], speaks('eth0'))
  send()
  statuses.sync([], silent)
  send()
  statuses.sync([live('l2-x', 'a', { isFilled: false })], silent)
  send()
  assert.equal(sent, ['POST servicel2statuses', 'DELETE servicel2statuses/l2-x'])
})

test('a deletion that waits is dropped when the Service is back', () => {
  const { statuses, sent, send } = open()
  const own = live('l2-x', 'a', { interfaces: ['eth0'] })
  statuses.sync([own], silent)
  statuses.sync([own], speaks('eth0'))
  send()
  assert.equal(sent, [])
})

test('what is said of a Service: once, by its first address, with interfaces that there are', () => {
  const at = (interfaces: 'all' | readonly string[], services: readonly string[]): Announcement =>
    ({ address: address('192.0.2.1'), text: '192.0.2.1', interfaces, services })
  const link = (name: string): LinkState => ({
    index: 2, name, mac: '02:00:5e:00:53:01', mtuBytes: 1_500, isUp: true, hasCarrier: true,
    master: undefined, isLoopback: false, isNoArp: false, isBroadcast: true, addresses: [],
  })
  const list = [at(['eth1', 'eth0'], ['default/a', 'default/b']), at('all', ['default/b', 'default/c'])]
  const saidOn = (...names: string[]): unknown =>
    [...spokenOf(list, names.map(link)).values()].map((one) => `${one.service} ${one.interfaces}`)
  assert.equal(saidOn('eth0', 'eth1'), ['default/a eth0,eth1', 'default/b eth0,eth1', 'default/c '])
  assert.equal(saidOn('eth0'), ['default/a eth0', 'default/b eth0', 'default/c '])
  const links = [link('eth1')]
  const copies = list.map((one) => ({ ...one }))
  assert.equal([...spokenOf(list, links)], [...spokenOf(copies, links)])
})

test.run()
