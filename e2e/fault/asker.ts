/** Asks by broadcast who has some addresses, in turn, for as long as it is left to. */
import { readFileSync } from 'node:fs'
import { askFor } from '../bench/frames.ts'
import { openSocket } from '../bench/socket.ts'

/** Arguments: own IPv4 address, ms between two questions, addresses. */
const [ipv4 = '', everyMs = '', ...targets] = process.argv.slice(2)
const mac = readFileSync('/sys/class/net/eth0/address', 'utf8').trim()
const questions = targets.map((target) => askFor(target, { mac, ipv4, ipv6: '::' }))
const [first] = questions
if (first === undefined) throw new Error('Cannot ask: no address is given')
const ret = 0x06
const socket = openSocket(first.etherType, [[ret, 0, 0, 0]])
let turn = 0
setInterval(() => {
  const question = questions[turn++ % questions.length]
  if (question !== undefined) socket.send(question.frame)
}, Number(everyMs))
console.log('ready')
