/** Makes the secret that encrypts the gossip of the speakers, once: it is never changed. */
import { randomBytes } from 'node:crypto'
import { isFields } from '../config/fields.ts'
import { type Api, describeReply, Refused } from '../kube/api.ts'
import { metadataOf, textOf } from '../kube/object.ts'
import type { Log } from '../log.ts'

export interface SecretOptions {
  readonly api: Api
  readonly log: Log
  readonly namespace: string
  /** '' = none is wanted. */
  readonly name: string
  /** Deployment that owns it, so that it goes when the program is removed. */
  readonly deployment: string
}

/**
 * Creates the secret if it is missing: `secretkey` is the unpadded base64 text of 16 random bytes
 * (MetalLB 0.14). Throws where the API server refuses or does not answer.
 */
export async function ensureSecret(options: SecretOptions): Promise<void> {
  const { api, log, namespace, name } = options
  if (name === '') return
  const path = `/api/v1/namespaces/${namespace}/secrets`
  const found = await api.call({ method: 'GET', path: `${path}/${name}`, wantsMetadata: true })
  if (found.status === 200) return
  if (found.status !== 404) throw new Error(`Cannot read secret "${name}": ${describeReply(found)}`)
  const secretkey = randomBytes(16).toString('base64').replace(/=+$/, '')
  const made = await api.call({
    method: 'POST', path, wantsMetadata: true,
    body: {
      apiVersion: 'v1', kind: 'Secret',
      metadata: { name, namespace, ownerReferences: await ownersOf(options) },
      stringData: { secretkey },
    },
  })
  // 409: another controller was faster.
  if (made.status >= 300 && made.status !== 409) {
    throw new Error(`Cannot create secret "${name}": ${describeReply(made)}`)
  }
  log.info('memberlist secret created', { event: 'secretCreated', name })
}

/** The Deployment as an owner reference; [] where there is none. Throws as `ensureSecret` does. */
export async function ownersOf(
  options: Pick<SecretOptions, 'api' | 'namespace' | 'deployment'>,
): Promise<readonly unknown[]> {
  const { api, namespace, deployment } = options
  if (deployment === '') return []
  const path = `/apis/apps/v1/namespaces/${namespace}/deployments/${deployment}`
  const reply = await api.call({ method: 'GET', path })
  if (reply.status === 401 || reply.status === 429 || reply.status >= 500) throw new Refused(reply)
  if (reply.status !== 200 || !isFields(reply.value)) return []
  const uid = textOf(metadataOf(reply.value), 'uid')
  return [{ apiVersion: 'apps/v1', kind: 'Deployment', name: deployment, uid }]
}
