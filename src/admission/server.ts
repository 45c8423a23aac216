/** Serves reviews over HTTPS with a certificate that may be replaced while it runs. */
import { createServer, type Server } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { KeyPair } from './certificate.ts'

export interface ReviewServer extends AsyncDisposable {
  /** For connections from now on. */
  use(pair: KeyPair): void
}

export interface ReviewServerOptions {
  readonly port: number
  readonly pair: KeyPair
  /** The answer to a review, to be sent as JSON; a number is a status without one. */
  readonly answer: (review: unknown) => Promise<unknown>
}

/** An object has at most 1.5 MiB, and an update carries two. */
const maxBytes = 8 * 1024 * 1024
/** Asked by API servers alone; anybody else must not cost much. */
const maxConnections = 64
const maxReviews = 16
const requestMs = 10_000

/** Listens on every address, or throws an Error that names the port and the cause. */
export async function openReviewServer(options: ReviewServerOptions): Promise<ReviewServer> {
  const { pair, port } = options
  let running = 0
  const server = createServer(
    {
      cert: pair.certificate, key: pair.key, minVersion: 'TLSv1.2',
      requestTimeout: requestMs, headersTimeout: requestMs, maxHeaderSize: 16_384,
    },
    (request, response) => {
      if (running >= maxReviews) return send(response, 429)
      running += 1
      serve(request, response, options).catch(() => send(response, 500)).finally(() => (running -= 1))
    },
  )
  server.maxConnections = maxConnections
  await listen(server, port)
  return {
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
  request: IncomingMessage, response: ServerResponse, { answer }: ReviewServerOptions,
): Promise<void> {
  if (request.method !== 'POST') return send(response, 405)
  const text = await readBody(request)
  if (text === undefined) return send(response, 413)
  const value = parseJson(text)
  if (value === undefined) return send(response, 400)
  const reply = await answer(value)
  if (typeof reply === 'number') send(response, reply)
  else send(response, 200, JSON.stringify(reply))
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    const part: Buffer = chunk
    bytes += part.length
    if (bytes > maxBytes) return undefined
    chunks.push(part)
  }
  return Buffer.concat(chunks).toString()
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
