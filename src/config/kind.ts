/** Which kinds of object the configuration knows, and what each of them means here. */
import { addProblem, addWarning, field } from './fields.ts'
import type { RawObject } from './object.ts'
import { suggest } from './suggest.ts'

export const group = 'metallb.io'

/** What becomes of an object. */
export type Role =
  | 'pool' | 'advertisement' | 'bgpAdvertisement' | 'configMap' | 'service' | 'node' | 'slice'
  | 'namespace'

const own: Readonly<Record<string, Role | 'foreign' | 'output'>> = {
  IPAddressPool: 'pool',
  L2Advertisement: 'advertisement',
  BGPAdvertisement: 'bgpAdvertisement',
  BGPPeer: 'foreign',
  BFDProfile: 'foreign',
  Community: 'foreign',
  ServiceL2Status: 'output',
  ServiceBGPStatus: 'output',
  ConfigurationState: 'output',
}

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
  const role = Object.hasOwn(own, kind) ? own[kind] : undefined
  if (role === undefined) {
    addUnknownKind(object)
    return undefined
  }
  if (role === 'output') return undefined
  const isBgp = role === 'foreign' || role === 'bgpAdvertisement'
  if (isBgp) {
    const message = `${object.kind} is for BGP; this program announces by ARP and NDP only, ` +
      'so it has no effect'
    addWarning(object.at, 'ForeignKind', message)
  }
  const versions = object.kind === 'BGPPeer' ? ['v1beta1', 'v1beta2'] : ['v1beta1']
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
  const meant = suggest(object.kind, Object.keys(own))
  const hint = meant === undefined ? `known are ${Object.keys(own).join(', ')}` : `did you mean ${meant}?`
  addProblem(at, 'UnknownKind', `There is no ${group} kind "${object.kind}": ${hint}`)
}
