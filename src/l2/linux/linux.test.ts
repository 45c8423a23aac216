/** Packet sockets and netlink on a real veth pair, in a network namespace of this test's own. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Address } from '../../net/model.ts'
import { toHex } from '../bytes.ts'
import {
  arpReplyFrame, arpRequestFrame, askerMac, dadProbeFrame, ownerMac, solicitationFrame,
} from '../golden.ts'
import { decodeNeighbour, encodeNeighbour, solicitedNodeGroup, unsolicited } from '../ndp.ts'
import { openIcmp6 } from './icmp6.ts'
import { type Links, openLinks } from './links.ts'
import { openPackets } from './packets.ts'
import { enterNamespace, hasDevice, ip, linkNamed, need, openPair, until, untilInOperation } from './pair.ts'

const check = enterNamespace(import.meta.url, test)

/** 2001:db8::11 */
const announced: Address = { family: 'ipv6', bits: (0x20010db8n << 96n) | 0x11n }

/** A frame that arrives at last: whatever was sent before it has arrived or will not. */
const marker = arpReplyFrame

check('ARP and neighbour frames arrive; other traffic, tagged frames and own frames do not', async () => {
  await using pair = await openPair()
  const { far, farIndex, heard, heardFar } = pair
  const udp6 = solicitationFrame.with(20, 17)
  const echo = solicitationFrame.with(54, 128)
  const ipv4 = arpRequestFrame.with(13, 0)
  const tagged = Uint8Array.from([
    ...arpRequestFrame.subarray(0, 12), 0x81, 0x00, 0x00, 0x05, ...arpRequestFrame.subarray(12),
  ])
  for (const frame of [udp6, echo, ipv4, tagged, arpRequestFrame, solicitationFrame, marker]) {
    assert.is(far.send(farIndex, frame), undefined)
  }
  const want = [arpRequestFrame, marker, solicitationFrame].map(toHex).toSorted()
  await until('three frames arrived', () => heard.length >= want.length)
  assert.equal(heard.toSorted(), want)
  assert.equal(heardFar, [], 'own frames are not heard')
})

check('a priority tag (VLAN 0) is no foreign VLAN: the frame is served', async () => {
  await using pair = await openPair()
  const { far, farIndex, heard } = pair
  far.send(farIndex, Uint8Array.from([
    ...arpRequestFrame.subarray(0, 12), 0x81, 0x00, 0xe0, 0x00, ...arpRequestFrame.subarray(12),
  ]))
  await until('the frame arrived', () => heard.length === 1)
  assert.is(heard[0], toHex(arpRequestFrame))
})

check('a burst of 3,000 requests that arrives while the program is busy is not lost', async () => {
  await using pair = await openPair()
  const { far, farIndex, heard } = pair
  // Nobody receives before this loop ends: sender and receiver are one thread.
  for (let i = 0; i < 3_000; i++) far.send(farIndex, arpRequestFrame)
  far.send(farIndex, marker)
  await until('all arrived', () => heard.length > 3_000)
})

check('frames that waited together come with the age of each', async () => {
  await using pair = await openPair()
  const { far, farIndex, links } = pair
  const ages: number[] = []
  await using packets = openPackets((_, __, ageMs) => void ages.push(ageMs))
  packets.attach(need(links, 'near'))
  const sendAndWait = (ms: number): void => {
    far.send(farIndex, arpRequestFrame)
    const untilMs = Date.now() + ms
    while (Date.now() < untilMs) continue
  }
  await until('the kernel stamps what arrives', () => {
    sendAndWait(3)
    packets.drain()
    return (ages.at(-1) ?? 0) > 1
  })
  ages.length = 0
  for (let i = 0; i < 2; i++) sendAndWait(30)
  packets.drain()
  const [first = Number.NaN, second = Number.NaN] = ages
  assert.is(ages.length, 2)
  assert.ok(second > 28 && first > second + 28, `${first} and ${second} ms`)
})

check('a neighbour advertisement leaves with hop limit 255 and a checksum that holds', async () => {
  await using pair = await openPair()
  const { near, nearIndex, heardFar } = pair
  near.sendNeighbour(nearIndex, unsolicited(announced, ownerMac), () => true)
  await until('it arrived', () => heardFar.length === 1)
  const bytes = Uint8Array.from(Buffer.from(heardFar[0] ?? '', 'hex'))
  assert.is(bytes[21], 255)
  assert.is(typeof decodeNeighbour(bytes), 'object')
})

/** The kernel sends ICMPv6 only from an address of the interface. */
async function giveLinkLocal(links: Links): Promise<Address> {
  ip('link', 'set', 'near', 'addrgenmode', 'eui64', 'down')
  ip('link', 'set', 'near', 'up')
  const source = () => need(links, 'near').addresses.find((a) => !a.isTentative)?.address
  await until('there is a link-local address', () => source() !== undefined)
  const address = source()
  if (address === undefined) throw new Error('There is no link-local address')
  return address
}

check('an unsolicited advertisement leaves through raw-socket on Node, else as a frame', async () => {
  await using pair = await openPair()
  const linkLocal = await giveLinkLocal(pair.links)
  using icmp6 = await openIcmp6()
  const isNode = process.release.name === 'node' && !('Deno' in globalThis)
  assert.is(icmp6 !== undefined, isNode, 'raw-socket is there exactly on Node')
  await using packets = openPackets(() => undefined, { icmp6 })
  packets.attach(need(pair.links, 'near'))
  const sent = unsolicited(announced, askerMac)
  const isOurs = (hex: string): boolean => hex.slice(108, 110) === '88'
  assert.is(packets.sendNeighbour(pair.nearIndex, sent, () => true), undefined)
  await until('it arrived', () => pair.heardFar.some(isOurs))
  const bytes = Uint8Array.from(Buffer.from(pair.heardFar.find(isOurs) ?? '', 'hex'))
  // The kernel chooses the source of what raw-socket sends.
  assert.equal(decodeNeighbour(bytes), isNode ? { ...sent, source: linkLocal } : sent)
})

check('advertisements that wait in raw-socket do not leave once the right to them has ended', async () => {
  await using pair = await openPair()
  await giveLinkLocal(pair.links)
  using icmp6 = await openIcmp6()
  await using packets = openPackets(() => undefined, { icmp6 })
  packets.attach(need(pair.links, 'near'))
  let asked = 0
  const isFirst = (): boolean => ++asked === 1
  for (let i = 0; i < 3; i++) packets.sendNeighbour(pair.nearIndex, unsolicited(announced, ownerMac), isFirst)
  if (icmp6 !== undefined) await until('each had its turn', () => asked >= 5) // and no frame in its place
  const last = toHex(encodeNeighbour(unsolicited(announced, askerMac)))
  packets.send(pair.nearIndex, encodeNeighbour(unsolicited(announced, askerMac)))
  await until('the last one arrived', () => pair.heardFar.includes(last))
  const left = pair.heardFar.filter((hex) => hex.slice(108, 110) === '88' && hex !== last)
  assert.is(left.length, icmp6 === undefined ? 3 : 1, 'frames leave at once')
})

check('groups: 3,000 solicited-node groups are joined and left again', async () => {
  await using pair = await openPair()
  const { near, nearIndex } = pair
  const groups = Array.from({ length: 3_000 }, (_, i) =>
    solicitedNodeGroup({ family: 'ipv6', bits: BigInt(i + 1) })
  )
  const failures = groups.map((group) => near.join(nearIndex, group)).filter((f) => f !== undefined)
  assert.equal(failures, [])
  const joined = ip('maddr', 'show', 'dev', 'near').match(/33:33:ff:00:/g) ?? []
  assert.is(joined.length, groups.length)
  for (const group of groups) near.leave(nearIndex, group)
  assert.is(ip('maddr', 'show', 'dev', 'near').match(/33:33:ff:00:/g), null)
})

check('a detached interface is deaf, sending on it is an error that says so', async () => {
  await using pair = await openPair()
  const { near, nearIndex, far, farIndex, heard } = pair
  near.detach(nearIndex)
  far.send(farIndex, dadProbeFrame)
  assert.is(near.send(nearIndex, marker), 'Cannot send frame: the interface is gone')
  near.attach(need(pair.links, 'near'))
  far.send(farIndex, marker)
  await until('the marker arrived', () => heard.length > 0)
  assert.equal(heard, [toHex(marker)])
})

check('frames arrive again after the interface was down', async () => {
  await using pair = await openPair()
  const { far, farIndex, heard } = pair
  ip('link', 'set', 'near', 'down')
  await until('it is down', () => !need(pair.links, 'near').isUp)
  ip('link', 'set', 'near', 'up')
  await until('it is up', () => need(pair.links, 'near').hasCarrier)
  await untilInOperation()
  far.send(farIndex, marker)
  await until('the marker arrived', () => heard.includes(toHex(marker)))
})

check('links: appearing, renamed, new MAC, carrier, addresses, enslaved, going', async () => {
  await using links = await openLinks()
  let changes = 0
  links.onChange(() => void changes++)
  ip('link', 'add', 'one', 'type', 'veth', 'peer', 'name', 'two')
  await until('it appeared', () => linkNamed(links, 'one') !== undefined)
  const { index } = need(links, 'one')
  assert.equal([need(links, 'one').isUp, need(links, 'one').isBroadcast], [false, true])
  ip('link', 'set', 'one', 'name', 'lan')
  await until('it was renamed', () => linkNamed(links, 'lan')?.index === index)
  assert.is(linkNamed(links, 'one'), undefined)
  ip('link', 'set', 'lan', 'address', '02:00:5e:00:53:77')
  await until('its MAC changed', () => need(links, 'lan').mac === '02:00:5e:00:53:77')
  ip('link', 'set', 'lan', 'up')
  await until('it is up without carrier', () => need(links, 'lan').isUp)
  assert.is(need(links, 'lan').hasCarrier, false)
  ip('link', 'set', 'two', 'up')
  await until('it has carrier', () => need(links, 'lan').hasCarrier)
  ip('addr', 'add', '192.0.2.1/24', 'dev', 'lan')
  await until('it has an address', () => need(links, 'lan').addresses.some((a) => a.prefix.length === 24))
  ip('addr', 'del', '192.0.2.1/24', 'dev', 'lan')
  await until('it has none', () => !need(links, 'lan').addresses.some((a) => a.prefix.length === 24))
  ip('link', 'add', 'bridge', 'type', 'bridge')
  ip('link', 'set', 'lan', 'master', 'bridge')
  await until('it is a bridge port', () => need(links, 'lan').master !== undefined)
  ip('link', 'set', 'lan', 'nomaster')
  await until('it is free again', () => linkNamed(links, 'lan')?.master === undefined)
  assert.is(linkNamed(links, 'lan')?.index, index, 'leaving a bridge is not going')
  ip('link', 'del', 'lan')
  await until('it is gone', () => linkNamed(links, 'lan') === undefined)
  ip('link', 'del', 'bridge')
  assert.ok(changes >= 10, `${changes} changes were told`)
})

/** Devices that not every kernel has: what is missing is skipped by name. */
const masters = [
  { kind: 'bond', add: ['type', 'bond'], how: 'modprobe bonding' },
  { kind: 'vrf', add: ['type', 'vrf', 'table', '10'], how: 'modprobe vrf' },
]
for (const { kind, add, how } of masters) {
  const name = `links: a member of a ${kind} is known as such`
  if (!hasDevice(add)) {
    console.log(`skipped ${name}: this kernel has no ${kind} devices; ${how}`)
    test.skip(name)
    continue
  }
  check(name, async () => {
    await using pair = await openPair()
    ip('link', 'add', 'over', ...add)
    ip('link', 'set', 'near', 'down')
    ip('link', 'set', 'near', 'master', 'over')
    await until('it is a member', () => need(pair.links, 'near').master !== undefined)
    ip('link', 'set', 'near', 'nomaster')
    await until('it is free again', () => need(pair.links, 'near').master === undefined)
    ip('link', 'del', 'over')
  })
}

const tagged = 'a VLAN device gets the frames of its VLAN, untagged'
if (!hasDevice(['link', 'lo', 'type', 'vlan', 'id', '5'])) {
  console.log(`skipped ${tagged}: this kernel has no VLAN devices; modprobe 8021q`)
  test.skip(tagged)
} else {
  check(tagged, async () => {
    await using pair = await openPair()
    ip('link', 'add', 'near.5', 'link', 'near', 'type', 'vlan', 'id', '5')
    ip('link', 'set', 'near.5', 'up')
    await until('it is there', () => linkNamed(pair.links, 'near.5')?.hasCarrier === true)
    const heard: string[] = []
    await using packets = openPackets((_, frame) => void heard.push(toHex(frame)))
    packets.attach(need(pair.links, 'near.5'))
    pair.far.send(pair.farIndex, Uint8Array.from([
      ...arpRequestFrame.subarray(0, 12), 0x81, 0x00, 0x00, 0x05, ...arpRequestFrame.subarray(12),
    ]))
    await until('the frame arrived', () => heard.length > 0)
    assert.equal(heard, [toHex(arpRequestFrame)])
  })
}

check('links: a tentative IPv6 address is marked until it is confirmed', async () => {
  await using pair = await openPair()
  const { links } = pair
  ip('addr', 'add', '2001:db8::5/64', 'dev', 'near')
  const find = () => need(links, 'near').addresses.find((a) => a.address.family === 'ipv6')
  await until('it is there', () => find() !== undefined)
  await until('it is confirmed', () => find()?.isTentative === false)
})

test.run()
