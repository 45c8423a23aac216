/** The benchmarks: arguments choose parts, each prints one table a question, references beside. */
import { arch, cpus, release } from 'node:os'
import { parts } from './parts.ts'

/** Parts that take minutes, and parts of parts. */
const onRequest = new Set(Object.keys(parts).filter((name) => /^(kube|peer)-/.test(name)))

const chosen = process.argv.slice(2)
const unknown = chosen.filter((name) => !Object.hasOwn(parts, name))
if (unknown.length > 0) {
  console.error(`Unknown part "${unknown.join(' ')}": parts are ${Object.keys(parts).join(', ')}`)
  process.exitCode = 2
} else {
  const begun = performance.now()
  console.log(`Node.js ${process.version}, Linux ${release()} ${arch()}, ${cpus().length} processors. ` +
    'Absolute times do not travel between machines; ratios within a row do.')
  for (const [name, run] of Object.entries(parts)) {
    const isWanted = chosen.length === 0 ? !onRequest.has(name) : chosen.includes(name)
    if (isWanted) await run()
  }
  console.log(`\nDone in ${((performance.now() - begun) / 1_000).toFixed(0)} s`)
}
