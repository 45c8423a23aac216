/** What runs as controller and as speakers in the rig of benchmarks: ours as in the image, or the peer's. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runOk } from '../lab/command.ts'

/** How the image starts Node.js. */
export const node = [
  'env', 'MALLOC_ARENA_MAX=1', 'MALLOC_TRIM_THRESHOLD_=131072', 'MALLOC_MMAP_THRESHOLD_=131072',
  process.execPath, '--optimize-for-size', '--max-semi-space-size=1', '--v8-pool-size=0',
]
const peerCapMs = 900_000

/** Where the API server is, and the folder with the `ca.crt` and the `token` of who runs. */
export interface Cluster {
  readonly url: string
  readonly folder: string
}

/** Command lines, and the line of a log that says that one has started. */
export interface Programs {
  readonly started: RegExp
  controller(cluster: Cluster, pod: string): readonly string[]
  /** `address` is the Pod's. */
  speaker(cluster: Cluster, node: string, address: string): readonly string[]
}

const namespace = 'metallb-system'

/** As in a Pod: with the service account's files. */
export function ours(bundle: string): Programs {
  const start = ({ url, folder }: Cluster, args: readonly string[]): readonly string[] => {
    const { hostname, port } = new URL(url)
    return [
      'env', `KUBERNETES_SERVICE_HOST=${hostname}`, `KUBERNETES_SERVICE_PORT=${port}`,
      `ARPEGGIO_SERVICE_ACCOUNT=${folder}`,
      ...node, bundle, ...args, '--namespace', namespace, '--http-port', '7472',
    ]
  }
  return {
    started: /"(speaker|controller) started"/,
    controller: (cluster, pod) => start(cluster, ['controller', '--pod-name', pod]),
    speaker: (cluster, name) => start(cluster, ['speaker', '--node-name', name]),
  }
}

/** MetalLB's programs in `folder`, with layer 2 alone and no webhook. */
export function peers(folder: string): Programs {
  const start = (cluster: Cluster, environment: readonly string[], program: string, ...flags: string[]) => [
    'env', `KUBECONFIG=${writeKubeconfig(cluster)}`, `METALLB_NAMESPACE=${namespace}`, ...environment,
    join(folder, program), ...flags, '--port=7472',
  ]
  return {
    started: /Starting workers/,
    controller: (cluster, pod) => start(cluster, [
      `METALLB_POD_NAME=${pod}`, 'METALLB_DEPLOYMENT=controller',
    ], 'controller', '--webhook-mode=disabled', '--disable-cert-rotation'),
    speaker: (cluster, name, address) => start(cluster, [
      `METALLB_NODE_NAME=${name}`, `METALLB_POD_NAME=speaker-${name}`, `METALLB_ML_BIND_ADDR=${address}`,
      'METALLB_ML_LABELS=app=metallb,component=speaker',
    ], 'speaker'),
  }
}

/** The folder of the peer's programs, which are built where they are not there yet. */
export async function findPeer(): Promise<string> {
  return (await runOk([join(import.meta.dirname, '../../hack/peer')], { capMs: peerCapMs })).trim()
}

/** Client libraries of Go read a service account only below /var/run. */
function writeKubeconfig({ url, folder }: Cluster): string {
  const path = join(folder, 'kubeconfig.json')
  writeFileSync(path, JSON.stringify({
    apiVersion: 'v1', kind: 'Config', 'current-context': 'rig',
    clusters: [{ name: 'rig', cluster: { server: url, 'certificate-authority': join(folder, 'ca.crt') } }],
    users: [{ name: 'rig', user: { tokenFile: join(folder, 'token') } }],
    contexts: [{ name: 'rig', context: { cluster: 'rig', user: 'rig' } }],
  }), { mode: 0o600 })
  return path
}
