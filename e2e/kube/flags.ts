/** What the programs of an API server are told: their flags, and the files that these name. */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Who may come in: one line of the token file. */
export interface User {
  readonly name: string
  readonly groups?: readonly string[]
  /** The name, unless given. */
  readonly uid?: string
  /** A random one, unless given. */
  readonly token?: string
}

export interface Ports {
  readonly client: number
  readonly peer: number
  readonly api: number
}

/** One member that need not survive the machine. */
export function planEtcdFlags(folder: string, { client, peer }: Ports): readonly string[] {
  const peerUrl = `http://127.0.0.1:${peer}`
  return [
    '--data-dir', join(folder, 'etcd'),
    '--listen-client-urls', `http://127.0.0.1:${client}`,
    '--advertise-client-urls', `http://127.0.0.1:${client}`,
    '--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl,
    '--initial-cluster', `default=${peerUrl}`,
    '--unsafe-no-fsync',
  ]
}

/** Where its certificate is once it has made one; it vouches for itself. */
export function certificateIn(folder: string): string {
  return join(folder, 'apiserver.crt')
}

/** The server's; writes the audit policy, if there is one, beside the rest. */
export function planApiFlags(
  folder: string, ports: Ports, options: { readonly address: string; readonly auditPolicy?: string },
): readonly string[] {
  const { address, auditPolicy } = options
  if (auditPolicy !== undefined) writeFileSync(join(folder, 'policy.yaml'), auditPolicy)
  const audit = auditPolicy === undefined ? [] : [
    '--audit-policy-file', join(folder, 'policy.yaml'), '--audit-log-path', auditLogIn(folder),
  ]
  const ranges = ['10.96.0.0/16', 'fd00:10:96::/112']
  return [
    '--etcd-servers', `http://127.0.0.1:${ports.client}`,
    '--cert-dir', folder,
    '--bind-address', address, '--secure-port', String(ports.api),
    '--advertise-address', address,
    // Loopback is no endpoint that it would publish.
    '--endpoint-reconciler-type', 'none',
    // The family of the first is the server's.
    '--service-cluster-ip-range', (address.includes(':') ? ranges.toReversed() : ranges).join(','),
    '--service-account-key-file', join(folder, 'sa.pub'),
    '--service-account-signing-key-file', join(folder, 'sa.key'),
    '--service-account-issuer', 'https://kubernetes.default.svc',
    '--token-auth-file', join(folder, 'tokens.csv'),
    '--authorization-mode', 'RBAC',
    '--allow-privileged',
    '--disable-admission-plugins', 'ServiceAccount',
    ...audit,
  ]
}

export function auditLogIn(folder: string): string {
  return join(folder, 'audit.log')
}

/** The controllers', without those that need kubelets, and without those in `idle`. */
export function planControllerFlags(
  folder: string, kubeconfig: string, idle: readonly string[] = [],
): readonly string[] {
  return [
    '--kubeconfig', kubeconfig,
    '--service-account-private-key-file', join(folder, 'sa.key'),
    '--leader-elect=false', '--secure-port', '0',
    // Without kubelets it would call Nodes unreachable, and evict their Pods.
    '--controllers', ['*,-nodelifecycle,-node-lifecycle-controller', ...idle].join(',-'),
  ]
}

/** Writes the file of tokens that the server reads; token by name. */
export function writeTokens(folder: string, users: readonly User[]): ReadonlyMap<string, string> {
  const filled = users.map((user) => ({ token: randomBytes(16).toString('hex'), ...user }))
  const lines = filled.map(({ token, name, uid = name, groups = [] }) =>
    `${token},${name},${uid},"${groups.join(',')}"\n`
  )
  writeFileSync(join(folder, 'tokens.csv'), lines.join(''), { mode: 0o600 })
  return new Map(filled.map(({ name, token }) => [name, token]))
}

/** Writes the keys that tokens of service accounts are signed with. */
export function writeKeys(folder: string): void {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  })
  writeFileSync(join(folder, 'sa.key'), privateKey, { mode: 0o600 })
  writeFileSync(join(folder, 'sa.pub'), publicKey)
}

/** A kubeconfig as JSON, which is YAML. */
export function describeAccess(
  { url, ca, user, token }: { url: string; ca: string; user: string; token: string },
): string {
  const authority = Buffer.from(ca).toString('base64')
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server: url, 'certificate-authority-data': authority } }],
    users: [{ name: user, user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user } }],
    'current-context': 'test',
  })
}
