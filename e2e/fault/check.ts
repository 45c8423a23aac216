/** The instrument's own check: two hosts that answer for one address on purpose must be seen. */
import { lasting, spare, type Stage } from './stage.ts'
import { openInstruments, wallMs } from './instruments.ts'
import { judge, type Verdict, voicesOf } from './voices.ts'

const answerMs = 2_000
const answerers = ['client', 'stranger'] as const

/** Two kernels have one address for two seconds. */
export async function measureTwoAnswerers({ rig, host }: Stage): Promise<Verdict> {
  const set = async (verb: 'add' | 'del'): Promise<void> => {
    for (const name of answerers) {
      await host(name).execOk(['ip', 'address', verb, `${spare}/32`, 'dev', 'eth0'])
    }
  }
  await using instruments = await openInstruments({ lab: rig.lab, addresses: [spare], called: spare })
  const fromMs = wallMs()
  await set('add')
  await lasting(answerMs)
  await set('del')
  const toMs = wallMs()
  await lasting(answerMs / 10)
  return judge(voicesOf(instruments.frames(fromMs, toMs), spare), fromMs, toMs)
}

/** Why the instrument cannot be trusted; undefined = it sees two answerers. */
export function doubtOf({ overlapMs }: Verdict): string | undefined {
  if (overlapMs > answerMs / 2) return undefined
  return `of two answerers for ${answerMs} ms it saw ${overlapMs.toFixed(0)} ms`
}
