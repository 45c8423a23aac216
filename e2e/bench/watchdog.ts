/**
 * A thread that does nothing but look whether it gets the processor when it is due. Whoever runs a trial
 * cannot: what it reads of 20,000 frames holds it up for longer than any machine.
 */
import { setPriority } from 'node:os'
import { parentPort } from 'node:worker_threads'

export type Order =
  /** Forgets what was seen; as urgent as this from now on, of this thread alone (setpriority(2)). */
  | { readonly kind: 'begin'; readonly priority: number }
  /** What is seen from now on does not matter. */
  | { readonly kind: 'end' }
  /** Answers with the longest gap, in ms. */
  | { readonly kind: 'report' }

const tickMs = 10

let worstMs = 0
let lastMs = performance.now()
let isOver = false

function look(): void {
  const now = performance.now()
  if (!isOver) worstMs = Math.max(worstMs, now - lastMs - tickMs)
  lastMs = now
}

parentPort?.on('message', (order: Order) => {
  look()
  switch (order.kind) {
    case 'begin':
      setPriority(order.priority)
      worstMs = 0
      isOver = false
      break
    case 'end':
      isOver = true
      break
    case 'report':
      parentPort?.postMessage(worstMs)
      break
  }
})
setInterval(look, tickMs)
parentPort?.postMessage(worstMs) // it looks from now on
