/** One process a state folder: two would write over each other's ledger. */
import { join } from 'node:path'
import { closeFd, describeErrno, errnos, lockFile } from '../l2/linux/libc.ts'

/** Holds the folder until disposed or until the process ends, however it ends. Throws if it is held. */
export function lockState(folder: string): Disposable {
  const fd = lockFile(join(folder, 'lock'))
  if (fd >= 0) return { [Symbol.dispose]: () => closeFd(fd) }
  const why = fd === -errnos.again
    ? 'another arpeggio uses it'
    : describeErrno(-fd)
  throw new Error(`Cannot use the state folder "${folder}": ${why}; see --state-dir`)
}
