/** Sentences about silence: nodes with one reason stand together, many are counted. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { describeSilence, isConfigured, mainReason, type Reason } from './why.ts'

const noCarrier = (node: string): Reason => ({ node, reason: 'noCarrier' })

test('many nodes with one reason: eight are named, the rest is counted', () => {
  const nodes = Array.from({ length: 10 }, (_, i) => noCarrier(`n${i}`))
  const text = describeSilence('192.0.2.1', nodes)
  assert.match(text, /^192\.0\.2\.1 is not announced: nodes "n0", .*"n7" and 2 more: its/)
})

test('a speaker with an older configuration is named as such', () => {
  const text = describeSilence('192.0.2.1', [{ node: 'a', reason: 'configurationStale' }])
  const want = 'its configuration is stale: the present one was refused (configurationStale)'
  assert.is(text, `192.0.2.1 is not announced: node "a": ${want}`)
})

test('what the wire shows: the interface, or the machine; nodes that agree are named together', () => {
  const mac = '02:00:5e:00:53:01'
  const text = describeSilence('192.0.2.1', [
    { node: 'a', reason: 'inConflict', mac }, { node: 'b', reason: 'inConflict' },
    { node: 'c', reason: 'inConflict', mac }, { node: 'd', reason: 'ownerDeaf', interface: 'eth0' },
  ])
  const taken = 'a machine that is none of ours answers for the address, or for one that goes with it'
  assert.is(text, `192.0.2.1 is not announced: nodes "a", "c": ${taken}: ${mac} (inConflict); ` +
    `node "b": ${taken} (inConflict); ` +
    'node "d": it owns the address, and hears no other host on eth0 (ownerDeaf)')
})

test('a conflict is the reason, of however few nodes', () => {
  assert.is(mainReason([noCarrier('a'), noCarrier('b'), { node: 'c', reason: 'inConflict' }]), 'inConflict')
})

test('one word for all nodes: the reason of most, the first among equals', () => {
  const excluded: Reason = { node: 'x', reason: 'nodeExcluded' }
  assert.is(mainReason([excluded, noCarrier('a'), noCarrier('b')]), 'noCarrier')
  assert.is(mainReason([excluded, noCarrier('a')]), 'nodeExcluded')
  assert.is(mainReason([]), undefined)
  const unselected = ['b', 'c'].map((node): Reason => ({ node, reason: 'nodeNotSelected' }))
  assert.is(mainReason([excluded, ...unselected]), 'nodeExcluded')
  assert.is(mainReason(unselected), 'nodeNotSelected')
})

test('a refused configuration may be why nothing is advertised, not why no endpoint serves', () => {
  assert.is(isConfigured('noL2Advertisement'), true)
  assert.is(isConfigured('noPool'), true)
  assert.is(isConfigured('noEndpoints'), false)
  assert.is(isConfigured('portInUse'), false)
})

test.run()
