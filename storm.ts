import { play } from './src/sim/scenario.ts'
import { createProduction } from './src/sim/production.ts'
import { freezeNode } from './src/sim/faults.ts'
const f = Number(process.argv[2] ?? 1), units = Number(process.argv[3] ?? 1000), waitMs = Number(process.argv[4] ?? 10000)
const slow = { frameMs: 0.03 * f, sendMs: 0.02 * f, messageMs: 0.05 * f, rightMs: 0.02 * f }
const t0 = Date.now()
const r = play({
  it: 'x', options: { nodes: 3, units, costs: slow }, warmUpMs: 12_000, seeds: 1,
  story: (stage) => {
    const { cluster, pass } = stage
    const print = (w: string) => console.log(w, [...cluster.machines.values()].map((m) => JSON.stringify({ ...m.sent, windowAtMs: undefined })).join(' '), cluster.record.notes.length)
    print('start')
    const thaws = [...cluster.machines.keys()].map((n) => freezeNode(cluster, n))
    pass(500)
    for (const t of thaws) t()
    for (let i = 0; i < waitMs / 1000; i++) { pass(1_000); print(String(i)) }
    stage.judgeFromHere()
    pass(3_000)
    print('end')
  },
  most: { darkMs: 0, moves: 0 },
}, 1, createProduction())
console.log(r.complaints.slice(0, 5), r.seen, Date.now() - t0)
