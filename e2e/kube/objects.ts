/** Builders of the objects that suites put into the API server: a row stays on a few lines. */

/** An object as JSON. */
export type Fields = Readonly<Record<string, unknown>>

/** The release namespace. */
export const namespace = 'metallb-system'

const group = 'metallb.io/v1beta1'

export function pool(name: string, addresses: readonly string[], more: Fields = {}): Fields {
  const metadata = { name, namespace }
  return { apiVersion: group, kind: 'IPAddressPool', metadata, spec: { addresses, ...more } }
}

export function advertisement(name: string, spec: Fields = {}): Fields {
  return { apiVersion: group, kind: 'L2Advertisement', metadata: { name, namespace }, spec }
}

/** A LoadBalancer Service `default/NAME`; without selector nobody but the suite makes its endpoints. */
export function service(
  name: string, spec: Fields = {}, annotations: Readonly<Record<string, string>> = {},
): Fields {
  return {
    apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'default', annotations },
    spec: { type: 'LoadBalancer', ports: [{ port: 80 }], ...spec },
  }
}

export interface EndpointPlan {
  readonly node?: string
  readonly ready?: boolean
  readonly serving?: boolean
  readonly terminating?: boolean
}

/** The one slice of Service `default/SERVICE`. */
export function slice(of: string, endpoints: readonly EndpointPlan[]): Fields {
  return {
    apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice',
    metadata: { name: `${of}-suite`, namespace: 'default', labels: { 'kubernetes.io/service-name': of } },
    addressType: 'IPv4',
    endpoints: endpoints.map(({ node, ...conditions }, i) => ({
      addresses: [`203.0.113.${i + 1}`], conditions, ...(node === undefined ? {} : { nodeName: node }),
    })),
    ports: [{ name: '', port: 80, protocol: 'TCP' }],
  }
}

export function node(name: string, labels: Readonly<Record<string, string>> = {}): Fields {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, labels } }
}

/** A Pod of one of the roles, as its controller would make it; on no node where it does not matter. */
export function pod(name: string, role: 'controller' | 'speaker', on?: string): Fields {
  return {
    apiVersion: 'v1', kind: 'Pod',
    metadata: { name, namespace, labels: { app: 'metallb', component: role } },
    spec: {
      ...(on === undefined ? {} : { nodeName: on }),
      serviceAccountName: role, terminationGracePeriodSeconds: 0,
      containers: [{ name: role, image: 'arpeggio' }],
    },
  }
}

/** What a path leads to: `at(service, 'status', 'loadBalancer')`; undefined where it ends early. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  let here = value
  for (const step of path) {
    if (typeof here !== 'object' || here === null) return undefined
    here = Object.entries(here).find(([key]) => key === String(step))?.[1]
  }
  return here
}

/** The list at a path, empty where there is none. */
export function listAt(value: unknown, ...path: readonly (string | number)[]): readonly unknown[] {
  const found = at(value, ...path)
  return Array.isArray(found) ? found : []
}

/** The text at a path, '' where there is none. */
export function textAt(value: unknown, ...path: readonly (string | number)[]): string {
  const found = at(value, ...path)
  return typeof found === 'string' ? found : ''
}

/** Addresses in a Service's status, in their order. */
export function ingressOf(of: unknown): readonly string[] {
  return listAt(of, 'status', 'loadBalancer', 'ingress').map((entry) => textAt(entry, 'ip'))
}

/** `True announced`, from the condition of ours; '' without one. */
export function conditionOf(of: unknown): string {
  const found = listAt(of, 'status', 'conditions').find((one) =>
    textAt(one, 'type') === 'arpeggio.io/Announced'
  )
  return found === undefined ? '' : `${textAt(found, 'status')} ${textAt(found, 'reason')}`
}

/** The sentence of the condition. */
export function conditionMessage(of: unknown): string {
  const found = listAt(of, 'status', 'conditions').find((one) =>
    textAt(one, 'type') === 'arpeggio.io/Announced'
  )
  return textAt(found, 'message')
}

/** Whether an event is of a program of ours: the API server's repair of cluster IPs tells of itself too. */
export function isOurs(event: unknown): boolean {
  return textAt(event, 'source', 'component').startsWith('metallb-')
}
