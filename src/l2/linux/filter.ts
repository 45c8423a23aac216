/** Classic BPF programs that keep packets we do not serve in the kernel (linux/filter.h). */
import { addressOf } from './libc.ts'

type Instruction = readonly [code: number, jumpTrue: number, jumpFalse: number, k: number]

const loadByte = 0x30 // BPF_LD | BPF_B | BPF_ABS
const loadHalf = 0x28 // BPF_LD | BPF_H | BPF_ABS
const jumpEqual = 0x15 // BPF_JMP | BPF_JEQ | BPF_K
const ret = 0x06 // BPF_RET | BPF_K

const ancillary = 0xfffff000 // SKF_AD_OFF
const packetType = ancillary + 4 // SKF_AD_PKTTYPE
/** PACKET_OTHERHOST: sent to another station, or tagged with a VLAN nobody here has. */
const otherHost = 3
const acceptAll = 0x40000

/**
 * ARP of any kind, except frames for other stations: the kernel marks a frame with a foreign VLAN
 * tag so, after it has stripped the tag, and it must not be taken for an untagged one.
 */
export const arpFilter: readonly Instruction[] = [
  [loadByte, 0, 0, packetType],
  [jumpEqual, 2, 0, otherHost],
  [loadHalf, 0, 0, 12],
  [jumpEqual, 1, 0, 0x0806],
  [ret, 0, 0, 0],
  [ret, 0, 0, acceptAll],
]

/** ICMPv6 types 135 and 136 directly after the IPv6 header, except frames for other stations. */
export const neighbourFilter: readonly Instruction[] = [
  [loadByte, 0, 0, packetType],
  [jumpEqual, 7, 0, otherHost],
  [loadHalf, 0, 0, 12],
  [jumpEqual, 0, 5, 0x86dd],
  [loadByte, 0, 0, 20],
  [jumpEqual, 0, 3, 58],
  [loadByte, 0, 0, 54],
  [jumpEqual, 2, 0, 135],
  [jumpEqual, 1, 0, 136],
  [ret, 0, 0, 0],
  [ret, 0, 0, acceptAll],
]

const instructionBytes = 8

/** `struct sock_fprog` for SO_ATTACH_FILTER; `program` must live until the option is set. */
export function encodeFilter(
  instructions: readonly Instruction[],
): { readonly option: Uint8Array; readonly program: Uint8Array } {
  const program = new Uint8Array(instructions.length * instructionBytes)
  const view = new DataView(program.buffer)
  instructions.forEach(([code, jumpTrue, jumpFalse, k], i) => {
    view.setUint16(i * instructionBytes, code, true)
    view.setUint8(i * instructionBytes + 2, jumpTrue)
    view.setUint8(i * instructionBytes + 3, jumpFalse)
    view.setUint32(i * instructionBytes + 4, k, true)
  })
  const option = new Uint8Array(16)
  const head = new DataView(option.buffer)
  head.setUint16(0, instructions.length, true)
  head.setBigUint64(8, addressOf(program), true)
  return { option, program }
}
