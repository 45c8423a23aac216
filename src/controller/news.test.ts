/** What is told of Services while their statuses are written: what happened, once each, and nothing else. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { config, held, pool, service } from '../config/builders.ts'
import { type Fields, isFields } from '../config/fields.ts'
import type { Config } from '../config/model.ts'
import { createRecorder } from '../kube/events.ts'
import type { LiveService } from '../kube/live.ts'
import type { Job, Writer } from '../kube/writer.ts'
import { createLog } from '../log.ts'
import { createMetrics } from '../metrics.ts'
import { createAllocation } from './allocation.ts'

/** What becomes of a status that is sent. */
type Fate =
  | 'answered'
  /** The server takes it; the answer is lost, and the writer will try again. */
  | 'taken'
  /** The server never gets it; the writer will try again. */
  | 'cut'
  /** The server gets it when something else has been written already. */
  | 'conflict'
  | 'invalid'

interface World {
  /** The watch shows what the server has. */
  show(): void
  /** The user asks for this address from now on, or, with '', for any; shown at once. */
  ask(address: string): void
  /** Somebody else writes the status; not shown yet. */
  put(ingress: string): void
  /** Another Service under the same name; not shown yet. */
  replace(): void
  turn(pools?: Config): void
  /** Sends the status that waits. */
  send(fate: Fate): void
  /** Leading ends, or begins. */
  lead(isLeading: boolean): void
  /** Writes what is to be told: all so far, as the words that follow `Assigned IP` and the like. */
  told(): readonly string[]
  /** Statuses that the server took. */
  readonly statuses: readonly string[]
}

interface Server {
  uid: string
  version: number
  requested: string
  ingress: string
  pool: string
}

/** What a watch shows of it. */
function liveOf({ uid, version, requested, ingress, pool: from }: Server): LiveService {
  const holds = ingress === '' ? {} : { held: held(ingress) }
  const asks = requested === '' ? {} : { requested: held(requested) }
  return {
    intent: service('web', { ...holds, ...asks, allocatedFromPool: from === '' ? undefined : from }),
    uid, version: String(version), ingress: ingress === '' ? [] : [ingress],
    pool: from === '' ? undefined : from, deprecated: [], condition: undefined,
  }
}

function write(server: Server, ingress: string): void {
  Object.assign(server, { ingress, pool: ingress === '' ? '' : 'lan', version: server.version + 1 })
}

/** The status that waits meets its fate; what the server took, if anything. */
function sendStatus(server: Server, jobs: Map<string, Job>, fate: Fate): string | undefined {
  const job = jobs.get('status/default/web')
  const call = job?.make()
  if (call === undefined || !isFields(call.body)) return void jobs.delete('status/default/web')
  const metadata = isFields(call.body['metadata']) ? call.body['metadata'] : {}
  const isBased = metadata['resourceVersion'] === String(server.version) && fate !== 'conflict'
  const taken = isBased && (fate === 'answered' || fate === 'taken') ? addressIn(call.body) : undefined
  if (taken !== undefined) write(server, taken)
  if (fate === 'cut' || fate === 'taken') return taken
  jobs.delete('status/default/web')
  const status = fate === 'invalid' ? 422 : taken === undefined ? 409 : 200
  job?.settled?.({ status, value: undefined, retryAfterMs: undefined })
  return taken
}

/** Writes the events that wait, as words. */
function sendEvents(jobs: Map<string, Job>): readonly string[] {
  return [...jobs].filter(([, { isFact }]) => isFact === true).flatMap(([key, job]) => {
    jobs.delete(key)
    const call = job.make()
    if (call === undefined) return []
    job.settled?.({ status: 201, value: undefined, retryAfterMs: undefined })
    return [call.method === 'PATCH' ? 'again' : wordsIn(call.body)]
  })
}

/** One Service, a server that keeps it, and a writer that waits for the test. */
function open(): World {
  const server: Server = { uid: 'u1', version: 1, requested: '', ingress: '', pool: '' }
  const services = new Map<string, LiveService>()
  const jobs = new Map<string, Job>()
  const told: string[] = []
  const statuses: string[] = []
  let isLeading = true
  let pools = config(pool('lan', '192.0.2.0/29'))
  const writer: Writer = {
    put: (job) => void jobs.set(job.key, job),
    clear: () => {
      for (const [key, { isFact }] of jobs) if (isFact !== true) jobs.delete(key)
    },
    pending: 0, idle: async () => undefined, trouble: undefined,
    [Symbol.asyncDispose]: async () => undefined,
  }
  const wall = (): Date => new Date(0)
  const allocation = createAllocation({
    writer, metrics: createMetrics(), services: () => services, isLeading: () => isLeading,
    recorder: createRecorder({ writer, component: 'c', instance: 'i', rank: 1, wall }),
    log: createLog({ level: 'none', wall, write: () => undefined }),
    loadBalancerClass: '', placement: 'sticky', announceEverywhere: false, ignoreExcludeLabel: false,
    hasIPMode: () => false,
  })
  const show = (): void => void services.set('default/web', liveOf(server))
  show()
  return {
    show, statuses,
    send: (fate) => {
      const taken = isLeading ? sendStatus(server, jobs, fate) : undefined
      if (taken !== undefined) statuses.push(taken)
    },
    ask: (address) => {
      Object.assign(server, { requested: address, version: server.version + 1 })
      show()
    },
    put: (ingress) => write(server, ingress),
    replace: () => void Object.assign(server, {
      uid: `${server.uid}x`, version: server.version + 1, ingress: '', pool: '',
    }),
    turn: (of = pools) => {
      pools = of
      allocation.turn({
        config: of, services, nodes: [], endpoints: new Map(), speakers: new Set(), states: new Map(),
        statuses: [],
      })
    },
    lead: (leads) => {
      isLeading = leads
      allocation.forget()
      writer.clear()
    },
    told: () => {
      allocation.look()
      told.push(...sendEvents(jobs))
      return told
    },
  }
}

function addressIn(body: Fields): string {
  return /"ip":"([^"]+)"/.exec(JSON.stringify(body))?.[1] ?? ''
}

/** `+192.0.2.1` = assigned, `-192.0.2.1` = cleared; other events by their reason. */
function wordsIn(body: unknown): string {
  const { reason, message } = isFields(body) ? body : {}
  const assigned = /^Assigned IP \["(.+)"\]$/.exec(String(message))?.[1]
  const cleared = /assignment: (\S+) \w+$/.exec(String(message))?.[1]
  if (reason === 'IPAllocated' && assigned !== undefined) return `+${assigned}`
  return reason === 'ClearAssignment' && cleared !== undefined ? `-${cleared}` : String(reason)
}

const [a, b] = ['192.0.2.1', '192.0.2.2'] as const
const empty = config()

type Row = readonly [it: string, act: (world: World) => void, want: readonly string[]]

/** The Service holds `a`, and that has been told. */
function hold(world: World): void {
  world.ask(a)
  world.turn()
  world.send('answered')
  world.show()
  world.turn()
  world.told()
}

const rows: readonly Row[] = [
  ['written and answered', (world) => {
    world.ask(a)
    world.turn()
    world.send('answered')
  }, [`+${a}`]],
  ['not before it is written', (world) => {
    world.ask(a)
    world.turn()
  }, []],
  ['another address is asked for before the first was sent', (world) => {
    world.ask(a)
    world.turn()
    world.ask(b)
    world.turn()
    world.send('answered')
    world.show()
    world.turn()
  }, [`+${b}`]],
  ['asked for, withdrawn and asked for again before anything was sent', (world) => {
    for (const address of [a, b, a]) {
      world.ask(address)
      world.turn()
    }
    world.send('answered')
    world.show()
    world.turn()
  }, [`+${a}`]],
  ['another address is asked for while the first is under way: the server takes the second', (world) => {
    world.ask(a)
    world.turn()
    world.send('conflict')
    world.ask(b)
    world.turn()
    world.send('answered')
    world.show()
    world.turn()
  }, [`+${b}`]],
  ['another address is asked for while the first is under way: the server takes both', (world) => {
    world.ask(a)
    world.turn()
    world.send('answered')
    world.ask(b)
    world.turn()
    world.send('answered')
    world.show()
    world.turn()
  }, [`+${a}`, `-${a}`, `+${b}`]],
  ['a conflict with what says nothing of addresses: written by the second attempt', (world) => {
    world.ask(a)
    world.turn()
    world.send('conflict')
    world.told()
    world.ask(a)
    world.turn()
    world.send('answered')
    world.show()
    world.turn()
  }, [`+${a}`]],
  ['the status is refused for good', (world) => {
    world.ask(a)
    world.turn()
    world.send('invalid')
    world.told()
  }, []],
  ['the answer is lost, and the watch shows what was written', (world) => {
    world.ask(a)
    world.turn()
    world.send('taken')
    world.told()
    world.show()
    world.turn()
    world.send('answered')
  }, [`+${a}`]],
  ['the answer is lost, and the second attempt is a conflict', (world) => {
    world.ask(a)
    world.turn()
    world.send('taken')
    world.send('answered')
    world.told()
    world.show()
    world.turn()
  }, [`+${a}`]],
  ['the answer is lost, the lease as well: the next term finds it written', (world) => {
    world.ask(a)
    world.turn()
    world.send('taken')
    world.lead(false)
    world.told()
    world.lead(true)
    world.show()
    world.turn()
  }, [`+${a}`]],
  ['the answer is lost, the lease as well, and another leads from then on', (world) => {
    world.ask(a)
    world.turn()
    world.send('taken')
    world.lead(false)
    world.told()
    world.show()
  }, [`+${a}`]],
  ['it never arrived, and the lease is lost: the next term writes and tells', (world) => {
    world.ask(a)
    world.turn()
    world.send('cut')
    world.lead(false)
    world.told()
    world.lead(true)
    world.turn()
    world.told()
    world.send('answered')
    world.told()
    world.show()
    world.turn()
  }, [`+${a}`]],
  ['it never arrived, and another gives another address', (world) => {
    world.ask(a)
    world.turn()
    world.send('cut')
    world.lead(false)
    world.put(b)
    world.show()
  }, []],
  ['the first never arrived, the second was taken', (world) => {
    world.ask('')
    world.turn()
    world.send('cut')
    world.turn(config(pool('other', '198.51.100.1/32')))
    world.send('answered')
    world.told()
    world.show()
    world.turn()
  }, ['+198.51.100.1']],
  ['the first was taken, its answer lost; the pools are others by then', (world) => {
    world.ask('')
    world.turn()
    world.send('taken')
    world.turn(config(pool('other', '198.51.100.1/32')))
    world.send('answered')
    world.told()
    world.show()
    world.turn()
    world.send('answered')
    world.told()
    world.show()
    world.turn()
  }, ['+192.0.2.0', '-192.0.2.0', '+198.51.100.1']],
  ['written, and the lease is lost before it is told', (world) => {
    world.ask(a)
    world.turn()
    world.send('answered')
    world.lead(false)
    world.lead(true)
    world.show()
    world.turn()
  }, [`+${a}`]],
  ['planned, and the lease is lost before anything is sent', (world) => {
    world.ask(a)
    world.turn()
    world.lead(false)
    world.put(b)
    world.show()
  }, []],
  ['an address is taken from it', (world) => {
    hold(world)
    world.turn(empty)
    world.send('answered')
    world.show()
    world.turn()
  }, [`+${a}`, 'AllocationFailed', `-${a}`]],
  ['its pool goes and is back before anything was sent', (world) => {
    hold(world)
    const pools = config(pool('lan', '192.0.2.0/29'))
    world.turn(empty)
    world.turn(pools)
    world.send('answered')
  }, [`+${a}`]],
  ['two others are asked for, one after the other, before anything was sent', (world) => {
    hold(world)
    world.ask(b)
    world.turn()
    world.ask('192.0.2.3')
    world.turn()
    world.send('answered')
    world.show()
    world.turn()
  }, [`+${a}`, `-${a}`, '+192.0.2.3']],
  ['another Service under the name, refused as the one before', (world) => {
    world.turn(empty)
    world.told()
    world.replace()
    world.show()
    world.turn()
  }, ['AllocationFailed', 'AllocationFailed']],
  ['another Service under the name, while the status of the first waits', (world) => {
    world.ask(a)
    world.turn()
    world.replace()
    world.show()
    world.turn()
    world.send('answered')
    world.show()
    world.turn()
  }, [`+${a}`]],
  ['another Service under the name, while the answer to the first is lost', (world) => {
    world.ask(a)
    world.turn()
    world.send('taken')
    world.replace()
    world.show()
    world.turn()
    world.send('answered')
    world.show()
    world.turn()
  }, [`+${a}`]],
  ['refused, and served before that was told', (world) => {
    world.turn(empty)
    world.turn(config(pool('lan', '192.0.2.0/29')))
    world.send('answered')
  }, ['+192.0.2.0']],
  ['refused, and refused again by the next term before that was told', (world) => {
    world.turn(empty)
    world.lead(false)
    world.lead(true)
    world.turn()
  }, ['AllocationFailed']],
]
for (const [it, act, want] of rows) {
  test(it, () => {
    const world = open()
    act(world)
    assert.equal([...world.told()].toSorted(), [...want].toSorted())
    assert.equal(world.told(), world.told(), 'and nothing more')
  })
}

test('what was to go goes on going when what should have come is not to come', () => {
  const world = open()
  world.turn(config(pool('lan', '192.0.2.1/32')))
  world.send('answered')
  world.show()
  world.turn()
  world.turn(config(pool('other', '198.51.100.1/32')))
  world.turn(empty)
  world.send('answered')
  assert.equal(world.statuses, [a, ''])
  assert.equal([...world.told()].toSorted(), [`+${a}`, 'AllocationFailed', `-${a}`].toSorted())
})

test.run()
