/** Opens a new TCP connection every few milliseconds, and prints each: when, and how long it took. */
import { connect } from 'node:net'

/**
 * Arguments: addresses with commas between them, port, ms between two connections; each goes to the
 * next address. A line is `OPENED TOOK`, in ms; of a failure `OPENED -1 WHY`.
 */
const [addresses = '', port = '', everyMs = ''] = process.argv.slice(2)
const hosts = addresses.split(',')
let turn = 0

/** Before the kernel repeats the first packet, after a second: repeats would hide what was lost. */
const patienceMs = 900

function open(): void {
  const opened = performance.timeOrigin + performance.now()
  const begun = performance.now()
  const host = hosts[turn++ % hosts.length] ?? ''
  const socket = connect({ host, port: Number(port) })
  let isTold = false
  const tell = (took: number, why = ''): void => {
    if (!isTold) console.log(`${opened.toFixed(1)} ${took.toFixed(1)} ${why}`.trimEnd())
    isTold = true
    clearTimeout(timer)
    // Without waiting states: there are a hundred a second.
    socket.resetAndDestroy()
  }
  // Late by itself, this program first takes what has come meanwhile.
  const timer = setTimeout(() => setImmediate(tell, -1, 'unanswered'), patienceMs)
  socket.on('connect', () => tell(performance.now() - begun))
  socket.on('error', (error: NodeJS.ErrnoException) => tell(-1, error.code))
}

setInterval(open, Number(everyMs))
console.log('ready')
