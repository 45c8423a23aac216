/** What is told of Services, and when again: once each, whatever the watch shows in between. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { config, held, pool, service } from '../config/builders.ts'
import type { Config, Intent } from '../config/model.ts'
import { labelKeys } from '../config/names.ts'
import type { LiveService, LiveState } from '../kube/live.ts'
import type { Job, Writer } from '../kube/writer.ts'
import { createLog } from '../log.ts'
import { createMetrics } from '../metrics.ts'
import { type Allocation, createAllocation, type Snapshot } from './allocation.ts'

interface World {
  readonly allocation: Allocation
  /** Plans with these pools what the watch shows; what was told in this turn, as `REASON MESSAGE`. */
  turn(of: Config): readonly string[]
  /** The watch shows this of the Service: its addresses and pool; another `uid` = another Service. */
  show(ingress: string, pool?: string, uid?: string): void
  /** Writes what waits. */
  write(): void
  /** How many were written so far. */
  readonly writes: number
  /** What of refusals was told so far. */
  refusals(): Promise<Refusals>
  /** Of what was told in the last turn: whether it would be written now. */
  truths(): readonly boolean[]
  isLeading: boolean
  /** A turn where another leads. */
  look(): void
  /** What the speaker of node "n" says that other machines have: `address mac`. */
  foreign: readonly string[]
  now: number
  readonly lines: readonly string[]
  nextMs: number | undefined
}

interface Refusals {
  readonly lines: number
  readonly events: number
  readonly counted: number
}

function open(more: Partial<Intent> = {}): World {
  const truths: (() => boolean)[] = []
  const [events, lines]: [string[], string[]] = [[], []]
  const told = { lines: 0, events: 0 }
  const metrics = createMetrics()
  const waiting: Job[] = []
  const services = new Map<string, LiveService>()
  let [version, writes] = [1, 0]
  const intent = service('web', more)
  const writer: Writer = {
    put: (job) => void waiting.push(job),
    clear: () => undefined, pending: 0, idle: async () => undefined, trouble: undefined,
    [Symbol.asyncDispose]: async () => undefined,
  }
  const allocation = createAllocation({
    writer, isLeading: () => world.isLeading, services: () => services, metrics,
    recorder: {
      record: (_, { reason, message, isTrue }) => {
        truths.push(() => isTrue?.() !== false)
        events.push(`${reason} ${message}`)
        if (reason === 'AllocationFailed') told.events += 1
      },
      learned: () => undefined, unsure: [],
    },
    log: createLog({ level: 'info', wall: () => new Date(0), write: (line) => {
      lines.push(line)
      if (line.includes('IP allocation failed')) told.lines += 1
    } }),
    loadBalancerClass: '', placement: 'sticky', announceEverywhere: false, ignoreExcludeLabel: false,
    hasIPMode: () => true,
  })
  const show = (ingress: string, from?: string, uid = 'u'): void => {
    const texts = ingress === '' ? [] : ingress.split(' ')
    services.set('default/web', {
      intent: { ...intent, held: ingress === '' ? [] : held(ingress), allocatedFromPool: from },
      uid, version: String(version), ingress: texts, pool: from, deprecated: [], condition: undefined,
    })
    version += 1
  }
  show('')
  const world: World = {
    allocation, show, isLeading: true, foreign: [], now: 0, lines, nextMs: undefined,
    truths: () => truths.map((isTrue) => isTrue()),
    look: () => allocation.look(snapshotOf(config(), services, world.foreign), world.now),
    turn: (of) => {
      events.length = 0
      truths.length = 0
      const snapshot = snapshotOf(of, services, world.foreign)
      const judged = allocation.turn(snapshot, world.now)
      world.nextMs = judged.nextMs
      allocation.report(snapshot, judged)
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
    refusals: async () => {
      const counted = /_errors_total (\d+)$/m.exec(await metrics.text())?.[1]
      return { ...told, counted: Number(counted) }
    },
  }
  return world
}

function snapshotOf(
  of: Config, services: Snapshot['services'], foreign: readonly string[],
): Snapshot {
  const states = new Map([['x/speaker-n', stateOf(foreign)]])
  const speakers = new Set(['n'])
  return { config: of, services, nodes: [], endpoints: new Map(), speakers, states, statuses: [] }
}

function stateOf(foreign: readonly string[]): LiveState {
  return {
    version: '1', labels: { [labelKeys.stateNode]: 'n' }, owner: '', links: '[]', result: '',
    errorSummary: '', silences: foreign.map((each) => {
      const [text = '', mac = ''] = each.split(' ')
      return { text, reason: 'inConflict', mac }
    }),
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

const once: Refusals = { lines: 1, events: 1, counted: 1 }

type Row = readonly [it: string, more: Partial<Intent>, act: (world: World) => void, want: Refusals]

/** Turns in a row, and how often a refusal is told in them: by the log, as an event, in the counter. */
const rows: readonly Row[] = [
  ['the same, turn after turn', {}, ({ turn }) => [1, 2, 3].forEach(() => turn(config())), once],
  ['the address it has lost is shown no longer', {}, ({ turn, show, write }) => {
    show('192.0.2.1', 'lan')
    turn(config(lan))
    turn(config())
    write()
    turn(config())
    show('')
    turn(config())
  }, once],
  ['an older state is shown before the newer one', {}, ({ turn, show, write }) => {
    show('192.0.2.1', 'lan')
    turn(config(lan))
    turn(config(other))
    turn(config())
    write()
    show('198.51.100.1', 'other')
    turn(config())
    show('')
    turn(config())
  }, once],
  ['pools appear one by one that are not the pool it asks for', { requestedPool: 'nowhere' }, ({ turn }) => {
    turn(config(lan))
    turn(config(lan, other))
  }, once],
  ['pools appear one by one without the address it asks for', { requested: held('203.0.113.1') },
    ({ turn }) => {
      turn(config(lan))
      turn(config(lan, other))
    }, once],
  ['pools appear one by one without the family it needs', { families: ['ipv6'] }, ({ turn }) => {
    turn(config(lan))
    turn(config(lan, other))
  }, once],
  ['another reason', {}, ({ turn }) => {
    turn(config())
    turn(config(pool('lan', '2001:db8::1/128')))
  }, { lines: 2, events: 2, counted: 2 }],
  ['refused, served, refused', {}, ({ turn, show, write }) => {
    turn(config())
    turn(config(lan))
    write()
    show('192.0.2.1', 'lan')
    turn(config(lan))
    turn(config())
  }, { lines: 2, events: 2, counted: 2 }],
  ['the next term tells the user anew, and the log goes on', {}, ({ turn, allocation }) => {
    turn(config())
    allocation.forget()
    turn(config())
  }, { lines: 1, events: 2, counted: 2 }],
]
for (const [it, more, act, want] of rows) {
  test(`refusals: ${it}`, async () => {
    const world = open(more)
    act(world)
    assert.equal(await world.refusals(), want)
  })
}

type HandRow = readonly [it: string, act: (show: World['show'], look: () => void) => void]

const byHand: readonly HandRow[] = [
  ['after it was shown without', (show, look) => {
    show('')
    look()
    show('192.0.2.1')
  }],
  ['to another Service under the name', (show) => show('192.0.2.1', undefined, 'another')],
]
for (const [it, act] of byHand) {
  test(`an address that was taken away and that somebody else has written stays: ${it}`, () => {
    const world = open()
    world.show('192.0.2.1', 'lan')
    world.turn(config(lan))
    world.turn(config())
    world.write()
    assert.is(world.writes, 1, 'taken away')
    act(world.show, () => world.turn(config()))
    world.turn(config())
    world.write()
    assert.is(world.writes, 1)
  })
}

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

test('leading ended: an assignment is told if the status says so, whoever leads', () => {
  const world = open()
  world.turn(config(lan))
  assert.equal(world.truths(), [true])
  world.isLeading = false
  assert.equal(world.truths(), [false], 'its status may not be written any more')
  world.allocation.forget()
  world.isLeading = true
  assert.equal(world.truths(), [false], 'another term decides anew')
  world.show('192.0.2.1', 'lan')
  assert.equal(world.truths(), [true])
  world.show('192.0.2.2', 'lan')
  assert.equal(world.truths(), [false])
})

const wide = config(pool('wide', '192.0.2.1-192.0.2.3'))
const mac = '02:00:00:00:00:99'
const minuteMs = 60_000

test('another machine has the address: another one, one event with its MAC, one line', () => {
  const world = open()
  world.show('192.0.2.1', 'wide')
  assert.equal(world.turn(wide), [])
  world.foreign = [`192.0.2.1 ${mac}`]
  assert.equal(world.turn(wide), [
    `IPAllocated Assigned IP ["192.0.2.2"] (in place of 192.0.2.1, for which the host ${mac} answers)`,
  ])
  world.write()
  assert.equal(world.turn(wide), [], 'not told again before it is shown')
  world.show('192.0.2.2', 'wide')
  world.foreign = []
  assert.equal(world.turn(wide), [])
  world.write()
  assert.is(world.writes, 1)
  const said = world.lines.filter((line) => line.includes('"event":"foreignHost"'))
  assert.is(said.length, 1)
  const fields = /"service":"default\/web","ip":"192.0.2.1","mac":"02:.*:99","ips":\["192.0.2.2"\]/
  assert.match(said[0] ?? '', fields)
})

test('it goes on from address to address, each once in ten minutes, and never back by itself', () => {
  const world = open()
  const move = (foreign: string): string => {
    world.foreign = foreign === '' ? [] : [`${foreign} ${mac}`]
    world.turn(wide)
    world.write()
    const held = world.allocation.rows[0]?.addresses.join() ?? ''
    world.show(held, 'wide')
    return held
  }
  assert.equal([move(''), move('192.0.2.1'), move('192.0.2.2')], ['192.0.2.1', '192.0.2.2', '192.0.2.3'])
  assert.is(move('192.0.2.3'), '192.0.2.3', 'none is left')
  world.now = 9 * minuteMs
  assert.is(move('192.0.2.3'), '192.0.2.3')
  assert.is(world.nextMs, 10 * minuteMs, 'the loop has to look then')
  world.now = 10 * minuteMs
  assert.is(move('192.0.2.3'), '192.0.2.1', 'it may be free again')
  world.now = 30 * minuteMs
  assert.is(move(''), '192.0.2.1')
  world.now = 60 * minuteMs
  assert.is(move(''), '192.0.2.1', 'nothing goes back')
})

test('what was asked for by name stays, whoever answers', () => {
  const world = open({ requested: held('192.0.2.1') })
  world.show('192.0.2.1', 'wide')
  world.foreign = [`192.0.2.1 ${mac}`]
  assert.equal(world.turn(wide), [])
  world.write()
  assert.is(world.writes, 0)
})

test('what machines have outlives the term', () => {
  const world = open()
  world.show('192.0.2.1', 'wide')
  world.foreign = [`192.0.2.2 ${mac}`]
  world.turn(wide)
  world.foreign = []
  world.allocation.forget()
  world.show('')
  world.foreign = [`192.0.2.1 ${mac}`]
  assert.match(world.turn(wide)[0] ?? '', /^IPAllocated Assigned IP \["192.0.2.3"\]/)
})

test('a report that ended while another led moves nothing in the next own term', () => {
  const world = open()
  world.show('192.0.2.1', 'wide')
  world.foreign = [`192.0.2.1 ${mac}`]
  assert.equal(world.turn(config(pool('wide', '192.0.2.1/32'))), [], 'no other is free')
  world.write()
  world.allocation.forget()
  world.foreign = []
  world.now = minuteMs
  world.look()
  world.now = 20 * minuteMs
  assert.equal(world.turn(wide), [])
  world.write()
  assert.is(world.allocation.rows[0]?.addresses.join(), '192.0.2.1')
})

test('who comes to lead knows what was reported before', () => {
  const world = open()
  world.foreign = [`192.0.2.1 ${mac}`]
  world.look()
  world.foreign = []
  world.now = minuteMs
  assert.equal(world.turn(wide), ['IPAllocated Assigned IP ["192.0.2.2"]'])
})

test('leading ended: who leads next tells for itself', () => {
  const world = open()
  world.turn(config(lan))
  world.allocation.forget()
  assert.equal(world.turn(config(lan)), [given])
})

test.run()
