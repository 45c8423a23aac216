/** Edits of a running configuration: a Service refused, a good edit, and files that are wrong. */

/** Asks for an address of the LAN that no pool contains. */
export const refusedService = `
apiVersion: v1
kind: Service
metadata:
  name: refused-service
  namespace: default
  annotations:
    metallb.universe.tf/loadBalancerIPs: "192.168.1.99"
spec:
  type: LoadBalancer
  selector: { app: nginx-demo }
  ports:
    - port: 80
`

/** The Service that the good edit brings. */
export const late = {
  name: 'late-service', address: '192.168.1.210', port: 80, pool: 'late-pool',
} as const

/** One more pool, its advertisement, a Service and its page. */
export const goodEdit = `
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: { name: late-pool, namespace: metallb-system }
spec:
  addresses: [192.168.1.210/32]
  autoAssign: false
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: { name: late-advertisement, namespace: metallb-system }
spec:
  ipAddressPools: [late-pool]
  interfaces: [eth0]
---
apiVersion: v1
kind: Service
metadata:
  name: late-service
  namespace: default
  annotations: { metallb.io/address-pool: late-pool }
spec:
  type: LoadBalancer
  ports: [{ port: 80 }]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: late-service-lab
  namespace: default
  labels: { kubernetes.io/service-name: late-service }
addressType: IPv4
endpoints:
  - addresses: [192.168.1.10]
    nodeName: node
    conditions: { ready: true }
ports: [{ name: "", port: 8081, protocol: TCP }]
`

/** A file that makes the input unusable, and where and why that must be reported. */
export interface BadEdit {
  readonly it: string
  readonly file: string
  readonly text: string
  readonly document: number
  readonly object: string
  readonly path: string
  readonly reason: string
}

const pool = (name: string, spec: string): string => `
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata:
  name: ${name}
  namespace: metallb-system
spec:
${spec}`

export const badEdits: readonly BadEdit[] = [
  {
    it: 'tabs instead of blanks',
    file: 'tabs.yaml',
    text: pool('tabbed-pool', '\taddresses:\n\t\t- 192.168.1.220/32\n'),
    document: 1, object: '', path: '', reason: 'BadSyntax',
  },
  {
    it: 'half a document',
    file: 'half.yaml',
    text: `${pool('whole-pool', '  addresses:\n    - 192.168.1.220/32\n')}---\napiVersion: metal`,
    document: 2, object: '', path: 'kind', reason: 'MissingField',
  },
  {
    it: 'an unknown field',
    file: 'unknown.yaml',
    text: pool('misspelt-pool', '  addresses:\n    - 192.168.1.220/32\n  autoAsign: false\n'),
    document: 1, object: 'IPAddressPool/metallb-system/misspelt-pool', path: 'spec.autoAsign',
    reason: 'UnknownField',
  },
  {
    it: 'overlapping pools',
    file: 'overlap.yaml',
    text: pool('overlapping-pool', `  addresses:
    - 192.168.1.220/32
    - 192.168.1.204-192.168.1.206
`),
    document: 1, object: 'IPAddressPool/metallb-system/overlapping-pool',
    path: 'spec.addresses[1]', reason: 'Overlap',
  },
]
