/** Asks for addresses one after the other until each is answered: when that was, and when first announced. */
import { type Asker, anyArp, askFor } from './frames.ts'
import { openSocket, type Socket } from './socket.ts'
import { wallMs } from './wall.ts'

/** The one argument, as JSON; prints `ready`, then a line for each address. */
export interface FirstReplyTask {
  readonly asker: Asker
  readonly addresses: readonly string[]
}

export interface FirstReply {
  readonly address: string
  /** Wall time in ms, with fractions. */
  readonly atMs: number
  /** Of the first frame that says who has the address, asked for or not. */
  readonly announcedAtMs: number
}

const everyMs = 1
const pause = new Int32Array(new SharedArrayBuffer(4))

const { asker, addresses }: FirstReplyTask = JSON.parse(process.argv[2] ?? '')
const questions = addresses.map((address) => askFor(address, asker))
const [first] = questions
if (first !== undefined) {
  const replies = openSocket(first.etherType, first.filter, true)
  const all = openSocket(first.etherType, anyArp, true)
  console.log('ready')
  questions.forEach(({ frame, offset, target }, i) => {
    const names = (socket: Socket): boolean => {
      while (socket.receiveNow()) {
        if (target.every((byte, n) => socket.buffer[offset + n] === byte)) return true
      }
      return false
    }
    let announcedAtMs: number | undefined
    while (true) {
      if (announcedAtMs === undefined && names(all)) announcedAtMs = wallMs()
      if (names(replies)) break
      replies.send(frame)
      Atomics.wait(pause, 0, 0, everyMs)
    }
    const atMs = wallMs()
    const reply: FirstReply = { address: addresses[i] ?? '', atMs, announcedAtMs: announcedAtMs ?? atMs }
    console.log(JSON.stringify(reply))
  })
}
