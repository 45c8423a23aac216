/** Reads a kubeconfig with all its ways to log in, by the client library: its only import. */
import { KubeConfig } from '@kubernetes/client-node'
import type { Access } from './model.ts'

/** Credentials that a command or a provider makes are asked for again after this time. */
const freshMs = 30_000

/** The current context of the file. Throws an Error that says what is wrong with it. */
export async function readKubeconfig(path: string): Promise<Access> {
  const config = new KubeConfig()
  try {
    config.loadFromFile(path)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new Error(`Cannot read the kubeconfig "${path}": ${why}`)
  }
  const cluster = config.getCurrentCluster()
  if (cluster === null) throw new Error(`The kubeconfig "${path}" names no cluster`)
  let current = await logIn(config)
  let readAtMs = performance.now()
  const refresh = (): void => {
    readAtMs = performance.now()
    // The next request has it; the present one goes with what there is.
    logIn(config).then((fresh) => void (current = fresh), () => undefined)
  }
  return {
    server: new URL(cluster.server),
    tls: () => current.tls,
    headers: () => {
      if (performance.now() - readAtMs > freshMs) refresh()
      return current.headers
    },
    refused: refresh,
    namespace: config.getContextObject(config.getCurrentContext())?.namespace,
  }
}

interface Credentials {
  readonly tls: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, string>>
}

async function logIn(config: KubeConfig): Promise<Credentials> {
  const options: { headers?: Record<string, string | string[]>; auth?: string } & Record<string, unknown> = {}
  await config.applyToHTTPSOptions(options)
  const { headers = {}, auth, agent: _, ...tls } = options
  const texts = Object.entries(headers).map(([name, value]) => [name, String(value)] as const)
  const basic = auth === undefined
    ? {}
    : { authorization: `Basic ${Buffer.from(auth).toString('base64')}` }
  return { tls, headers: { ...Object.fromEntries(texts), ...basic } }
}
