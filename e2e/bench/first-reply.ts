/** Asks for addresses one after the other until each is answered, and says when that was. */
import { type Asker, askFor } from './frames.ts'
import { openSocket } from './socket.ts'

/** The one argument, as JSON; prints `ready`, then a line for each address. */
export interface FirstReplyTask {
  readonly asker: Asker
  readonly addresses: readonly string[]
}

export interface FirstReply {
  readonly address: string
  /** Wall time in ms, with fractions. */
  readonly atMs: number
}

const everyMs = 1
const pause = new Int32Array(new SharedArrayBuffer(4))

const { asker, addresses }: FirstReplyTask = JSON.parse(process.argv[2] ?? '')
const questions = addresses.map((address) => askFor(address, asker))
const [first] = questions
if (first !== undefined) {
  const socket = openSocket(first.etherType, first.filter, true)
  console.log('ready')
  questions.forEach(({ frame, offset, target }, i) => {
    const isAnswered = (): boolean => {
      while (socket.receiveNow()) {
        if (target.every((byte, n) => socket.buffer[offset + n] === byte)) return true
      }
      return false
    }
    while (!isAnswered()) {
      socket.send(frame)
      Atomics.wait(pause, 0, 0, everyMs)
    }
    const reply: FirstReply = {
      address: addresses[i] ?? '', atMs: performance.timeOrigin + performance.now(),
    }
    console.log(JSON.stringify(reply))
  })
}
