/** Asks by broadcast or to the group who has some addresses, in turn, for as long as it is left to. */
import { readFileSync } from 'node:fs'
import { askFor } from '../bench/frames.ts'
import { openSocket } from '../bench/socket.ts'

/** Arguments: own addresses, ms between two turns, what to ask for: `ADDRESS[,ADDRESS…]` is one turn. */
const [ipv4 = '', ipv6 = '', everyMs = '', ...turns] = process.argv.slice(2)
const mac = readFileSync('/sys/class/net/eth0/address', 'utf8').trim()
const questions = turns.map((turn) => turn.split(',').map((target) => askFor(target, { mac, ipv4, ipv6 })))
const first = questions[0]?.[0]
if (first === undefined) throw new Error('Cannot ask: no address is given')
const ret = 0x06
const socket = openSocket(first.etherType, [[ret, 0, 0, 0]])
let turn = 0
setInterval(() => {
  for (const { frame } of questions[turn++ % questions.length] ?? []) socket.send(frame)
}, Number(everyMs))
console.log('ready')
