/** Runs the real controller as its Pod would: under its ServiceAccount's token, beside a real API server. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Child, openChild } from '../lab/command.ts'
import { arpeggio } from '../lab/program.ts'
import type { Admin } from './admin.ts'
import { namespace } from './objects.ts'
import { openProxy, type Proxy } from './proxy.ts'
import { freePort, type KubeServer } from './server.ts'

/** Makes the namespace and one pool, as the legacy ConfigMap: it needs no custom resource. */
export async function installPool(admin: Admin, addresses: string): Promise<void> {
  await admin.must('POST', '/api/v1/namespaces', { metadata: { name: namespace } })
  await admin.must('POST', `/api/v1/namespaces/${namespace}/configmaps`, {
    metadata: { name: 'config' }, data: { config: poolText(addresses) },
  })
}

export function poolText(addresses: string): string {
  return `address-pools:\n- name: lan\n  protocol: layer2\n  addresses:\n  - ${addresses}\n`
}

/** A proxy on a port of its own that is the server to whoever trusts the server. */
export async function openProxyFor(server: KubeServer): Promise<Proxy & { readonly port: number }> {
  const port = await freePort()
  const pem = (name: string): string => readFileSync(join(server.folder, name), 'utf8')
  const proxy = await openProxy({
    address: '127.0.0.1', port, target: server.url, certificate: pem('apiserver.crt'),
    key: pem('apiserver.key'),
  })
  return { ...proxy, port }
}

export interface ReplicaOptions {
  readonly server: KubeServer
  /** Name of its Pod: the identity in the Lease. */
  readonly name: string
  /** Where it finds the API server. */
  readonly port: number
  readonly token: string
  /** Words before the program. */
  readonly before?: readonly string[]
  /** Instead of the sources: a bundle. */
  readonly program?: readonly string[]
  readonly args?: readonly string[]
}

export interface Replica {
  readonly child: Child
  /** The file that holds the token. */
  readonly tokenFile: string
}

/** Started; it says `leading` when it leads. */
export function openReplica(options: ReplicaOptions): Replica {
  const { server, name, port, token, before = [], program = arpeggio, args = [] } = options
  const folder = join(server.folder, `account-${name}`)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'ca.crt'), server.ca)
  writeFileSync(join(folder, 'token'), token)
  writeFileSync(join(folder, 'namespace'), namespace)
  const child = openChild([
    'env', 'KUBERNETES_SERVICE_HOST=127.0.0.1', `KUBERNETES_SERVICE_PORT=${port}`,
    `ARPEGGIO_SERVICE_ACCOUNT=${folder}`, `METALLB_POD_NAME=${name}`, ...before, ...program,
    'controller', '--http-port=0', '--health-probe-port=0', ...args,
  ])
  return { child, tokenFile: join(folder, 'token') }
}

const base = join(import.meta.dirname, '../../deploy/base')

/** The accounts with the rights that the manifests give them, and a token of each. */
export async function installAccounts(
  server: KubeServer, roles: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const files = ['accounts.yaml', ...roles.map((role) => `${role}-rbac.yaml`)]
  await server.kubectlOk(['apply', ...files.flatMap((file) => ['-f', join(base, file)])])
  const tokens = new Map<string, string>()
  for (const role of roles) {
    const token = await server.kubectlOk(['create', 'token', role, '-n', namespace])
    tokens.set(role, token.trim())
  }
  return tokens
}
