/** The ports of a role in a cluster: what status finds wrong is counted on the same port. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { findingOf, type HostFinding } from '../finding.ts'
import { createLog } from '../log.ts'
import { createMetrics } from '../metrics.ts'
import { openSite } from './site.ts'

test('findings of a role are a metric, as they are when somebody asks', async () => {
  let findings: readonly HostFinding[] = [
    ...findingOf('watchFailed', 'pools'), ...findingOf('watchFailed', 'services'),
    ...findingOf('notLeading', 'x leads'), ...findingOf('writeFailed', undefined),
  ]
  await using site = await openSite({
    options: { httpHost: '127.0.0.1', httpPort: 0, probeHost: undefined, probePort: undefined },
    log: createLog({ level: 'error', write: () => undefined, wall: () => new Date(0) }),
    metrics: createMetrics(), notReady: () => undefined, findings: () => findings,
    status: () => {
      throw new Error('the whole status is not needed')
    },
  })
  const counts = async (): Promise<readonly string[]> => {
    const text = await (await fetch(`http://127.0.0.1:${site.port}/metrics`)).text()
    return text.split('\n').filter((line) => line.startsWith('arpeggio_findings')).toSorted()
  }
  assert.equal(await counts(),
    ['arpeggio_findings{reason="notLeading"} 1', 'arpeggio_findings{reason="watchFailed"} 2'])
  findings = []
  assert.equal(await counts(), [])
})

test.run()
