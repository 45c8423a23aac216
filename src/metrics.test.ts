/** The text that metrics become. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createMetrics } from './metrics.ts'

test('a membership is read whenever somebody asks', async () => {
  const metrics = createMetrics()
  const drops = new Map([['undecryptable', 3]])
  let packetsSent = 10
  metrics.watchMembership({
    members: () => [{ state: 'alive' }, { state: 'alive' }, { state: 'left' }],
    health: () => 2,
    counts: () => ({ packetsSent, packetsReceived: 8, streamsOpened: 1, streamsAccepted: 4, drops }),
  })
  await metrics.text()
  packetsSent = 12
  const text = await metrics.text()
  for (const line of [
    'arpeggio_memberlist_health_score 2', 'arpeggio_memberlist_members{state="alive"} 2',
    'arpeggio_memberlist_members{state="dead"} 0', 'arpeggio_memberlist_packets_sent_total 12',
    'arpeggio_memberlist_packets_received_total 8', 'arpeggio_memberlist_streams_opened_total 1',
    'arpeggio_memberlist_streams_accepted_total 4',
    'arpeggio_memberlist_dropped_total{reason="undecryptable"} 3',
  ]) assert.ok(text.split('\n').includes(line), line)
})

test('updates are objects and configurations; failures are counted with them, or after them', async () => {
  const metrics = createMetrics()
  metrics.countUpdate(false)
  metrics.countUpdate(true)
  metrics.countFailure()
  const lines = (await metrics.text()).split('\n')
  for (const line of ['metallb_k8s_client_updates_total 2', 'metallb_k8s_client_update_errors_total 2']) {
    assert.ok(lines.includes(line), line)
  }
})

test.run()
