/** A gate between the program and the API server that makes trouble on command. */
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, request } from 'node:https'
import type { Server, Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** What happens to a request in place of being passed on. */
export type Fault =
  /** The server is never asked. */
  | {
    readonly kind: 'answer'; readonly status: number; readonly retryAfter?: number; readonly body?: unknown
  }
  /** The server is asked and does it; its answer is lost with the connection. */
  | { readonly kind: 'lose' }
  /** No answer, and the connection stays open. */
  | { readonly kind: 'hold' }
  | { readonly kind: 'delay'; readonly ms: number }
  /** The connection ends after so many bytes of the answer's body. */
  | { readonly kind: 'cut'; readonly afterBytes: number }
  /** The answer's body arrives in pieces of so many bytes. */
  | { readonly kind: 'trickle'; readonly bytes: number; readonly everyMs: number }

/** Which requests meet a fault: all, but for what is given. */
export interface Rule {
  readonly method?: string
  /** A regular expression on the path with its query. */
  readonly path?: string
  /** Of the value of the header `authorization`. */
  readonly token?: string
  /** Only the first so many. */
  readonly times?: number
  readonly fault: Fault
}

export interface Seen {
  readonly method: string
  readonly path: string
  /** As the client was told; 0 = it was told nothing. */
  readonly status: number
}

export interface Proxy extends AsyncDisposable {
  /** Of two rules that fit, the first counts. Replaces those before. */
  setRules(rules: readonly Rule[]): Promise<void>
  /** How often each of the present rules was met. */
  hits(): Promise<readonly number[]>
  /** What was asked for since the last look, in order of arrival. */
  seen(): Promise<readonly Seen[]>
  /** Ends every connection as a crash would: in the middle of whatever it carries. */
  cut(): Promise<void>
  /** Cuts, and refuses connections until `up`. */
  down(): Promise<void>
  up(): Promise<void>
}

export interface ProxyOptions {
  /** Where it listens, and is the same server to its clients: certificate and key as PEM. */
  readonly address: string
  readonly port: number
  readonly certificate: string
  readonly key: string
  /** The server behind. */
  readonly target: string
}

interface State {
  readonly options: ProxyOptions
  rules: { readonly rule: Rule; readonly pattern: RegExp | undefined; hits: number }[]
  seen: Seen[]
  readonly sockets: Set<Socket>
}

/** Listens when the promise fulfils. */
export async function openProxy(options: ProxyOptions): Promise<Proxy> {
  const state: State = { options, rules: [], seen: [], sockets: new Set() }
  const { certificate, key, address, port } = options
  const listener = createTlsServer({ cert: certificate, key, keepAliveTimeout: 60_000 }, (from, to) => {
    void serve(state, from, to).catch(() => from.socket.destroy())
  })
  listener.on('connection', (socket: Socket) => {
    state.sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => state.sockets.delete(socket))
  })
  listener.on('tlsClientError', () => undefined) // a client that leaves early is no failure
  const cut = (): void => {
    for (const socket of state.sockets) socket.resetAndDestroy()
  }
  const down = async (): Promise<void> => {
    const closed = listener.listening
      ? new Promise<void>((resolve) => listener.close(() => resolve()))
      : Promise.resolve()
    cut()
    await closed
  }
  const up = (): Promise<void> => listen(listener, () => listener.listen(port, address))
  await up()
  return {
    setRules: async (rules) => {
      state.rules = rules.map((rule) => ({
        rule, hits: 0, pattern: rule.path === undefined ? undefined : new RegExp(rule.path),
      }))
    },
    hits: async () => state.rules.map(({ hits }) => hits),
    seen: async () => state.seen.splice(0),
    cut: async () => cut(),
    down,
    up,
    [Symbol.asyncDispose]: down,
  }
}

/** Settles when it listens. */
function listen(server: Server, start: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.once('listening', () => {
      server.off('error', reject)
      resolve()
    })
    start()
  })
}

function faultOf(state: State, from: IncomingMessage): Fault | undefined {
  const met = state.rules.find(({ rule, pattern, hits }) =>
    (rule.method === undefined || rule.method === from.method) &&
    (pattern === undefined || pattern.test(from.url ?? '')) &&
    (rule.token === undefined || from.headers.authorization === `Bearer ${rule.token}`) &&
    (rule.times === undefined || hits < rule.times)
  )
  if (met !== undefined) met.hits += 1
  return met?.rule.fault
}

async function serve(state: State, from: IncomingMessage, to: ServerResponse): Promise<void> {
  const fault = faultOf(state, from)
  const note = (status: number): void =>
    void state.seen.push({ method: from.method ?? '', path: from.url ?? '', status })
  const body = await readAll(from)
  if (fault?.kind === 'hold') return note(0)
  if (fault?.kind === 'answer') {
    note(fault.status)
    return answer(to, fault)
  }
  if (fault?.kind === 'delay') await sleep(fault.ms)
  const reply = await ask(state.options, from, to, body)
  if (fault?.kind === 'lose') {
    await readAll(reply)
    note(0)
    from.socket.destroy()
    return
  }
  note(reply.statusCode ?? 0)
  to.writeHead(reply.statusCode ?? 502, reply.headers)
  to.flushHeaders()
  await pass(reply, to, fault, () => from.socket.destroy())
}

function answer(to: ServerResponse, fault: Extract<Fault, { kind: 'answer' }>): void {
  const { status, retryAfter, body } = fault
  const text = JSON.stringify(body ?? {
    kind: 'Status', apiVersion: 'v1', status: 'Failure', message: 'made by the proxy', code: status,
  })
  const wait = retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }
  to.writeHead(status, { 'content-type': 'application/json', ...wait })
  // A watch event ends with its line.
  to.end(`${text}\n`)
}

function ask(
  { target, certificate }: ProxyOptions, from: IncomingMessage, to: ServerResponse, body: Buffer,
): Promise<IncomingMessage> {
  const { host: _, connection: __, ...headers } = from.headers
  return new Promise((resolve, reject) => {
    const asked = request(new URL(from.url ?? '/', target), {
      method: from.method ?? 'GET', headers, ca: certificate,
    }, resolve)
    asked.on('error', reject)
    // A client that goes ends the watch behind it too.
    to.on('close', () => asked.destroy())
    asked.end(body)
  })
}

/** Passes the body on as it arrives, as the fault wants it. */
async function pass(
  reply: IncomingMessage, to: ServerResponse, fault: Fault | undefined, end: () => void,
): Promise<void> {
  let passed = 0
  for await (const chunk of reply) {
    const bytes: Buffer = Buffer.from(chunk)
    if (fault?.kind === 'cut' && passed + bytes.length > fault.afterBytes) {
      // What is written must have left before the end.
      await new Promise<void>((resolve) => {
        to.write(bytes.subarray(0, fault.afterBytes - passed), () => resolve())
      })
      return end()
    }
    passed += bytes.length
    if (fault?.kind === 'trickle') await trickle(bytes, to, fault)
    else to.write(bytes)
  }
  to.end()
}

async function trickle(
  bytes: Buffer, to: ServerResponse, fault: Extract<Fault, { kind: 'trickle' }>,
): Promise<void> {
  for (let at = 0; at < bytes.length; at += fault.bytes) {
    to.write(bytes.subarray(at, at + fault.bytes))
    await sleep(fault.everyMs)
  }
}

async function readAll(stream: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) if (chunk instanceof Uint8Array) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

/** What the remote control of a proxy in a program of its own is told. */
type Order =
  | { readonly kind: 'rules'; readonly rules: readonly Rule[] }
  | { readonly kind: 'hits' | 'seen' | 'cut' | 'down' | 'up' }

async function obey(proxy: Proxy, order: Order): Promise<unknown> {
  switch (order.kind) {
    case 'rules':
      return proxy.setRules(order.rules)
    case 'hits':
      return proxy.hits()
    case 'seen':
      return proxy.seen()
    case 'cut':
      return proxy.cut()
    case 'down':
      return proxy.down()
    case 'up':
      return proxy.up()
  }
}

/**
 * As a program, for another network namespace: `node proxy.ts SOCKET FILE`, where FILE holds
 * `ProxyOptions` as JSON and SOCKET is made for orders.
 */
if (import.meta.main) {
  const [socket = '', file = ''] = process.argv.slice(2)
  const proxy = await openProxy(JSON.parse(readFileSync(file, 'utf8')))
  const control = createServer((from, to) => {
    void readAll(from).then(async (body) => {
      to.end(JSON.stringify(await obey(proxy, JSON.parse(body.toString())) ?? null))
    })
  })
  await listen(control, () => control.listen(socket))
  console.log('listening')
}
