/** AF_PACKET sockets: ARP and neighbour frames in and out of each interface (packet(7)). */
import type { Address, Millis } from '../../net/model.ts'
import { encodeMac, writeBits, writeUint16 } from '../frame.ts'
import type { LinkState } from '../model.ts'
import { encodeNeighbour, groupMac, isMulticast, type Neighbour } from '../ndp.ts'
import { ageOf } from './age.ts'
import { arpFilter, encodeFilter, neighbourFilter } from './filter.ts'
import {
  bindSocket, closeFd, describeErrno, errnos, openSocket, send, setOption,
} from './libc.ts'
import type { Icmp6 } from './icmp6.ts'
import { createInbox, optionTimestamp } from './inbox.ts'
import { openPoller } from './poller.ts'

const familyPacket = 17
const socketRaw = 3
const etherTypes = [
  { etherType: 0x0806, filter: arpFilter },
  { etherType: 0x86dd, filter: neighbourFilter },
] as const
const levelSocket = 1
const optionAttachFilter = 26
const optionReceiveBuffer = 8
/** Goes beyond net.core.rmem_max; needs CAP_NET_ADMIN. */
const optionReceiveBufferForce = 33
/**
 * Room for some thousand requests that arrive while the program plans or collects garbage; the
 * default is full after 250. The kernel takes the memory only while frames wait.
 */
const receiveBufferBytes = 4 << 20

/** Longer frames are reported cut: no ARP or neighbour message of ours needs more. */
const receiveBytes = 2048
/** Frames that are read in one call. */
const inboxFrames = 32
/** Calls on one socket before others get their turn: what a stall of seconds leaves behind. */
const maxCalls = 128

interface Joined {
  readonly fd: number
  readonly kind: Membership
}

/** The sockets of one interface. */
interface Port {
  readonly link: LinkState
  readonly fds: readonly number[]
  /** Sockets that hold group memberships only: one holds some 2,300 before ENOMEM. */
  readonly groupFds: Joined[]
  readonly groups: Map<bigint, Joined>
}

/** `ageMs`: time that the frame has waited in the kernel; 0 where the clock was set meanwhile. */
export type OnFrame = (ifindex: number, frame: Uint8Array, ageMs: Millis) => void

/** Sentences about what failed; undefined = done. */
export interface Packets extends AsyncDisposable {
  attach(link: LinkState): string | undefined
  detach(ifindex: number): void
  send(ifindex: number, frame: Uint8Array): string | undefined
  /** Where it does not leave at once, `mayLeave` is asked before it does. */
  sendNeighbour(ifindex: number, packet: Neighbour, mayLeave: () => boolean): string | undefined
  join(ifindex: number, group: Address): string | undefined
  leave(ifindex: number, group: Address): void
  /** Reads every socket to its end now; `onFrame` gets what there was. */
  drain(): void
}

export interface PacketsOptions {
  /** Sends unsolicited advertisements. */
  readonly icmp6?: Icmp6 | undefined
  /** What was readable has been read, to its end. */
  readonly onRead?: () => void
}

/**
 * Nothing is open until `attach`. `onFrame` runs on the main thread, and may keep the frame. Frames
 * sent here do not come back. Unsolicited advertisements leave through
 * `icmp6` where there is one, else, and where it fails, as frames.
 */
export function openPackets(onFrame: OnFrame, options: PacketsOptions = {}): Packets {
  const { icmp6, onRead } = options
  const ports = new Map<number, Port>()
  const poller = openPoller((error) => {
    throw error
  })
  const inbox = createInbox(inboxFrames, receiveBytes)
  /** To the end, or to what may be taken while others wait. */
  const drain = (fd: number, ifindex: number): void => {
    for (let call = 0; call < maxCalls; call++) {
      const count = inbox.receive(fd)
      if (count < 0 && -count === errnos.netDown) continue
      const wallMs = Date.now()
      for (let i = 0; i < count; i++) {
        onFrame(ifindex, inbox.datagram(i), ageOf(inbox.arrivedWallMs(i), wallMs))
      }
      if (count < inboxFrames) return
    }
  }
  const detach = (ifindex: number): void => {
    const port = ports.get(ifindex)
    if (port === undefined) return
    ports.delete(ifindex)
    icmp6?.forget(ifindex)
    for (const fd of port.fds) {
      poller.remove(fd)
      closeFd(fd)
    }
    for (const { fd } of port.groupFds) closeFd(fd)
  }
  return {
    attach: (link) => {
      const opened = openPort(link)
      if (typeof opened === 'string') return opened
      ports.set(link.index, opened)
      for (const fd of opened.fds) {
        poller.add(fd, () => {
          drain(fd, link.index)
          onRead?.()
        })
      }
      return undefined
    },
    detach,
    drain: () => {
      for (const [ifindex, { fds }] of ports) for (const fd of fds) drain(fd, ifindex)
    },
    send: (ifindex, frame) => sendOn(ports.get(ifindex), frame),
    sendNeighbour: (ifindex, packet, mayLeave) => {
      const asFrame = (): string | undefined => sendOn(ports.get(ifindex), encodeNeighbour(packet))
      if (icmp6 === undefined || !isMulticast(packet.destination)) return asFrame()
      icmp6.send(ifindex, packet, mayLeave, () => void (mayLeave() && asFrame()))
      return undefined
    },
    join: (ifindex, group) => joinOn(ports.get(ifindex), group),
    leave: (ifindex, group) => leaveOn(ports.get(ifindex), group),
    [Symbol.asyncDispose]: async () => {
      for (const ifindex of [...ports.keys()]) detach(ifindex)
      await poller[Symbol.asyncDispose]()
    },
  }
}

function openPort(link: LinkState): Port | string {
  const fds: number[] = []
  for (const { etherType, filter } of etherTypes) {
    const fd = openFiltered(link, etherType, filter)
    if (typeof fd === 'string') {
      for (const open of fds) closeFd(open)
      return fd
    }
    fds.push(fd)
  }
  return { link, fds, groupFds: [], groups: new Map() }
}

/** Filter before bind: an unbound socket of protocol 0 receives nothing in between. */
function openFiltered(
  link: LinkState, etherType: number, filter: Parameters<typeof encodeFilter>[0],
): number | string {
  const fd = openSocket(familyPacket, socketRaw, 0)
  if (fd < 0) return failure('open packet socket', link, -fd)
  enlargeBuffer(fd)
  const isStamped = setOption(fd, levelSocket, optionTimestamp, int(1))
  const { option, program } = encodeFilter(filter)
  const attached = isStamped < 0 ? isStamped : setOption(fd, levelSocket, optionAttachFilter, option)
  const bound = attached < 0 ? attached : bindSocket(fd, linkAddress(etherType, link.index))
  if (bound < 0 || program.length === 0) {
    closeFd(fd)
    return failure('bind packet socket', link, -bound)
  }
  return fd
}

/** Without the right to force it, the buffer is as large as the system allows. */
function enlargeBuffer(fd: number): void {
  const size = int(receiveBufferBytes)
  if (setOption(fd, levelSocket, optionReceiveBufferForce, size) >= 0) return
  setOption(fd, levelSocket, optionReceiveBuffer, size)
}

/** An option's value of type `int`. */
function int(value: number): Uint8Array {
  return new Uint8Array(new Int32Array([value]).buffer)
}

function failure(action: string, link: LinkState, errno: number): string {
  const hint = errno === errnos.notPermitted ? ' (needs CAP_NET_RAW)' : ''
  return `Cannot ${action} on "${link.name}": ${describeErrno(errno)}${hint}`
}

/** `struct sockaddr_ll` with family, protocol in network order, and interface index. */
function linkAddress(etherType: number, ifindex: number): Uint8Array {
  const bytes = new Uint8Array(20)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, familyPacket, true)
  writeUint16(bytes, 2, etherType)
  view.setInt32(4, ifindex, true)
  return bytes
}

function sendOn(port: Port | undefined, frame: Uint8Array): string | undefined {
  const fd = port?.fds[0]
  if (port === undefined || fd === undefined) return 'Cannot send frame: the interface is gone'
  const sent = send(fd, frame)
  return sent < 0 ? failure('send frame', port.link, -sent) : undefined
}

/**
 * Joins through IPv6 where the interface has it: the kernel then sends MLD reports, without which a
 * snooping switch keeps solicitations away (RFC 4541 §3). Else only the interface's filter is set.
 */
function joinOn(port: Port | undefined, group: Address): string | undefined {
  if (port === undefined) return 'Cannot join group: the interface is gone'
  let errno = 0
  for (const kind of memberships) {
    errno = joinWith(kind, port, group)
    if (errno === 0) return undefined
  }
  return failure('join group', port.link, errno)
}

/** 0 or an error number. A socket whose memory is used up is followed by another. */
function joinWith(kind: Membership, port: Port, group: Address): number {
  const request = kind.encode(port.link.index, group)
  const last = port.groupFds.findLast((one) => one.kind === kind)
  if (last !== undefined) {
    const errno = -setOption(last.fd, kind.level, kind.add, request)
    if (errno === 0) port.groups.set(group.bits, last)
    if (errno !== errnos.noMemory && errno !== errnos.noBuffers) return errno
  }
  const fd = openSocket(kind.family, kind.type, 0)
  if (fd < 0) return -fd
  const fresh = { fd, kind }
  port.groupFds.push(fresh)
  const errno = -setOption(fd, kind.level, kind.add, request)
  if (errno === 0) port.groups.set(group.bits, fresh)
  return errno
}

function leaveOn(port: Port | undefined, group: Address): void {
  const joined = port?.groups.get(group.bits)
  if (port === undefined || joined === undefined) return
  port.groups.delete(group.bits)
  const { fd, kind } = joined
  setOption(fd, kind.level, kind.drop, kind.encode(port.link.index, group))
}

/** One way to be a member of a group: socket, options and request (packet(7), ipv6(7)). */
interface Membership {
  readonly family: number
  readonly type: number
  readonly level: number
  readonly add: number
  readonly drop: number
  encode(ifindex: number, group: Address): Uint8Array
}

/** `struct ipv6_mreq` with IPV6_ADD_MEMBERSHIP, then `struct packet_mreq` for the group's MAC. */
const memberships: readonly Membership[] = [
  {
    family: 10,
    type: 2,
    level: 41,
    add: 20,
    drop: 21,
    encode: (ifindex, group) => {
      const bytes = new Uint8Array(20)
      writeBits(bytes, 0, 16, group.bits)
      new DataView(bytes.buffer).setInt32(16, ifindex, true)
      return bytes
    },
  },
  {
    family: familyPacket,
    type: socketRaw,
    level: 263,
    add: 1,
    drop: 2,
    encode: (ifindex, group) => {
      const bytes = new Uint8Array(16)
      const view = new DataView(bytes.buffer)
      view.setInt32(0, ifindex, true)
      view.setUint16(6, 6, true)
      encodeMac(groupMac(group), bytes, 8)
      return bytes
    },
  },
]
