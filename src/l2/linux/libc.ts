/** System calls through koffi, on Node and Deno alike; the only import of koffi. */
import koffi from 'koffi'

// Foreign functions have no types: each `as` below states the C signature beside it.
const lib = koffi.load('libc.so.6')

type Call<A extends readonly unknown[], R> = ((...args: A) => R) & {
  async: (...args: [...A, (error: unknown, result: R) => void]) => void
}

const call = <A extends readonly unknown[], R>(signature: string): Call<A, R> =>
  lib.func(signature) as unknown as Call<A, R> // the caller gives the signature's types

const cSocket = call<[number, number, number], number>('int socket(int, int, int)')
const cBind = call<[number, Uint8Array, number], number>('int bind(int, void *, uint32_t)')
const cSetsockopt = call<[number, number, number, Uint8Array, number], number>(
  'int setsockopt(int, int, int, void *, uint32_t)',
)
const cRecvfrom = call<[number, Uint8Array, number, number, Uint8Array, Uint8Array], number>(
  'int64_t recvfrom(int, void *, uint64_t, int, void *, void *)',
)
const cRecvmmsg = call<[number, Uint8Array, number, number, null], number>(
  'int recvmmsg(int, void *, uint32_t, int, void *)',
)
const cSend = call<[number, Uint8Array, number, number], number>(
  'int64_t send(int, void *, uint64_t, int)',
)
const cSendto = call<[number, Uint8Array, number, number, Uint8Array, number], number>(
  'int64_t sendto(int, void *, uint64_t, int, void *, uint32_t)',
)
const cClose = call<[number], number>('int close(int)')
const cPoll = call<[Uint8Array, number, number], number>('int poll(void *, uint64_t, int)')
const cEventfd = call<[number, number], number>('int eventfd(uint32_t, int)')
const cRead = call<[number, Uint8Array, number], number>('int64_t read(int, void *, uint64_t)')
const cWrite = call<[number, Uint8Array, number], number>('int64_t write(int, void *, uint64_t)')
const cOpen = call<[string, number, number], number>('int open(const char *, int, uint32_t)')
const cFlock = call<[number, number], number>('int flock(int, int)')
const cClockGettime = call<[number, Uint8Array], number>('int clock_gettime(int, void *)')
const cMallocTrim = call<[number], number>('int malloc_trim(size_t)')
const cIoctl = call<[number, number, Uint8Array], number>('int ioctl(int, unsigned long, void *)')
const cStrerror = call<[number], string>('const char *strerror(int)')

const codes: Readonly<Record<string, number>> = koffi.os.errno

/** Error numbers that callers tell apart (Linux, all architectures Node runs on). */
export const errnos = {
  again: codes['EAGAIN'] ?? 11,
  notPermitted: codes['EPERM'] ?? 1,
  interrupted: codes['EINTR'] ?? 4,
  noMemory: codes['ENOMEM'] ?? 12,
  noBuffers: codes['ENOBUFS'] ?? 105,
  netDown: codes['ENETDOWN'] ?? 100,
} as const

/** MSG_DONTWAIT */
export const flagDontWait = 0x40
/** MSG_TRUNC: report the real length of what did not fit. */
const flagTrunc = 0x20
/** SOCK_CLOEXEC: no child of ours inherits a socket. */
const closeOnExec = 0o2000000

/** What the system says about an error number: `Operation not permitted`. */
export function describeErrno(errno: number): string {
  return cStrerror(errno)
}

/** A file descriptor, or the negated error number. */
export function openSocket(family: number, type: number, protocol: number): number {
  return orErrno(cSocket(family, type | closeOnExec, protocol))
}

/** 0, or the negated error number. */
export function bindSocket(fd: number, address: Uint8Array): number {
  return orErrno(cBind(fd, address, address.length))
}

/** 0, or the negated error number. */
export function setOption(fd: number, level: number, name: number, value: Uint8Array): number {
  return orErrno(cSetsockopt(fd, level, name, value, value.length))
}

const fromLength = new Uint8Array(4)

/**
 * Bytes received into `into`, or the negated error number. `from` is filled with the sender's address.
 */
export function receive(fd: number, into: Uint8Array, flags: number, from: Uint8Array): number {
  new DataView(fromLength.buffer).setUint32(0, from.length, true)
  return orErrno(cRecvfrom(fd, into, into.length, flags, from, fromLength))
}

/**
 * Fills an array of `count` `struct mmsghdr` with what has arrived: the number of datagrams, or the
 * negated error number. Does not wait; lengths may exceed the buffers.
 */
export function receiveMany(fd: number, headers: Uint8Array, count: number): number {
  return orErrno(cRecvmmsg(fd, headers, count, flagDontWait | flagTrunc, null))
}

/** 0, or the negated error number; `value` is read or filled as the request says. */
export function control(fd: number, request: number, value: Uint8Array): number {
  return orErrno(cIoctl(fd, request, value))
}

/** Bytes sent on a bound socket, or the negated error number. */
export function send(fd: number, bytes: Uint8Array): number {
  return orErrno(cSend(fd, bytes, bytes.length, 0))
}

/** Bytes sent to an address, or the negated error number. */
export function sendTo(fd: number, bytes: Uint8Array, to: Uint8Array): number {
  return orErrno(cSendto(fd, bytes, bytes.length, 0, to, to.length))
}

const clockBoottime = 7
const time = new Uint8Array(16)
const timeView = new DataView(time.buffer)

/** Milliseconds since the machine started, with fractions, suspended time included (CLOCK_BOOTTIME). */
export function bootMs(): number {
  cClockGettime(clockBoottime, time)
  // Each fits 32 bits: a machine is up for less than 136 years.
  return timeView.getUint32(0, true) * 1e3 + timeView.getUint32(8, true) / 1e6
}

/**
 * Takes the lock of a file, making the file if needed: the descriptor to keep open, or the negated
 * error number, `errnos.again` when another process has the lock. It ends with its process.
 */
export function lockFile(path: string): number {
  const fd = orErrno(cOpen(path, 0o2000102, 0o600)) // O_RDWR | O_CREAT | O_CLOEXEC
  if (fd < 0) return fd
  const locked = orErrno(cFlock(fd, 2 | 4)) // LOCK_EX | LOCK_NB
  if (locked >= 0) return fd
  cClose(fd)
  return locked
}

export function closeFd(fd: number): void {
  cClose(fd)
}

/** A counter that makes `poll` return; see `signalEvent`. */
export function openEvent(): number {
  return orErrno(cEventfd(0, 0o2000000 | 0o4000)) // EFD_CLOEXEC | EFD_NONBLOCK
}

const one = new Uint8Array(new BigUint64Array([1n]).buffer)
const scratch = new Uint8Array(8)

export function signalEvent(fd: number): void {
  cWrite(fd, one, one.length)
}

export function drainEvent(fd: number): void {
  cRead(fd, scratch, scratch.length)
}

/**
 * Waits on a thread of the runtime's pool until one of the `pollfd` structures in `fds` is ready.
 * Resolves with their number, or the negated error number. The array must not be touched meanwhile.
 */
export function pollAsync(fds: Uint8Array, count: number, timeoutMs: number): Promise<number> {
  return new Promise((resolve, reject) => {
    cPoll.async(fds, count, timeoutMs, (error, result) => {
      if (error === null || error === undefined) resolve(orErrno(result))
      else reject(error instanceof Error ? error : new Error(String(error)))
    })
  })
}

/** Where the runtime's own event loop watches descriptors: on Node, not on Deno. */
export const canWatch = !('Deno' in globalThis)

/**
 * Calls `onReadable` on the main thread, from the event loop itself, whenever the descriptor has
 * something to read or an error. To be disposed before the descriptor is closed. The caller keeps
 * it: a collected one is silent.
 */
export function watchReadable(fd: number, onReadable: () => void): Disposable {
  // koffi passes libuv's status first, its types do not say so.
  const onEvent = ((status: number) => {
    onReadable()
    // libuv stops watching when it sees an error, as that of an interface going down.
    if (status < 0 && !isDisposed) watch.start(onEvent)
  }) as unknown as () => void
  let isDisposed = false
  const watch = koffi.node.poll(fd, onEvent)
  return {
    [Symbol.dispose]: () => {
      isDisposed = true
      watch.close()
    },
  }
}

/** The address of a buffer, for structures that point to one. The buffer must be kept alive. */
export function addressOf(buffer: Uint8Array): bigint {
  return BigInt(koffi.address(buffer))
}

/**
 * Gives free pages inside malloc's heap back to the kernel: they stay where anything above them is in
 * use, and a burst of writes leaves tens of MiB of them. Takes some ms after one, else a fraction.
 */
export function releaseMemory(): void {
  cMallocTrim(0)
}

function orErrno(result: number): number {
  return result >= 0 ? Number(result) : -koffi.errno()
}
