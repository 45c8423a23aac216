/** Waits for many file descriptors at once, without polling and without blocking the main thread. */
import {
  canWatch, closeFd, describeErrno, drainEvent, errnos, openEvent, pollAsync, signalEvent,
  watchReadable,
} from './libc.ts'

const pollfdBytes = 8
const pollIn = 1

export interface Poller extends AsyncDisposable {
  /** Calls `onReadable` whenever the descriptor has something to read or an error. */
  add(fd: number, onReadable: () => void): void
  /** After this returns, `onReadable` is not called again; the caller closes the descriptor. */
  remove(fd: number): void
}

/** `onFailure` gets what waiting or a reader threw. */
export function openPoller(onFailure: (error: Error) => void): Poller {
  return canWatch ? openLoopPoller(onFailure) : openThreadPoller(onFailure)
}

/** The event loop watches: no other thread has to wake first, a third of an answer's time. */
function openLoopPoller(onFailure: (error: Error) => void): Poller {
  const watches = new Map<number, Disposable>()
  const remove = (fd: number): void => {
    watches.get(fd)?.[Symbol.dispose]()
    watches.delete(fd)
  }
  return {
    add: (fd, onReadable) => {
      watches.set(fd, watchReadable(fd, () => {
        try {
          onReadable()
        } catch (error) {
          const failure = error instanceof Error ? error : new Error(String(error))
          setImmediate(onFailure, failure) // nobody above could catch it
        }
        // Called past the runtime's queues: promises settled meanwhile would wait for a timer.
        setImmediate(() => undefined)
      }))
    },
    remove,
    [Symbol.asyncDispose]: async () => {
      for (const fd of [...watches.keys()]) remove(fd)
    },
  }
}

/**
 * One waiting thread of the runtime's pool, woken by an eventfd whenever the set changes and when
 * the process exits: a thread left in poll(2) would hang the exit.
 */
function openThreadPoller(onFailure: (error: Error) => void): Poller {
  const wakeFd = openEvent()
  if (wakeFd < 0) throw new Error(`Cannot open eventfd: ${describeErrno(-wakeFd)}`)
  const readers = new Map<number, () => void>()
  let isClosing = false
  const wake = (): void => signalEvent(wakeFd)
  process.on('exit', wake)

  const loop = async (): Promise<void> => {
    while (!isClosing) {
      const fds = [wakeFd, ...readers.keys()]
      const structures = encodePollSet(fds)
      const ready = await pollAsync(structures, fds.length, -1)
      if (ready < 0 && -ready !== errnos.interrupted) {
        throw new Error(`Cannot wait for sockets: ${describeErrno(-ready)}`)
      }
      drainEvent(wakeFd)
      for (const fd of readyFds(structures)) readers.get(fd)?.()
    }
  }
  const running = loop().catch((error: unknown) =>
    onFailure(error instanceof Error ? error : new Error(String(error)))
  )
  return {
    add: (fd, onReadable) => {
      readers.set(fd, onReadable)
      wake()
    },
    remove: (fd) => {
      readers.delete(fd)
      wake()
    },
    [Symbol.asyncDispose]: async () => {
      isClosing = true
      wake()
      await running
      process.off('exit', wake)
      closeFd(wakeFd)
    },
  }
}

/** An array of `struct pollfd { int fd; short events; short revents; }`. */
function encodePollSet(fds: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(fds.length * pollfdBytes)
  const view = new DataView(bytes.buffer)
  fds.forEach((fd, i) => {
    view.setInt32(i * pollfdBytes, fd, true)
    view.setInt16(i * pollfdBytes + 4, pollIn, true)
  })
  return bytes
}

function readyFds(structures: Uint8Array): readonly number[] {
  const view = new DataView(structures.buffer)
  const ready: number[] = []
  for (let at = 0; at < structures.length; at += pollfdBytes) {
    if (view.getInt16(at + 6, true) !== 0) ready.push(view.getInt32(at, true))
  }
  return ready
}
