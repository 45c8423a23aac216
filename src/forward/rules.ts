/** Decides which connections are forwarded where: addresses and ports to endpoints. */
import type { Endpoint, Intent, Port, Protocol } from '../config/model.ts'
import { formatAddress, isLoopback, sameAddress } from '../net/address.ts'
import type { Address } from '../net/model.ts'

export interface Target {
  readonly address: Address
  readonly port: number
  /** The endpoint's address is one of this host's: needs no IP forwarding. */
  readonly isOwn: boolean
}

/** One address, protocol and port, and where its connections go. Never without targets. */
export interface Forward {
  readonly address: Address
  readonly protocol: Protocol
  readonly port: number
  readonly service: string
  readonly targets: readonly Target[]
  /** False for externalTrafficPolicy Local: the endpoint sees the client's address. */
  readonly masquerade: boolean
}

export interface ForwardProblem {
  readonly service: string
  readonly reason: 'loopbackEndpoint' | 'noEndpointForPort' | 'portTaken'
  readonly message: string
}

export interface ForwardPlan {
  /** Ports that nobody serves are rejected for each of these. */
  readonly addresses: readonly Address[]
  readonly forwards: readonly Forward[]
  readonly problems: readonly ForwardProblem[]
}

export interface ForwardingInput {
  readonly services: readonly Intent[]
  /** Addresses that this host announces, by Service. */
  readonly addressesByService: ReadonlyMap<string, readonly Address[]>
  /** undefined = the input has no EndpointSlice: nothing is forwarded. */
  readonly endpoints: ReadonlyMap<string, readonly Endpoint[]> | undefined
  readonly node: string
  /** Addresses of this host's interfaces. */
  readonly ownAddresses: readonly Address[]
}

/** Every port of every announced Service, in order of Service, address, port. */
export function planForwarding(input: ForwardingInput): ForwardPlan {
  const addresses = new Map<string, Address>()
  const forwards = new Map<string, Forward>()
  const problems: ForwardProblem[] = []
  for (const service of input.services) {
    const own = input.addressesByService.get(service.key) ?? []
    for (const address of own) addresses.set(formatAddress(address), address)
    for (const port of own.length === 0 ? [] : service.ports) {
      const targets = targetsOf(input, service, port, problems)
      for (const address of own) addForward({ address, service, port, targets }, forwards, problems)
    }
  }
  return { addresses: [...addresses.values()], forwards: [...forwards.values()], problems }
}

function addForward(
  given: { address: Address; service: Intent; port: Port; targets: readonly Target[] },
  forwards: Map<string, Forward>,
  problems: ForwardProblem[],
): void {
  const { address, service, port } = given
  const text = `${formatAddress(address)} ${port.protocol}/${port.port}`
  const targets = given.targets.filter((target) => target.address.family === address.family)
  if (targets.length === 0) {
    const message = `no endpoint serves ${text}: connections to it are refused`
    problems.push({ service: service.key, reason: 'noEndpointForPort', message })
    return
  }
  const taken = forwards.get(text)
  if (taken !== undefined) {
    const message = `${text} is already forwarded for ${taken.service}`
    problems.push({ service: service.key, reason: 'portTaken', message })
    return
  }
  forwards.set(text, {
    address,
    protocol: port.protocol,
    port: port.port,
    service: service.key,
    targets,
    masquerade: service.trafficPolicy === 'Cluster',
  })
}

function targetsOf(
  input: ForwardingInput, service: Intent, port: Port, problems: ForwardProblem[],
): readonly Target[] {
  const targets: Target[] = []
  const all = input.endpoints?.get(service.key) ?? []
  const isLocal = service.trafficPolicy === 'Local'
  const usable = all.filter((one) => one.canServe && (!isLocal || one.nodeName === input.node))
  // Those that terminate but still serve get new connections only if no other can (KEP-1669).
  const ready = usable.filter((endpoint) => endpoint.isReady)
  for (const endpoint of ready.length > 0 ? ready : usable) {
    const number = portOf(endpoint, port)
    if (number === undefined) continue
    for (const address of endpoint.addresses) {
      if (isLoopback(address)) problems.push(loopbackProblem(service, address))
      else targets.push({ address, port: number, isOwn: isOneOf(address, input.ownAddresses) })
    }
  }
  return targets
}

/** The slice's port of the same name and protocol, else the Service's own numbers. */
function portOf(endpoint: Endpoint, port: Port): number | undefined {
  const named = endpoint.ports.find((one) => one.name === port.name && one.protocol === port.protocol)
  if (named !== undefined) return named.port
  if (endpoint.ports.length > 0) return undefined
  if (typeof port.targetPort === 'string') return undefined
  return port.targetPort ?? port.port
}

function loopbackProblem(service: Intent, address: Address): ForwardProblem {
  const message = `endpoint ${formatAddress(address)} is a loopback address, which cannot be ` +
    'reached from outside: use an address of this host\'s LAN interface'
  return { service: service.key, reason: 'loopbackEndpoint', message }
}

function isOneOf(address: Address, list: readonly Address[]): boolean {
  return list.some((one) => sameAddress(one, address))
}
