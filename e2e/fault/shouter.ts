/** A host that says once that it has an address of somebody else, and never again. */
import { readFileSync } from 'node:fs'
import { askFor } from '../bench/frames.ts'
import { openSocket } from '../bench/socket.ts'

/** The one argument: the address. */
const target = process.argv[2] ?? ''
const mac = readFileSync('/sys/class/net/eth0/address', 'utf8').trim()
// A request for the sender's own address: RFC 5227 §3.
const { etherType, frame } = askFor(target, { mac, ipv4: target, ipv6: '::' })
const ret = 0x06
openSocket(etherType, [[ret, 0, 0, 0]]).send(frame)
console.log('sent')
