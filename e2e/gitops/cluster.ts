/** A controller beside an API server: what applies manifests needs no node. */
import { type Child, openChild, until } from '../lab/command.ts'
import { arpeggio } from '../lab/program.ts'
import { at, ingressOf, listAt, namespace, textAt } from '../kube/objects.ts'
import { freePort, type KubeServer } from '../kube/server.ts'

/** A loaded machine may take its time: waits here are for order, not for speed. */
export const waitMs = 30_000

/** Starts the controller with the administrator's rights; nothing it needs has to be there yet. */
export async function openController(server: KubeServer): Promise<Child> {
  return openChild([
    ...arpeggio, 'controller', '--namespace', namespace, '--kubeconfig', server.kubeconfig,
    '--http-port', String(await freePort()), '--http-host', '127.0.0.1', '--health-probe-port', '0',
  ])
}

/** An object, read by kubectl's words: `get` puts `-o json` behind them; undefined where there is none. */
export async function get(server: KubeServer, ...words: readonly string[]): Promise<unknown> {
  const { code, stdout } = await server.kubectl(['get', ...words, '-o', 'json'])
  return code === 0 ? JSON.parse(stdout) : undefined
}

/** The addresses of Service `default/NAME`, once it has some. */
export function addressOf(server: KubeServer, name: string): Promise<readonly string[]> {
  return until(`an address for ${name}`, async () => {
    const addresses = ingressOf(await get(server, 'service', name))
    return addresses.length > 0 && addresses
  }, waitMs)
}

/** Waits until the status of the pool counts `assigned` IPv4 addresses. */
export async function untilAssigned(server: KubeServer, pool: string, assigned: number): Promise<void> {
  await until(`${pool} counts ${assigned}`, async () =>
    at(await get(server, 'ipaddresspool', pool, '-n', namespace), 'status', 'assignedIPv4') === assigned
  , waitMs)
}

/**
 * The version of each object in `yaml`, by kind and name, once Kubernetes' own controllers have no more
 * to say of the workloads: without kubelets the Pods of a Deployment are there, and wait.
 */
export async function versionsOf(
  server: KubeServer, yaml: string, followed = /^(Deployment|DaemonSet)$/,
): Promise<ReadonlyMap<string, string>> {
  const isSeen = (object: unknown): boolean =>
    !server.hasControllers || !followed.test(textAt(object, 'kind')) ||
    at(object, 'status', 'observedGeneration') === at(object, 'metadata', 'generation') &&
      at(object, 'status', 'updatedReplicas') === at(object, 'spec', 'replicas')
  const list = await until('controllers have seen the objects', async () => {
    const args = ['get', '-f', '-', '-o', 'json']
    const read = listAt(JSON.parse(await server.kubectlOk(args, { stdin: yaml })), 'items')
    return read.every(isSeen) && read
  }, waitMs)
  return new Map(list.map((object) => [
    `${textAt(object, 'kind')} ${textAt(object, 'metadata', 'name')}`,
    textAt(object, 'metadata', 'resourceVersion'),
  ]))
}
