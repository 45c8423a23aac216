/** Opens a TCP connection every 10 ms and tells how each went; run on a host of the lab. */
import { connect } from 'node:net'

/** A connection that is not open by then has failed: it would only be the kernel's next try. */
const patienceMs = 200
const everyMs = 10

const [host = '', port = ''] = process.argv.slice(2)

/** One line a connection: when it was begun on the wall clock in ms, and whether it was opened. */
function dial(): void {
  const begunMs = Date.now()
  const socket = connect({ host, port: Number(port) })
  const end = (isGood: boolean): void => {
    if (socket.destroyed) return
    socket.destroy()
    console.log(`${begunMs} ${isGood ? 'good' : 'failed'}`)
  }
  socket.setTimeout(patienceMs, () => end(false))
  socket.on('connect', () => end(true))
  socket.on('error', () => end(false))
}

const timer = setInterval(dial, everyMs)
process.on('SIGTERM', () => {
  clearInterval(timer)
  setTimeout(() => process.exit(0), patienceMs + everyMs)
})
