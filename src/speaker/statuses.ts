/** Keeps ServiceL2Status objects in step with what this node announces. */
import { group, groupPath } from '../cluster/resources.ts'
import { labelOfNode } from '../cluster/members.ts'
import type { PodIdentity } from '../cluster/state.ts'
import { isFields } from '../config/fields.ts'
import { labelKeys } from '../config/names.ts'
import type { Call, Reply } from '../kube/api.ts'
import type { LiveL2Status } from '../kube/live.ts'
import { metadataOf, textOf } from '../kube/object.ts'
import type { Rank, Writer } from '../kube/writer.ts'
import type { Announcement, LinkState } from '../l2/model.ts'
import { isSameList } from '../l2/unit.ts'

export interface StatusesOptions {
  readonly writer: Writer
  readonly namespace: string
  readonly node: string
  /** Our Pod: with it the objects go. */
  readonly owner: PodIdentity | undefined
  /** Asks for another turn: a write was refused. */
  readonly again: () => void
}

/** What one Service's object shall say. */
export interface Spoken {
  /** `namespace/name` */
  readonly service: string
  /** Sorted; empty = all. */
  readonly interfaces: readonly string[]
}

/** What was made of each announcement, while interfaces are the same. */
const made = new WeakMap<Announcement, { readonly links: readonly LinkState[]; readonly spoken: Spoken[] }>()

/** What the Services' objects shall say, by Service: of several addresses the first tells. */
export function spokenOf(
  announcements: readonly Announcement[], links: readonly LinkState[],
): ReadonlyMap<string, Spoken> {
  const known = new Set(links.map(({ name }) => name))
  const spoken = new Map<string, Spoken>()
  for (const announcement of announcements) {
    const before = made.get(announcement)
    const rows = before?.links === links ? before.spoken : rowsOf(announcement, known)
    if (before?.links !== links) made.set(announcement, { links, spoken: rows })
    for (const row of rows) if (!spoken.has(row.service)) spoken.set(row.service, row)
  }
  return spoken
}

function rowsOf({ services, interfaces }: Announcement, known: ReadonlySet<string>): Spoken[] {
  const names = interfaces === 'all' ? [] : interfaces.filter((name) => known.has(name)).toSorted()
  return services.map((service) => ({ service, interfaces: names }))
}

/** What is to be done: pure, so that it can be tested as a table. */
export type StatusStep =
  | { readonly kind: 'create'; readonly service: string }
  | { readonly kind: 'fill'; readonly name: string; readonly spoken: Spoken }
  | { readonly kind: 'delete'; readonly name: string }

/**
 * Steps from what there is to what this node announces (MetalLB 0.16): one filled object for each
 * Service announced here; every other of it goes, also those of other nodes, since the last owner
 * may be dead. What is not announced here concerns only objects of this node.
 */
export function planStatuses(
  node: string, live: Iterable<LiveL2Status>, spoken: ReadonlyMap<string, Spoken>,
): readonly StatusStep[] {
  const steps: StatusStep[] = []
  const own = new Map<string, LiveL2Status>()
  for (const status of live) {
    // Before it is filled only the label tells, which is short of a long name.
    const isMine = status.node === (status.isFilled ? node : labelOfNode(node))
    const isWanted = spoken.has(status.service)
    if (isMine && isWanted && !own.has(status.service)) own.set(status.service, status)
    else if (isMine || isWanted) steps.push({ kind: 'delete', name: status.name })
  }
  for (const [service, wish] of spoken) {
    const status = own.get(service)
    if (status === undefined) steps.push({ kind: 'create', service })
    else if (!status.isFilled || !isSameList(status.interfaces, wish.interfaces)) {
      steps.push({ kind: 'fill', name: status.name, spoken: wish })
    }
  }
  return steps
}

/**
 * One that is made says nothing before it is filled: each is finished before the next is begun. The
 * controller waits for what is confirmed, and for nothing that goes: deletions come last.
 */
const ranks: Readonly<Record<StatusStep['kind'], Rank>> = { fill: 0, create: 1, delete: 2 }

export interface Statuses {
  sync(live: Iterable<LiveL2Status>, spoken: ReadonlyMap<string, Spoken>): void
}

/** A step that was written is not taken again for so long: the watch has to show its effect first. */
const patienceMs = 5_000
/** What was refused is tried again after this time. */
const retryMs = 1_000

interface Memory {
  /** Steps taken, by key: when they were written; infinite while they wait for that. */
  readonly taken: Map<string, number>
  /** Objects that the server has named and the watch has not shown yet, with the step that fills them. */
  readonly unseen: Map<string, string>
  spoken: ReadonlyMap<string, Spoken>
  /** Keys of what was to be done at the last look. */
  due: ReadonlySet<string>
}

/** May be told of the same as often as anybody likes; what waits and is not wanted any more is dropped. */
export function createStatuses(options: StatusesOptions): Statuses {
  const memory: Memory = { taken: new Map(), unseen: new Map(), spoken: new Map(), due: new Set() }
  return {
    sync: (live, spoken) => {
      const objects = [...live]
      const steps = new Map(planStatuses(options.node, objects, spoken).map((step) => [keyOf(step), step]))
      memory.spoken = spoken
      memory.due = new Set(steps.keys())
      if (memory.unseen.size > 0) for (const { name } of objects) memory.unseen.delete(name)
      const early = new Set(memory.unseen.values())
      const now = performance.now()
      for (const [key, atMs] of memory.taken) {
        // What is no step any more has had its effect, or is not wanted now.
        const isOver = !steps.has(key) && !early.has(key) && atMs !== Number.POSITIVE_INFINITY
        if (isOver || now - atMs > patienceMs) memory.taken.delete(key)
      }
      for (const step of steps.values()) take(options, memory, step)
    },
  }
}
function keyOf(step: StatusStep): string {
  switch (step.kind) {
    case 'create':
      return `create/${step.service}`
    case 'fill':
      return `fill/${step.name}/${step.spoken.interfaces.join()}`
    case 'delete':
      return `delete/${step.name}`
  }
}

/** Still to be done: what was wished when the step was taken may be another by now. */
function isWanted({ spoken, due }: Memory, step: StatusStep, key: string): boolean {
  if (step.kind !== 'fill') return due.has(key)
  return spoken.get(step.spoken.service)?.interfaces.join() === step.spoken.interfaces.join()
}

function take(options: StatusesOptions, memory: Memory, step: StatusStep): void {
  const { taken, unseen } = memory
  const key = keyOf(step)
  if (taken.has(key)) return
  taken.set(key, Number.POSITIVE_INFINITY)
  const settled = ({ status, value }: Reply): void => {
    taken.set(key, performance.now())
    if (status >= 300) {
      if (step.kind === 'fill') unseen.delete(step.name)
      setTimeout(() => {
        taken.delete(key)
        options.again()
      }, retryMs).unref()
      return
    }
    // What it shall say is known: no need to wait until the watch shows it.
    const wish = step.kind === 'create' ? memory.spoken.get(step.service) : undefined
    const name = isFields(value) ? textOf(metadataOf(value), 'name') : ''
    if (wish === undefined || name === '') return
    const fill: StatusStep = { kind: 'fill', name, spoken: wish }
    unseen.set(name, keyOf(fill))
    take(options, memory, fill)
  }
  const call = callOf(options, step)
  const make = (): Call | undefined => {
    if (isWanted(memory, step, key)) return call
    taken.delete(key)
    return undefined
  }
  options.writer.put({ key: `l2status/${key}`, rank: ranks[step.kind], make, settled })
}

function callOf({ namespace, node, owner }: StatusesOptions, step: StatusStep): Call {
  const path = `${groupPath}/namespaces/${namespace}/servicel2statuses`
  switch (step.kind) {
    case 'create': {
      const [serviceNamespace = '', name = ''] = step.service.split('/')
      const labels = {
        [labelKeys.statusNode]: labelOfNode(node),
        [labelKeys.statusService]: name,
        [labelKeys.statusNamespace]: serviceNamespace,
      }
      const ownerReferences = owner === undefined
        ? []
        : [{ apiVersion: 'v1', kind: 'Pod', name: owner.name, uid: owner.uid }]
      const metadata = { generateName: 'l2-', namespace, labels, ownerReferences }
      const body = { apiVersion: group, kind: 'ServiceL2Status', metadata, spec: {} }
      return { method: 'POST', path, body, wantsMetadata: true }
    }
    case 'fill': {
      const [serviceNamespace, serviceName] = step.spoken.service.split('/')
      const interfaces = step.spoken.interfaces.map((one) => ({ name: one }))
      const status = {
        node, serviceName, serviceNamespace,
        interfaces: interfaces.length === 0 ? null : interfaces,
      }
      return {
        method: 'PATCH', path: `${path}/${step.name}/status`, body: { status }, wantsMetadata: true,
        contentType: 'application/merge-patch+json',
      }
    }
    case 'delete':
      return { method: 'DELETE', path: `${path}/${step.name}`, wantsMetadata: true }
  }
}
