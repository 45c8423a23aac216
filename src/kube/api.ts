/** HTTP to the API server: one request, or a watch as it arrives. Nothing is retried here. */
import { Agent, request as open, type RequestOptions } from 'node:https'
import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Millis } from '../net/model.ts'
import type { Access } from './model.ts'

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** With query. */
  readonly path: string
  readonly body?: unknown
  /** In place of `body`: JSON as text, for numbers that a double does not hold. */
  readonly text?: string
  /** Of the body; JSON when absent. */
  readonly contentType?: string
  /** Only the metadata of the object is wanted back: a tenth of the bytes. */
  readonly wantsMetadata?: boolean
  readonly timeoutMs?: Millis
}

export interface Reply {
  readonly status: number
  /** The parsed body; undefined where there is none or it is not JSON. */
  readonly value: unknown
  readonly retryAfterMs: Millis | undefined
}

export interface WatchCall {
  readonly path: string
  readonly signal: AbortSignal
  /** The stream is ended when nothing arrived for so long. */
  readonly silenceMs: Millis
  /** Gets the events of one chunk of bytes, parsed; first none, when the server has agreed. */
  readonly onEvents: (events: readonly unknown[]) => void
}

export interface Api extends Disposable {
  /** Rejects where there is no answer: connection refused, cut, too late. */
  call(call: Call): Promise<Reply>
  /** Settles when the stream ends in order; rejects otherwise, with `Refused` for a bad status. */
  watch(call: WatchCall): Promise<void>
}

/** The server answered with another status than 200. */
export class Refused extends Error {
  readonly reply: Reply
  constructor(reply: Reply) {
    super(describeReply(reply))
    this.reply = reply
  }
}

/** The sentence of a `Status` object, or the bare number. */
export function describeReply(reply: Reply): string {
  const { value, status } = reply
  const text = typeof value === 'object' && value !== null && 'message' in value
    ? String(value.message)
    : ''
  return text === '' ? `the API server answered ${status}` : `${text} (${status})`
}

/** As client-go: a dead server is noticed without waiting for minutes. */
const defaultTimeoutMs: Millis = 30_000
const keepAliveMs: Millis = 15_000
/** However long the server asks us to stay away. */
const maxRetryAfterMs: Millis = 30_000
const metadataOnly =
  'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json'

export interface ApiOptions {
  /** Most requests at one time, watches not counted. */
  readonly connections: number
  readonly userAgent: string
}

/** Connections are opened on first use and kept. */
export function openApi(access: Access, options: ApiOptions): Api {
  const pooled = new Agent({
    keepAlive: true, keepAliveMsecs: keepAliveMs, maxSockets: options.connections,
  })
  const single = new Agent({ keepAlive: true, keepAliveMsecs: keepAliveMs, maxFreeSockets: 2 })
  const optionsOf = (path: string, agent: Agent): RequestOptions => {
    const { hostname, port, pathname } = access.server
    return {
      agent, port: port === '' ? 443 : port, ...access.tls(),
      hostname: hostname.replace(/^\[|\]$/g, ''), // IPv6 addresses stand in brackets in URLs
      path: pathname.replace(/\/$/, '') + path,
      headers: { 'user-agent': options.userAgent, accept: 'application/json', ...access.headers() },
    }
  }
  return {
    call: async (call) => {
      const options = optionsOf(call.path, pooled)
      const reply = await send(options, call)
      if (reply.status !== 401) return reply
      access.refused()
      const again = optionsOf(call.path, pooled)
      // The token on disk may be another by now; nothing was done with the old one.
      const isSame = JSON.stringify(again.headers) === JSON.stringify(options.headers)
      return isSame ? reply : await send(again, call)
    },
    watch: async (call) => {
      const request = open({ ...optionsOf(call.path, single), method: 'GET' })
      request.end()
      try {
        await follow(request, call)
      } catch (error) {
        if (error instanceof Refused && error.reply.status === 401) access.refused()
        throw error
      }
    },
    [Symbol.dispose]: () => {
      pooled.destroy()
      single.destroy()
    },
  }
}

async function send(options: RequestOptions, call: Call): Promise<Reply> {
  const body = call.text ?? (call.body === undefined ? undefined : JSON.stringify(call.body))
  const request = open({
    ...options,
    method: call.method,
    headers: {
      ...options.headers,
      ...(call.wantsMetadata === true ? { accept: metadataOnly } : {}),
      ...(body === undefined ? {} : {
        'content-type': call.contentType ?? 'application/json',
        'content-length': Buffer.byteLength(body),
      }),
    },
  })
  const timeoutMs = call.timeoutMs ?? defaultTimeoutMs
  const timer = setTimeout(() => request.destroy(new Error(`no answer within ${timeoutMs} ms`)),
    timeoutMs)
  try {
    request.end(body)
    const response = await responseOf(request)
    return await readReply(response)
  } finally {
    clearTimeout(timer)
  }
}

function responseOf(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve)
    request.on('error', reject)
  })
}

async function readReply(response: IncomingMessage): Promise<Reply> {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer) // no encoding was set
  const seconds = Number(response.headers['retry-after'])
  return {
    status: response.statusCode ?? 0,
    value: parseJson(Buffer.concat(chunks).toString()),
    retryAfterMs: seconds > 0 ? Math.min(seconds * 1_000, maxRetryAfterMs) : undefined,
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Reads a watch to its end, line by line. */
async function follow(request: ClientRequest, call: WatchCall): Promise<void> {
  const abort = (): void => void request.destroy(new Error('ended'))
  if (call.signal.aborted) abort()
  call.signal.addEventListener('abort', abort)
  const silence = setTimeout(
    () => request.destroy(new Error(`silent for ${call.silenceMs} ms`)), call.silenceMs,
  )
  try {
    const response = await responseOf(request)
    if (response.statusCode !== 200) throw new Refused(await readReply(response))
    call.onEvents([])
    // Bytes, so that a character cut in two by the network is not mangled.
    let rest: Buffer = Buffer.alloc(0)
    for await (const chunk of response) {
      silence.refresh()
      const bytes = rest.length === 0 ? chunk as Buffer : Buffer.concat([rest, chunk as Buffer])
      const end = bytes.lastIndexOf(newline) + 1
      rest = bytes.subarray(end)
      if (end === 0) continue
      const lines = bytes.subarray(0, end).toString().split('\n')
      call.onEvents(lines.filter((line) => line !== '').map((line) => JSON.parse(line)))
    }
  } finally {
    clearTimeout(silence)
    call.signal.removeEventListener('abort', abort)
    request.destroy()
  }
}

const newline = 0x0a
