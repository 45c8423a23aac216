/** Serves reviews over HTTPS with a certificate that may be replaced while it runs. */
import { createServer, type Server } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { KeyPair } from './certificate.ts'

export interface ReviewServer extends AsyncDisposable {
  /** For connections from now on. */
  use(pair: KeyPair): void
  /** Where it listens: another one than was asked for if that was 0. */
  readonly port: number
}

export interface ReviewServerOptions {
  readonly port: number
  readonly pair: KeyPair
  /** The answer to a review, to be sent as JSON; a number is a status without one. */
  readonly answer: (review: unknown) => Promise<unknown>
  /** Within which a request must have come in; default: what an API server waits for an answer, and less. */
  readonly bodyMs?: number
}

/** An object has at most 1.5 MiB, and an update carries two. */
const maxBytes = 8 * 1024 * 1024
/** Asked by API servers alone; anybody else must not cost much. */
const maxConnections = 64
const maxReviews = 16
const bodyMs = 3_000
/** Of Node.js itself, which looks every so often: who opens a connection and asks nothing. */
const requestMs = 10_000
const lookMs = 1_000
/** Time for a last answer to leave. */
const closeMs = 500

/** Listens on every address, or throws an Error that names the port and the cause. */
export async function openReviewServer(options: ReviewServerOptions): Promise<ReviewServer> {
  const { pair, port } = options
  let running = 0
  const server = createServer(
    {
      cert: pair.certificate, key: pair.key, minVersion: 'TLSv1.2',
      requestTimeout: requestMs, headersTimeout: requestMs, maxHeaderSize: 16_384,
      handshakeTimeout: requestMs, connectionsCheckingInterval: lookMs,
    },
    (request, response) => {
      if (running >= maxReviews) return send(response, 429)
      running += 1
      serve(request, response, options).catch(() => send(response, 500)).finally(() => (running -= 1))
    },
  )
  server.maxConnections = maxConnections
  await listen(server, port)
  const bound = server.address()
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : port,
    use: ({ certificate, key }) => server.setSecureContext({ cert: certificate, key, minVersion: 'TLSv1.2' }),
    [Symbol.asyncDispose]: () => new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    }),
  }
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error): void => {
      const hint = 'code' in cause && cause.code === 'EADDRINUSE' ? ' (choose one with --webhook-port)' : ''
      reject(new Error(`Cannot listen on port ${port}: ${cause.message}${hint}`, { cause }))
    }
    server.once('error', fail)
    server.listen(port, () => {
      server.off('error', fail)
      // Of single connections: whoever asked has seen it.
      server.on('error', () => undefined)
      resolve()
    })
  })
}

async function serve(
  request: IncomingMessage, response: ServerResponse, options: ReviewServerOptions,
): Promise<void> {
  if (request.method !== 'POST') return refuse(response, 405)
  const text = await readBody(request, options.bodyMs ?? bodyMs)
  if (typeof text === 'number') return refuse(response, text)
  const value = parseJson(text)
  if (value === undefined) return send(response, 400)
  const reply = await options.answer(value)
  if (typeof reply === 'number') send(response, reply)
  else send(response, 200, JSON.stringify(reply))
}

/** The text, or the status for one that is too long, or takes too long. */
function readBody(request: IncomingMessage, capMs: number): Promise<string | number> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const timer = setTimeout(() => end(408), capMs)
    const end = (what: string | number): void => {
      clearTimeout(timer)
      request.pause().removeAllListeners('data')
      resolve(what)
    }
    request.on('data', (part: Buffer) => {
      bytes += part.length
      if (bytes > maxBytes) return end(413)
      chunks.push(part)
    })
    request.on('end', () => end(Buffer.concat(chunks).toString()))
    request.on('error', reject)
    request.on('close', () => end(400))
  })
}

/** Of a request that was not read to its end: the connection has no use any more. */
function refuse(response: ServerResponse, status: number): void {
  response.setHeader('connection', 'close')
  send(response, status)
  setTimeout(() => response.destroy(), closeMs).unref()
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function send(response: ServerResponse, status: number, body = ''): void {
  if (response.headersSent || response.destroyed) return
  response.writeHead(status, body === '' ? {} : { 'content-type': 'application/json' })
  response.end(body)
}
