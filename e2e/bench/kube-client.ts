/** The load on the API server: one task a process, plain HTTPS, a bounded number of connections. */
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { wallMs } from './wall.ts'

export interface Access {
  readonly url: string
  /** Path of the certificates, PEM. */
  readonly ca: string
  readonly token: string
}

/** The one argument, as JSON, beside `Access`; what is printed is JSON on the last line. */
export type Task =
  /** Makes Services `s<from>` and on, each with a slice of one endpoint. */
  | { readonly kind: 'create'; readonly from: number; readonly count: number }
  /** Makes the objects that a file holds as JSON: `[{ path, body }]`. */
  | { readonly kind: 'make'; readonly file: string }
  /** Patches the status of each of these Services: an address, then none; prints ms of each half. */
  | { readonly kind: 'patch'; readonly count: number }
  /**
   * What the best controller writes, and nothing else: gives each of these Services an address of its own,
   * then makes an event on each; prints ms of each. Takes the addresses away again, unmeasured.
   */
  | { readonly kind: 'give'; readonly count: number }
  /** Prints `ready`, then wall time at which so many Services have an address and an event each. */
  | { readonly kind: 'await'; readonly count: number }
  /**
   * Makes a Service for each address, one after the other, and deletes it; prints both instants, and
   * after each what the API server alone takes.
   */
  | { readonly kind: 'trials'; readonly addresses: readonly string[] }

export interface Made {
  /** Of the collection. */
  readonly path: string
  readonly body: unknown
}

export interface Born {
  readonly address: string
  /** Wall time in ms, with fractions. */
  readonly createdAtMs: number
  readonly assignedAtMs: number
}

export interface Trials {
  readonly born: readonly Born[]
  /** A Service of nobody's is created; the watch shows it; a bare status patch; the watch shows that. */
  readonly floorsMs: readonly number[]
}

const connections = 8
const settleMs = 1_500
const trialCapMs = 10_000

const given: { readonly access: Access; readonly task: Task } = JSON.parse(process.argv[2] ?? '')
const { access, task } = given
const ca = readFileSync(access.ca)
const agent = new Agent({ keepAlive: true, maxSockets: connections })
const services = '/api/v1/namespaces/default/services'
const slices = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices'

function call(method: string, path: string, body?: unknown): Promise<string> {
  return new Promise((resolve, reject) => {
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
    const headers = { authorization: `Bearer ${access.token}`, 'content-type': type }
    const sent = request(new URL(path, access.url), { method, ca, agent, headers }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => void (text += chunk.toString()))
      response.on('end', () => {
        const isGood = (response.statusCode ?? 500) < 300
        if (isGood) resolve(text)
        else reject(new Error(`${method} ${path}: ${response.statusCode} ${text.slice(0, 200)}`))
      })
    })
    sent.on('error', reject)
    sent.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

/** Lines of a watch, until disposed. */
function watch(path: string, onObject: (type: string, object: Watched) => void): Disposable {
  const headers = { authorization: `Bearer ${access.token}` }
  const url = new URL(`${path}${path.includes('?') ? '&' : '?'}watch=true`, access.url)
  const sent = request(url, { ca, headers }, (response) => {
    let rest = ''
    response.setEncoding('utf8')
    response.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        const event: { type: string; object: Watched } = JSON.parse(line)
        onObject(event.type, event.object)
      }
    })
  })
  sent.on('error', () => {})
  sent.end()
  return { [Symbol.dispose]: () => void sent.destroy() }
}

interface Watched {
  readonly metadata: { readonly name: string }
  readonly reason?: string
  readonly involvedObject?: { readonly name: string }
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string }[] } }
}

function addressOf(object: Watched): string | undefined {
  return object.status?.loadBalancer?.ingress?.[0]?.ip
}

/** At most so many at one time. */
async function inParallel(count: number, act: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < count) await act(next++)
  }
  await Promise.all(Array.from({ length: connections }, lane))
}

async function createService(name: string, address?: string): Promise<void> {
  await call('POST', slices, {
    apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4',
    metadata: { name: `${name}-x`, labels: { 'kubernetes.io/service-name': name } },
    ports: [{ port: 80 }],
    endpoints: [{ addresses: ['198.51.100.200'], conditions: { ready: true, serving: true } }],
  })
  if (address === undefined) await post(name, undefined)
}

function post(name: string, address: string | undefined, isOurs = true): Promise<string> {
  return call('POST', services, {
    apiVersion: 'v1', kind: 'Service',
    metadata: {
      name, annotations: address === undefined ? {} : { 'metallb.io/loadBalancerIPs': address },
    },
    spec: {
      type: 'LoadBalancer', allocateLoadBalancerNodePorts: false, ports: [{ port: 80 }],
      ...(isOurs ? {} : { loadBalancerClass: 'example.com/nobody' }),
    },
  })
}

async function patchAll(count: number): Promise<readonly number[]> {
  const halves: number[] = []
  // One each, of no pool: speakers see it and have nothing to do.
  for (const isGiven of [true, false]) {
    const begun = performance.now()
    await inParallel(count, (i) => {
      const ingress = isGiven ? [{ ip: `10.241.${i >> 8}.${i % 256}` }] : null
      return call('PATCH', `${services}/s${i}/status`, { status: { loadBalancer: { ingress } } })
    })
    halves.push(performance.now() - begun)
  }
  return halves
}

async function giveAll(count: number): Promise<readonly number[]> {
  const patch = (i: number, ingress: unknown): Promise<string> =>
    call('PATCH', `${services}/s${i}/status`, { status: { loadBalancer: { ingress } } })
  const begun = performance.now()
  // Of the pool, so that speakers have their work with them.
  await inParallel(count, (i) => patch(i, [{ ip: `10.240.${i >> 8}.${i % 256}` }]))
  const given = performance.now()
  await inParallel(count, (i) => call('POST', '/api/v1/namespaces/default/events', {
    apiVersion: 'v1', kind: 'Event', metadata: { name: `s${i}.given` }, reason: 'Given', message: 'Given',
    involvedObject: { apiVersion: 'v1', kind: 'Service', namespace: 'default', name: `s${i}` },
  }))
  const told = performance.now()
  await inParallel(count, (i) => patch(i, null))
  return [given - begun, told - given]
}

function awaitAll(count: number): Promise<{ assignedAtMs: number; eventsAtMs: number }> {
  return new Promise((resolve) => {
    const assigned = new Set<string>()
    const told = new Set<string>()
    let assignedAtMs = 0
    let eventsAtMs = 0
    const look = (): void => {
      if (assigned.size >= count && assignedAtMs === 0) assignedAtMs = wallMs()
      if (told.size >= count && eventsAtMs === 0) eventsAtMs = wallMs()
      if (assignedAtMs > 0 && eventsAtMs > 0) resolve({ assignedAtMs, eventsAtMs })
    }
    watch(services, (_, object) => {
      if (addressOf(object) !== undefined) assigned.add(object.metadata.name)
      look()
    })
    watch('/api/v1/namespaces/default/events', (_, object) => {
      if (object.reason === 'IPAllocated') told.add(object.involvedObject?.name ?? '')
      look()
    })
    console.log('ready')
  })
}

async function trials(addresses: readonly string[]): Promise<Trials> {
  const born: Born[] = []
  const floorsMs: number[] = []
  let notify: (type: string, object: Watched) => void = () => {}
  using _ = watch(services, (type, object) => notify(type, object))
  /** Wall time at which the watch shows a Service as asked for, from now on. */
  const shown = (name: string, isGood: (object: Watched) => boolean): Promise<number> =>
    Promise.race([sleep(trialCapMs).then(() => Number.NaN), new Promise<number>((resolve) => {
      notify = (type, object) => {
        if (type !== 'DELETED' && object.metadata.name === name && isGood(object)) resolve(wallMs())
      }
    })])
  for (const [i, address] of addresses.entries()) {
    const name = `trial-${i}`
    await createService(name, address)
    await sleep(settleMs)
    const assigned = shown(name, (object) => addressOf(object) === address)
    const createdAtMs = wallMs()
    await post(name, address)
    born.push({ address, createdAtMs, assignedAtMs: await assigned })
    await sleep(settleMs)
    await call('DELETE', `${services}/${name}`)
    // The API server's own controller may be faster.
    await call('DELETE', `${slices}/${name}-x`).catch(() => '')
    await sleep(settleMs)
    floorsMs.push(await floor(`floor-${i}`, shown))
  }
  return { born, floorsMs }
}

async function floor(
  name: string, shown: (name: string, isGood: (object: Watched) => boolean) => Promise<number>,
): Promise<number> {
  const created = shown(name, () => true)
  const begunAtMs = wallMs()
  const posted = post(name, undefined, false)
  await created
  const patched = shown(name, (object) => addressOf(object) !== undefined)
  const status = { loadBalancer: { ingress: [{ ip: '203.0.113.1' }] } }
  await call('PATCH', `${services}/${name}/status`, { status })
  const tookMs = await patched - begunAtMs
  await posted
  await call('DELETE', `${services}/${name}`)
  return tookMs
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

async function perform(): Promise<unknown> {
  switch (task.kind) {
    case 'create':
      await inParallel(task.count, (i) => createService(`s${task.from + i}`))
      return {}
    case 'make': {
      const objects: readonly Made[] = JSON.parse(readFileSync(task.file, 'utf8'))
      await inParallel(objects.length, async (i) => call('POST', objects[i]?.path ?? '', objects[i]?.body))
      return {}
    }
    case 'patch':
      return patchAll(task.count)
    case 'give':
      return giveAll(task.count)
    case 'await':
      return awaitAll(task.count)
    case 'trials':
      return trials(task.addresses)
  }
}

console.log(JSON.stringify(await perform()))
process.exit(0)
