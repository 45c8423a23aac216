/** One controller behind the proxy, with Services that hold addresses: where trouble is made. */
import { until } from '../lab/command.ts'
import { type Admin, openAdmin } from './admin.ts'
import { type History, openHistory } from './history.ts'
import { isOurs, listAt, namespace, service, textAt } from './objects.ts'
import type { Proxy } from './proxy.ts'
import {
  installAccounts, installPool, openProxyFor, openReplica, type Replica,
} from './replica.ts'
import { type KubeServer, openServer } from './server.ts'

/** What a cap is for: backoffs of some seconds on both sides, on a machine with other work. */
export const convergeCapMs = 40_000

export interface Stage extends AsyncDisposable {
  readonly server: KubeServer
  readonly admin: Admin
  readonly proxy: Proxy & { readonly port: number }
  readonly history: History
  /** Fresh tokens of the controller's account, each another. */
  token(): Promise<string>
  /** The controller that runs at present. */
  readonly controller: Replica
  /** Starts another instead of one that has ended. */
  start(name?: string, before?: readonly string[]): Promise<Replica>
  /** A Service that waits for an address. */
  create(name: string): Promise<void>
  /** Its address, once it has one. */
  addressOf(name: string): Promise<string>
  /** A new Service gets an address, and nothing was ever renumbered, emptied or given twice. */
  converges(name: string): Promise<void>
  /** Lines of the controller with this message. */
  said(msg: string): readonly string[]
}

/** Twenty Services hold addresses when the promise fulfils. */
export async function openStage(assets: string): Promise<Stage> {
  const stack = new AsyncDisposableStack()
  const server = stack.use(await openServer({ assets }))
  const admin = stack.use(openAdmin(server))
  await installPool(admin, '192.0.2.0/24')
  const proxy = stack.use(await openProxyFor(server))
  await installAccounts(server, ['controller'])
  const history = stack.use(await openHistory(admin))
  const controllers: Replica[] = []
  const token = async (): Promise<string> =>
    (await server.kubectlOk(['create', 'token', 'controller', '-n', namespace])).trim()
  const create = async (name: string): Promise<void> =>
    void await admin.must('POST', '/api/v1/namespaces/default/services', service(name))
  const addressOf = (name: string): Promise<string> =>
    until(`"${name}" has an address`, () => history.now().get(`default/${name}`)?.[0], convergeCapMs)
      .catch((error: unknown) => {
        throw new Error(controllers.at(-1)?.child.lines.slice(-20).join('\n') ?? '', { cause: error })
      })
  const open = async (name = 'controller-0', before: readonly string[] = []): Promise<Replica> => {
    const replica = openReplica({ server, name, port: proxy.port, token: await token(), before })
    controllers.push(replica)
    stack.defer(async () => void await replica.child.stop('SIGKILL'))
    return replica
  }
  let controller = await open()
  const names = Array.from({ length: 20 }, (_, i) => `old-${i}`)
  await Promise.all(names.map(create))
  await Promise.all(names.map(addressOf))
  return {
    server, admin, proxy, history, token, create, addressOf,
    get controller() {
      return controller
    },
    start: async (name, before) => (controller = await open(name, before)),
    converges: async (name) => {
      await create(name)
      await addressOf(name)
      if (history.faults.length > 0) throw new Error(history.faults.join('\n'))
    },
    said: (msg) => controller.child.lines.filter((line) => line.includes(`"msg":"${msg}"`)),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** Events about a Service, as `reason` and how often. */
export async function eventsOf(admin: Admin, name: string): Promise<readonly string[]> {
  const path = `/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3D${name}`
  const list = await admin.must('GET', path)
  return listAt(list, 'items').filter(isOurs).map((event) => textAt(event, 'reason')).toSorted()
}
