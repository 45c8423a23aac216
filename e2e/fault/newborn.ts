/** A Service is made while the lab looks on: how long until somebody speaks for its address. */
import type { Trials } from '../bench/kube-client.ts'
import { advertisement, pool } from '../kube/objects.ts'
import type { Fault } from './fault.ts'
import { openInstruments } from './instruments.ts'
import { load } from './load.ts'
import type { Stage } from './stage.ts'

const address = '192.168.1.198'
const askEveryMs = 1
/** The Service is deleted 1.5 s after it has an address. */
const watchedMs = 1_200

/** As the peer was measured, and as hack/bench does it: by one request over a connection that is open. */
export const newborn: Fault = {
  name: 'fresh', peer: 'ARP reply after 14-36 ms, p50 27',
  about: 'a new Service on an idle cluster: mute = from the request that makes it to the first voice',
  bounds: { moves: [0, 0], overlapMs: 0 },
  prepare: (stage) => stage.rig.apply(
    pool('fresh', [`${address}/32`], { autoAssign: false }),
    advertisement('fresh', { ipAddressPools: ['fresh'] }),
  ),
  strike: async (stage) => {
    const { rig: { lab }, instruments: capture } = stage
    await using _ = await openInstruments({ lab, turns: [[address]], askEveryMs, capture })
    const judgeFromMs = await bear(stage)
    return { judgeFromMs, judgeToMs: judgeFromMs + watchedMs, newborn: address }
  },
}

/** Makes the Service, and deletes it; the instant of the request. */
async function bear({ rig }: Stage): Promise<number> {
  const trials: Trials = JSON.parse(await load(rig, { kind: 'trials', addresses: [address] }))
  const [born] = trials.born
  if (born === undefined) throw new Error('Cannot measure: no Service was made')
  return born.createdAtMs
}
