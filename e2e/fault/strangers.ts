/** A host that is nobody's takes an address, or says once that it has it: of each family (design §5). */
import { join } from 'node:path'
import type { Fault, Struck } from './fault.ts'
import { wallMs } from './instruments.ts'
import type { Frame } from './pcap.ts'
import { lasting, type Stage, vip, vip6 } from './stage.ts'
import { handedMs, restMs } from './strikes.ts'

/** What a stranger attacks, and how. */
interface Attack {
  /** What the names of its faults end with. */
  readonly suffix: string
  readonly by: string
  readonly address: string
  /** What `ip address` is given. */
  readonly prefix: readonly string[]
  /** Whether a frame tells all, and not only who asked, that its sender has the address. */
  readonly isToAll: (frame: Frame) => boolean
}

const attacks: readonly Attack[] = [
  {
    suffix: '', by: 'ARP', address: vip, prefix: [`${vip}/32`],
    isToAll: ({ sender, target }) => sender === vip && target === vip,
  },
  {
    suffix: '-ipv6', by: 'neighbour discovery', address: vip6, prefix: [`${vip6}/128`],
    isToAll: ({ sender, target, isReply }) => isReply && sender === vip6 && target === 'ff02::1',
  },
]

/** The last defence is long enough ago for another (RFC 5227, DEFEND_INTERVAL). */
const undisputed = (): Promise<void> => lasting(10_500)
const takenMs = 4_000
const shoutCapMs = 20_000

async function shout(stage: Stage, address: string): Promise<void> {
  const shouter = join(import.meta.dirname, 'shouter.ts')
  await stage.host('stranger').execOk([process.execPath, shouter, address], { capMs: shoutCapMs })
}

/** The stranger's kernel has the address, says so to all, and answers whoever asks. */
async function takeAddress(stage: Stage, { address, prefix, isToAll }: Attack): Promise<Struck> {
  const stranger = stage.host('stranger')
  const struckMs = wallMs()
  // With duplicate address detection it would find the owner, and be silent.
  const nodad = address === vip6 ? ['nodad'] : []
  await stranger.execOk(['ip', 'address', 'add', ...prefix, 'dev', 'eth0', ...nodad])
  await shout(stage, address)
  await lasting(takenMs)
  await stranger.execOk(['ip', 'address', 'del', ...prefix, 'dev', 'eth0'])
  const goneMs = wallMs()
  await stage.successor('stranger', goneMs, address)
  await lasting(restMs)
  const said = stage.instruments.frames(struckMs, goneMs)
    .filter(({ source }) => stage.nodeOf(source) === 'stranger')
  const judgeFromMs = said.find(isToAll)?.atMs
  const answers = said.filter((frame) => frame.isReply && frame.sender === address && !isToAll(frame)).length
  if (judgeFromMs === undefined) return { broken: ['the stranger said nothing to all'] }
  return { judgeFromMs, broken: answers === 0 ? ['the stranger answered nobody'] : [] }
}

export const strangers: readonly Fault[] = attacks.flatMap((attack): readonly Fault[] => [
  {
    name: `foreign${attack.suffix}`, about: `a foreign host takes the address for 4 s, by ${attack.by}`,
    peer: '',
    // From its first frame that all hear: its answers go to who asked. One defence in 10 s (RFC 5227 §2.4).
    bounds: { moves: [0, 0], overlapMs: handedMs },
    prepare: undisputed,
    strike: (stage) => takeAddress(stage, attack),
  },
  {
    name: `stray${attack.suffix}`, about: `a foreign host announces the address once, by ${attack.by}`,
    peer: '', bounds: { moves: [0, 0], overlapMs: handedMs },
    prepare: undisputed,
    strike: async (stage) => {
      const struckMs = wallMs()
      await shout(stage, attack.address)
      await lasting(2 * restMs)
      const isSaid = stage.instruments.frames(struckMs, wallMs()).some((frame) =>
        attack.isToAll(frame) && stage.nodeOf(frame.source) === 'stranger')
      return isSaid ? {} : { broken: ['the stranger said nothing'] }
    },
  },
])
