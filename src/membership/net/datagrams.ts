/** UDP sockets of one member: one a local address, all on the same port. */
import { createSocket, type Socket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import type { Bytes } from '../wire/bytes.ts'
import { describeBinding } from './endpoint.ts'

export interface DatagramOptions {
  readonly address: string
  readonly port: number
  readonly onPacket: (packet: Bytes, from: string, port: number) => void
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
  socket.on('message', (packet, from) => options.onPacket(packet, from.address, from.port))
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

function closeQuietly(socket: Socket): void {
  try {
    socket.close()
  } catch {
    // It was never open.
  }
}
