/** The parts of hack/bench by name. */
import { benchAlone } from './kube-alone.ts'
import { benchKube, benchPeer, stages } from './kube.ts'
import { benchMemory } from './memory.ts'
import { benchPlan } from './plan.ts'
import { benchWire } from './wire.ts'

/** In the order in which they run. */
export const parts: Readonly<Record<string, () => void | Promise<void>>> = {
  plan: benchPlan,
  wire: benchWire,
  memory: benchMemory,
  kube: () => benchKube(),
  'kube-alone': benchAlone,
  ...Object.fromEntries(stages.map((stage) => [`kube-${stage}`, () => benchKube(1_000, [stage])])),
  ...Object.fromEntries(stages.map((stage) => [`peer-${stage}`, () => benchPeer([stage])])),
  ...Object.fromEntries([3_000, 10_000].flatMap((most) => [
    [`kube-${most}`, () => benchKube(most)],
    ...stages.map((stage) => [`kube-${most}-${stage}`, () => benchKube(most, [stage])] as const),
  ])),
}
