/** The asking side of the wire: one process and one thread that asks, waits and keeps time. */
import { type Asker, askFor, type Question } from './frames.ts'
import { openSocket, type Socket } from './socket.ts'

/** The one argument, as JSON. */
export type Task =
  | {
    /** Asks the targets in turns of `block`, `count` times each, sleeping `pauseMs` in between. */
    readonly kind: 'trips'; readonly asker: Asker; readonly targets: readonly string[]
    readonly count: number; readonly block: number
    /** Questions to each target before the first that counts. */
    readonly warm: number
    /** 0 = the next question leaves with the answer, and finds the answerer awake. */
    readonly pauseMs: number
  }
  | {
    /** Asks at a fixed rate, whatever comes back. */
    readonly kind: 'flood'; readonly asker: Asker; readonly target: string
    readonly perSecond: number; readonly ms: number
  }

/** What is printed for `trips`, one a target: round trips in µs, in their order. */
export interface Trips {
  readonly us: readonly number[]
  readonly lost: number
}

/** What is printed for `flood`. */
export interface Flood {
  readonly sent: number
  readonly answered: number
  /** Time it took to send. */
  readonly ms: number
}

/** A target that leaves more questions open is not there. */
const maxLost = 10
/** Answers still on their way when a flood ends. */
const drainMs = 150
/** Questions sent before answers are read again. */
const batch = 8

const pause = new Int32Array(new SharedArrayBuffer(4))

/** Whether the frame received last answers the question. */
function isAnswer({ buffer }: Socket, { offset, target }: Question): boolean {
  for (let i = 0; i < target.length; i += 1) if (buffer[offset + i] !== target[i]) return false
  return true
}

/** Microseconds until the answer; undefined when there was none within a second. */
function ask(socket: Socket, question: Question): number | undefined {
  const begun = performance.now()
  socket.send(question.frame)
  while (socket.receive()) {
    const ended = performance.now()
    if (isAnswer(socket, question)) return (ended - begun) * 1_000
  }
  return undefined
}

function measureTrips(task: Extract<Task, { kind: 'trips' }>): readonly Trips[] {
  const asked = task.targets.map((target) =>
    ({ question: askFor(target, task.asker), us: new Array<number>(), lost: 0 }))
  const [first] = asked
  if (first === undefined) return []
  // Targets of one task are of one family: one socket hears all their answers.
  const socket = openSocket(first.question.etherType, first.question.filter)
  for (let turn = -task.warm; turn < task.count; turn += task.block) {
    for (const target of asked) {
      for (let n = 0; n < task.block; n += 1) {
        if (task.pauseMs > 0) Atomics.wait(pause, 0, 0, task.pauseMs)
        const us = ask(socket, target.question)
        if (us === undefined) target.lost += 1
        else if (turn >= 0) target.us.push(us)
        if (target.lost > maxLost) throw new Error(`Cannot measure: ${maxLost} answers are missing`)
      }
    }
  }
  return asked.map(({ us, lost }) => ({ us, lost }))
}

function flood({ asker, target, perSecond, ms }: Extract<Task, { kind: 'flood' }>): Flood {
  const question = askFor(target, asker)
  const socket = openSocket(question.etherType, question.filter, true)
  let sent = 0
  let answered = 0
  const takeAnswers = (): void => {
    while (socket.receiveNow()) if (isAnswer(socket, question)) answered += 1
  }
  const total = Math.floor(perSecond * ms / 1_000)
  const begun = performance.now()
  let now = begun
  // A sender that cannot keep its rate is given twice the time, no more.
  while (sent < total && now < begun + 2 * ms) {
    const due = Math.min(total, Math.ceil((now - begun) * perSecond / 1_000), sent + batch)
    for (; sent < due; sent += 1) socket.send(question.frame)
    takeAnswers()
    now = performance.now()
  }
  const tookMs = now - begun
  for (; now < begun + tookMs + drainMs && answered < sent; now = performance.now()) takeAnswers()
  return { sent, answered, ms: tookMs }
}

const task: Task = JSON.parse(process.argv[2] ?? '')
console.log(JSON.stringify(task.kind === 'trips' ? measureTrips(task) : flood(task)))
