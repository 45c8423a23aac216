/** A real API server for suites: etcd, kube-apiserver and, where the folder has it, its controllers. */
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Child, openChild, type Result, run, type RunOptions, until } from '../lab/command.ts'
import { cleanAtExit } from '../lab/exit.ts'
import {
  auditLogIn, certificateIn, describeAccess, planApiFlags, planControllerFlags, planEtcdFlags,
  type Ports, type User, writeKeys, writeTokens,
} from './flags.ts'
import { nextFolder, noteChild, removeFolder, sweepFolders } from './leftover.ts'

export interface ServerOptions {
  /** From `findAssets(serverPrograms)`. */
  readonly assets: string
  /** Beside the administrator. They may do what RBAC gives them, and nothing more. */
  readonly users?: readonly User[]
  /** An audit policy as YAML or JSON; with it, `audit` tells what was asked. */
  readonly auditPolicy?: string
  /** Where the server listens, and is reached: 127.0.0.1, unless given. */
  readonly address?: string
  /** Words before every command: `['ip', 'netns', 'exec', NAMESPACE]`. */
  readonly within?: readonly string[]
  /** Further flags of kube-apiserver; of two with one name the last counts. */
  readonly flags?: readonly string[]
  /** Names of controllers that do not run, as `daemonset-controller`. */
  readonly idle?: readonly string[]
}

/** What the folder must hold; kube-controller-manager is optional. */
export const serverPrograms = ['etcd', 'kube-apiserver', 'kubectl']

/**
 * A running server without kubelets: Nodes and Pods are made by hand, and stay as they are made.
 * Where `hasControllers` is false, nobody makes EndpointSlices or collects garbage either.
 */
export interface KubeServer extends AsyncDisposable {
  /** A folder of its own for files, removed with the server. */
  readonly folder: string
  readonly url: string
  /** The certificates that vouch for the server, PEM. */
  readonly ca: string
  readonly hasControllers: boolean
  /** The administrator's kubeconfig: a path. */
  readonly kubeconfig: string
  /** The kubeconfig of one of `users`: a path. */
  kubeconfigOf(user: string): string
  /** The bearer token of one of `users`, or of `admin`. */
  tokenOf(user: string): string
  /** Runs kubectl as the administrator; a `--kubeconfig` among the arguments counts instead. */
  kubectl(args: readonly string[], options?: RunOptions): Promise<Result>
  /** The same where it must succeed; its standard output. */
  kubectlOk(args: readonly string[], options?: RunOptions): Promise<string>
  /** Audit events so far, oldest first. */
  audit(): readonly unknown[]
  /** Ends kube-apiserver alone, by SIGTERM unless told otherwise: an outage. */
  stopApi(signal?: NodeJS.Signals): Promise<void>
  /** Starts it again on the same address; ready when the promise fulfils. */
  startApi(): Promise<void>
  /** Both, one after the other. */
  restart(signal?: NodeJS.Signals): Promise<void>
  /** Where etcd keeps everything: may be copied, or put back, while it is stopped. */
  readonly store: string
  stopStore(): Promise<void>
  startStore(): void
}

const admin = 'admin'
/** Ready takes some 4 s on an idle machine; a loaded one may take its time. */
const readyCapMs = 90_000
const kubectlCapMs = 60_000
/**
 * A port that was free when it was asked for may be taken when it is bound. And seen twice, beside other
 * suites: a server that was not ready in 90 s, where 4 are usual.
 */
const attempts = 3

/**
 * Starts a server; it is ready when the promise fulfils. Needs no root. Whatever ends this program
 * short of SIGKILL removes the server; the next one sweeps up after SIGKILL.
 */
export async function openServer(options: ServerOptions): Promise<KubeServer> {
  sweepFolders()
  for (let attempt = 1;; attempt += 1) {
    const folder = mkdtempSync(join(tmpdir(), nextFolder()))
    const remove = cleanAtExit(() => removeFolder(folder))
    try {
      return await open(options, folder, remove)
    } catch (error) {
      remove()
      const message = error instanceof Error ? error.message : ''
      if (attempt === attempts || !/address already in use|^Not within/.test(message)) throw error
      console.error(`The API server is started again: ${message}`)
    }
  }
}

async function open(
  options: ServerOptions, folder: string, remove: () => void,
): Promise<KubeServer> {
  const { assets, address = '127.0.0.1', within = [], users = [], flags = [] } = options
  const ports: Ports = { client: await freePort(), peer: await freePort(), api: await freePort() }
  const url = `https://${address.includes(':') ? `[${address}]` : address}:${ports.api}`
  const tokens = writeTokens(folder, [{ name: admin, groups: ['system:masters'] }, ...users])
  writeKeys(folder)
  const start = (program: string, args: readonly string[]): Child => {
    const child = openChild([...within, join(assets, program), ...args])
    noteChild(folder, child.pid)
    return child
  }
  const kubeconfigOf = (user: string): string => join(folder, `${user}.kubeconfig`)
  const kubectl = bindKubectl([
    ...within, join(assets, 'kubectl'), '--kubeconfig', kubeconfigOf(admin),
    '--cache-dir', join(folder, 'cache'),
  ])
  const apiFlags = [...planApiFlags(folder, ports, { ...options, address }), ...flags]
  let etcd = start('etcd', planEtcdFlags(folder, ports))
  let api: Child | undefined
  let ca = ''
  const stopApi = async (signal?: NodeJS.Signals): Promise<void> => void await api?.stop(signal)
  const startApi = async (): Promise<void> => {
    const child = api = start('kube-apiserver', apiFlags)
    const certificate = certificateIn(folder)
    await untilAlive([child, etcd], 'a certificate', () => existsSync(certificate))
    ca = readFileSync(certificate, 'utf8')
    for (const [user, token] of tokens) {
      writeFileSync(kubeconfigOf(user), describeAccess({ url, ca, user, token }))
    }
    // The second is made by the server itself, a moment after it calls itself ready.
    for (const path of ['/readyz', '/api/v1/namespaces/default']) {
      await untilAlive([child, etcd], path, async () =>
        (await kubectl.kubectl(['get', '--raw', path])).code === 0)
    }
  }
  await startApi()
  const hasControllers = existsSync(join(assets, 'kube-controller-manager'))
  const controllers = hasControllers
    ? start('kube-controller-manager', planControllerFlags(folder, kubeconfigOf(admin), options.idle))
    : undefined
  return {
    folder, url, ca, hasControllers, kubeconfig: kubeconfigOf(admin), kubeconfigOf,
    tokenOf: (user) => tokens.get(user) ?? '',
    ...kubectl,
    audit: () => readAudit(auditLogIn(folder)),
    stopApi, startApi,
    restart: (signal) => stopApi(signal).then(startApi),
    store: join(folder, 'etcd'),
    stopStore: async () => void await etcd.stop(),
    startStore: () => void (etcd = start('etcd', planEtcdFlags(folder, ports))),
    [Symbol.asyncDispose]: async () => {
      // Nothing of it is wanted any more: no need to be kind.
      await Promise.all([controllers, api, etcd].map((child) => child?.stop('SIGKILL')))
      remove()
    },
  }
}

function bindKubectl(words: readonly string[]): Pick<KubeServer, 'kubectl' | 'kubectlOk'> {
  const kubectl: KubeServer['kubectl'] = (args, options = {}) =>
    run([...words, ...args], { capMs: kubectlCapMs, ...options })
  return {
    kubectl,
    kubectlOk: async (args, options) => {
      const { code, stdout, stderr } = await kubectl(args, options)
      if (code === 0) return stdout
      throw new Error(`Failed with exit code ${code}: kubectl ${args.join(' ')}: ${stderr.trim()}`)
    },
  }
}

async function untilAlive(
  children: readonly Child[], what: string, find: () => boolean | Promise<boolean>,
): Promise<void> {
  const lastOf = (child: Child): string => child.lines.slice(-10).join('\n')
  await until(`kube-apiserver gives ${what}`, () => {
    const ended = children.find((child) => !child.isRunning())
    if (ended === undefined) return find()
    throw new Error(`A program of the API server ended early: ${lastOf(ended)}`)
  }, readyCapMs).catch((cause: unknown) => {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`${message}; last lines: ${children.map(lastOf).join('\n')}`, { cause })
  })
}

function readAudit(path: string): readonly unknown[] {
  if (!existsSync(path)) return []
  // The last line may be in the middle of being written.
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1)
  return lines.map((line): unknown => JSON.parse(line))
}

/** A port of 127.0.0.1 that nobody has at present. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject).listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = address !== null && typeof address === 'object' ? address.port : 0
      server.close(() => resolve(port))
    })
  })
}
