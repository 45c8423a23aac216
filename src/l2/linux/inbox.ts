/** Many datagrams in one call, each with the time at which the kernel took it in (recvmmsg(2)). */
import { addressOf, receiveMany } from './libc.ts'

/** `struct mmsghdr`, `struct iovec`, and `struct cmsghdr` with a `struct timespec`, on 64 bits. */
const headerBytes = 64
const vectorBytes = 16
const controlBytes = 32
/** Offsets in `struct mmsghdr`: of pointers and lengths in its `struct msghdr`, and of its own length. */
const vectorAt = 16
const vectorCountAt = 24
const controlAt = 32
const controlLengthAt = 40
const lengthAt = 56
/** Offsets in `struct cmsghdr`. */
const typeAt = 12
const secondsAt = 16
const nanosecondsAt = 24

/** SO_TIMESTAMPNS: what it is asked for with is the type of what comes (socket(7)). */
export const optionTimestamp = 35

/** Buffers for the datagrams of one call; the next call overwrites them. */
export interface Inbox {
  /**
   * Reads what has arrived, and does not wait. How many there were, or the negated error number; fewer
   * than there is room for where the socket is empty now.
   */
  receive(fd: number): number
  /** A copy of the i-th: of a longer one, as much as there is room for. */
  datagram(i: number): Uint8Array
  /** Wall time of its arrival in ms, with fractions; undefined where the socket was not asked for it. */
  arrivedWallMs(i: number): number | undefined
}

/** Room for `count` datagrams of at most `bytes` each. */
export function createInbox(count: number, bytes: number): Inbox {
  // One block: its parts point to each other.
  const vectorsAt = count * headerBytes
  const controlsAt = vectorsAt + count * vectorBytes
  const bytesAt = controlsAt + count * controlBytes
  const block = new Uint8Array(bytesAt + count * bytes)
  const view = new DataView(block.buffer)
  const start = addressOf(block)
  const point = (at: number, to: number): void => view.setBigUint64(at, start + BigInt(to), true)
  for (let i = 0; i < count; i++) {
    point(i * headerBytes + vectorAt, vectorsAt + i * vectorBytes)
    view.setUint32(i * headerBytes + vectorCountAt, 1, true)
    point(i * headerBytes + controlAt, controlsAt + i * controlBytes)
    view.setUint32(i * headerBytes + controlLengthAt, controlBytes, true)
    point(vectorsAt + i * vectorBytes, bytesAt + i * bytes)
    view.setUint32(vectorsAt + i * vectorBytes + 8, bytes, true)
  }
  let received = 0
  return {
    receive: (fd) => {
      // The kernel has written how much of each it used.
      for (let i = 0; i < received; i++) {
        view.setUint32(i * headerBytes + controlLengthAt, controlBytes, true)
      }
      const result = receiveMany(fd, block, count)
      received = Math.max(0, result)
      return result
    },
    datagram: (i) => {
      const at = bytesAt + i * bytes
      return block.slice(at, at + Math.min(bytes, view.getUint32(i * headerBytes + lengthAt, true)))
    },
    arrivedWallMs: (i) => {
      const at = controlsAt + i * controlBytes
      const hasStamp = view.getUint32(i * headerBytes + controlLengthAt, true) === controlBytes &&
        view.getUint32(at + typeAt, true) === optionTimestamp
      if (!hasStamp) return undefined
      return readUint64(view, at + secondsAt) * 1e3 + readUint64(view, at + nanosecondsAt) / 1e6
    },
  }
}

/** As `getBigUint64`, below 2^53. */
function readUint64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32
}
