/** Measures one speaker at rest that has no other in its ring: what it costs without gossip and beats. */
import {
  load, startController, startIdle, startSpeakers, whenStarted, withRig,
} from './kube-rig.ts'
import { measureUse, printUses } from './kube-use.ts'

const announcedCapMs = 20_000
const peer = 'MetalLB 0.45 %'

/** Runs the part and prints its table. */
export async function benchAlone(): Promise<void> {
  await withRig(async (rig) => {
    const [speaker] = startSpeakers(rig)
    const idle = startIdle(rig)
    const controller = startController(rig)
    if (speaker === undefined) return
    await whenStarted(rig, [speaker, controller])
    await load(rig, { kind: 'create', from: 0, count: 1 })
    await speaker.line(/"serviceAnnounced"/, announcedCapMs)
    const rows = await measureUse('1 Service', [
      { name: 'Node.js doing nothing, same flags', child: idle },
      { name: 'speaker, nobody else in its ring', child: speaker },
    ])
    printUses(rows, ['is the reference', peer])
  }, { nodes: ['a'] })
}
