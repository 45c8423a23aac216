/** The administrator's hands in tests: plain requests and watches on a real API server. */
import { Agent, request, type RequestOptions } from 'node:https'
import type { IncomingMessage } from 'node:http'
import { type Fields, textAt } from './objects.ts'
import type { KubeServer } from './server.ts'

export interface Answer {
  readonly status: number
  readonly value: Fields
}

export interface Admin extends Disposable {
  /** Rejects where the server does not answer. `kind` is the patch type: `merge`, `strategic-merge`. */
  ask(method: string, path: string, body?: unknown, kind?: string): Promise<Answer>
  /** The same where it must succeed; the object. */
  must(method: string, path: string, body?: unknown, kind?: string): Promise<Fields>
  /**
   * Events of a watch, until the returned function is called; `onEnd` when it ends. A refusal is an
   * event `ERROR`.
   */
  watch(path: string, onEvent: (event: Fields) => void, onEnd: () => void): () => void
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Eight connections, which is as fast as the server goes. */
export function openAdmin(server: KubeServer): Admin {
  const agent = new Agent({ keepAlive: true, maxSockets: 8, ca: server.ca })
  const headers = { authorization: `Bearer ${server.tokenOf('admin')}`, accept: 'application/json' }
  const ask: Admin['ask'] = async (method, path, body, kind) => {
    const type = kind === undefined ? 'application/json' : `application/${kind}-patch+json`
    const options = { method, agent, headers: { ...headers, 'content-type': type } }
    const reply = await send(new URL(path, server.url), options, body)
    let text = ''
    reply.setEncoding('utf8')
    for await (const chunk of reply) text += chunk
    const value: unknown = JSON.parse(text)
    return { status: reply.statusCode ?? 0, value: isFields(value) ? value : {} }
  }
  return {
    ask,
    must: async (method, path, body, kind) => {
      const { status, value } = await ask(method, path, body, kind)
      if (status < 300) return value
      throw new Error(`${method} ${path}: ${status}: ${textAt(value, 'message')}`)
    },
    watch: (path, onEvent, onEnd) => {
      const options = { method: 'GET', headers, ca: server.ca }
      const asked = request(new URL(path, server.url), options, (reply) => {
        reply.on('error', () => undefined)
        if (reply.statusCode !== 200) {
          onEvent({ type: 'ERROR' })
          return void asked.destroy()
        }
        let rest = ''
        reply.setEncoding('utf8')
        reply.on('data', (chunk: string) => {
          const lines = (rest + chunk).split('\n')
          rest = lines.pop() ?? ''
          for (const line of lines) onEvent(JSON.parse(line))
        })
      })
      asked.on('error', () => undefined)
      asked.on('close', onEnd)
      asked.end()
      return () => void asked.destroy()
    },
    [Symbol.dispose]: () => agent.destroy(),
  }
}

function send(url: URL, options: RequestOptions, body: unknown): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = request(url, options, resolve)
    asked.on('error', reject)
    asked.end(body === undefined ? undefined : JSON.stringify(body))
  })
}
