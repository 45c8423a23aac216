/** Binds the HTTP application to a port. */
import { serve } from '@hono/node-server'

export interface ListenOptions {
  readonly fetch: (request: Request) => Response | Promise<Response>
  /** undefined = every address, IPv6 and IPv4 where the kernel has both. */
  readonly host: string | undefined
  /** 0 = any free port. */
  readonly port: number
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

function listenOn(options: ListenOptions, host: string): Promise<Listener> {
  return new Promise((resolve, reject) => {
    const { fetch, port } = options
    const server = serve({ fetch, port, hostname: host }, ({ port: bound }) => {
      resolve({
        port: bound,
        [Symbol.asyncDispose]: () => new Promise((done) => {
          server.close(() => done())
          if ('closeAllConnections' in server) server.closeAllConnections()
        }),
      })
    })
    server.on('error', (cause: Error) => {
      const code = codeOf(cause)
      const why = code === 'EADDRINUSE'
        ? 'another program uses it; choose one with --http-port'
        : cause.message
      const error = new Error(`Cannot listen on "${host}" port ${port}: ${why}`, { cause })
      reject(Object.assign(error, { code }))
    })
  })
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
