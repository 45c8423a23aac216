/** Keeps ServiceL2Status objects in step with what this node announces. */
import { group, groupPath } from '../cluster/resources.ts'
import { labelOfNode } from '../cluster/members.ts'
import type { PodIdentity } from '../cluster/state.ts'
import {
  type LiveL2Status, nodeLabel, serviceNameLabel, serviceNamespaceLabel,
} from '../kube/live.ts'
import type { Writer } from '../kube/writer.ts'

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
    else if (!status.isFilled || status.interfaces.join() !== wish.interfaces.join()) {
      steps.push({ kind: 'fill', name: status.name, spoken: wish })
    }
  }
  return steps
}

export interface Statuses {
  sync(live: Iterable<LiveL2Status>, spoken: ReadonlyMap<string, Spoken>): void
}

/** A step taken is not taken again for so long: the watch has to show its effect first. */
const patienceMs = 5_000
/** What was refused is tried again after this time. */
const retryMs = 1_000

export function createStatuses(options: StatusesOptions): Statuses {
  const takenAtMs = new Map<string, number>()
  return {
    sync: (live, spoken) => {
      const now = performance.now()
      const steps = new Map(planStatuses(options.node, live, spoken).map((step) => [keyOf(step), step]))
      for (const [key, atMs] of takenAtMs) {
        // What is no step any more has had its effect, or is not wanted now.
        if (!steps.has(key) || now - atMs > patienceMs) takenAtMs.delete(key)
      }
      for (const [key, step] of steps) {
        if (takenAtMs.has(key)) continue
        takenAtMs.set(key, now)
        queue(options, step, key, () => {
          setTimeout(() => {
            takenAtMs.delete(key)
            options.again()
          }, retryMs).unref()
        })
      }
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

function queue(
  options: StatusesOptions, step: StatusStep, key: string, failed: () => void,
): void {
  const { writer, namespace, node, owner } = options
  const path = `${groupPath}/namespaces/${namespace}/servicel2statuses`
  const settled = ({ status }: { status: number }): void => {
    if (status >= 300) failed()
  }
  const put = (make: Parameters<Writer['put']>[0]['make']): void =>
    writer.put({ key: `l2status/${key}`, rank: 0, make, settled })
  switch (step.kind) {
    case 'create': {
      const [serviceNamespace = '', name = ''] = step.service.split('/')
      const labels = {
        [nodeLabel]: labelOfNode(node), [serviceNameLabel]: name, [serviceNamespaceLabel]: serviceNamespace,
      }
      const ownerReferences = owner === undefined
        ? []
        : [{ apiVersion: 'v1', kind: 'Pod', name: owner.name, uid: owner.uid }]
      const metadata = { generateName: 'l2-', namespace, labels, ownerReferences }
      const body = { apiVersion: group, kind: 'ServiceL2Status', metadata, spec: {} }
      return put(() => ({ method: 'POST', path, body, wantsMetadata: true }))
    }
    case 'fill': {
      const [serviceNamespace, serviceName] = step.spoken.service.split('/')
      const interfaces = step.spoken.interfaces.map((one) => ({ name: one }))
      const status = {
        node, serviceName, serviceNamespace,
        interfaces: interfaces.length === 0 ? null : interfaces,
      }
      return put(() => ({
        method: 'PATCH', path: `${path}/${step.name}/status`, body: { status }, wantsMetadata: true,
        contentType: 'application/merge-patch+json',
      }))
    }
    case 'delete':
      return put(() => ({ method: 'DELETE', path: `${path}/${step.name}`, wantsMetadata: true }))
  }
}
