/** Unsolicited neighbour advertisements through raw-socket, on Node; the only import of it. */
import { formatAddress } from '../../net/address.ts'
import { encodeMessage, type Neighbour } from '../ndp.ts'

/** The part of raw-socket used here: it has no types of its own. */
interface RawSocket {
  setOption(level: number, option: number, value: number | Buffer, length?: number): void
  /** Queues it; `before` is called when its turn has come: where it throws, `done` gets that instead. */
  send(
    buffer: Buffer, offset: number, length: number, address: string,
    before: () => void, done: (error: Error | null) => void,
  ): void
  pauseRecv(): void
  close(): void
  on(event: 'error', listener: (error: Error) => void): void
}

interface RawSocketModule {
  createSocket(options: { protocol: number; addressFamily: number }): RawSocket
}

const protocolIcmp6 = 58
/** raw-socket's own number for IPv6. */
const familyIPv6 = 2
const levelIPv6 = 41
const levelIcmp6 = 58
/**
 * IPV6_UNICAST_HOPS and IPV6_MULTICAST_HOPS: with the kernel's 64 and 1 every receiver must drop
 * the advertisement (RFC 4861 §7.1.2).
 */
const hopOptions = [16, 18] as const
const requiredHopLimit = 255
/** IPV6_MULTICAST_IF */
const optionInterface = 17
/** ICMP6_FILTER: a set bit blocks a type; without it each echo would wake the program. */
const optionFilter = 1

export interface Icmp6 extends Disposable {
  /**
   * Sends a multicast message on the interface, one at each turn of the loop. `mayLeave` is asked when its
   * turn has come, since a fence or a hand-over may lie between; `failed` is called when it could not leave.
   */
  send(ifindex: number, packet: Neighbour, mayLeave: () => boolean, failed: (error: Error) => void): void
  /** The interface is no longer announced on. */
  forget(ifindex: number): void
}

/** undefined where raw-socket does not load: on Deno, or where it was not compiled. */
export async function openIcmp6(): Promise<Icmp6 | undefined> {
  const raw = await loadModule()
  if (raw === undefined) return undefined
  const sockets = new Map<number, RawSocket>()
  return {
    send: (ifindex, packet, mayLeave, failed) => {
      const check = (): void => {
        if (!mayLeave()) throw new Error('it is too late')
      }
      try {
        const socket = sockets.get(ifindex) ?? openOn(raw, ifindex)
        sockets.set(ifindex, socket)
        const message = Buffer.from(encodeMessage(packet))
        socket.send(message, 0, message.length, formatAddress(packet.destination), check, (error) => {
          if (error !== null) failed(error)
        })
      } catch (error) {
        failed(error instanceof Error ? error : new Error(String(error)))
      }
    },
    forget: (ifindex) => {
      sockets.get(ifindex)?.close()
      sockets.delete(ifindex)
    },
    [Symbol.dispose]: () => {
      for (const socket of sockets.values()) socket.close()
      sockets.clear()
    },
  }
}

async function loadModule(): Promise<RawSocketModule | undefined> {
  // A variable keeps type checkers and bundlers from resolving an optional package.
  const name = 'raw-socket'
  try {
    const loaded = await import(name) as { default: RawSocketModule } // CommonJS: see above
    return loaded.default
  } catch {
    return undefined
  }
}

/** Sending only: nothing is received. The kernel writes checksum and source address. */
function openOn(raw: RawSocketModule, ifindex: number): RawSocket {
  const socket = raw.createSocket({ protocol: protocolIcmp6, addressFamily: familyIPv6 })
  socket.on('error', () => undefined) // told by the callback of send
  socket.pauseRecv()
  socket.setOption(levelIcmp6, optionFilter, Buffer.alloc(32, 0xff), 32)
  for (const option of hopOptions) socket.setOption(levelIPv6, option, requiredHopLimit)
  socket.setOption(levelIPv6, optionInterface, ifindex)
  return socket
}
