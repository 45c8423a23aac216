/** What people do to a cluster on purpose: nothing moves without cause, and no new connection fails. */
import { type EndpointPlan, service, slice } from '../kube/objects.ts'
import type { Fault } from './fault.ts'
import { lasting, nodes, setPage, type Stage } from './stage.ts'
import { handedMs, handedOver, restMs, stays, succeed, unbroken } from './strikes.ts'

const stops: readonly Fault[] = [
  {
    name: 'stop', about: 'graceful stop of the owner (SIGTERM)', peer: '', bounds: handedOver,
    strike: (stage, owner) => succeed(stage, owner, () => stage.stop(owner)),
  },
  {
    name: 'rolling', about: 'all speakers are restarted one after the other', peer: '',
    bounds: { moves: [1, 2], overlapMs: handedMs, isSeamless: true },
    strike: async (stage) => {
      for (const node of nodes) {
        await stage.stop(node)
        await stage.steady()
      }
      await lasting(restMs)
    },
  },
  {
    name: 'exclude', about: 'the owner\'s node is labelled exclude-from-external-load-balancers', peer: '',
    bounds: handedOver,
    strike: (stage, owner) => succeed(stage, owner, () => label(stage, owner, '=true')),
    heal: (stage, owner) => label(stage, owner, '-'),
  },
]

async function label({ rig }: Stage, node: string, change: string): Promise<void> {
  const key = 'node.kubernetes.io/exclude-from-external-load-balancers'
  await rig.server.kubectlOk(['label', 'node', node, `${key}${change}`])
}

/** How long a Pod terminates, and how long until another is ready. */
const podMs = 700

type Policy = 'Cluster' | 'Local'

function setPolicy({ rig }: Stage, externalTrafficPolicy: Policy): Promise<void> {
  return rig.apply(service('web', { ipFamilyPolicy: 'RequireDualStack', externalTrafficPolicy }))
}

/** A Pod serves before its slice says so, and no more when it is gone from there. */
async function setEndpoints(
  { rig, host }: Stage, endpoints: readonly EndpointPlan[], policy: Policy,
): Promise<void> {
  const able = new Set(endpoints.map(({ node }) => node))
  await Promise.all(nodes.map((node) => setPage(host(node), policy === 'Cluster' || able.has(node))))
  await rig.apply(slice('web', endpoints))
}

const ending = { ready: false, serving: true, terminating: true }

/** One Pod a node; each is replaced in turn, before its successor on the node is ready or after. */
async function rollOut(stage: Stage, hasSurge: boolean, policy: Policy): Promise<void> {
  for (const node of nodes) {
    const rest = nodes.filter((name) => name !== node).map((name) => ({ node: name }))
    const [old, next] = [{ node, ...ending }, { node }]
    const steps = hasSurge
      ? [[next, { node }], [next, old], [next]]
      : [[old], [], [next]]
    for (const step of steps) {
      await setEndpoints(stage, [...rest, ...step], policy)
      await lasting(podMs)
    }
  }
  await lasting(restMs)
}

/** As kubectl drain does: no new Pods, and the Pods of the node terminate and are gone. */
async function evict(stage: Stage, node: string, policy: Policy): Promise<void> {
  const rest = nodes.filter((name) => name !== node).map((name) => ({ node: name }))
  await stage.rig.server.kubectlOk(['cordon', node])
  await setEndpoints(stage, [...rest, { node, ...ending }], policy)
  await lasting(podMs)
  await setEndpoints(stage, rest, policy)
}

async function restore(stage: Stage, node: string): Promise<void> {
  await stage.rig.server.kubectlOk(['uncordon', node])
  await setEndpoints(stage, nodes.map((name) => ({ node: name })), 'Cluster')
  await setPolicy(stage, 'Cluster')
}

const local = (stage: Stage): Promise<void> => setPolicy(stage, 'Local')

const workloads: readonly Fault[] = [
  {
    name: 'cordon', about: 'kubectl cordon of the owner\'s node, 5 s', peer: '', bounds: stays,
    promised: unbroken,
    strike: async (stage, owner) => {
      await stage.rig.server.kubectlOk(['cordon', owner])
      await lasting(5_000)
    },
    heal: (stage, owner) => stage.rig.server.kubectlOk(['uncordon', owner]).then(() => undefined),
  },
  {
    name: 'evict', about: 'kubectl drain of the owner\'s node: cordoned, its Pods end', peer: '',
    bounds: stays, promised: unbroken,
    strike: async (stage, owner) => {
      await evict(stage, owner, 'Cluster')
      await lasting(2 * restMs)
    },
    heal: restore,
  },
  {
    name: 'evict-local', about: 'the same with externalTrafficPolicy Local: its last Pod ends', peer: '',
    bounds: handedOver, prepare: local,
    strike: (stage, owner) => succeed(stage, owner, () => evict(stage, owner, 'Local')),
    heal: restore,
  },
  {
    name: 'rollout', about: 'Pods are replaced node by node, each gone before the next is ready', peer: '',
    bounds: stays, promised: unbroken,
    strike: (stage) => rollOut(stage, false, 'Cluster'), heal: restore,
  },
  {
    name: 'rollout-local', about: 'the same with externalTrafficPolicy Local, each ready before', peer: '',
    bounds: stays, promised: unbroken, prepare: local,
    strike: (stage) => rollOut(stage, true, 'Local'), heal: restore,
  },
]

export const planned: readonly Fault[] = [...stops, ...workloads]
