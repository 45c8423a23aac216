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

test('findings are counted by reason, as they are when somebody asks', async () => {
  const metrics = createMetrics()
  let reasons = ['optionsDiffer', 'minority', 'optionsDiffer']
  metrics.watchFindings(() => reasons.map((reason) => ({ reason })))
  const lines = async (): Promise<readonly string[]> =>
    (await metrics.text()).split('\n').filter((line) => line.startsWith('arpeggio_findings')).toSorted()
  const minority = 'arpeggio_findings{reason="minority"} 1'
  assert.equal(await lines(), [minority, 'arpeggio_findings{reason="optionsDiffer"} 2'])
  reasons = ['minority']
  assert.equal(await lines(), [minority])
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

test('frames are counted by address and by reason, between questions and after them', async () => {
  const metrics = createMetrics()
  const lines = async (): Promise<readonly string[]> => (await metrics.text()).split('\n')
    .filter((line) => /^(metallb_layer2|arpeggio_frames)/.test(line)).toSorted()
  assert.equal(await lines(), [])
  metrics.countRequest('192.0.2.1')
  metrics.countReply('192.0.2.1')
  for (const ip of ['192.0.2.1', '192.0.2.1', '2001:db8::1']) metrics.countGratuitous(ip)
  metrics.countDrop('notRequest', 1)
  const first = [
    'arpeggio_frames_dropped_total{reason="notRequest"} 1',
    'metallb_layer2_gratuitous_sent{ip="192.0.2.1"} 2',
    'metallb_layer2_gratuitous_sent{ip="2001:db8::1"} 1',
    'metallb_layer2_requests_received{ip="192.0.2.1"} 1',
    'metallb_layer2_responses_sent{ip="192.0.2.1"} 1',
  ]
  assert.equal(await lines(), first)
  assert.equal(await lines(), first, 'asked again')
  metrics.countDrop('notRequest', 2)
  metrics.countRequest('192.0.2.1')
  assert.equal(await lines(), first.with(0, 'arpeggio_frames_dropped_total{reason="notRequest"} 3')
    .with(3, 'metallb_layer2_requests_received{ip="192.0.2.1"} 2'))
  assert.equal(metrics.countsOf('192.0.2.1'), { requests: 2, replies: 1, gratuitous: 2 })
  assert.equal(metrics.drops(), { notRequest: 3 })
})

test('announced is what was said last', async () => {
  const metrics = createMetrics()
  const row = (text: string) => ({ text, services: ['default/web'] })
  metrics.setAnnounced([row('192.0.2.1'), row('192.0.2.2')], 'a')
  await metrics.text()
  metrics.setAnnounced([row('192.0.2.2')], 'a')
  const lines = (await metrics.text()).split('\n').filter((line) => line.startsWith('metallb_speaker'))
  assert.equal(lines, [
    'metallb_speaker_announced{service="default/web",node="a",ip="192.0.2.2",protocol="layer2"} 1',
  ])
})

test.run()
