/** Which kinds of object the configuration knows, and what each of them means here. */
import { addProblem, addWarning, field } from './fields.ts'
import type { RawObject } from './object.ts'
import { suggest } from './suggest.ts'

export const group = 'metallb.io'

/** What becomes of an object. */
export type Role =
  | 'pool' | 'advertisement' | 'bgpAdvertisement' | 'configMap' | 'service' | 'node' | 'slice'
  | 'namespace'

/** A kind of the group. */
interface Kind {
  readonly role: Role | 'foreign' | 'output'
  readonly plural: string
  /** Served; the last one is stored. */
  readonly versions: readonly string[]
}

/** All kinds of the group, by name: those of MetalLB 0.16. */
export const kinds = {
  IPAddressPool: { role: 'pool', plural: 'ipaddresspools', versions: ['v1beta1'] },
  L2Advertisement: { role: 'advertisement', plural: 'l2advertisements', versions: ['v1beta1'] },
  BGPAdvertisement: { role: 'bgpAdvertisement', plural: 'bgpadvertisements', versions: ['v1beta1'] },
  BGPPeer: { role: 'foreign', plural: 'bgppeers', versions: ['v1beta1', 'v1beta2'] },
  BFDProfile: { role: 'foreign', plural: 'bfdprofiles', versions: ['v1beta1'] },
  Community: { role: 'foreign', plural: 'communities', versions: ['v1beta1'] },
  ServiceL2Status: { role: 'output', plural: 'servicel2statuses', versions: ['v1beta1'] },
  ServiceBGPStatus: { role: 'output', plural: 'servicebgpstatuses', versions: ['v1beta1'] },
  ConfigurationState: { role: 'output', plural: 'configurationstates', versions: ['v1beta1'] },
} as const satisfies Readonly<Record<string, Kind>>

export type KindName = keyof typeof kinds

/** Names of all kinds of the group, configuration first. */
export const kindNames: readonly KindName[] = [
  'IPAddressPool', 'L2Advertisement', 'BGPAdvertisement', 'BGPPeer', 'BFDProfile', 'Community',
  'ServiceL2Status', 'ServiceBGPStatus', 'ConfigurationState',
]

const core: Readonly<Record<string, Role>> = {
  '/Service': 'service',
  '/Node': 'node',
  '/Namespace': 'namespace',
  '/ConfigMap': 'configMap',
  'discovery.k8s.io/EndpointSlice': 'slice',
}

/** The role of an object; undefined = not ours, with problems or warnings where it should be. */
export function roleOf(object: RawObject): Role | undefined {
  const { kind } = object
  if (object.group !== group) return core[`${object.group}/${kind}`]
  const name = kindNames.find((one) => one === kind)
  if (name === undefined) {
    addUnknownKind(object)
    return undefined
  }
  const { role, versions } = kinds[name]
  if (role === 'output') return undefined
  const isBgp = role === 'foreign' || role === 'bgpAdvertisement'
  if (isBgp) {
    const message = `${object.kind} is for BGP; this program announces by ARP and NDP only, ` +
      'so it has no effect'
    addWarning(object.at, 'ForeignKind', message)
  }
  if (!versions.some((version) => object.apiVersion === `${group}/${version}`)) {
    const message = `${object.kind} is served as ${group}/${versions.join(' and ')}, ` +
      `found "${object.apiVersion}"`
    addProblem(field(object.at, 'apiVersion'), 'UnsupportedVersion', message)
    return undefined
  }
  return role === 'foreign' ? undefined : role
}

function addUnknownKind(object: RawObject): void {
  const at = field(object.at, 'kind')
  if (object.kind === 'AddressPool') {
    const message = 'AddressPool was removed in MetalLB 0.14: write an IPAddressPool and an ' +
      'L2Advertisement'
    addProblem(at, 'UnknownKind', message)
    return
  }
  const meant = suggest(object.kind, kindNames)
  const hint = meant === undefined ? `known are ${kindNames.join(', ')}` : `did you mean ${meant}?`
  addProblem(at, 'UnknownKind', `There is no ${group} kind "${object.kind}": ${hint}`)
}
