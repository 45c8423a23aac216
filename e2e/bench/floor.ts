/** The least a process can do for an answer: sleep in recvfrom, send a frame that is ready. */
import { type Asker, answerOf } from './frames.ts'
import { openSocket } from './socket.ts'

/** The one argument, as JSON; prints `ready`, and answers until it is ended. */
export interface FloorTask {
  readonly target: string
  readonly mac: string
  readonly asker: Asker
}

const { target, mac, asker }: FloorTask = JSON.parse(process.argv[2] ?? '')
const { etherType, frame, filter } = answerOf(target, mac, asker)
const socket = openSocket(etherType, filter)
console.log('ready')
for (;;) if (socket.receive()) socket.send(frame)
