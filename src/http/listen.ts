/** Binds the site to a port; answers probes and metrics itself. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { answerProbe, probePaths, type Site } from './probes.ts'
import type { Serve } from './serve.ts'

/** Imported by name it would cost 8 MiB: the import looks at `http.WebSocket`, which loads `fetch`. */
const { createServer } = process.getBuiltinModule('node:http')

export interface ListenOptions {
  readonly site: Site
  /** undefined = every address, IPv6 and IPv4 where the kernel has both. */
  readonly host: string | undefined
  /** 0 = any free port. */
  readonly port: number
  /** The option that chooses the port. Default: `--http-port`. */
  readonly flag?: '--http-port' | '--health-probe-port'
}

export interface Listener extends AsyncDisposable {
  readonly port: number
}

/** Listens, or throws an Error that names address, port and cause. */
export async function openListener(options: ListenOptions): Promise<Listener> {
  if (options.host !== undefined) return listenOn(options, options.host)
  try {
    return await listenOn(options, '::')
  } catch (error) {
    if (codeOf(error) !== 'EAFNOSUPPORT') throw error
    // The kernel was booted without IPv6.
    return listenOn(options, '0.0.0.0')
  }
}

function listenOn({ site, port, flag = '--http-port' }: ListenOptions, host: string): Promise<Listener> {
  return new Promise((resolve, reject) => {
    const server = createServer(answerWith(site))
    server.listen(port, host, () => resolve({
      port: portOf(server),
      [Symbol.asyncDispose]: () => new Promise((done) => {
        server.close(() => done())
        server.closeAllConnections()
      }),
    }))
    server.on('error', (cause: Error) => {
      const code = codeOf(cause)
      const why = code === 'EADDRINUSE'
        ? `another program uses it; choose one with ${flag}`
        : cause.message
      const error = new Error(`Cannot listen on "${host}" port ${port}: ${why}`, { cause })
      reject(Object.assign(error, { code }))
    })
  })
}

function portOf(server: Server): number {
  const address = server.address()
  return address !== null && typeof address === 'object' ? address.port : 0
}

/** The application costs the runtime's whole `fetch`, 8 MiB: it is loaded for those who want it. */
function answerWith(site: Site): Serve {
  let loading: Promise<Serve> | undefined
  const answer: Serve = async (request, response) => {
    const path = probePaths.find((known) => known === request.url)
    if (path !== undefined && (request.method === 'GET' || request.method === 'HEAD')) {
      const { status, contentType, text } = await answerProbe(site, path)
      response.writeHead(status, {
        'content-type': contentType, 'content-length': Buffer.byteLength(text), 'cache-control': 'no-store',
      })
      return void response.end(text)
    }
    loading ??= import('./serve.ts').then(({ createServe }) => createServe(site))
    const serve = await loading
    return serve(request, response)
  }
  return (request: IncomingMessage, response: ServerResponse) =>
    void Promise.resolve(answer(request, response)).catch(() => fail(response))
}

function fail(response: ServerResponse): void {
  if (response.headersSent) response.destroy()
  else response.writeHead(500).end()
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
