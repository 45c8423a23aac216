/** One member as a program of its own: what e2e/membership puts beside the real memberlist. */
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { parseAddress, formatAddress } from '../../net/address.ts'
import type { Address } from '../../net/model.ts'
import { deriveKey, lanSettings } from '../settings.ts'
import { type Bytes, fromByteString, toByteString } from '../wire/bytes.ts'
import { fromAddressBytes } from './endpoint.ts'
import { type MembershipEvent, openMembership } from './membership.ts'

const { values } = parseArgs({
  options: {
    name: { type: 'string', default: '' }, bind: { type: 'string', default: '' },
    join: { type: 'string', default: '' }, secret: { type: 'string', default: '' },
    meta: { type: 'string', default: '' }, incarnation: { type: 'string', default: '1' },
  },
})

function say(fields: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify(fields)}\n`)
}

function need(text: string): Address {
  const address = parseAddress(text)
  if (address === undefined) throw new Error(`Cannot use "${text}": want an address`)
  return address
}

function tell(event: MembershipEvent): void {
  switch (event.kind) {
    case 'member': {
      const { name, address, port, meta, state } = event.member
      const text = formatAddress(fromAddressBytes(address))
      say({ event: event.change, name, address: text, port, meta: text8(meta), left: state === 'left' })
      return
    }
    case 'message':
      return say({ event: 'message', text: text8(event.payload), isReliable: event.isReliable })
    case 'remoteState':
      return say({ event: 'state', text: text8(event.userState) })
  }
}

function text8(bytes: Bytes): string {
  return toByteString(bytes)
}

const membership = await openMembership({
  name: values.name, address: need(values.bind), port: 7946, settings: lanSettings,
  key: deriveKey(fromByteString(values.secret)), meta: fromByteString(values.meta),
  incarnation: Number(values.incarnation), seed: process.pid, now: () => performance.now(), onEvent: tell,
})
membership.setUserState(() => fromByteString(`state of ${values.meta}`))
membership.setPeers(values.join.split(',').filter((text) => text !== '').map(need))
say({ event: 'ready', name: values.name })

createInterface({ input: process.stdin }).on('line', (line) => {
  const [order = '', name = '', ...rest] = line.split(' ')
  const payload = fromByteString(rest.join(' '))
  if (order === 'meta') membership.setMeta(fromByteString(name))
  if (order === 'send') membership.send(name, payload, 'stream')
  if (order === 'packet') membership.send(name, payload, 'datagram')
  if (order === 'from') membership.sendFrom(need(values.bind), [need(name)], payload)
  if (order === 'counts') {
    const { drops, ...counts } = membership.counts()
    say({ event: 'counts', ...counts, health: membership.health(), drops: Object.fromEntries(drops) })
  }
})

process.once('SIGTERM', () => {
  void membership[Symbol.asyncDispose]().then(() => process.exit(0))
})
