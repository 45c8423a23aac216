/** Values of the announcing side: links, announcements, frames' fates. */
import type { Address, Prefix } from '../net/model.ts'

/** A 48-bit hardware address as 12 lower-case hex digits with colons. */
export type Mac = string

/** A network interface as the kernel shows it now. */
export interface LinkState {
  readonly index: number
  /** Differs after the interface was gone and came back under the same index. */
  readonly generation?: number
  readonly name: string
  readonly mac: Mac
  readonly mtuBytes: number
  /** IFF_UP */
  readonly isUp: boolean
  /** IFF_LOWER_UP */
  readonly hasCarrier: boolean
  /** Index of the bridge, bond, team or VRF it belongs to. */
  readonly master: number | undefined
  readonly isLoopback: boolean
  /** IFF_NOARP */
  readonly isNoArp: boolean
  /** IFF_BROADCAST: ARP is possible. */
  readonly isBroadcast: boolean
  /** Addresses with their prefix lengths, link-local included. */
  readonly addresses: readonly LinkAddress[]
}

export interface LinkAddress {
  readonly address: Address
  readonly prefix: Prefix
  /** IPv6 duplicate address detection has not finished or has failed. */
  readonly isTentative: boolean
}

/** One address this node answers for, on which interfaces. */
export interface Announcement {
  readonly address: Address
  /** Formatted address: metric label and map key. */
  readonly text: string
  /** Union over advertisements; 'all' = every usable interface. */
  readonly interfaces: 'all' | readonly string[]
  /** Services that hold the address, `namespace/name`, sorted. */
  readonly services: readonly string[]
}

/** Why a received frame is not answered: counted by reason, never logged one by one. */
export type Drop =
  | 'truncated' // shorter than its headers say
  | 'malformed' // lengths, types or checksum wrong
  | 'notForProtocol' // an ethertype or ICMPv6 type we do not serve
  | 'notRequest' // an ARP reply, a neighbour advertisement
  | 'ethernetDestination' // addressed to another station
  | 'ownFrame' // our own, seen again
  | 'hopLimit' // a neighbour solicitation with hop limit other than 255
  | 'notAnnounced' // the target is not announced by this node
  | 'notThisInterface' // announced, but not on this interface
  | 'fenced' // announced, but this node's right to answer has run out
  | 'stale' // asked while this node did not look, and answered by another since, perhaps

/** Why an address is not announced by a node, or by nobody (node null). One vocabulary everywhere. */
export type Silence =
  | 'noL2Advertisement' // no L2Advertisement selects the pool
  | 'noServiceMatch' // advertisements select the pool, none selects the Service
  | 'sharedIPWithServiceSelector'
  | 'noNodeMatch' // node selectors match no live node
  | 'nodeNotSelected' // this node is outside the selectors
  | 'noEndpoints' // no endpoint can serve
  | 'noLocalEndpoints' // policy Local: no endpoint of this node can serve
  | 'nodeExcluded' // exclude-from-external-load-balancers
  | 'networkUnavailable'
  | 'interfaceMissing' // none of the advertised interfaces exists on the node
  | 'interfaceDown'
  | 'noCarrier'
  | 'socketFailed' // no packet socket could be opened on the interface
  | 'noPrefix' // no interface has a connected prefix that covers the address
  | 'unitElsewhere' // another address of the same unit keeps the owner on a node that cannot
  | 'speakerAbsent' // no speaker runs on the node, or the chosen one does not announce
  | 'configurationStale' // the present configuration was refused, an older one is in force
  | 'noNodes' // no speaker is known
  // What only the wire shows, in the words of ownership:
  | 'inConflict' // a machine that is none of ours answers
  | 'ownerDeaf' // the owner hears no other host
  | 'segmentUnheard' // nobody answered this node's control requests: it may not claim
  | 'expired' // its fence ran out: it stalled or was not heard
  | 'contested' // somebody has a higher term
  | 'ownerAnswers' // no beats of the owner, but its MAC answers on the wire
  | 'memberAnswers' // another member answers

/** A node that may announce: alive, with the interfaces it says it has. */
export interface Member {
  readonly name: string
  /** undefined = every interface up and every prefix covered (what `plan` assumes). */
  readonly links: readonly LinkState[] | undefined
  /** Indexes of interfaces on which no socket could be opened. */
  readonly deaf?: ReadonlySet<number>
}
