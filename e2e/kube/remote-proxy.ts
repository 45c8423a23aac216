/** Runs the proxy in a network namespace, as a program that is told what to do over a Unix socket. */
import { writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import type { Host } from '../lab/lab.ts'
import type { Proxy, ProxyOptions } from './proxy.ts'

/** Listens when the promise fulfils. `folder` takes its files. */
export async function openRemoteProxy(
  host: Host, folder: string, options: ProxyOptions,
): Promise<Proxy> {
  const socket = join(folder, 'proxy.sock')
  const file = join(folder, 'proxy.json')
  writeFileSync(file, JSON.stringify(options), { mode: 0o600 })
  const child = host.spawn([process.execPath, join(import.meta.dirname, 'proxy.ts'), socket, file])
  await child.line(/^listening$/)
  const tell = (order: unknown): Promise<unknown> => post(socket, JSON.stringify(order))
  return {
    setRules: async (rules) => void await tell({ kind: 'rules', rules }),
    hits: async () => asList(await tell({ kind: 'hits' })),
    seen: async () => asList(await tell({ kind: 'seen' })),
    cut: async () => void await tell({ kind: 'cut' }),
    down: async () => void await tell({ kind: 'down' }),
    up: async () => void await tell({ kind: 'up' }),
    [Symbol.asyncDispose]: async () => void await child.stop(),
  }
}

/** Our own program answers: what it sends is what it was asked for. */
function asList<T>(value: unknown): readonly T[] {
  return Array.isArray(value) ? value : []
}

function post(socketPath: string, body: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, method: 'POST', path: '/' }, (reply) => {
      let text = ''
      reply.setEncoding('utf8')
      reply.on('data', (chunk: string) => void (text += chunk))
      reply.on('end', () => resolve(JSON.parse(text)))
    })
    asked.on('error', reject)
    asked.end(body)
  })
}
