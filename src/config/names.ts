/** Keys of annotations, labels and conditions, all of them: docs/reference.md says what each means. */

/** The stable prefix wins even with an empty value. */
export const prefixes = ['metallb.io/', 'metallb.universe.tf/'] as const

/** Of names that are no one's but ours. */
export const ownPrefix = 'arpeggio.io/'

/** Of Services, after either prefix. */
export const serviceAnnotations = {
  requested: 'loadBalancerIPs',
  pool: 'address-pool',
  sharing: 'allow-shared-ip',
  allocated: 'ip-allocated-from-pool',
} as const

/** With their prefix. */
export const annotationKeys = {
  /** Of a Service: the pool, as the controller writes it. */
  allocated: 'metallb.io/ip-allocated-from-pool',
  /** Of an IPAddressPool: addresses that newcomers do not get. */
  exclude: 'arpeggio.io/exclude',
  /** Of an IPAddressPool or the older ConfigMap: the webhook lets it drop addresses in use. */
  allowLoss: 'arpeggio.io/allow-address-loss',
  /** Of a ConfigurationState: a node's interfaces, as its speaker tells them. */
  links: 'arpeggio.io/links',
  /** Of a ConfigurationState: what the wire keeps a node silent for, as its speaker tells it. */
  silent: 'arpeggio.io/silent',
} as const

export const labelKeys = {
  /** Of a Node: out of load balancing, whatever the value. */
  excludeNode: 'node.kubernetes.io/exclude-from-external-load-balancers',
  /** Of a Node: its name; standalone gives it to its own host. */
  hostname: 'kubernetes.io/hostname',
  /** Of a Namespace: its name; files need not write it. */
  namespaceName: 'kubernetes.io/metadata.name',
  /** Of an EndpointSlice: its Service. */
  sliceService: 'kubernetes.io/service-name',
  /** Of a speaker's Pod: which edition of the DaemonSet's template it was made from. */
  podRevision: 'controller-revision-hash',
  /** Of a ConfigurationState: `controller` or `speaker`. */
  componentType: 'metallb.io/component-type',
  /** Of a speaker's ConfigurationState (MetalLB 0.15.3). */
  stateNode: 'metallb.io/node-name',
  /** Of a ServiceL2Status: who announces what. */
  statusNode: 'metallb.io/node',
  statusService: 'metallb.io/service-name',
  statusNamespace: 'metallb.io/service-namespace',
} as const

export const conditionTypes = {
  /** Of a Service: where it is announced, or per node why not. */
  announced: 'arpeggio.io/Announced',
  /** Of a Node, the kubelet's: it announces nothing. */
  networkUnavailable: 'NetworkUnavailable',
} as const
