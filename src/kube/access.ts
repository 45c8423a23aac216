/** Where the API server is and how to be let in: a Pod's service account, or a kubeconfig. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readPlain } from './credentials.ts'
import type { Access } from './model.ts'

export type Environment = Readonly<Record<string, string | undefined>>

const accountFolder = '/var/run/secrets/kubernetes.io/serviceaccount'

/** Names another folder for the service account than the one the kubelet mounts. */
const folderVariable = 'ARPEGGIO_SERVICE_ACCOUNT'

/**
 * The kubeconfig if one is given, else the Pod's service account. Throws an
 * Error that says what is missing.
 */
export async function openAccess(env: Environment, kubeconfig?: string): Promise<Access> {
  if (kubeconfig !== undefined) return openKubeconfig(kubeconfig)
  const host = env['KUBERNETES_SERVICE_HOST']
  const port = env['KUBERNETES_SERVICE_PORT'] ?? '443'
  if (host === undefined || host === '') {
    throw new Error('Cannot find the API server: this is no Pod (KUBERNETES_SERVICE_HOST is not ' +
      'set); give a kubeconfig with --kubeconfig or KUBECONFIG')
  }
  const server = new URL(`https://${host.includes(':') ? `[${host}]` : host}:${port}`)
  return readServiceAccount(server, env[folderVariable] ?? accountFolder)
}

async function openKubeconfig(path: string): Promise<Access> {
  try {
    const plain = readPlain(readFileSync(path, 'utf8'), path)
    if (plain !== undefined) return plain
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new Error(`Cannot read the kubeconfig "${path}": ${why}`)
  }
  // On demand: the library would be the largest part of the memory.
  const { readKubeconfig } = await import('./kubeconfig.ts')
  return readKubeconfig(path)
}

/** The kubelet replaces the token well before it expires (after 80 % of an hour or so). */
const tokenAgeMs = 30_000

function readServiceAccount(server: URL, folder: string): Access {
  const read = (name: string): string => {
    try {
      return readFileSync(join(folder, name), 'utf8').trim()
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw new Error(`Cannot read the service account: ${why}`)
    }
  }
  const ca = read('ca.crt')
  let token = read('token')
  let readAtMs = performance.now()
  return {
    server,
    tls: () => ({ ca }),
    headers: () => {
      if (performance.now() - readAtMs > tokenAgeMs) {
        readAtMs = performance.now()
        token = readOr(join(folder, 'token'), token)
      }
      return { authorization: `Bearer ${token}` }
    },
    refused: () => void (readAtMs = Number.NEGATIVE_INFINITY),
    namespace: readOr(join(folder, 'namespace'), '') || undefined,
  }
}

function readOr(path: string, fallback: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return fallback
  }
}
