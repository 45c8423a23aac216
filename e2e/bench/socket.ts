/** A packet socket on the measuring side: blocking, filtered, of one process with one thread. */
import { readFileSync } from 'node:fs'
import { type Instruction, loadEncodeFilter, loadLibc } from './source.ts'

const libc = loadLibc()
const encodeFilter = loadEncodeFilter()
const link = 'eth0'
const familyPacket = 17
const socketRaw = 3
const levelSocket = 1
const optionReceiveTimeout = 20
const optionAttachFilter = 26
const optionReceiveBufferForce = 33
/** Receiving blocks no longer than this. */
const timeoutSeconds = 1n
const receiveBufferBytes = 64 << 20

export interface Socket {
  /** What was received last, cut at its size. */
  readonly buffer: Uint8Array
  send(frame: Uint8Array): void
  /** Blocks until a frame has come; false when none came in a second. */
  receive(): boolean
  /** The same without waiting. */
  receiveNow(): boolean
}

/**
 * Opens a socket on eth0 for frames of one type that pass the filter. `isDeep` asks for a queue
 * that holds all answers to a flood.
 */
export function openSocket(
  etherType: number, filter: readonly Instruction[], isDeep = false,
): Socket {
  const ifindex = Number(readFileSync(`/sys/class/net/${link}/ifindex`, 'utf8'))
  const fd = checked(libc.openSocket(familyPacket, socketRaw, 0), 'open a packet socket')
  const { option, program } = encodeFilter(filter)
  checked(libc.setOption(fd, levelSocket, optionAttachFilter, option), 'attach the filter')
  const timeout = new Uint8Array(new BigInt64Array([timeoutSeconds, 0n]).buffer)
  checked(libc.setOption(fd, levelSocket, optionReceiveTimeout, timeout), 'set the timeout')
  const room = new Uint8Array(new Uint32Array([receiveBufferBytes]).buffer)
  if (isDeep) libc.setOption(fd, levelSocket, optionReceiveBufferForce, room) // as root only
  const address = new Uint8Array(20)
  const view = new DataView(address.buffer)
  view.setUint16(0, familyPacket, true)
  view.setUint16(2, etherType)
  view.setInt32(4, ifindex, true)
  checked(libc.bindSocket(fd, address), `bind to "${link}"`)
  if (program.length === 0) throw new Error('Cannot filter: the program is empty')
  const buffer = new Uint8Array(256)
  const from = new Uint8Array(20)
  return {
    buffer,
    send: (frame) => void checked(libc.send(fd, frame), 'send'),
    receive: () => libc.receive(fd, buffer, 0, from) > 0,
    receiveNow: () => libc.receive(fd, buffer, libc.flagDontWait, from) > 0,
  }
}

function checked(result: number, what: string): number {
  if (result < 0) throw new Error(`Cannot ${what}: error ${-result}`)
  return result
}
