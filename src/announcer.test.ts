/** The socket responder on a wire, held to the list that every responder is held to. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openAnnouncer } from './announcer.ts'
import { address } from './config/builders.ts'
import { announcedElsewhere, announcedHere, conformanceCases } from './l2/conformance.ts'
import { arpProbeFrame, ownerMac, solicitationFrame } from './l2/golden.ts'
import { bootMs } from './l2/linux/libc.ts'
import { openPackets } from './l2/linux/packets.ts'
import { enterNamespace, ip, linkNamed, need, openPair, until } from './l2/linux/pair.ts'
import { createLog } from './log.ts'
import { createMetrics } from './metrics.ts'
import { aloneWorld } from './ownership/alone.ts'

const check = enterNamespace(import.meta.url, test)

/** A question for each family's socket, and the address it asks for. */
const markers = [['192.0.2.99', arpProbeFrame], ['2001:db8::11', solicitationFrame]] as const

check('the socket responder does with golden frames what every responder must', async () => {
  await using pair = await openPair()
  ip('link', 'set', 'near', 'address', ownerMac)
  await until('the MAC is changed', () => need(pair.links, 'near').mac === ownerMac)
  const metrics = createMetrics()
  const lines: string[] = []
  const loud = createLog({ level: 'debug', write: (line) => void lines.push(line), wall: () => new Date() })
  await using announcer = openAnnouncer({
    clock: { now: bootMs, wall: () => new Date() }, log: loud, metrics, node: 'n',
    openPackets: (onFrame, onRead) => openPackets(onFrame, { onRead }),
  })
  ip('link', 'add', 'other', 'up', 'type', 'veth', 'peer', 'name', 'beyond')
  ip('link', 'set', 'beyond', 'up')
  await until('the other is up', () => linkNamed(pair.links, 'other')?.hasCarrier === true)
  const links = [need(pair.links, 'near'), need(pair.links, 'other')]
  announcer.setLinks(links)
  const announce = (text: string, name: string) =>
    ({ address: address(text), text, interfaces: [name], services: ['default/web'] })
  announcer.setWorld(aloneWorld('n', [
    ...announcedHere.map((text) => announce(text, 'near')), announce(announcedElsewhere, 'other'),
  ], links))
  const repliesTo = (text: string): number => metrics.countsOf(text).replies
  for (const { it, frame, want } of conformanceCases) {
    const drops = { ...metrics.drops() }
    const expected = new Map<string, number>(announcedHere.map((text) => [text, repliesTo(text)]))
    const add = (text: string): void => void expected.set(text, (expected.get(text) ?? 0) + 1)
    if ('reply' in want) add(want.reply)
    pair.far.send(pair.farIndex, frame)
    // Each socket keeps order: the answers to these show that the frame has been dealt with.
    for (const [text, marker] of markers) {
      add(text)
      pair.far.send(pair.farIndex, marker)
    }
    await until(`${it} is dealt with`, () =>
      markers.every(([text]) => repliesTo(text) >= (expected.get(text) ?? 0)))
    const replies = new Map(announcedHere.map((text) => [text, repliesTo(text)]))
    assert.equal([...replies], [...expected], it)
    const changed = Object.entries(metrics.drops()).filter(([key, n]) => n !== (drops[key] ?? 0))
    // What the kernel's filter keeps away is not counted.
    if ('drop' in want) assert.ok(changed.every(([key]) => key === want.drop), `${it}: ${changed}`)
  }
  for (const text of announcedHere) {
    // What users of MetalLB grep for.
    const words = `got ${text.includes(':') ? 'NDP' : 'ARP'} request for service IP, sending response`
    const told = lines.filter((line) => line.includes(words) && line.includes(`"${text}"`))
    assert.is(told.length, repliesTo(text), words)
  }
})

test.run()
