/** The instrument's own check: two hosts that answer for the same addresses on purpose must be seen. */
import { lasting, spares, type Stage } from './stage.ts'
import { openInstruments, wallMs } from './instruments.ts'
import { judge, type Verdict, voicesOf } from './voices.ts'

const answerMs = 2_000
const answerers = ['client', 'stranger'] as const

/** Two kernels have one address of each family for two seconds; a verdict for each. */
export async function measureTwoAnswerers({ rig, host }: Stage): Promise<readonly Verdict[]> {
  const set = (verb: 'add' | 'del'): Promise<unknown> =>
    Promise.all(answerers.flatMap((name) => spares.map((address) => host(name).execOk([
      'ip', 'address', verb, `${address}/${address.includes(':') ? 128 : 32}`, 'dev', 'eth0',
      ...address.includes(':') && verb === 'add' ? ['nodad'] : [],
    ]))))
  await using instruments = await openInstruments({ lab: rig.lab, turns: [spares] })
  const fromMs = wallMs()
  await set('add')
  await lasting(answerMs)
  await set('del')
  const toMs = wallMs()
  await lasting(answerMs / 10)
  const frames = instruments.frames(fromMs, toMs)
  return spares.map((address) => judge(voicesOf(frames, address), fromMs, toMs))
}

/** Why the instrument cannot be trusted; undefined = it sees two answerers. */
export function doubtOf(verdicts: readonly Verdict[]): string | undefined {
  const blind = verdicts.findIndex(({ overlapMs }) => overlapMs <= answerMs / 2)
  return blind < 0
    ? undefined
    : `of two answerers for ${answerMs} ms it saw ${verdicts[blind]?.overlapMs.toFixed(0)} ms ` +
      `(${spares[blind]})`
}
