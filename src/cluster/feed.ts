/** Everything a role follows in the cluster, as values: one reflector a kind of object. */
import type { Slice } from '../config/cluster.ts'
import { type Fields, isFields } from '../config/fields.ts'
import type { ClusterNode, Endpoint } from '../config/model.ts'
import type { Api } from '../kube/api.ts'
import type { LiveL2Status, LivePod, LiveService, LiveState } from '../kube/live.ts'
import { openReflector, type Reflector, type Resource } from '../kube/reflector.ts'
import type { Log } from '../log.ts'
import { parseAddress } from '../net/address.ts'
import type { Address } from '../net/model.ts'
import { createMerged } from './endpoints.ts'
import {
  configMapResource, type ConfigObject, configResource, heldServiceResource, l2StatusResource,
  lastGoodName, namespaceResource, nodeResource, podResource, serviceResource, sliceResource, stateResource,
} from './resources.ts'

export interface Feed extends Disposable {
  /** The first lists of all kinds are complete. */
  readonly isSynced: boolean
  /** Kinds that are not. */
  missing(): readonly string[]
  /** Why kinds are not followed at present, as sentences. */
  troubles(): readonly string[]
  readonly services: ReadonlyMap<string, LiveService>
  /** Keys of those that came, changed or went since this was asked last; undefined = any may have. */
  takeChangedServices(): ReadonlySet<string> | undefined
  readonly pools: ReadonlyMap<string, ConfigObject>
  readonly states: ReadonlyMap<string, LiveState>
  readonly l2Statuses: ReadonlyMap<string, LiveL2Status>
  /** False: their kind is not installed, so nobody can write one. */
  readonly hasL2Statuses: boolean
  /** Objects that the configuration is read from, sorted by kind and name. */
  configObjects(): readonly Fields[]
  /** The text of the ConfigMap that keeps the last good configuration. */
  lastGood(): string | undefined
  /** Sorted by name. */
  nodes(): readonly ClusterNode[]
  /** One map, which is kept up to date. */
  endpoints(): ReadonlyMap<string, readonly Endpoint[]>
  /** Services whose endpoints are another list since this was asked last; undefined = any. */
  takeServed(): ReadonlySet<string> | undefined
  /** Nodes with a speaker that runs. */
  speakers(): ReadonlySet<string>
  /** Addresses of their Pods. */
  speakerAddresses(): readonly Address[]
  /** Of the speaker's Pod on that node. */
  speakerAddressOf(node: string): Address | undefined
  /** Nodes whose speaker is of another revision than that of `node`. */
  otherRevisions(node: string): ReadonlySet<string>
  /** Settles when Services have been listed anew. */
  refreshServices(): Promise<void>
}

export interface FeedOptions {
  readonly api: Api
  readonly log: Log
  readonly namespace: string
  readonly role: 'controller' | 'speaker'
  /** Label selector of the speakers' Pods. */
  readonly speakerLabels?: string
  readonly onChange: () => void
  /** Services are listed after it: whoever is chosen by then need not list them again. */
  readonly servicesAfter?: Promise<unknown>
  /**
   * A Service or, for a speaker, one of its EndpointSlices or a Node was listed or has changed:
   * MetalLB's reconcilers count these.
   */
  readonly onObject: () => void
}

const defaultSpeakerLabels = 'app=metallb,component=speaker'

/** Starts to follow at once. */
export function openFeed(options: FeedOptions): Feed {
  const { api, namespace, role, onChange, onObject } = options
  const isSpeaker = role === 'speaker'
  const log = options.log.from('feed.ts')
  const opened = new Map<string, Reflector<unknown>>()
  const follow = <T>(resource: Resource<T>, changed?: () => void): Reflector<T> => {
    const reflector = openReflector(resource, {
      api, log, onChange: changed === undefined ? onChange : () => (changed(), onChange()),
      after: resource.name === serviceResource.name ? options.servicesAfter : undefined,
    })
    opened.set(resource.name, reflector)
    return reflector
  }
  const pools = follow(configResource('ipaddresspools', namespace))
  const configs = [
    pools,
    follow(configResource('l2advertisements', namespace)),
    follow(configResource('bgpadvertisements', namespace)),
  ]
  const maps = follow(configMapResource(namespace))
  const namespaces = role === 'controller' ? follow(namespaceResource) : undefined
  const services = follow({ ...(isSpeaker ? heldServiceResource : serviceResource), seen: onObject })
  const nodes = follow(isSpeaker ? { ...nodeResource, seen: onObject } : nodeResource)
  const merged = createMerged()
  const slices: Reflector<Slice> = follow(
    isSpeaker ? { ...sliceResource, seen: onObject } : sliceResource,
    () => merged.changed(slices.items, slices.takeChanged()),
  )
  const pods = follow(podResource(namespace, options.speakerLabels ?? defaultSpeakerLabels))
  const states = follow(stateResource(namespace))
  const l2Statuses = follow(l2StatusResource(namespace))
  return {
    get isSynced() {
      return [...opened.values()].every((reflector) => reflector.isSynced)
    },
    ...describeTroubles(opened),
    get services() {
      return services.items
    },
    takeChangedServices: () => services.takeChanged(),
    get pools() {
      return pools.items
    },
    get states() {
      return states.items
    },
    get l2Statuses() {
      return l2Statuses.items
    },
    get hasL2Statuses() {
      return l2Statuses.isServed
    },
    configObjects: () => [
      ...configs.flatMap(({ items }) => sorted(items).map(({ object }) => object)),
      ...sorted(maps.items).filter(({ object }) => nameOf(object) !== lastGoodName)
        .map(({ object }) => object),
      ...(namespaces === undefined ? [] : sorted(namespaces.items)),
    ],
    lastGood: () => textOfMap(maps.items.get(`${namespace}/${lastGoodName}`)),
    nodes: () => sorted(nodes.items),
    endpoints: () => merged.current(),
    takeServed: () => merged.takeServed(),
    ...describeSpeakers(pods),
    refreshServices: () => services.refresh(),
    [Symbol.dispose]: () => {
      for (const reflector of opened.values()) reflector[Symbol.dispose]()
    },
  }
}

function describeTroubles(
  opened: ReadonlyMap<string, Reflector<unknown>>,
): Pick<Feed, 'missing' | 'troubles'> {
  return {
    missing: () => [...opened].filter(([, { isSynced }]) => !isSynced).map(([name]) => name),
    troubles: () => [...opened].flatMap(([name, { trouble }]) =>
      trouble === undefined ? [] : [`${name}: ${trouble}`]
    ),
  }
}

/** Pods of speakers, seen as what they say of nodes. */
function describeSpeakers(
  pods: Reflector<LivePod>,
): Pick<Feed, 'speakers' | 'speakerAddresses' | 'speakerAddressOf' | 'otherRevisions'> {
  const alive = (): readonly LivePod[] => [...pods.items.values()].filter((pod) => pod.isAlive)
  const on = (node: string): LivePod | undefined => alive().find((pod) => pod.node === node)
  return {
    speakers: () => new Set(alive().map((pod) => pod.node)),
    speakerAddresses: () => alive().flatMap(({ ip }) => parseAddress(ip) ?? []),
    speakerAddressOf: (node) => parseAddress(on(node)?.ip ?? ''),
    otherRevisions: (node) => {
      const own = on(node)?.revision
      const others = alive().filter(({ revision }) => own !== undefined && revision !== own)
      return new Set(others.map((pod) => pod.node))
    },
  }
}

function textOfMap(map: ConfigObject | undefined): string | undefined {
  const content = map?.object['data']
  const text = isFields(content) ? content['config'] : undefined
  return typeof text === 'string' ? text : undefined
}

function nameOf(object: Fields): unknown {
  const { metadata } = object
  return isFields(metadata) ? metadata['name'] : undefined
}

function sorted<T>(items: ReadonlyMap<string, T>): readonly T[] {
  return [...items].toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, value]) => value)
}
