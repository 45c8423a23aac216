/** Asks an API server as the administrator, without the manners of kubectl. */
import { request } from 'node:https'
import type { KubeServer } from './server.ts'

export interface Reply {
  readonly status: number
  readonly body: unknown
}

/** One request with a JSON body, or none; the answer whatever it is. Rejects if there is none. */
export function call(
  server: KubeServer, method: string, path: string,
  options: { readonly body?: unknown; readonly type?: string } = {},
): Promise<Reply> {
  const headers = {
    authorization: `Bearer ${server.tokenOf('admin')}`,
    'content-type': options.type ?? 'application/json',
  }
  return new Promise((resolve, reject) => {
    const outgoing = request(new URL(path, server.url), { method, headers, ca: server.ca }, (reply) => {
      let text = ''
      reply.on('data', (chunk: Buffer) => void (text += chunk.toString()))
      reply.on('end', () => resolve({ status: reply.statusCode ?? 0, body: JSON.parse(text) }))
      reply.on('error', reject)
    })
    outgoing.on('error', reject)
    outgoing.end(options.body === undefined ? undefined : JSON.stringify(options.body))
  })
}
