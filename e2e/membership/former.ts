/** A speaker of MetalLB as a program on a host: real memberlist, its election, and its answers. */
import { type Child, until } from '../lab/command.ts'
import type { Host } from '../lab/lab.ts'

const readyCapMs = 20_000

export interface FormerPlan {
  /** From `findPeer`. */
  readonly peer: string
  readonly name: string
  /** Its own address, and those of the others. */
  readonly bind: string
  readonly join: readonly string[]
  readonly secret: string
  /** IPv4 addresses that it may come to own. */
  readonly addresses: readonly string[]
  /** From an event of the membership to its election: one with many Services takes its time. */
  readonly slowMs: number
  /** For how long it answers when the others know that it has left. */
  readonly lingerMs: number
}

/** A child whose SIGTERM leaves the ring first, as a Pod that is deleted. */
export type Former = Child

/** Starts it; it has joined and elected when the promise fulfils. */
export async function openFormer(host: Host, plan: FormerPlan): Promise<Former> {
  const { peer, name, bind, join, secret, addresses, slowMs, lingerMs } = plan
  const options = Object.entries({
    name, bind, join: join.join(), secret, answer: addresses.join(), interface: 'eth0', http: ':7472',
    slow: `${slowMs}ms`, linger: `${lingerMs}ms`,
  })
  // Without orders its input ends at once, and it goes on.
  const child = host.spawn([peer, ...options.map(([key, value]) => `--${key}=${value}`)])
  await until(`the former speaker on "${name}" is ready`, () => {
    if (!child.isRunning()) throw new Error(`It ended early: ${child.lines.join('\n')}`)
    return child.lines.some((line) => line.includes('"event":"ready"'))
  }, readyCapMs)
  return child
}
