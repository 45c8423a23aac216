/** The validating webhook: keeps its certificate, serves reviews, and judges them by what is in force. */
import { configObjectOf, groupPath, legacyMapName } from '../cluster/resources.ts'
import { type Fields, isFields } from '../config/fields.ts'
import type { Config, Intent } from '../config/model.ts'
import { type Api, Refused } from '../kube/api.ts'
import { describeFailure, openReflector } from '../kube/reflector.ts'
import type { Writer } from '../kube/writer.ts'
import type { Log } from '../log.ts'
import { judgeChange, type Judgement } from '../plan/admission.ts'
import { type KeyPair, lifetimeOf } from './certificate.ts'
import {
  configurationName, configurationResource, hostOf, secretResource, storeCall, tellCall,
} from './resources.ts'
import { allowed, formatReview, parseReview, type Review } from './review.ts'
import { isServable, type Known, makeWanted, nextStep } from './rotation.ts'
import { openReviewServer, type ReviewServer } from './server.ts'

export interface WebhookOptions {
  readonly api: Api
  readonly log: Log
  /** Writes while this process leads. */
  readonly writer: Writer
  readonly namespace: string
  readonly port: number
  /** Name of the Secret. */
  readonly secret: string
  /** Name of the Service that leads here. */
  readonly service: string
  /** Of a new certificate. */
  readonly validityMs: number
  /** Owner references of the Secret. */
  readonly owners: readonly unknown[]
  readonly loadBalancerClass: string
  readonly wall: () => Date
  /** Everything that a judgement needs is known. */
  readonly isReady: () => boolean
  readonly configObjects: () => readonly Fields[]
  readonly inForce: () => Config | undefined
  readonly services: () => readonly Intent[]
  /** A turn is wanted. */
  readonly onChange: () => void
}

export interface Webhook extends AsyncDisposable {
  /** Serves what is stored; leading, also mends what is stored and what API servers are told. */
  turn(isLeading: boolean): void
  /** Why reviews are not served; undefined = they are. */
  readonly trouble: string | undefined
}

/** Timers hold 24 days; and a clock may be set. */
const maxRestMs = 12 * 3_600_000
const retryMs = 5_000
const recheckMs = 30_000
/** It empties namespaces that are deleted: nothing in them is to be kept. */
const namespaceController = 'system:serviceaccount:kube-system:namespace-controller'
/** The manifests have API servers wait for a review for 5 s. */
const listTimeoutMs = 3_000

/** Mutable, owned by `turn`. */
interface Memory {
  fresh: KeyPair | undefined
  server: ReviewServer | undefined
  served: string | undefined
  /** Settles when the port is open, or cannot be opened. */
  opening: Promise<void> | undefined
  trouble: string | undefined
  /** Versions that writes were based on: until the watch shows others, there is nothing to write. */
  spent: string | undefined
  /** What the last turn saw, and until when nothing else is to be done. */
  seen: string | undefined
  untilMs: number
  timer: ReturnType<typeof setTimeout> | undefined
}

/** Follows the Secret and the configuration at once; serves as soon as there is a certificate. */
export function openWebhook(options: WebhookOptions): Webhook {
  const { api, onChange } = options
  const log = options.log.from('webhook.ts')
  const memory: Memory = {
    fresh: undefined, server: undefined, served: undefined, opening: undefined,
    trouble: 'there is no certificate yet', spent: undefined, seen: undefined, untilMs: 0, timer: undefined,
  }
  const secrets = openReflector(secretResource(options), { api, log, onChange })
  const configurations = openReflector(configurationResource(options), { api, log, onChange })
  const knownNow = (): Known => ({
    stored: secrets.items.get(`${options.namespace}/${options.secret}`),
    told: configurations.items.get(configurationName),
    fresh: memory.fresh, host: hostOf(options), validityMs: options.validityMs,
    nowMs: options.wall().getTime(),
  })
  return {
    turn: (isLeading) => {
      if (!secrets.isSynced || !configurations.isSynced) return
      const known = knownNow()
      const seen = `${isLeading} ${known.stored?.version} ${known.told?.version}`
      if (seen === memory.seen && known.nowMs < memory.untilMs) return
      memory.seen = seen
      memory.untilMs = known.nowMs + maxRestMs
      if (isServable(known)) serve({ ...options, log }, memory, known)
      if (isLeading) keep(options, memory, known)
      else memory.fresh = undefined
      clearTimeout(memory.timer)
      memory.timer = setTimeout(onChange, memory.untilMs - known.nowMs)
    },
    get trouble() {
      return memory.trouble ?? describeEnd(memory.served, options.wall())
    },
    [Symbol.asyncDispose]: async () => {
      clearTimeout(memory.timer)
      secrets[Symbol.dispose]()
      configurations[Symbol.dispose]()
      await memory.opening
      await memory.server?.[Symbol.asyncDispose]()
    },
  }
}

/** A certificate that has ended is replaced by who leads; without a leader API servers trust nobody here. */
function describeEnd(served: string | undefined, now: Date): string | undefined {
  const untilMs = lifetimeOf(served ?? '')?.untilMs ?? Infinity
  if (now.getTime() < untilMs) return undefined
  return `the certificate ended at ${new Date(untilMs).toISOString()}, and who leads has stored no other`
}

/** Opens the port, or goes on with another certificate. */
function serve(options: WebhookOptions, memory: Memory, { stored, nowMs }: Known): void {
  if (stored === undefined || memory.opening !== undefined || memory.served === stored.certificate) return
  const { port } = options
  const told = (): void => {
    memory.served = stored.certificate
    memory.trouble = undefined
    options.log.info('webhook certificate in use', { port })
  }
  if (memory.server !== undefined) {
    memory.server.use(stored)
    return told()
  }
  memory.opening = openReviewServer({ port, pair: stored, answer: (value) => answer(options, value) })
    .then((server) => {
      memory.server = server
      told()
    })
    .catch((error: unknown) => {
      const why = describeFailure(error)
      if (why !== memory.trouble) options.log.error('webhook not served', { error: why })
      memory.trouble = why
      memory.seen = undefined
      memory.untilMs = nowMs + retryMs
      setTimeout(options.onChange, retryMs).unref()
    })
    .finally(() => void (memory.opening = undefined))
}

/** The next step towards a certificate that is good, stored and trusted. */
function keep(options: WebhookOptions, memory: Memory, known: Known): void {
  const { writer } = options
  let step = nextStep(known)
  if (step.kind === 'make') {
    memory.fresh = makeWanted(known)
    step = nextStep({ ...known, fresh: memory.fresh })
  }
  if (step.kind === 'rest' || step.kind === 'make') {
    memory.fresh = undefined
    memory.untilMs = known.nowMs + Math.min(maxRestMs, step.kind === 'rest' ? step.forMs : 0)
    return
  }
  const { told, stored } = known
  const based = `${step.kind} ${told?.version} ${stored?.version}`
  if (based === memory.spent) return
  const call = step.kind === 'store'
    ? storeCall(options, stored, { ...step, owners: options.owners })
    : told === undefined ? undefined : tellCall(told, step.webhooks, step.bundle)
  if (call === undefined) return
  writer.put({
    key: 'webhook', rank: 0,
    make: () => {
      memory.spent = based
      return call
    },
    settled: ({ status }) => {
      if (status < 300) return
      // Somebody else was faster: what was made here is nobody's.
      memory.fresh = undefined
      memory.spent = undefined
    },
  })
  // A write that waits is forgotten where leading ends.
  memory.untilMs = known.nowMs + recheckMs
}

/** The answer to a review; a status where there is none: then the failure policy decides. */
async function answer(options: WebhookOptions, value: unknown): Promise<unknown> {
  const review = parseReview(value)
  if (typeof review === 'string') return 400
  if (!options.isReady()) return 503
  const judgement = await judge(options, review)
  if (!judgement.isAllowed) {
    const { kind, namespace, name, isDryRun } = review
    const object = [kind, namespace, name].filter((part) => part !== '').join('/')
    options.log[isDryRun ? 'debug' : 'info']('change refused', { object, message: judgement.message })
  }
  return formatReview(review.uid, judgement)
}

const judged = new Set(['IPAddressPool', 'L2Advertisement', 'BGPAdvertisement', 'ConfigMap'])

async function judge(options: WebhookOptions, review: Review): Promise<Judgement> {
  const { kind, user, change } = review
  const { namespace, loadBalancerClass } = options
  if (!judged.has(kind) || user === namespaceController) return allowed
  const isOther = kind === 'ConfigMap' && (review.namespace !== namespace || nameOf(review) !== legacyMapName)
  if (isOther) return allowed
  const objects = await withPools(options)
  return judgeChange({
    change: { before: narrow(change.before), after: narrow(change.after) },
    objects, namespace, loadBalancerClass,
    inForce: options.inForce(), services: options.services(),
  })
}

/** A review that deletes a collection names no object. */
function nameOf({ name, change }: Review): string {
  const metadata = (change.after ?? change.before)?.['metadata']
  const own = isFields(metadata) ? metadata['name'] : undefined
  return typeof own === 'string' ? own : name
}

function narrow(object: Fields | undefined): Fields | undefined {
  return object === undefined ? undefined : configObjectOf(object)
}

/**
 * The configuration with its pools as the API server has them at this instant: of two that
 * overlap, applied one right after the other, the watch may not have shown the first yet.
 */
async function withPools({ api, namespace, configObjects }: WebhookOptions): Promise<readonly Fields[]> {
  const path = `${groupPath}/namespaces/${namespace}/ipaddresspools`
  const reply = await api.call({ method: 'GET', path, timeoutMs: listTimeoutMs })
  const items = isFields(reply.value) ? reply.value['items'] : undefined
  if (reply.status !== 200 || !Array.isArray(items)) throw new Refused(reply)
  const pools = items.filter(isFields).map((item) =>
    configObjectOf({ ...item, apiVersion: 'metallb.io/v1beta1', kind: 'IPAddressPool' }))
  return [...pools, ...configObjects().filter(({ kind }) => kind !== 'IPAddressPool')]
}
