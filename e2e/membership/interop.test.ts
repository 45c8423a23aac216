/** Real memberlist nodes and ours in one ring, as MetalLB configures them: each sees what the other does. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { findPeer, openRing, type Ring, type RingPlan, type Station } from './ring.ts'

const secret = 'AAECAwQFBgcICQoLDA0ODw'
const found = await findPeer()

function scenario(name: string, plan: Omit<RingPlan, 'peer'>, play: (ring: Ring) => Promise<void>): void {
  if ('reason' in found) {
    console.log(`skipped ${name}: ${found.reason}`)
    test.skip(name, () => {})
    return
  }
  test(name, async () => {
    await using ring = await openRing({ ...plan, peer: found.path })
    await play(ring)
  })
}

/** Everybody has seen everybody, with metadata. */
async function meet(ring: Ring, names: readonly string[]): Promise<readonly Station[]> {
  const stations = names.map((name) => ring.station(name))
  for (const station of stations) {
    for (const name of names) await station.tells(`joined ${name} m-${name}`)
  }
  return stations
}

const departures = ({ told }: Station): readonly string[] => told().filter((line) => line.startsWith('left '))

/** Ends a node, which says so: the others know sooner than they could declare it dead. */
async function leave(leaver: Station, others: readonly Station[]): Promise<void> {
  const sinceMs = performance.now()
  const ending = leaver.child.stop('SIGTERM')
  for (const other of others) await other.tells(`left ${leaver.name}`)
  const tookMs = performance.now() - sinceMs
  assert.ok(tookMs < suspicionMs, `all knew that ${leaver.name} left after ${tookMs.toFixed(0)} ms`)
  await ending
}

/** memberlist's least suspicion of a silent node in so small a ring: 4 probe intervals. */
const suspicionMs = 4_000

const mixed = ['go1', 'our1', 'go2', 'our2'] as const

for (const [it, key] of [['encrypted', secret], ['plain', '']] as const) {
  scenario(`an ${it} ring: metadata, user state, messages both ways, and leaves`,
    { names: mixed, secret: key }, async (ring) => {
      const [go1, our1, go2, our2] = await meet(ring, mixed)
      if (go1 === undefined || our1 === undefined || go2 === undefined || our2 === undefined) return
      await go1.tells('state state of m-our1')
      await our1.tells('state state of m-go1')
      our1.order('packet go1 by-datagram')
      our1.order('send go1 by-stream')
      go1.order('packet our1 back-by-datagram')
      go1.order('send our1 back-by-stream')
      for (const how of ['datagram', 'stream']) {
        await go1.tells(`message by-${how}`)
        await our1.tells(`message back-by-${how}`)
      }
      our1.order('meta news-of-ours')
      go1.order('meta news-of-theirs')
      await go2.tells('changed our1 news-of-ours')
      await our2.tells('changed go1 news-of-theirs')
      await our2.child.stop('SIGTERM')
      await go2.child.stop('SIGTERM')
      for (const station of [go1, our1]) {
        await station.tells('left our2')
        await station.tells('left go2')
      }
      assert.not.ok(our1.told().some((line) => line.startsWith('suspected')), 'a leave is no failure')
      assert.equal(departures(go1).length, 2)
    })
}

scenario('a killed node is suspected and declared dead, theirs by ours and ours by theirs',
  { names: ['go1', 'our1', 'our2'], secret }, async (ring) => {
    const [go1, our1, our2] = await meet(ring, ['go1', 'our1', 'our2'])
    if (go1 === undefined || our1 === undefined || our2 === undefined) return
    await our2.child.stop('SIGKILL')
    await go1.tells('left our2')
    await our1.tells('left our2')
    await go1.child.stop('SIGKILL')
    await our1.tells('left go1')
    const told = our1.told()
    assert.ok(told.indexOf('suspected go1') < told.indexOf('left go1'))
    assert.equal(departures(our1), ['left our2', 'left go1'])
  })

for (const victim of ['go2', 'our1'] as const) {
  scenario(`a false suspicion of ${victim} is refuted`,
    { names: ['go1', 'our1', 'go2', 'our2'], secret }, async (ring) => {
      const stations = await meet(ring, mixed)
      const accused = ring.station(victim)
      await accused.lose(100)
      await ring.station('our2').tells(`suspected ${victim}`)
      await accused.lose(0)
      await ring.station('our2').tells(`cleared ${victim}`)
      assert.equal(stations.flatMap((station) => departures(station)), [])
    })
}

for (const lossPercent of [10, 30]) {
  scenario(`${lossPercent} % of the datagrams lost: the ring forms, talks, and notices the one that dies`,
    { names: mixed, secret, lossPercent }, async (ring) => {
      const [go1, our1, go2, our2] = await meet(ring, mixed)
      if (go1 === undefined || our1 === undefined || go2 === undefined || our2 === undefined) return
      our1.order('send go1 through-the-noise')
      await go1.tells('message through-the-noise')
      await go2.child.stop('SIGKILL')
      for (const station of [go1, our1, our2]) await station.tells('left go2')
      for (const station of [go1, our1, our2]) assert.equal(departures(station), ['left go2'])
      await our2.child.stop('SIGKILL')
      for (const station of [go1, our1]) await station.tells('left our2')
      for (const station of [go1, our1]) assert.equal(departures(station), ['left go2', 'left our2'])
    })
  scenario(`${lossPercent} % of the datagrams lost: who leaves is gone at once, of theirs and of ours`,
    { names: mixed, secret, lossPercent }, async (ring) => {
      const [go1, our1, go2, our2] = await meet(ring, mixed)
      if (go1 === undefined || our1 === undefined || go2 === undefined || our2 === undefined) return
      await leave(our2, [go1, our1, go2])
      await leave(go2, [go1, our1])
      for (const station of [go1, our1]) assert.equal(departures(station), ['left our2', 'left go2'])
    })
}

test.run()
