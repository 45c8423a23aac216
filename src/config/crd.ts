/** The CustomResourceDefinitions of metallb.io: made of the shapes that `check` reads with. */
import { advertisementShape, bgpAdvertisementShape } from './advertisement.ts'
import { group, type KindName, kindNames, kinds } from './kind.ts'
import { poolShape } from './pool.ts'
import type { Schema, Shape } from './shape.ts'
import { dumpYaml } from './yaml.ts'

/** One column of `kubectl get`. */
interface Column {
  readonly name: string
  readonly path: string
  readonly type?: 'string' | 'boolean' | 'date'
  /** With `-o wide` only. */
  readonly isWide?: boolean
}

interface Definition {
  readonly description: string
  readonly spec?: Shape<unknown>
  readonly status?: Schema
  readonly columns?: readonly Column[]
}

const word = (description: string, more: Schema = {}): Schema =>
  ({ type: 'string', description, ...more })
/** What is of no use here is kept as it was written. */
const open = (description: string): Schema =>
  ({ type: 'object', description, 'x-kubernetes-preserve-unknown-fields': true })
const fields = (description: string, properties: Schema, required: readonly string[] = []): Schema =>
  ({ type: 'object', description, ...(required.length === 0 ? {} : { required }), properties })

/** A status that belongs to one node and Service for good: another node writes another object. */
const fixed = (description: string): Schema => word(description, {
  'x-kubernetes-validations': [{ rule: 'self == oldSelf', message: 'Value is immutable' }],
})

const count = (description: string): Schema => ({ type: 'integer', format: 'int64', description })

const poolStatus = fields('How many addresses are assigned, and how many are left.', {
  assignedIPv4: count('Assigned IPv4 addresses.'),
  assignedIPv6: count('Assigned IPv6 addresses.'),
  availableIPv4: count('IPv4 addresses that are left.'),
  availableIPv6: count('IPv6 addresses that are left.'),
}, ['assignedIPv4', 'assignedIPv6', 'availableIPv4', 'availableIPv6'])

const l2Status = fields('Which node announces which Service.', {
  node: fixed('The node that announces.'),
  serviceName: fixed('Name of the Service.'),
  serviceNamespace: fixed('Namespace of the Service.'),
  interfaces: {
    type: 'array', description: 'Where it announces; without it, on all interfaces.',
    items: fields('One interface.', { name: word('Its name.') }),
  },
})

/** A condition as Kubernetes defines it (metav1.Condition). */
const condition = fields('One aspect of the configuration.', {
  type: word('Which aspect.', {
    maxLength: 316,
    pattern: '^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?' +
      '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$',
  }),
  status: word('Whether it holds.', { enum: ['True', 'False', 'Unknown'] }),
  observedGeneration: { ...count('Which generation it is about.'), minimum: 0 },
  lastTransitionTime: word('Since when.', { format: 'date-time' }),
  reason: word('Why, in one word.', {
    minLength: 1, maxLength: 1024, pattern: '^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$',
  }),
  message: word('Why, in a sentence.', { maxLength: 32768 }),
}, ['lastTransitionTime', 'message', 'reason', 'status', 'type'])

const configurationStatus = fields('What one process makes of the configuration.', {
  result: word('Whether the configuration is in force.', { enum: ['Valid', 'Invalid', 'Unknown'] }),
  errorSummary: word('Why it is not.'),
  conditions: {
    type: 'array', description: 'Where the result comes from.', items: condition,
    'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'],
  },
})

const poolColumns: readonly Column[] = [
  { name: 'IPAddressPools', path: '.spec.ipAddressPools' },
  { name: 'IPAddressPool Selectors', path: '.spec.ipAddressPoolSelectors' },
]
const nodeColumn: Column = { name: 'Node Selectors', path: '.spec.nodeSelectors', isWide: true }
const serviceColumns: readonly Column[] = [
  { name: 'Service Name', path: '.status.serviceName' },
  { name: 'Service Namespace', path: '.status.serviceNamespace' },
]

/** A kind for BGP: accepted and kept, so that manifests apply unchanged, and of no effect. */
function foreign(description: string, columns: readonly Column[] = []): Definition {
  return { description: `${description}; it has no effect here`, columns }
}

/** Columns as MetalLB 0.16 prints them. */
const definitions: Readonly<Record<KindName, Definition>> = {
  IPAddressPool: {
    description: 'Addresses for Services of type LoadBalancer', spec: poolShape, status: poolStatus,
    columns: [
      { name: 'Auto Assign', path: '.spec.autoAssign', type: 'boolean' },
      { name: 'Avoid Buggy IPs', path: '.spec.avoidBuggyIPs', type: 'boolean' },
      { name: 'Addresses', path: '.spec.addresses' },
    ],
  },
  L2Advertisement: {
    description: 'How addresses of pools are announced by ARP and NDP', spec: advertisementShape,
    columns: [...poolColumns, { name: 'Interfaces', path: '.spec.interfaces' }, nodeColumn],
  },
  BGPAdvertisement: {
    ...foreign('How addresses of pools are announced by BGP'), spec: bgpAdvertisementShape,
    columns: [...poolColumns, { name: 'Peers', path: '.spec.peers' }, nodeColumn],
  },
  BGPPeer: foreign('A router to speak BGP with', [
    { name: 'Address', path: '.spec.peerAddress' },
    { name: 'ASN', path: '.spec.peerASN' },
    { name: 'BFD Profile', path: '.spec.bfdProfile' },
    { name: 'Multi Hops', path: '.spec.ebgpMultiHop' },
  ]),
  BFDProfile: foreign('How BGP sessions are watched', [
    { name: 'Passive Mode', path: '.spec.passiveMode', type: 'boolean' },
    { name: 'Transmit Interval', path: '.spec.transmitInterval' },
    { name: 'Receive Interval', path: '.spec.receiveInterval' },
    { name: 'Multiplier', path: '.spec.detectMultiplier' },
  ]),
  Community: foreign('Names of BGP communities'),
  ServiceL2Status: {
    description: 'Which node announces a Service', status: l2Status,
    columns: [{ name: 'Allocated Node', path: '.status.node' }, ...serviceColumns],
  },
  ServiceBGPStatus: foreign('To which routers a Service is announced', [
    { name: 'Node', path: '.status.node' }, ...serviceColumns,
  ]),
  ConfigurationState: {
    description: 'Whether a controller or speaker runs with the present configuration',
    status: configurationStatus,
    columns: [
      { name: 'Result', path: '.status.result' },
      { name: 'ErrorSummary', path: '.status.errorSummary' },
      { name: 'Age', path: '.metadata.creationTimestamp', type: 'date' },
    ],
  },
}

/** The definitions as YAML documents. */
export function formatCrds(): string {
  return kindNames.map((kind) => dumpYaml(describeCrd(kind))).join('---\n')
}

function describeCrd(kind: KindName): Schema {
  const { plural, versions } = kinds[kind]
  const schema = describeObject(kind)
  const additionalPrinterColumns = (definitions[kind].columns ?? []).map(describeColumn)
  const storage = versions.at(-1)
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}`, labels: { app: 'metallb' } },
    spec: {
      group,
      names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase() },
      scope: 'Namespaced',
      // That MetalLB's webhook goes has to be said, where the definition was not made by `apply`.
      conversion: { strategy: 'None', webhook: null },
      versions: versions.map((name) => ({
        name, served: true, storage: name === storage,
        ...(name === storage ? {} : {
          deprecated: true, deprecationWarning: `${name} is deprecated, please use ${storage}`,
        }),
        schema: { openAPIV3Schema: schema },
        subresources: { status: {} },
        ...(additionalPrinterColumns.length === 0 ? {} : { additionalPrinterColumns }),
      })),
    },
  }
}

function describeObject(kind: KindName): Schema {
  const { description, spec, status } = definitions[kind]
  const missing = spec?.missing === undefined ? {} : {
    'x-kubernetes-validations': [
      { rule: 'has(self.spec)', message: spec.missing.message, fieldPath: '.spec' },
    ],
  }
  return {
    type: 'object',
    description: `${description}.`,
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object' },
      spec: spec?.schema ?? open('Kept as it is written.'),
      status: status ?? open('Kept as it is written.'),
    },
    ...missing,
  }
}

function describeColumn({ name, path, type = 'string', isWide = false }: Column): Schema {
  return { name, type, jsonPath: path, ...(isWide ? { priority: 10 } : {}) }
}
