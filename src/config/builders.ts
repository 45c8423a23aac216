/** Builders of pools and Services for tests: a row stays on a few lines. */
import { parseAddress } from '../net/address.ts'
import type { Address, Range } from '../net/model.ts'
import { parseRange } from '../net/range.ts'
import type { Allocation, Config, Intent, Pool } from './model.ts'

/** The address, or a bug in the test. */
export function address(text: string): Address {
  const parsed = parseAddress(text)
  if (parsed === undefined) throw new Error(`Bad test address "${text}"`)
  return parsed
}

/** The range, or a bug in the test. */
export function range(entry: string): Range {
  const parsed = parseRange(entry)
  if ('message' in parsed) throw new Error(parsed.message)
  return parsed.range
}

/** A pool of these entries, separated by blanks. */
export function pool(name: string, entries: string, more: Partial<Pool> = {}): Pool {
  return {
    name,
    ranges: entries.split(' ').map(range),
    excluded: [],
    autoAssign: true,
    avoidBuggyIPs: false,
    labels: {},
    allocation: undefined,
    ...more,
  }
}

/** A serviceAllocation. */
export function pinned(priority: number, more: Partial<Allocation> = {}): Allocation {
  return { priority, namespaces: undefined, serviceSelectors: [], ...more }
}

export function config(...pools: readonly Pool[]): Config {
  return { pools, advertisements: [], bgpOnlyPools: new Set() }
}

let counter = 0

/** A LoadBalancer Service `default/<name>` with one IPv4 family and port 80; later ones are younger. */
export function service(name: string, more: Partial<Intent> = {}): Intent {
  const namespace = more.namespace ?? 'default'
  return {
    key: `${namespace}/${name}`,
    namespace,
    name,
    uid: undefined,
    isLoadBalancer: true,
    loadBalancerClass: undefined,
    labels: {},
    createdAtMs: undefined,
    order: counter++,
    families: ['ipv4'],
    policy: 'SingleStack',
    requested: [],
    requestedPool: undefined,
    sharingKey: '',
    hasSharingKey: false,
    backendKey: '',
    ports: [port(80)],
    trafficPolicy: 'Cluster',
    held: [],
    allocatedFromPool: undefined,
    refusal: undefined,
    ...more,
  }
}

export function port(number: number, protocol: 'TCP' | 'UDP' | 'SCTP' = 'TCP'): Intent['ports'][number] {
  return { name: '', protocol, port: number, targetPort: undefined, nodePort: undefined }
}

/** Addresses separated by blanks. */
export function held(texts: string): readonly Address[] {
  return texts.split(' ').map(address)
}
