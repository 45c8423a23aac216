/** What is told of Services, and when again: once each, whatever the watch shows in between. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { config, held, pool, service } from '../config/builders.ts'
import type { Config } from '../config/model.ts'
import type { LiveService } from '../kube/live.ts'
import type { Job, Writer } from '../kube/writer.ts'
import { createLog } from '../log.ts'
import { createMetrics } from '../metrics.ts'
import { type Allocation, createAllocation } from './allocation.ts'

interface World {
  readonly allocation: Allocation
  /** Plans with these pools what the watch shows; what was told in this turn, as `REASON MESSAGE`. */
  turn(of: Config): readonly string[]
  /** The watch shows this of the Service: its addresses and pool. */
  show(ingress: string, pool?: string): void
  /** Writes what waits. */
  write(): void
  /** How many were written so far. */
  readonly writes: number
}

function open(): World {
  const events: string[] = []
  const waiting: Job[] = []
  const services = new Map<string, LiveService>()
  let version = 1
  let writes = 0
  const intent = service('web')
  const writer: Writer = {
    put: (job) => void waiting.push(job),
    clear: () => undefined, pending: 0, idle: async () => undefined, trouble: undefined,
    [Symbol.asyncDispose]: async () => undefined,
  }
  const allocation = createAllocation({
    writer, services: () => services, metrics: createMetrics(),
    recorder: { record: (_, { reason, message }) => void events.push(`${reason} ${message}`) },
    log: createLog({ level: 'none', write: () => undefined, wall: () => new Date(0) }),
    loadBalancerClass: '', placement: 'sticky', announceEverywhere: false, ignoreExcludeLabel: false,
    hasIPMode: () => true,
  })
  const show = (ingress: string, from?: string): void => {
    const texts = ingress === '' ? [] : ingress.split(' ')
    services.set('default/web', {
      intent: { ...intent, held: ingress === '' ? [] : held(ingress), allocatedFromPool: from },
      uid: 'u', version: String(version), ingress: texts, pool: from, deprecated: [], condition: undefined,
    })
    version += 1
  }
  show('')
  return {
    allocation, show,
    turn: (of) => {
      events.length = 0
      allocation.turn({
        config: of, services, nodes: [], endpoints: new Map(), speakers: new Set(), states: new Map(),
        statuses: [],
      })
      return [...events]
    },
    write: () => {
      for (const { make, settled } of waiting.splice(0)) {
        if (make() === undefined) continue
        writes += 1
        settled?.({ status: 200, value: undefined, retryAfterMs: undefined })
      }
    },
    get writes() {
      return writes
    },
  }
}

const lan = pool('lan', '192.0.2.1/32')
const other = pool('other', '198.51.100.1/32')
const given = 'IPAllocated Assigned IP ["192.0.2.1"]'

test('an assignment is told once, also while its status is not written yet', () => {
  const world = open()
  assert.equal([1, 2, 3].map(() => world.turn(config(lan))), [[given], [], []])
})

test('written, and shown by the watch: nothing is told, nothing written', () => {
  const world = open()
  world.turn(config(lan))
  world.write()
  world.show('192.0.2.1', 'lan')
  assert.equal(world.turn(config(lan)), [])
  world.write()
  assert.is(world.writes, 1)
})

test('a version is written to once: until the watch shows another, there is nothing to write', () => {
  const world = open()
  for (let i = 0; i < 3; i += 1) {
    world.turn(config(lan))
    world.write()
  }
  assert.is(world.writes, 1)
  world.show('')
  world.turn(config(lan))
  world.write()
  assert.is(world.writes, 2, 'the newest is what counts')
})

test('pools go one after the other: what the watch shows again is not told again', () => {
  const world = open()
  world.show('192.0.2.1', 'lan')
  world.turn(config(lan, other))
  const moved = world.turn(config(other))
  assert.equal(moved.map((text) => text.split(' ')[0]), ['ClearAssignment', 'IPAllocated'])
  world.write()
  // The second pool goes before the watch has shown what was written.
  const left = world.turn(config())
  assert.equal(left.map((text) => text.split(' ')[0]), ['ClearAssignment', 'AllocationFailed'])
  world.write()
  // An older state is shown once more, and then the one in between.
  for (const [ingress, from] of [['192.0.2.1', 'lan'], ['198.51.100.1', 'other']] as const) {
    world.show(ingress, from)
    const again = world.turn(config()).filter((text) => [...moved, ...left].includes(text))
    assert.equal(again, [], `${ingress} was judged before`)
    world.write()
  }
  world.show('')
  assert.equal(world.turn(config()), [])
})

test('once the status says what it shall, the same may happen again, and is told again', () => {
  const world = open()
  world.turn(config(lan))
  world.write()
  world.show('192.0.2.1', 'lan')
  world.turn(config(lan))
  const lost = world.turn(config())
  world.write()
  world.show('')
  world.turn(config())
  assert.equal(world.turn(config(lan)), [given])
  world.write()
  world.show('192.0.2.1', 'lan')
  world.turn(config(lan))
  assert.equal(world.turn(config()), lost)
})

test('what was settled is written again where somebody else has emptied it', () => {
  const world = open()
  world.turn(config(lan))
  world.write()
  world.show('192.0.2.1', 'lan')
  const pools = config(lan)
  for (let i = 0; i < 3; i += 1) assert.equal(world.turn(pools), [])
  world.write()
  assert.is(world.writes, 1, 'nothing is left to be done')
  world.show('')
  assert.equal(world.turn(pools), [given])
  world.write()
  assert.is(world.writes, 2)
})

test('leading ended: who leads next tells for itself', () => {
  const world = open()
  world.turn(config(lan))
  world.allocation.forget()
  assert.equal(world.turn(config(lan)), [given])
})

test.run()
