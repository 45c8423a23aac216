/** How long something that was received has waited in the kernel: its stamps are of the wall clock. */
import type { Millis } from '../../net/model.ts'
import { control } from './libc.ts'

/** A stamp from the future, or from long ago, is one of a clock that has been set. */
const maxAgeMs: Millis = 60_000
/** SIOCGSTAMPNS with the machine's own `struct timespec`, of 16 bytes on 64 bits. */
const requestStamp = 0x8907

/** 0 where there is no stamp, or the clock was set meanwhile. */
export function ageOf(arrivedWallMs: number | undefined, wallMs: number): Millis {
  const ageMs = wallMs - (arrivedWallMs ?? Infinity)
  return ageMs > 0 && ageMs < maxAgeMs ? ageMs : 0
}

const stamp = new Uint8Array(16)
const view = new DataView(stamp.buffer)

/**
 * Of what was read last from a socket that somebody else reads, as the runtime does. The first question
 * makes the kernel stamp what comes after it: ask once when the socket is open (socket(7)).
 */
export function lastAge(fd: number): Millis {
  if (control(fd, requestStamp, stamp) < 0) return 0
  const seconds = Number(view.getBigInt64(0, true))
  return ageOf(seconds * 1e3 + Number(view.getBigInt64(8, true)) / 1e6, Date.now())
}
