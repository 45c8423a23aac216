/** What every responder must do with which frame: shared by all of them, pure or on a wire. */
import { encodeMac } from './frame.ts'
import {
  advertisementFrame, arpProbeFrame, arpReplyFrame, arpRequestFrame, askerMac, dadProbeFrame,
  ownerMac, solicitationFrame,
} from './golden.ts'
import { decodeNeighbour, encodeNeighbour } from './ndp.ts'

/** Announced on the interface that the frames arrive on, whose MAC is `ownerMac`. */
export const announcedHere = ['192.0.2.11', '192.0.2.99', '2001:db8::11'] as const
/** Announced on another interface only. */
export const announcedElsewhere = '192.0.2.12'

export interface ConformanceCase {
  readonly it: string
  readonly frame: Uint8Array
  /** The address whose holder is told, or why nobody is. */
  readonly want: { readonly reply: string } | { readonly drop: string }
}

function to(mac: string, frame: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(frame)
  encodeMac(mac, copy, 0)
  return copy
}

function from(mac: string, frame: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(frame)
  encodeMac(mac, copy, 6)
  return copy
}

function unicastProbe(): Uint8Array {
  const packet = decodeNeighbour(solicitationFrame)
  if (typeof packet === 'string') throw new Error(packet)
  return encodeNeighbour({
    ...packet, etherTo: ownerMac, destination: packet.target, mac: undefined,
  })
}

const stranger = '02:00:5e:00:53:ff'

/** Golden frames and what becomes of them; drops first. */
export const conformanceCases: readonly ConformanceCase[] = [
  { it: 'a short ARP frame', frame: arpRequestFrame.subarray(0, 40), want: { drop: 'truncated' } },
  { it: 'an ethertype nobody serves', frame: to(ownerMac, new Uint8Array(60)),
    want: { drop: 'notForProtocol' } },
  { it: 'a malformed ARP packet', frame: arpRequestFrame.with(18, 8), want: { drop: 'malformed' } },
  { it: 'an ARP reply', frame: to(ownerMac, from(askerMac, arpReplyFrame)),
    want: { drop: 'notRequest' } },
  { it: 'an advertisement of another host', frame: to(ownerMac, from(askerMac, advertisementFrame)),
    want: { drop: 'notRequest' } },
  { it: 'a request sent to another station', frame: to(stranger, arpRequestFrame),
    want: { drop: 'ethernetDestination' } },
  { it: 'a solicitation sent to another station', frame: to(stranger, solicitationFrame),
    want: { drop: 'ethernetDestination' } },
  { it: 'a solicitation with hop limit 64', frame: solicitationFrame.with(21, 64),
    want: { drop: 'hopLimit' } },
  { it: 'a solicitation with a wrong checksum', frame: solicitationFrame.with(57, 0x2e),
    want: { drop: 'malformed' } },
  { it: 'an address nobody announces', frame: arpRequestFrame.with(41, 77),
    want: { drop: 'notAnnounced' } },
  { it: 'an address announced on another interface', frame: arpRequestFrame.with(41, 12),
    want: { drop: 'notThisInterface' } },
  { it: 'a broadcast request', frame: arpRequestFrame, want: { reply: '192.0.2.11' } },
  { it: 'a request padded beyond the minimum', want: { reply: '192.0.2.11' },
    frame: Uint8Array.from([...arpRequestFrame, ...new Uint8Array(1_400).fill(0xee)]) },
  { it: 'a unicast request', frame: to(ownerMac, arpRequestFrame), want: { reply: '192.0.2.11' } },
  { it: 'an RFC 5227 probe', frame: arpProbeFrame, want: { reply: '192.0.2.99' } },
  { it: 'a multicast solicitation', frame: solicitationFrame, want: { reply: '2001:db8::11' } },
  { it: 'a solicitation to all nodes', frame: to('33:33:00:00:00:01', solicitationFrame),
    want: { reply: '2001:db8::11' } },
  { it: 'a unicast solicitation without option', frame: unicastProbe(),
    want: { reply: '2001:db8::11' } },
  { it: 'a duplicate address probe', frame: from(askerMac, dadProbeFrame),
    want: { reply: '2001:db8::11' } },
]
