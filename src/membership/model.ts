/** What goes into the ring and what comes out: events, effects, members, and reasons for drops. */
import type { Millis } from '../net/model.ts'
import type { Bytes } from './wire/bytes.ts'
import type { NodeState } from './wire/message.ts'
import type { PacketFailure } from './wire/packet.ts'
import type { StreamFailure } from './wire/stream.ts'

/** An address in 4 or 16 bytes, as the wire has it, and a port. */
export interface Endpoint {
  readonly address: Bytes
  readonly port: number
}

/** One node as this ring sees it; a value that does not change. */
export interface Member extends Endpoint {
  readonly name: string
  readonly state: NodeState
  /** At most 512 bytes; empty where the node has none. */
  readonly meta: Bytes
  readonly incarnation: number
  /** Since when it is in this state. */
  readonly sinceMs: Millis
  readonly isSelf: boolean
}

export type MemberChange = 'joined' | 'left' | 'changed' | 'suspected' | 'cleared'

/** Why something that arrived, or was asked for, came to nothing. */
export type RingDrop =
  | 'wrongName' | 'nameConflict' | 'badVersions' | 'incompatible' | 'tooManyNodes' | 'tooManyStreams'
  | 'tooManyRelays' | 'streamTimeout' | 'streamEnded' | 'remoteError' | 'unexpectedReply'
  | 'unknownMember' | 'tooLong'

/** Why the shell dropped something before the ring saw it. */
export type ShellDrop = 'label' | 'undecryptable' | 'unencrypted' | 'streamFailed' | 'sendFailed'
  | 'overload' | 'wrongSocket' | 'legUnavailable'

export type Drop = RingDrop | ShellDrop | PacketFailure | StreamFailure

export type Event =
  /** Once, first. */
  | { readonly kind: 'start' }
  /** A decrypted datagram. */
  | { readonly kind: 'packet'; readonly packet: Bytes; readonly from: Endpoint }
  /** The socket refused to send to this endpoint. */
  | { readonly kind: 'sendFailed'; readonly to: Endpoint }
  /** Everybody who ought to be in the ring, replacing the last list: tried until they are. */
  | { readonly kind: 'peers'; readonly peers: readonly Endpoint[] }
  | { readonly kind: 'meta'; readonly meta: Bytes }
  /** What our side of the next exchanges of states carries. */
  | { readonly kind: 'userState'; readonly userState: () => Bytes }
  | { readonly kind: 'send'; readonly to: string; readonly payload: Bytes; readonly isReliable: boolean }
  /** Spreads by gossip; a newer one of the same key replaces it. */
  | { readonly kind: 'broadcast'; readonly key: string; readonly payload: Bytes }
  /** Tells somebody of us who is no member: a host with our name. */
  | { readonly kind: 'greet'; readonly to: Endpoint }
  | { readonly kind: 'leave'; readonly timeoutMs: Millis }
  /** Somebody opened a stream to us. */
  | { readonly kind: 'streamAccepted'; readonly stream: number; readonly from: Endpoint }
  /** A stream of ours is open. */
  | { readonly kind: 'streamOpened'; readonly stream: number }
  | { readonly kind: 'streamBytes'; readonly stream: number; readonly bytes: Bytes }
  | { readonly kind: 'streamClosed' | 'streamFailed'; readonly stream: number }
  | { readonly kind: 'wake' }

export type Effect =
  | { readonly kind: 'sendPacket'; readonly to: Endpoint; readonly packet: Bytes }
  | { readonly kind: 'openStream'; readonly stream: number; readonly to: Endpoint }
  /** The whole content of our side, in one piece. */
  | { readonly kind: 'sendStream'; readonly stream: number; readonly content: Bytes }
  /** What was sent is still delivered. */
  | { readonly kind: 'closeStream'; readonly stream: number }
  | { readonly kind: 'member'; readonly change: MemberChange; readonly member: Member }
  /** Somebody is said to live whose name is known of another address, of ours it may be: it is no member. */
  | { readonly kind: 'conflict'; readonly name: string; readonly known: Endpoint; readonly claimed: Endpoint
      readonly meta: Bytes
      /** It says so itself, or has just said so; not in a list of what somebody believes. */
      readonly isWord: boolean }
  | { readonly kind: 'message'; readonly payload: Bytes; readonly from: Endpoint
      readonly isReliable: boolean }
  | { readonly kind: 'remoteState'; readonly userState: Bytes; readonly isJoin: boolean }
  /** Our leave has spread as far as it will. */
  | { readonly kind: 'leftRing'; readonly isComplete: boolean }
  | { readonly kind: 'drop'; readonly reason: Drop }
  /** Call `step` with `wake` at this instant, in place of any earlier request. */
  | { readonly kind: 'wake'; readonly atMs: Millis }
