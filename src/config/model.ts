/** The trusted values that configuration and Kubernetes objects become: what planners read. */
import type { Address, Family, Prefix, Range } from '../net/model.ts'

export type Labels = Readonly<Record<string, string>>

/** One requirement of a Kubernetes LabelSelector, `matchLabels` folded into `In` with one value. */
export interface Requirement {
  readonly key: string
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'
  readonly values: readonly string[]
}

/** All requirements must hold; an empty selector matches everything. */
export type Selector = readonly Requirement[]

/** Who may take addresses of a pool (IPAddressPool `serviceAllocation`). */
export interface Allocation {
  /** Smaller is preferred; 0 means unset and comes last. */
  readonly priority: number
  /** Named namespaces plus those matched by selectors; undefined = every namespace. */
  readonly namespaces: ReadonlySet<string> | undefined
  /** OR-ed over Service labels; empty = every Service. */
  readonly serviceSelectors: readonly Selector[]
}

/** An address pool. Ranges of all pools are disjoint; order within `ranges` is allocation order. */
export interface Pool {
  readonly name: string
  readonly ranges: readonly Range[]
  /** Never handed out to newcomers (annotation `arpeggio.io/exclude`); a held one stays held. */
  readonly excluded: readonly Range[]
  readonly autoAssign: boolean
  /** IPv4 addresses ending in .0 or .255 are not usable: some devices take them for broadcast. */
  readonly avoidBuggyIPs: boolean
  readonly labels: Labels
  /** undefined = anyone. */
  readonly allocation: Allocation | undefined
}

export interface Preference {
  /** 1..100 */
  readonly weight: number
  readonly selector: Selector
}

/** Where addresses of some pools are announced (L2Advertisement, or a legacy `layer2` pool). */
export interface Advertisement {
  readonly name: string
  /** Names of existing pools, already resolved from names and pool selectors. */
  readonly pools: ReadonlySet<string>
  /** OR-ed over Node labels; empty = every node. A hard filter. */
  readonly nodeSelectors: readonly Selector[]
  /** Exact interface names; empty = all. */
  readonly interfaces: readonly string[]
  /** OR-ed over Service labels; empty = every Service. */
  readonly serviceSelectors: readonly Selector[]
  /** Soft preference: a node scores the sum of the weights that match it. */
  readonly preferred: readonly Preference[]
}

export interface Config {
  /** Sorted by name. */
  readonly pools: readonly Pool[]
  /** Sorted by name. */
  readonly advertisements: readonly Advertisement[]
  /** Pools that only BGP advertises: their Services are `noL2Advertisement`. */
  readonly bgpOnlyPools: ReadonlySet<string>
}

export type Protocol = 'TCP' | 'UDP' | 'SCTP'

export interface Port {
  readonly name: string
  readonly protocol: Protocol
  readonly port: number
  /** Number, or the name of a container port; absent = same as `port`. */
  readonly targetPort: number | string | undefined
  readonly nodePort: number | undefined
}

export type FamilyPolicy = 'SingleStack' | 'PreferDualStack' | 'RequireDualStack'
export type TrafficPolicy = 'Cluster' | 'Local'

/** Why a Service cannot even be asked for addresses: found while reading it. */
export type IntentRefusal =
  | 'noClusterIP' // headless or without a cluster address
  | 'badRequestedAddress' // loadBalancerIPs or loadBalancerIP does not parse
  | 'conflictingRequest' // both the annotation and spec.loadBalancerIP
  | 'tooManyRequested' // more than one address of a family, or more than two
  | 'requestedFamilyMismatch' // requested families differ from the Service's
  | 'notEnoughClusterIPs' // RequireDualStack with one family only

/** What a Service asks for, narrowed from its object. One per Service of the input, any type. */
export interface Intent {
  /** `namespace/name` */
  readonly key: string
  readonly namespace: string
  readonly name: string
  readonly uid: string | undefined
  readonly isLoadBalancer: boolean
  readonly loadBalancerClass: string | undefined
  readonly labels: Labels
  /** creationTimestamp in ms since the epoch; undefined if absent: then document order decides. */
  readonly createdAtMs: number | undefined
  /** Position in the input: breaks ties of age. */
  readonly order: number
  /** Families of the cluster addresses, in order: one or two distinct. */
  readonly families: readonly Family[]
  readonly policy: FamilyPolicy
  /** Addresses asked for by name, in the user's order. */
  readonly requested: readonly Address[]
  readonly requestedPool: string | undefined
  /** Value of allow-shared-ip; '' = does not share. */
  readonly sharingKey: string
  /** The allow-shared-ip annotation is present, whatever its value. */
  readonly hasSharingKey: boolean
  /** '' for Cluster; `Local` and the rendered selector: sharers must agree on it. */
  readonly backendKey: string
  readonly ports: readonly Port[]
  readonly trafficPolicy: TrafficPolicy
  /** `status.loadBalancer.ingress[].ip` that parse, in order, duplicates dropped. */
  readonly held: readonly Address[]
  /** Pool named by the annotation `metallb.io/ip-allocated-from-pool`: such addresses are ours. */
  readonly allocatedFromPool: string | undefined
  /** First finding that stops allocation, with the text a user needs. */
  readonly refusal: { readonly reason: IntentRefusal; readonly message: string } | undefined
}

/** A Kubernetes Node, narrowed to what placement reads. */
export interface ClusterNode {
  readonly name: string
  readonly labels: Labels
  /** Condition NetworkUnavailable is True. */
  readonly networkUnavailable: boolean
  /** Carries the exclude-from-external-load-balancers label key, any value. */
  readonly excluded: boolean
}

/** One backend address of a Service. */
export interface Endpoint {
  readonly addresses: readonly Address[]
  readonly nodeName: string | undefined
  /** ready is absent or true, or serving is true; terminating is not looked at. */
  readonly canServe: boolean
  /** ready is absent or true: gets new connections before those that only still serve. */
  readonly isReady: boolean
  readonly ports: readonly { readonly name: string; readonly protocol: Protocol; readonly port: number }[]
}

/** Everything a planner sees at one instant: immutable, built whole, replaced whole. */
export interface World {
  readonly config: Config
  /** Sorted by namespace/name. */
  readonly services: readonly Intent[]
  /** Sorted by name. */
  readonly nodes: readonly ClusterNode[]
  /**
   * Endpoints by Service key. undefined = the input has no EndpointSlice at all: every Service is
   * ready on every Node. A Service missing from the map has none.
   */
  readonly endpoints: ReadonlyMap<string, readonly Endpoint[]> | undefined
}

/** A finding about input. `document` counts from 1 within the file. */
export interface Problem {
  readonly file: string
  readonly document: number
  /** `IPAddressPool/metallb-system/lan`; '' when the document has no identity. */
  readonly object: string
  /** `spec.addresses[0]`; '' for the whole document. */
  readonly path: string
  readonly reason: ProblemReason
  /** A sentence: what was found, what is wanted, what to write instead. */
  readonly message: string
}

/** Literal reasons of problems and warnings, as `check -o json` prints them. */
export type ProblemReason =
  | 'Unreadable' // the file cannot be read, or is not UTF-8, or contains NUL
  | 'Empty' // a file or folder that was named holds no document
  | 'Emptied' // input that had content has none any more: half-written, or not mounted
  | 'TooMany' // more findings than are kept
  | 'TooLarge' // over the input limits, or aliases that expand beyond them
  | 'BadSyntax' // not YAML or JSON; tabs, half a document
  | 'DuplicateKey'
  | 'NotAnObject' // a document that is not a mapping, or lacks kind/apiVersion/name
  | 'UnknownKind' // a metallb.io kind that does not exist
  | 'UnsupportedVersion'
  | 'UnknownField'
  | 'BadType' // a field holds the wrong type
  | 'BadValue' // right type, impossible value
  | 'MissingField'
  | 'BadAddress'
  | 'Overlap'
  | 'DuplicateName' // two objects of one kind and name that differ
  | 'DuplicateEntry'
  | 'BadSelector'
  | 'ForeignKind' // warning: BGP kinds, and what `convert` leaves out
  | 'ForeignNamespace' // warning: configuration outside the release namespace
  | 'UnknownPool' // warning: an advertisement names a pool that does not exist
  | 'IgnoredPool' // warning: a ConfigMap pool that overlaps pools from CRDs
  | 'UnknownService' // warning: an EndpointSlice of no Service of the input
  | 'LoopbackEndpoint' // warning: an endpoint to which nothing can be forwarded
  | 'NotAdvertised' // warning: a pool that no L2Advertisement selects
  | 'UnknownAnnotation' // warning: a key of our groups that nobody reads
  | 'IgnoredAnnotation' // warning: a deprecated key beside the stable one, which says something else
  | 'Renamed' // warning of `convert`: a pool whose name no object can have

/** Result of reading a set of texts. `world` is undefined iff there are problems. */
export interface Reading {
  readonly world: World | undefined
  /** What could be read, also where there are problems: for display, never to act on. */
  readonly config: Config
  /** Services in the order of the input, also where there are problems: for findings about them. */
  readonly services: readonly PlacedService[]
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
}

/** A Service and where it stands: `file`, `document` and `object` as in a Problem. */
export interface PlacedService extends Pick<Problem, 'file' | 'document' | 'object'> {
  readonly intent: Intent
  /** Where it says what it asks for. */
  readonly paths: RequestPaths
  readonly unseen: Unseen
}

/** What a cluster knows of a Service and the input does not show, though it counts. */
export interface Unseen {
  /** Of which families its cluster addresses are. */
  readonly clusterIPs: boolean
  /** Labels of its namespace, by which a pool chooses. */
  readonly namespace: boolean
}

/** Paths as in a Problem, of what is there or, if nothing is, could be. */
export interface RequestPaths {
  readonly addresses: string
  readonly pool: string
  readonly sharing: string
}

/** One text of the input, as the shell read it. */
export interface Source {
  readonly file: string
  readonly bytes: Uint8Array
}

export type { Prefix }
