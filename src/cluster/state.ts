/** Writes this process's ConfigurationState: whether the configuration is in force, and why not. */
import type { Problem } from '../config/model.ts'
import { isFields } from '../config/fields.ts'
import { annotationKeys } from '../config/names.ts'
import { type Api, Refused } from '../kube/api.ts'
import type { LiveState } from '../kube/live.ts'
import { metadataOf, textOf } from '../kube/object.ts'
import type { Writer } from '../kube/writer.ts'
import { encodeSilences } from '../l2/silences.ts'
import { group, groupPath } from './resources.ts'

export interface StateOptions {
  readonly writer: Writer
  readonly namespace: string
  /** `controller`, or `speaker-NODE`. */
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** Field manager and condition type that MetalLB's readers look for. */
  readonly manager: 'poolReconciler' | 'configReconciler'
  /** Our Pod: with it the object goes. undefined = there is none. */
  readonly owner: PodIdentity | undefined
  readonly wall: () => Date
}

export interface PodIdentity {
  readonly name: string
  readonly uid: string
}

/**
 * Our own Pod as an owner; undefined where it cannot be read (outside a cluster). Rejects where the
 * API server is in trouble: it may be asked again.
 */
export async function readPod(
  api: Api, namespace: string, name: string | undefined,
): Promise<PodIdentity | undefined> {
  if (name === undefined) return undefined
  const path = `/api/v1/namespaces/${namespace}/pods/${name}`
  const reply = await api.call({ method: 'GET', path })
  if (reply.status === 401 || reply.status === 429 || reply.status >= 500) throw new Refused(reply)
  if (reply.status !== 200 || !isFields(reply.value)) return undefined
  const uid = textOf(metadataOf(reply.value), 'uid')
  return uid === '' ? undefined : { name, uid }
}

export interface StateWish {
  readonly problems: readonly Problem[]
  /** Nothing was read yet. */
  readonly isUnknown: boolean
  /** Of a speaker: its interfaces, for the others. */
  readonly links: string | undefined
  /** Of a speaker: what the wire keeps it silent for; '' = nothing. */
  readonly silent?: string
}

/** What was last sent to be written over an object, which the watch shows as another once it is. */
const sent = new WeakMap<LiveState, string>()

/** Compares with the live object and writes what differs: nothing where nothing does. */
export function syncState(
  options: StateOptions, live: LiveState | undefined, wish: StateWish,
): void {
  const { writer, name, namespace, labels, owner } = options
  const path = `${groupPath}/namespaces/${namespace}/configurationstates`
  const silent = wish.silent ?? ''
  const annotations = {
    ...(wish.links === undefined ? {} : { [annotationKeys.links]: wish.links }),
    ...(silent === '' ? {} : { [annotationKeys.silent]: silent }),
  }
  const ownerReferences = owner === undefined ? [] : [{
    apiVersion: 'v1', kind: 'Pod', name: owner.name, uid: owner.uid,
  }]
  const metadata = { name, namespace, labels, annotations, ownerReferences }
  if (live === undefined) {
    const body = { apiVersion: group, kind: 'ConfigurationState', metadata }
    writer.put({
      key: `state/${name}`, rank: 2,
      make: () => ({ method: 'POST', path, body, wantsMetadata: true }),
    })
    return
  }
  const isSame = isSameLabels(live.labels, labels) && live.links === wish.links &&
    encodeSilences(live.silences) === silent && live.owner === (owner?.uid ?? '')
  if (!isSame) {
    writeChange(options, live, {
      labels, ownerReferences,
      annotations: silent === '' ? { ...annotations, [annotationKeys.silent]: null } : annotations,
    })
  }
  syncStatus(options, live, wish, `${path}/${name}/status`)
}

/** Once, until the watch shows the object as another or the server has refused. */
function writeChange(
  { writer, name, namespace }: StateOptions, live: LiveState, change: Readonly<Record<string, unknown>>,
): void {
  const text = JSON.stringify(change)
  if (sent.get(live) === text) return
  sent.set(live, text)
  writer.put({
    key: `state/${name}`, rank: 0,
    make: () => ({
      method: 'PATCH', path: `${groupPath}/namespaces/${namespace}/configurationstates/${name}`,
      wantsMetadata: true, contentType: 'application/merge-patch+json', body: { metadata: change },
    }),
    settled: ({ status }) => {
      if (status >= 300) sent.delete(live)
    },
  })
}

function isSameLabels(
  a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>,
): boolean {
  const keys = Object.keys(b)
  return keys.length === Object.keys(a).length && keys.every((key) => a[key] === b[key])
}

/** The longest text that goes into a condition's message (the API's own limit). */
const maxMessage = 32_768

function syncStatus(
  options: StateOptions, live: LiveState, wish: StateWish, path: string,
): void {
  const { writer, name, manager, wall } = options
  if (wish.isUnknown) return
  const isValid = wish.problems.length === 0
  const result = isValid ? 'Valid' : 'Invalid'
  const summary = wish.problems
    .map(({ object, path: at, message }) => `configuration error: ${object} ${at}: ${message}`)
    .join('\n').slice(0, maxMessage)
  if (live.result === result && live.errorSummary === summary) return
  const condition = {
    type: `${manager}Valid`,
    status: isValid ? 'True' : 'False',
    reason: isValid ? 'Reconciled' : 'ConfigurationError',
    message: summary,
    lastTransitionTime: wall().toISOString().replace(/\.\d+Z$/, 'Z'),
  }
  writer.put({
    key: `state/${name}/status`, rank: 2,
    make: () => ({
      method: 'PATCH',
      path: `${path}?fieldManager=${manager}&force=true`,
      contentType: 'application/apply-patch+yaml',
      wantsMetadata: true,
      body: {
        apiVersion: group, kind: 'ConfigurationState', metadata: { name, namespace: options.namespace },
        status: { result, errorSummary: summary, conditions: [condition] },
      },
    }),
  })
}
