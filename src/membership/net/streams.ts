/** TCP connections of one member: a listener, and streams by number. */
import { connect, createServer, type Socket } from 'node:net'
import type { ShellDrop } from '../model.ts'
import type { Bytes } from '../wire/bytes.ts'
import { createUnframer, sealFrame, type StreamRules } from './frames.ts'

export interface StreamEvents {
  accepted(stream: number, from: string, port: number): void
  opened(stream: number): void
  /** Decrypted content. */
  bytes(stream: number, bytes: Bytes): void
  closed(stream: number): void
  failed(stream: number): void
  drop(reason: ShellDrop): void
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

/** A connection that lingers longer after its close is cut. */
const lingerMs = 10_000

/** Listens; rejects where the port is taken. */
export async function openStreams(options: StreamOptions): Promise<Streams> {
  const { address, port, on } = options
  const sockets = new Map<number, Socket>()
  let accepted = -1
  let heldBytes = 0
  const watch = (stream: number, socket: Socket): void => {
    sockets.set(stream, socket)
    const unframer = createUnframer(options)
    let own = 0
    const hold = (bytes: number): void => {
      heldBytes += bytes - own
      own = bytes
    }
    const cut = (reason: ShellDrop): void => {
      on.drop(reason)
      socket.destroy()
    }
    socket.setNoDelay(true)
    socket.on('data', (bytes) => {
      if (!sockets.has(stream)) return
      const content = unframer.push(bytes)
      hold(unframer.heldBytes())
      if (heldBytes > maxHeldBytes) cut('overload')
      else if (typeof content === 'string') cut(content)
      else if (content !== undefined) on.bytes(stream, content)
    })
    let hasFailed = false
    socket.on('error', () => (hasFailed = true))
    socket.on('end', () => on.closed(stream))
    socket.on('close', () => {
      hold(0)
      const isOurs = sockets.delete(stream)
      if (isOurs) (hasFailed ? on.failed : on.closed)(stream)
    })
  }
  const server = createServer((socket) => {
    accepted += 2
    const stream = accepted
    watch(stream, socket)
    on.accepted(stream, socket.remoteAddress ?? '', socket.remotePort ?? 0)
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
    throw new Error(`Cannot listen on TCP ${address} port ${port}`, { cause })
  })
  server.on('error', () => on.drop('streamFailed'))
  const seal = (content: Bytes): Bytes =>
    options.isSealed && options.cipher !== undefined ? sealFrame(options.cipher, content) : content
  return {
    open: (stream, to, toPort) => {
      // From the address that the ring knows: others compare it.
      const socket = connect({ host: to, port: toPort, localAddress: address })
      watch(stream, socket)
      socket.once('connect', () => on.opened(stream))
    },
    send: (stream, content) => void sockets.get(stream)?.write(seal(content)),
    close: (stream) => {
      const socket = sockets.get(stream)
      if (socket === undefined) return
      sockets.delete(stream)
      if (socket.connecting) return void socket.destroy()
      socket.end()
      socket.setTimeout(lingerMs, () => socket.destroy())
    },
    end: () => {
      for (const socket of sockets.values()) socket.destroy()
      sockets.clear()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}
