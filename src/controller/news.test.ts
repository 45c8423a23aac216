/** What is told of Services while their statuses are written: what happened, once each, and nothing else. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { config, pool } from '../config/builders.ts'
import { openWorld, type World } from './news-stage.ts'

const [a, b] = ['192.0.2.1', '192.0.2.2'] as const
const empty = config()

type Row = readonly [it: string, act: (world: World) => void, want: readonly string[]]

/** The Service asks for this address, or with '' for any, and a turn decides. */
function want(world: World, address: string): void {
  world.ask(address)
  world.turn()
}

/** What waits is written, answered, shown and looked at. */
function land(world: World): void {
  world.send('answered')
  world.show()
  world.turn()
}

/** The Service holds `a`, and that has been told. */
function hold(world: World): void {
  want(world, a)
  land(world)
  world.told()
}

/** A status is under way, and somebody else's is there before or after it, and seen before the answer. */
function giveOver(world: World, when: 'before' | 'after'): void {
  want(world, '')
  if (when === 'after') world.send('late')
  world.put(b)
  if (when === 'before') world.send('late')
  want(world, b)
  world.told()
}

const rows: readonly Row[] = [
  ['written and answered', (world) => {
    want(world, a)
    world.send('answered')
  }, [`+${a}`]],
  ['not before it is written', (world) => {
    want(world, a)
  }, []],
  ['another address is asked for before the first was sent', (world) => {
    want(world, a)
    want(world, b)
    land(world)
  }, [`+${b}`]],
  ['asked for, withdrawn and asked for again before anything was sent', (world) => {
    for (const address of [a, b, a]) {
      want(world, address)
    }
    land(world)
  }, [`+${a}`]],
  ['another address is asked for while the first is under way: the server takes the second', (world) => {
    want(world, a)
    world.send('conflict')
    want(world, b)
    land(world)
  }, [`+${b}`]],
  ['another address is asked for while the first is under way: the server takes both', (world) => {
    want(world, a)
    world.send('answered')
    want(world, b)
    land(world)
  }, [`+${a}`, `-${a}`, `+${b}`]],
  ['a conflict with what says nothing of addresses: written by the second attempt', (world) => {
    want(world, a)
    world.send('conflict')
    world.told()
    want(world, a)
    land(world)
  }, [`+${a}`]],
  ['the status is refused for good', (world) => {
    want(world, a)
    world.send('invalid')
    world.told()
  }, []],
  ['the answer is lost, and the watch shows what was written', (world) => {
    want(world, a)
    world.send('taken')
    world.told()
    world.show()
    world.turn()
    world.send('answered')
  }, [`+${a}`]],
  ['the answer is lost, and the second attempt is a conflict', (world) => {
    want(world, a)
    world.send('taken')
    world.send('answered')
    world.told()
    world.show()
    world.turn()
  }, [`+${a}`]],
  ['the answer is lost, the lease as well: the next term finds it written', (world) => {
    want(world, a)
    world.send('taken')
    world.lead(false)
    world.told()
    world.lead(true)
    world.show()
    world.turn()
  }, [`+${a}`]],
  ['the answer is lost, the lease as well, and another leads from then on', (world) => {
    want(world, a)
    world.send('taken')
    world.lead(false)
    world.told()
    world.show()
  }, [`+${a}`]],
  ['it never arrived, and the lease is lost: the next term writes and tells', (world) => {
    want(world, a)
    world.send('cut')
    world.lead(false)
    world.told()
    world.lead(true)
    world.turn()
    world.told()
    world.send('answered')
    world.told()
    world.show()
    world.turn()
  }, [`+${a}`]],
  ['it never arrived, and another gives another address', (world) => {
    want(world, a)
    world.send('cut')
    world.lead(false)
    world.put(b)
    world.show()
  }, []],
  ['the first never arrived, the second was taken', (world) => {
    want(world, '')
    world.send('cut')
    world.turn(config(pool('other', '198.51.100.1/32')))
    world.send('answered')
    world.told()
    world.show()
    world.turn()
  }, ['+198.51.100.1']],
  ['the first was taken, its answer lost; the pools are others by then', (world) => {
    want(world, '')
    world.send('taken')
    world.turn(config(pool('other', '198.51.100.1/32')))
    world.send('answered')
    world.told()
    world.show()
    world.turn()
    world.send('answered')
    world.told()
    world.show()
    world.turn()
  }, ['+192.0.2.0', '-192.0.2.0', '+198.51.100.1']],
  ['written, and the lease is lost before it is told', (world) => {
    want(world, a)
    world.send('answered')
    world.lead(false)
    world.lead(true)
    world.show()
    world.turn()
  }, [`+${a}`]],
  ['planned, and the lease is lost before anything is sent', (world) => {
    want(world, a)
    world.lead(false)
    world.put(b)
    world.show()
  }, []],
  ['taken by the server, told anew by the next term, and overwritten before that is told', (world) => {
    want(world, a)
    world.send('answered')
    world.lead(false)
    world.lead(true)
    world.turn()
    world.put(b)
    world.show()
    world.turn()
    world.lead(false)
  }, [`+${a}`]],
  ['somebody else writes over it, and that is seen before the answer comes', (world) => {
    want(world, '')
    world.send('late')
    world.put(b)
    world.show()
    world.turn()
    world.told()
    world.answer(true)
  }, ['+192.0.2.0']],
  ['somebody else gives what is asked for by then, and that is seen before the answer comes', (world) => {
    giveOver(world, 'after')
    world.answer(true)
  }, ['+192.0.2.0', '-192.0.2.0']],
  ['somebody else has given what is asked for, and that is seen before the answer comes', (world) => {
    giveOver(world, 'before')
    world.answer(true)
  }, []],
  ['somebody else has given what is asked for, that is seen, and the answer is lost', (world) => {
    giveOver(world, 'before')
    world.answer(false)
    world.send('answered')
  }, []],
  ['somebody else has given what is asked for, that is seen, and the lease is lost', (world) => {
    giveOver(world, 'before')
    world.lead(false)
    world.answer(false)
  }, []],
  ['an address is taken from it', (world) => {
    hold(world)
    world.turn(empty)
    land(world)
  }, [`+${a}`, 'AllocationFailed', `-${a}`]],
  ['its pool goes and is back before anything was sent', (world) => {
    hold(world)
    const pools = config(pool('lan', '192.0.2.0/29'))
    world.turn(empty)
    world.turn(pools)
    world.send('answered')
  }, [`+${a}`]],
  ['two others are asked for, one after the other, before anything was sent', (world) => {
    hold(world)
    want(world, b)
    want(world, '192.0.2.3')
    land(world)
  }, [`+${a}`, `-${a}`, '+192.0.2.3']],
  ['pools come and go before the watch has shown what was written', (world) => {
    const [lan, other] = [config(pool('lan', '192.0.2.0/29')), config(pool('other', '198.51.100.1/32'))]
    world.turn(lan)
    world.send('answered')
    world.show()
    world.turn(other)
    world.send('answered')
    world.told()
    for (const pools of [lan, lan, empty, other]) world.turn(pools)
    world.show()
    world.turn()
    world.send('answered')
  }, ['+192.0.2.0', '-192.0.2.0', '+198.51.100.1']],
  ['taken away and given again, without a turn that has nothing to tell', (world) => {
    want(world, a)
    world.send('answered')
    world.show()
    world.turn(empty)
    world.send('answered')
    world.show()
    world.turn(config(pool('lan', '192.0.2.0/29')))
    world.told()
    world.send('answered')
  }, [`+${a}`, `-${a}`, `+${a}`]],
  ['emptied by somebody else: not told again before it is written again', (world) => {
    hold(world)
    world.put('')
    world.show()
    world.turn()
  }, [`+${a}`]],
  ['what the watch has shown since is not written over before a turn has looked at it', (world) => {
    const [lan, other] = [config(pool('lan', '192.0.2.0/29')), config(pool('other', '198.51.100.1/32'))]
    world.turn(other)
    world.send('answered')
    world.show()
    world.turn(lan)
    world.send('taken')
    world.turn(other)
    world.show()
    world.send('answered')
    world.told()
    world.turn()
    world.send('answered')
  }, ['+198.51.100.1', '-198.51.100.1', '+192.0.2.0', '-192.0.2.0', '+198.51.100.1']],
  ['another reason to take what is on its way out already', (world) => {
    hold(world)
    world.turn(empty)
    world.told()
    world.ask(b)
    world.turn(config(pool('lan', '192.0.2.0/29')))
    world.send('answered')
  }, [`+${a}`, 'AllocationFailed', `-${a}`, `+${b}`]],
  ['another Service under the name, refused as the one before', (world) => {
    world.turn(empty)
    world.told()
    world.replace()
    world.show()
    world.turn()
  }, ['AllocationFailed', 'AllocationFailed']],
  ['another Service under the name, while the status of the first waits', (world) => {
    want(world, a)
    world.replace()
    world.show()
    world.turn()
    land(world)
  }, [`+${a}`]],
  ['another Service under the name, while the answer to the first is lost', (world) => {
    want(world, a)
    world.send('taken')
    world.replace()
    world.show()
    world.turn()
    land(world)
  }, [`+${a}`]],
  ['refused, and served before that was told', (world) => {
    world.turn(empty)
    world.turn(config(pool('lan', '192.0.2.0/29')))
    world.send('answered')
  }, ['+192.0.2.0']],
  ['refused, and refused again by the next term before that was told', (world) => {
    world.turn(empty)
    world.lead(false)
    world.lead(true)
    world.turn()
  }, ['AllocationFailed']],
]
for (const [it, act, want] of rows) {
  test(it, () => {
    const world = openWorld()
    act(world)
    assert.equal([...world.told()].toSorted(), [...want].toSorted())
    assert.equal(world.told(), world.told(), 'and nothing more')
  })
}

test('a deprecated annotation is told once a status that is written, however often it is tried', () => {
  const world = openWorld(['metallb.universe.tf/address-pool'])
  const written = [`+${a}`, 'deprecatedAnnotation']
  want(world, a)
  world.send('cut')
  assert.equal(world.told(), [])
  land(world)
  assert.equal([...world.told()].toSorted(), written)
  // From here on only the annotation of the pool is to be written.
  world.unpool()
  world.show()
  world.turn()
  for (const fate of ['cut', 'cut', 'conflict'] as const) {
    world.send(fate)
    assert.equal([...world.told()].toSorted(), written, fate)
  }
  want(world, a)
  world.send('answered')
  assert.equal([...world.told()].toSorted(), [...written, 'deprecatedAnnotation'])
})

test('what was to go goes on going when what should have come is not to come', () => {
  const world = openWorld()
  world.turn(config(pool('lan', '192.0.2.1/32')))
  land(world)
  world.turn(config(pool('other', '198.51.100.1/32')))
  world.turn(empty)
  world.send('answered')
  assert.equal(world.statuses, [a, ''])
  assert.equal([...world.told()].toSorted(), [`+${a}`, 'AllocationFailed', `-${a}`].toSorted())
})

test.run()
