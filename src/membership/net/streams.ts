/** TCP connections of one member: a listener, and streams by number. */
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { ShellDrop } from '../model.ts'
import type { Bytes } from '../wire/bytes.ts'
import { encodeStream } from '../wire/stream.ts'
import { describeBinding } from './endpoint.ts'
import { createUnframer, sealFrame, type StreamRules } from './frames.ts'

export interface StreamEvents {
  accepted(stream: number, from: string, port: number): void
  opened(stream: number): void
  /** Decrypted content. */
  bytes(stream: number, bytes: Bytes): void
  closed(stream: number): void
  failed(stream: number): void
  /** `from`: whose stream it was; undefined = of none. */
  drop(reason: ShellDrop, from?: string): void
}

export interface StreamOptions extends StreamRules {
  readonly address: string
  readonly port: number
  /** Content that we send is encrypted. */
  readonly isSealed: boolean
  readonly on: StreamEvents
}

export interface Streams {
  open(stream: number, to: string, port: number): void
  send(stream: number, content: Bytes): void
  /** What was sent is still delivered. */
  close(stream: number): void
  end(): Promise<void>
}

/** Connections that the kernel hands to us at a time, and what they may hold back together. */
const maxConnections = 128
const maxHeldBytes = 32 * 1_024 * 1_024

/** A connection that lingers longer after its close is cut; one that was refused, whatever it still sends. */
const lingerMs = 10_000
const refusedMs = 1_000

/** Mutable, owned by one listener. */
interface Open {
  readonly options: StreamOptions
  readonly sockets: Map<number, Socket>
  /** Closed ones too, until they are gone. */
  readonly all: Set<Socket>
  heldBytes: number
}

/** Listens; rejects where the port is taken. */
export async function openStreams(options: StreamOptions): Promise<Streams> {
  const { address, on } = options
  const open: Open = { options, sockets: new Map(), all: new Set(), heldBytes: 0 }
  const { sockets } = open
  const server = await listen(open)
  return {
    open: (stream, to, port) => {
      // From the address that the ring knows: others compare it.
      const socket = connect({ host: to, port, localAddress: address })
      watch(open, stream, { socket, from: to, isAccepted: false })
      socket.once('connect', () => on.opened(stream))
    },
    send: (stream, content) => void sockets.get(stream)?.write(seal(options, content)),
    close: (stream) => {
      const socket = sockets.get(stream)
      if (socket === undefined) return
      sockets.delete(stream)
      if (socket.connecting) return void socket.destroy()
      socket.end()
      socket.setTimeout(lingerMs, () => socket.destroy())
    },
    end: () => {
      sockets.clear()
      for (const socket of open.all) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

function seal({ cipher, isSealed }: StreamOptions, content: Bytes): Bytes {
  return isSealed && cipher !== undefined ? sealFrame(cipher, content) : content
}

async function listen(open: Open): Promise<Server> {
  const { address, port, on } = open.options
  let accepted = -1
  const server = createServer((socket) => {
    accepted += 2
    const stream = accepted
    const from = socket.remoteAddress ?? ''
    watch(open, stream, { socket, from, isAccepted: true })
    on.accepted(stream, from, socket.remotePort ?? 0)
  })
  server.maxConnections = maxConnections
  server.on('drop', () => on.drop('overload'))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: address, port, exclusive: true }, () => {
      server.off('error', reject)
      resolve()
    })
  }).catch((cause: unknown) => {
    const why = describeBinding(cause)
    throw new Error(`Cannot listen on TCP ${address} port ${port}: ${why}`, { cause })
  })
  server.on('error', () => on.drop('streamFailed'))
  return server
}

interface Connection {
  readonly socket: Socket
  /** The address of the other side. */
  readonly from: string
  readonly isAccepted: boolean
}

/**
 * Whoever has another secret must hear so, or it would know of nothing but a stream that ends: the library
 * answers with an error too, sealed as all that it sends, which proves nothing but that.
 */
function refuse({ options }: Open, socket: Socket, reason: ShellDrop): void {
  socket.end(seal(options, encodeStream({ kind: 'error', text: reason }, false)))
  const timer = setTimeout(() => socket.destroy(), refusedMs)
  socket.once('close', () => clearTimeout(timer))
}

/** Follows one connection until it is closed by either side. */
function watch(open: Open, stream: number, { socket, from, isAccepted }: Connection): void {
  const { options: { on }, sockets } = open
  sockets.set(stream, socket)
  open.all.add(socket)
  const unframer = createUnframer(open.options)
  let ownBytes = 0
  const hold = (bytes: number): void => {
    open.heldBytes += bytes - ownBytes
    ownBytes = bytes
  }
  let isCut = false
  const cut = (reason: ShellDrop): void => {
    on.drop(reason, from)
    isCut = true
    hold(0)
    const isSecret = reason === 'undecryptable' || reason === 'unencrypted'
    if (isAccepted && isSecret) refuse(open, socket, reason)
    else socket.destroy()
  }
  socket.setNoDelay(true)
  socket.on('data', (bytes) => {
    if (isCut || !sockets.has(stream)) return
    const content = unframer.push(bytes)
    hold(unframer.heldBytes())
    if (open.heldBytes > maxHeldBytes) cut('overload')
    else if (typeof content === 'string') cut(content)
    else if (content !== undefined) on.bytes(stream, content)
  })
  let hasFailed = false
  socket.on('error', () => (hasFailed = true))
  socket.on('end', () => on.closed(stream))
  socket.on('close', () => {
    hold(0)
    open.all.delete(socket)
    if (!sockets.delete(stream)) return
    if (hasFailed) on.failed(stream)
    else on.closed(stream)
  })
}
