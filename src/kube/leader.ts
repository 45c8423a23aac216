/** Keeps asking for the Lease and says until when this process may write. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { isFields } from '../config/fields.ts'
import type { Log } from '../log.ts'
import type { Millis } from '../net/model.ts'
import type { Api, Reply } from './api.ts'
import {
  type Knowledge, type Lease, leaseMs, leaseTimeoutMs, nextStep, observe, renewEveryMs, writeMs,
} from './lease.ts'
import { metadataOf, textOf } from './object.ts'
import { describeFailure } from './reflector.ts'

export interface Leader extends AsyncDisposable {
  /** Whether a write may leave now. */
  isLeading(): boolean
  /** Who holds the lease as last seen; '' = nobody. */
  holder(): string
  /** Settles when the lease has been asked for once, whatever came of it. */
  readonly asked: Promise<void>
}

/**
 * Who a controller is among others: its Pod's name, so that a restarted container resumes. Without
 * one a random word: in containers every program is process 1, and two of one name would both lead.
 */
export function identityOf(podName: string | undefined): string {
  return podName ?? `controller-${randomUUID()}`
}

export interface LeaderOptions {
  readonly api: Api
  readonly log: Log
  readonly namespace: string
  readonly name: string
  readonly identity: string
  readonly wall: () => Date
  /** Leading began or ended. */
  readonly onChange: () => void
}

/** Asks until disposed; then gives the lease back, so that a successor need not wait. */
export function openLeader(options: LeaderOptions): Leader {
  const { log, identity } = options
  const ending = new AbortController()
  let known: Knowledge = { lease: undefined, seenAtMs: performance.now() }
  let untilMs: Millis = Number.NEGATIVE_INFINITY
  let wasLeading = false
  let told: string | undefined
  const isLeading = (): boolean => performance.now() < untilMs

  const tell = (): void => {
    if (isLeading() === wasLeading) return
    wasLeading = isLeading()
    log.info(wasLeading ? 'leading' : 'no longer leading', { event: 'lease', identity })
    options.onChange()
  }
  /** Whether the lease is as we know it: false = somebody was faster, and we have looked who it is. */
  const attempt = async (): Promise<boolean> => {
    const step = nextStep(known, identity, performance.now())
    if (step.kind === 'wait') return true
    const sentAtMs = performance.now()
    const lease = await write(options, step.kind === 'take' ? step.lease : undefined, identity)
    if (lease === undefined) {
      known = observe(known, await read(options), performance.now())
      return false
    }
    known = observe(known, lease, performance.now())
    tell() // what we held may have ended meanwhile: then this is another term
    untilMs = sentAtMs + writeMs
    return true
  }
  const turn = async (): Promise<void> => {
    // Leading, the version we wrote is the one there is; if not, the write says so.
    if (!isLeading()) known = observe(known, await read(options), performance.now())
    // A renewal of ours whose answer was lost may be what was faster.
    if (!await attempt()) await attempt()
  }
  const asked = Promise.withResolvers<void>()
  const run = async (): Promise<void> => {
    while (!ending.signal.aborted) {
      try {
        await turn()
        told = undefined
      } catch (error) {
        const why = describeFailure(error)
        if (why !== told) log.warn('lease not renewed', { error: why })
        told = why
      }
      tell()
      asked.resolve()
      const waitMs = isLeading() ? renewEveryMs : renewEveryMs / 2
      await sleep(waitMs, undefined, { signal: ending.signal }).catch(() => undefined)
    }
  }
  const running = run()
  return {
    isLeading,
    holder: () => known.lease?.holder ?? '',
    asked: asked.promise,
    [Symbol.asyncDispose]: async () => {
      ending.abort()
      await running
      const { lease } = known
      const isOurs = isLeading() && lease !== undefined
      untilMs = Number.NEGATIVE_INFINITY
      if (isOurs) await write(options, lease, '').catch(() => undefined)
    },
  }
}

function pathOf({ namespace }: LeaderOptions): string {
  return `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`
}

async function read(options: LeaderOptions): Promise<Lease | undefined> {
  const reply = await options.api.call({
    method: 'GET', path: `${pathOf(options)}/${options.name}`, timeoutMs: leaseTimeoutMs,
  })
  return reply.status === 404 ? undefined : parse(reply)
}

function parse(reply: Reply): Lease {
  const { value, status } = reply
  if (status >= 300 || !isFields(value) || !isFields(value['spec'])) {
    throw new Error(`the API server answered ${status} for the lease`)
  }
  const { spec } = value
  const transitions = spec['leaseTransitions']
  return {
    version: textOf(metadataOf(value), 'resourceVersion'),
    holder: textOf(spec, 'holderIdentity'),
    transitions: typeof transitions === 'number' ? transitions : 0,
    renewTime: textOf(spec, 'renewTime'),
  }
}

/** The lease as written; undefined when somebody else was faster. */
async function write(
  options: LeaderOptions, before: Lease | undefined, holder: string,
): Promise<Lease | undefined> {
  const { api, name, namespace } = options
  const isNew = before === undefined || (before.holder !== holder && holder !== '')
  const at = options.wall().toISOString().replace('Z', '000Z') // microseconds
  const reply = await api.call({
    method: before === undefined ? 'POST' : 'PUT',
    path: before === undefined ? pathOf(options) : `${pathOf(options)}/${name}`,
    timeoutMs: leaseTimeoutMs,
    body: {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: {
        name, namespace, ...(before === undefined ? {} : { resourceVersion: before.version }),
      },
      spec: {
        holderIdentity: holder,
        leaseDurationSeconds: leaseMs / 1_000,
        renewTime: at,
        ...(isNew ? { acquireTime: at } : {}),
        leaseTransitions: (before?.transitions ?? 0) + (isNew && before !== undefined ? 1 : 0),
      },
    },
  })
  return reply.status === 409 ? undefined : parse(reply)
}
