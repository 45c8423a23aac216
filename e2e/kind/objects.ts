/** The objects that the suites apply: pools, advertisements, Services, and a page on each worker. */
import { apply, kubectl, patienceMs } from './cluster.ts'

export interface ServiceOptions {
  readonly pool: string
  readonly policy?: 'Cluster' | 'Local'
  readonly families?: 'SingleStack' | 'RequireDualStack'
  readonly port?: number
  readonly annotations?: Readonly<Record<string, string>>
  /** Label `app` of the endpoints; default: the pages on all workers. */
  readonly app?: string
}

const system = 'metallb-system'

/** A Service of type LoadBalancer in the suite's namespace. */
export function service(namespace: string, name: string, options: ServiceOptions): object {
  const { pool, policy = 'Cluster', families = 'SingleStack', port = 80, annotations, app = 'page' } = options
  return {
    apiVersion: 'v1', kind: 'Service',
    metadata: { namespace, name, annotations: { 'metallb.io/address-pool': pool, ...annotations } },
    spec: {
      type: 'LoadBalancer', externalTrafficPolicy: policy, ipFamilyPolicy: families, selector: { app },
      ports: [{ port, targetPort: 8080 }],
    },
  }
}

export function pool(name: string, addresses: readonly string[]): object {
  return {
    apiVersion: 'metallb.io/v1beta1', kind: 'IPAddressPool', metadata: { namespace: system, name },
    spec: { addresses, autoAssign: false },
  }
}

/** Announces a pool of the same name; `spec` narrows it. */
export function advertisement(name: string, spec: object = {}): object {
  return {
    apiVersion: 'metallb.io/v1beta1', kind: 'L2Advertisement', metadata: { namespace: system, name },
    spec: { ipAddressPools: [name], ...spec },
  }
}

/** Nodes by name, as L2Advertisements select them. */
export function onNodes(...names: readonly string[]): object {
  return {
    nodeSelectors: [{
      matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: names }],
    }],
  }
}

const program = `require("node:http").createServer((request, response) => response.end(
  "page on " + process.env.NODE + " for " + request.socket.remoteAddress.replace("::ffff:", "") + "\\n"
)).listen(8080, "::")`

function pageTemplate(app: string, image: string): object {
  return {
    metadata: { labels: { app } },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [{
        name: 'page', image, command: ['node', '-e', program],
        env: [{ name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }],
        readinessProbe: { httpGet: { port: 8080 }, periodSeconds: 1 },
      }],
    },
  }
}

/** A page on every worker, `app: page`; the image is the one under test, which has Node.js. */
export function pages(namespace: string, image: string): object {
  return {
    apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { namespace, name: 'page' },
    spec: { selector: { matchLabels: { app: 'page' } }, template: pageTemplate('page', image) },
  }
}

/** One page that may move between workers, `app: lone`. */
export function lonePage(namespace: string, image: string): object {
  return {
    apiVersion: 'apps/v1', kind: 'Deployment', metadata: { namespace, name: 'lone' },
    spec: { selector: { matchLabels: { app: 'lone' } }, template: pageTemplate('lone', image) },
  }
}

/** What a suite made, and how it is taken away. */
export interface Stage extends AsyncDisposable {
  readonly namespace: string
  readonly image: string
}

/** A namespace with pages in it; pools and advertisements named `names` go with it in the end. */
export async function openStage(namespace: string, names: readonly string[]): Promise<Stage> {
  const image = JSON.parse(await kubectl(['-n', system, 'get', 'daemonset', 'speaker', '-o', 'json']))
    .spec.template.spec.containers[0].image
  await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }, pages(namespace, image))
  await kubectl(['-n', namespace, 'rollout', 'status', 'daemonset/page', '--timeout=150s'])
  return {
    namespace,
    image,
    [Symbol.asyncDispose]: async () => {
      await kubectl(['delete', 'namespace', namespace, '--ignore-not-found'])
      for (const kind of ['l2advertisements', 'ipaddresspools']) {
        await kubectl(['-n', system, 'delete', kind, '--ignore-not-found', ...names])
      }
    },
  }
}

/** Addresses of a Service once it has `count`. */
export async function addressesOf(namespace: string, name: string, count = 1): Promise<readonly string[]> {
  const path = `--for=jsonpath={.status.loadBalancer.ingress[${count - 1}].ip}`
  await kubectl(['-n', namespace, 'wait', `service/${name}`, path, `--timeout=${patienceMs / 1_000}s`])
  const { status } = JSON.parse(await kubectl(['-n', namespace, 'get', 'service', name, '-o', 'json']))
  const ingress: readonly { readonly ip: string }[] = status.loadBalancer.ingress
  return ingress.map(({ ip }) => ip)
}
