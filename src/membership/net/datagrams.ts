/** UDP sockets of one member: one a local address, all on the same port. */
import { createSocket, type Socket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import type { Millis } from '../../net/model.ts'
import type { Bytes } from '../wire/bytes.ts'
import { describeBinding } from './endpoint.ts'

export interface DatagramOptions {
  readonly address: string
  readonly port: number
  readonly onPacket: (packet: Bytes, from: string, port: number, ageMs: Millis) => void
  /** How long what was read last from that descriptor has waited in the kernel; undefined = nobody knows. */
  readonly ageOf: ((fd: number) => Millis) | undefined
  /** The kernel refused to send there. */
  readonly onSendFailure: (to: string, port: number) => void
  /** The socket itself broke. */
  readonly onError: (error: Error) => void
}

export interface Datagrams {
  readonly port: number
  send(packet: Bytes, to: string, port: number): void
  close(): Promise<void>
}

/** What the kernel should hold for us while we are busy; it may give less. */
const receiveBufferBytes = 2 * 1_024 * 1_024

/** Opens a socket; rejects where the address is not ours or the port is taken. */
export async function openDatagrams(options: DatagramOptions): Promise<Datagrams> {
  const { address, port } = options
  const socket = createSocket({
    type: isIPv6(address.replace(/%.*$/, '')) ? 'udp6' : 'udp4',
    // Only numeric addresses are sent to: nothing to look up, and nothing to wait for.
    lookup: (host, _, found) => found(null, host, isIPv6(host) ? 6 : 4),
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.bind({ address, port, exclusive: true }, () => {
      socket.off('error', reject)
      resolve()
    })
  }).catch((cause: unknown) => {
    closeQuietly(socket)
    throw new Error(`Cannot bind UDP ${address} port ${port}: ${describeBinding(cause)}`, { cause })
  })
  try {
    socket.setRecvBufferSize(receiveBufferBytes)
  } catch {
    // The kernel's own size serves too.
  }
  const fd = descriptorOf(socket)
  const age = (): Millis => fd === undefined ? 0 : options.ageOf?.(fd) ?? 0
  // From the first question on the kernel keeps the time.
  age()
  socket.on('message', (packet, from) => options.onPacket(packet, from.address, from.port, age()))
  socket.on('error', options.onError)
  let isOpen = true
  return {
    port: socket.address().port,
    send: (packet, to, toPort) => {
      if (!isOpen) return
      socket.send(packet, toPort, to, (error) => {
        if (error !== null && error !== undefined) options.onSendFailure(to, toPort)
      })
    },
    close: () => {
      isOpen = false
      return new Promise((resolve) => socket.close(resolve))
    },
  }
}

/**
 * Node.js has it and does not give it away, but under a symbol of its own; Deno has none. Undefined
 * where that is different one day: then nothing is known of ages, as before.
 */
function descriptorOf(socket: Socket): number | undefined {
  for (const symbol of Object.getOwnPropertySymbols(socket)) {
    const inner: unknown = Object.getOwnPropertyDescriptor(socket, symbol)?.value
    if (!isObject(inner) || !('handle' in inner) || !isObject(inner.handle)) continue
    if ('fd' in inner.handle && typeof inner.handle.fd === 'number' && inner.handle.fd >= 0) {
      return inner.handle.fd
    }
  }
  return undefined
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function closeQuietly(socket: Socket): void {
  try {
    socket.close()
  } catch {
    // It was never open.
  }
}
