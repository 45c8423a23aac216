/** For tests: one Service, a server that keeps it, and a writer whose writes meet the fate they are given. */
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
export type Fate =
  | 'answered'
  /** The server takes it; the answer is lost, and the writer will try again. */
  | 'taken'
  /** The server gets it; the answer is under way until `answer`. */
  | 'late'
  /** The server never gets it; the writer will try again. */
  | 'cut'
  /** The server gets it when something else has been written already. */
  | 'conflict'
  | 'invalid'

export interface World {
  /** The watch shows what the server has. */
  show(): void
  /** The user asks for this address from now on, or, with '', for any; shown at once. */
  ask(address: string): void
  /** Somebody else writes the status; not shown yet. */
  put(ingress: string): void
  /** Somebody else takes the annotation of the pool away; not shown yet. */
  unpool(): void
  /** Another Service under the same name; not shown yet. */
  replace(): void
  turn(pools?: Config): void
  /** Sends the status that waits, unless one is under way. */
  send(fate: Fate): void
  /** The answer that is under way comes, or is lost, and the writer will try again. */
  answer(comes: boolean): void
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
  readonly deprecated: readonly string[]
}

/** What a watch shows of it. */
function liveOf({ uid, version, requested, ingress, pool: from, deprecated }: Server): LiveService {
  const holds = ingress === '' ? {} : { held: held(ingress) }
  const asks = requested === '' ? {} : { requested: held(requested) }
  return {
    intent: service('web', { ...holds, ...asks, allocatedFromPool: from === '' ? undefined : from }),
    uid, version: String(version), ingress: ingress === '' ? [] : [ingress],
    pool: from === '' ? undefined : from, deprecated, condition: undefined,
  }
}

function write(server: Server, ingress: string): void {
  Object.assign(server, { ingress, pool: ingress === '' ? '' : 'lan', version: server.version + 1 })
}

interface Flight {
  readonly job: Job | undefined
  readonly settle: () => void
}

interface Landed {
  /** What the server took, if anything. */
  readonly taken?: string | undefined
  /** Its answer is still to come. */
  readonly flight?: Flight
}

/** The status that waits meets its fate. */
function sendStatus(server: Server, jobs: Map<string, Job>, fate: Fate): Landed {
  const job = jobs.get('status/default/web')
  const call = job?.make()
  if (call === undefined || !isFields(call.body)) {
    jobs.delete('status/default/web')
    return {}
  }
  const metadata = isFields(call.body['metadata']) ? call.body['metadata'] : {}
  const isBased = metadata['resourceVersion'] === String(server.version) && fate !== 'conflict'
  const taken = isBased && fate !== 'cut' && fate !== 'invalid' ? addressIn(call.body) : undefined
  if (taken !== undefined) write(server, taken)
  if (fate === 'cut' || fate === 'taken') return { taken }
  jobs.delete('status/default/web')
  const status = fate === 'invalid' ? 422 : taken === undefined ? 409 : 200
  const settle = (): void => job?.settled?.({ status, value: undefined, retryAfterMs: undefined })
  if (fate === 'late') return { taken, flight: { job, settle } }
  settle()
  return { taken }
}

/** Writes the events that wait, as words; what is counted up is told again. */
function sendEvents(jobs: Map<string, Job>, named: Map<string, string>): readonly string[] {
  return [...jobs].filter(([, { isFact }]) => isFact === true).flatMap(([key, job]) => {
    jobs.delete(key)
    const call = job.make()
    if (call === undefined) return []
    job.settled?.({ status: 201, value: undefined, retryAfterMs: undefined })
    if (call.method === 'PATCH') return named.get(call.path.split('/').at(-1) ?? '') ?? 'unnamed'
    const words = wordsIn(call.body)
    named.set(nameIn(call.body), words)
    return words
  })
}

/** A writer that keeps what is to be written. */
function createKeeper(jobs: Map<string, Job>): Writer {
  return {
    put: (job) => void jobs.set(job.key, job),
    clear: () => {
      for (const [key, { isFact }] of jobs) if (isFact !== true) jobs.delete(key)
    },
    pending: 0, idle: async () => undefined, trouble: undefined,
    [Symbol.asyncDispose]: async () => undefined,
  }
}

/** One Service, with these deprecated annotations, a server, and a writer that waits for the test. */
export function openWorld(deprecated: readonly string[] = []): World {
  const server: Server = { uid: 'u1', version: 1, requested: '', ingress: '', pool: '', deprecated }
  const services = new Map<string, LiveService>()
  const jobs = new Map<string, Job>()
  const named = new Map<string, string>()
  const told: string[] = []
  const statuses: string[] = []
  let isLeading = true
  let flight: Flight | undefined
  let pools = config(pool('lan', '192.0.2.0/29'))
  const writer = createKeeper(jobs)
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
      if (!isLeading || flight !== undefined) return
      const landed = sendStatus(server, jobs, fate)
      flight = landed.flight
      if (landed.taken !== undefined) statuses.push(landed.taken)
    },
    answer: (comes) => {
      const landed = flight
      flight = undefined
      if (comes) landed?.settle()
      else if (landed?.job !== undefined && !jobs.has(landed.job.key)) jobs.set(landed.job.key, landed.job)
    },
    ask: (address) => {
      Object.assign(server, { requested: address, version: server.version + 1 })
      show()
    },
    put: (ingress) => write(server, ingress),
    unpool: () => void Object.assign(server, { pool: '', version: server.version + 1 }),
    replace: () => void Object.assign(server, {
      uid: `${server.uid}x`, version: server.version + 1, ingress: '', pool: '',
    }),
    turn: (of = pools) => {
      pools = of
      allocation.turn({
        config: of, services, nodes: [], endpoints: new Map(), speakers: new Set(), states: new Map(),
        statuses: [],
      }, 0)
    },
    lead: (leads) => {
      isLeading = leads
      allocation.forget()
      writer.clear()
      // It may still be answered, and is not tried again.
      if (flight !== undefined) flight = { ...flight, job: undefined }
    },
    told: () => {
      allocation.look({ speakers: new Set(), states: new Map() }, 0)
      told.push(...sendEvents(jobs, named))
      return told
    },
  }
}

function nameIn(body: unknown): string {
  const metadata = isFields(body) && isFields(body['metadata']) ? body['metadata'] : {}
  return String(metadata['name'])
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
