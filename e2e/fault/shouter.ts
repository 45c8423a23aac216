/** A host that says once to all that it has an address of somebody else, and never again. */
import { readFileSync } from 'node:fs'
import { announcementOf } from '../bench/frames.ts'
import { openSocket } from '../bench/socket.ts'

/** The one argument: the address. */
const target = process.argv[2] ?? ''
const mac = readFileSync('/sys/class/net/eth0/address', 'utf8').trim()
const { etherType, frame } = announcementOf(target, mac)
const ret = 0x06
openSocket(etherType, [[ret, 0, 0, 0]]).send(frame)
console.log('sent')
