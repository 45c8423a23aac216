/** When conditions are written: after a while, once, and not for Services of others. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { ToldSilence } from '../cluster/members.ts'
import { held, service } from '../config/builders.ts'
import { isFields } from '../config/fields.ts'
import type { Intent } from '../config/model.ts'
import type { Condition, LiveL2Status, LiveService } from '../kube/live.ts'
import type { Job, Writer } from '../kube/writer.ts'
import { createLog } from '../log.ts'
import { createMetrics } from '../metrics.ts'
import type { ServiceRow } from '../plan/report.ts'
import { createConditions, type Conditions } from './conditions.ts'

const silent: ServiceRow = {
  namespace: 'default', name: 'web', verdict: 'kept', reason: '', message: '', pool: 'lan',
  addresses: ['192.0.2.1'], announcements: [],
  silent: [{ address: '192.0.2.1', node: null, reason: 'noEndpoints' }],
}
const announced: ServiceRow = {
  ...silent, silent: [], announcements: [{ address: '192.0.2.1', node: 'a', interfaces: ['eth0'] }],
}
const refused: ServiceRow = {
  ...silent, verdict: 'refused', reason: 'noPool', message: 'no pool', addresses: [], silent: [],
}
const old: Condition = { status: 'False', reason: 'noPool', message: 'no address: no pool', since: '' }

function live(more: Partial<Intent> = {}, condition?: Condition): LiveService {
  const intent = service('web', { held: held('192.0.2.1'), ...more })
  return { intent, uid: 'u', version: '1', ingress: [], pool: undefined, deprecated: [], condition }
}

interface World {
  readonly conditions: Conditions
  /** Turns at this instant; when the next is due. */
  at(now: number, row: ServiceRow | undefined, of?: LiveService): number | undefined
  /** What speakers say, of which Services; undefined = they cannot. */
  statuses: readonly LiveL2Status[] | undefined
  /** What nodes say that the wire keeps them silent for. */
  told: ReadonlyMap<string, readonly ToldSilence[]>
  /** Jobs wait here instead of being written at once. */
  readonly waiting: Job[]
  isBusy: boolean
  /** Lets one of them be written. */
  perform(job: Job): void
  /** What was written, as `STATUS REASON` or `delete`. */
  readonly written: string[]
  readonly events: string[]
  /** Lines of the log, as `MSG REASON`. */
  readonly lines: string[]
  /** What the server answers. */
  status: number
  isStale: boolean
  /** Jobs are dropped instead: another leads. */
  isDropped: boolean
  /** What is written is there, but its answer is lost. */
  isLost: boolean
  /** What the allocation does for each Service that has changed, whoever leads. */
  learn(): void
  /** The Service as a watch shows it: with the condition that was written last. */
  shown(): LiveService
}

function open(): World {
  const written: string[] = []
  const events: string[] = []
  const lines: string[] = []
  const services = new Map<string, LiveService>()
  let unsure: (() => void)[] = []
  let last: Condition | undefined
  const learn = (): void => unsure.forEach((ask) => ask())
  const write = (line: string): void => {
    const { msg, reason } = JSON.parse(line)
    lines.push(`${msg} ${reason ?? ''}`.trim())
  }
  const put = (job: Job): void => {
    if (world.isBusy) world.waiting.push(job)
    else perform(job)
  }
  const perform = ({ make, settled }: Job): void => {
    if (world.isDropped) return
    const call = make()
    if (call === undefined) return
    const { body } = call
    const status = isFields(body) ? body['status'] : undefined
    const list: unknown = isFields(status) ? status['conditions'] : undefined
    const [one]: readonly unknown[] = Array.isArray(list) ? list : []
    if (isFields(one)) written.push(String(one['$patch'] ?? `${one['status']} ${one['reason']}`))
    const text = (name: string): string => isFields(one) ? String(one[name]) : ''
    last = { status: text('status'), reason: text('reason'), message: text('message'), since: '' }
    if (world.isLost) return
    settled?.({ status: world.status, value: undefined, retryAfterMs: undefined })
  }
  const writer: Writer = {
    put, clear: () => undefined, pending: 0, idle: async () => undefined, trouble: undefined,
    [Symbol.asyncDispose]: async () => undefined,
  }
  const wall = (): Date => new Date(0)
  const conditions = createConditions({
    writer, wall, metrics: createMetrics(), log: createLog({ level: 'info', write, wall }),
    services: () => services,
    recorder: {
      record: (_, { reason, isTrue }) => {
        unsure.push(() => {
          const truth = isTrue === undefined || isTrue()
          if (truth === undefined) return
          unsure = unsure.slice(1)
          if (truth) events.push(reason)
        })
        unsure.at(-1)?.()
      },
      learned: learn, unsure: [],
    },
  })
  const world: World = {
    conditions, written, events, lines, status: 200, isStale: false, isDropped: false,
    statuses: undefined, told: new Map(), waiting: [], isBusy: false, perform,
    isLost: false, learn,
    shown: () => ({ ...live({}, last), version: '2' }),
    at: (now, row, of = live()) => {
      services.set('default/web', of)
      return conditions.turn({
        rows: row === undefined ? [] : [row], services,
        statuses: world.statuses, told: world.told, isStale: world.isStale, now,
      })
    },
  }
  return world
}

test('silence is told when it has lasted, once, with one event', () => {
  const world = open()
  assert.is(world.at(0, silent), 2_500)
  assert.is(world.at(1_000, silent), 2_500)
  assert.equal(world.written, [])
  world.at(2_500, silent)
  world.at(3_000, silent) // the watch has not shown it yet
  assert.equal([world.written, world.events], [['False noEndpoints'], ['notAnnounced']])
})

test('what changes its mind begins anew; a refusal and good news wait for nobody', () => {
  const world = open()
  world.at(0, silent)
  assert.is(world.at(1_400, announced), 1_600)
  world.at(1_600, announced)
  assert.equal([world.written, world.events], [['True announced'], []])
  const other = open()
  assert.is(other.at(0, refused), 200)
})

test('the log has silence once; a refusal is the journal\'s, unless a stale configuration is why', () => {
  const world = open()
  for (const now of [0, 2_500, 3_000]) world.at(now, silent)
  assert.equal(world.lines, ['not announced noEndpoints'])
  const other = open()
  for (const now of [0, 200]) other.at(now, refused)
  assert.equal([other.written, other.lines], [['False noPool'], []])
  other.isStale = true
  for (const now of [1_000, 4_000]) other.at(now, refused)
  assert.equal([other.written, other.lines],
    [['False noPool', 'False configurationStale'], ['not announced configurationStale']])
  other.at(5_000, announced, live({}, old))
  other.at(6_000, announced, live({}, old))
  assert.is(other.lines.at(-1), 'announced')
})

test('a write that was refused is due again; the event follows what was written', () => {
  const world = open()
  world.status = 409
  world.at(0, silent)
  world.at(2_500, silent)
  assert.equal(world.events, [])
  world.status = 200
  world.at(2_600, silent)
  assert.equal([world.written, world.events],
    [['False noEndpoints', 'False noEndpoints'], ['notAnnounced']])
})

test('the answer is lost: the event follows what the watch shows, once', () => {
  const world = open()
  world.isLost = true
  for (const now of [0, 2_500]) world.at(now, silent)
  assert.equal([world.written, world.events], [['False noEndpoints'], []])
  for (const now of [3_000, 4_000]) world.at(now, silent, world.shown())
  assert.equal([world.written, world.events], [['False noEndpoints'], ['notAnnounced']])
})

test('the answer is lost, and leading ends: the next term finds it written', () => {
  const world = open()
  world.isLost = true
  for (const now of [0, 2_500]) world.at(now, silent)
  world.conditions.forget()
  for (const now of [3_000, 6_000]) {
    world.at(now, silent, world.shown())
    world.learn()
  }
  assert.equal([world.written, world.events], [['False noEndpoints'], ['notAnnounced']])
})

test('the answer is lost with what was sent: another version of the Service shows that', () => {
  const world = open()
  world.isLost = true
  for (const now of [0, 2_500]) world.at(now, silent)
  world.conditions.forget()
  world.at(3_000, announced, { ...live(), version: '2' })
  world.learn()
  world.at(3_200, announced, world.shown())
  world.learn()
  assert.equal(world.events, [])
})

test('a Service made anew under the name has a condition and an event of its own', () => {
  const world = open()
  for (const now of [0, 2_500]) world.at(now, silent)
  for (const now of [3_000, 5_500]) world.at(now, silent, { ...live(), uid: 'v', version: '7' })
  assert.equal([world.written, world.events],
    [['False noEndpoints', 'False noEndpoints'], ['notAnnounced', 'notAnnounced']])
})

test('what was queued when leading ended is due again', () => {
  const world = open()
  world.isDropped = true
  world.at(0, refused)
  world.at(200, refused)
  world.isDropped = false
  world.at(300, refused)
  assert.equal(world.written, [])
  world.conditions.forget()
  world.at(400, refused)
  world.at(600, refused)
  assert.equal(world.written, ['False noPool'])
})

test('it goes when the type changes, and stays where another class is concerned', () => {
  const world = open()
  const clusterIp = live({ isLoadBalancer: false }, old)
  world.at(0, undefined, clusterIp)
  world.at(200, undefined, clusterIp)
  assert.equal(world.written, ['delete'])
  const other = open()
  const foreign = live({ loadBalancerClass: 'x' }, old)
  const ignored: ServiceRow = { ...refused, verdict: 'ignored', reason: 'otherClass' }
  for (const row of [ignored, undefined]) {
    other.at(0, row, foreign)
    other.at(200, row, foreign)
  }
  assert.equal(other.written, [])
})

const confirming = (services: number): readonly LiveL2Status[] =>
  Array.from({ length: services }, (_, i) => ({
    name: `x${i}`, node: 'a', service: `default/other${i}`, isFilled: true, interfaces: [],
  }))

test('a node that confirms nothing is absent; one that confirms others is waited for, a little', () => {
  const world = open()
  world.statuses = confirming(1)
  world.at(0, announced)
  assert.is(world.at(1, announced), 2_500)
  world.statuses = confirming(2)
  assert.is(world.at(2_400, announced), 2_750)
  world.at(2_750, announced)
  assert.equal([world.written, world.events], [['False speakerAbsent'], ['notAnnounced']])
})

const tells = (reason: ToldSilence['reason']): World['told'] =>
  new Map([['192.0.2.1', [{ node: 'a', text: '192.0.2.1', reason }]]])

test('what a node says of the wire waits for nobody\'s word, and a conflict not at all', () => {
  const world = open()
  world.statuses = []
  assert.is(world.at(0, announced), 2_500)
  world.told = tells('ownerDeaf')
  assert.is(world.at(500, announced), 1_500)
  world.told = tells('inConflict')
  assert.is(world.at(1_000, announced), 1_200)
  world.at(1_200, announced)
  world.at(9_000, announced, world.shown())
  world.told = new Map()
  world.statuses = [{ name: 'x', node: 'a', service: 'default/web', isFilled: true, interfaces: [] }]
  for (const now of [9_100, 9_300]) world.at(now, announced, world.shown())
  assert.equal([world.written, world.events], [['False inConflict', 'True announced'], ['notAnnounced']])
})

test('nodes whose words change all the time: told when the silence has lasted, and then in peace', () => {
  const world = open()
  world.statuses = []
  for (let now = 0; now <= 10_000; now += 400) {
    const node = now % 800 === 0 ? 'b' : 'c'
    world.told = new Map([['192.0.2.1', [{ node, text: '192.0.2.1', reason: 'segmentUnheard' }]]])
    world.at(now, announced, world.written.length === 0 ? undefined : world.shown())
    world.at(now + 200, announced, world.written.length === 0 ? undefined : world.shown())
    if (now < 2_400) assert.equal(world.written, [], `${now} ms`)
    if (now >= 2_800) assert.equal(world.written, ['False segmentUnheard'], `${now} ms`)
  }
})

test('another address, or another node, is another silence', () => {
  const world = open()
  world.statuses = []
  assert.is(world.at(0, announced), 2_500)
  const moved = announced.announcements.map((one) => ({ ...one, address: '192.0.2.2' }))
  assert.is(world.at(2_000, { ...announced, announcements: moved }), 4_500)
  const elsewhere = moved.map((one) => ({ ...one, node: 'b' }))
  assert.is(world.at(4_000, { ...announced, announcements: elsewhere }), 6_500)
})

test('the last of a crowd has waited for all of it, and is not absent for that', () => {
  const world = open()
  const names = Array.from({ length: 40 }, (_, i) => `web${i}`)
  const rows = names.map((name) => ({ ...announced, name }))
  const services = new Map(names.map((name) => {
    const of = live({ key: `default/${name}`, name })
    return [of.intent.key, of] as const
  }))
  // One word in 200 ms: the last comes after eight seconds.
  for (let now = 0; now <= 8_500; now += 100) {
    const statuses = Array.from({ length: Math.min(40, 1 + Math.floor(now / 200)) }, (_, i) => ({
      name: `x${i}`, node: 'a', service: `default/web${i}`, isFilled: true, interfaces: [],
    }))
    world.conditions.turn({ rows, services, statuses, isStale: false, now })
  }
  assert.equal([new Set(world.written), world.events], [new Set(['True announced']), []])
  assert.is(world.written.length, 40)
})

test('a wish that is another when its turn has come is not written, and not told', () => {
  const world = open()
  world.isBusy = true
  world.at(0, silent)
  world.at(2_500, silent)
  world.at(2_600, announced)
  world.at(2_800, announced)
  for (const job of world.waiting) world.perform(job)
  assert.equal([world.written, world.events], [['True announced'], []])
})

test.run()
