/** Options of hosts that share their addresses: who the others are, and how they are met. */
import { isLoopback, parseAddress } from '../net/address.ts'
import type { Address } from '../net/model.ts'
import { isUsage, parsePort, type Usage, usage, type Values } from './option-values.ts'

export interface GroupOptions {
  /** Addresses of hosts to meet, this one's possibly among them. Never empty. */
  readonly join: readonly Address[]
  /** undefined = the one beside those of `join`. */
  readonly bindAddress: Address | undefined
  readonly bindPort: number
  /** Folder with the file `secretkey`; undefined = plain text. */
  readonly secretKeyPath: string | undefined
  /** Members that do not come back. */
  readonly forgets: readonly string[]
}

const groupFlags = ['forget', 'ml-bindaddr', 'ml-bindport', 'ml-secret-key-path']

/**
 * Options of a group on the command line itself, and no group: the host would announce alone. What the
 * environment says may be meant for others.
 */
export function findStray(given: Values, isJoining: boolean): Usage | undefined {
  const stray = isJoining ? undefined : groupFlags.find((flag) => given[flag] !== undefined)
  return stray === undefined ? undefined : usage(`--${stray} means nothing without --join`)
}

/** undefined = no --join: this host is alone. */
export function buildGroup(values: Values): GroupOptions | undefined | Usage {
  const text = (key: string): string => {
    const value = values[key]
    return typeof value === 'string' ? value : ''
  }
  const forgets = Array.isArray(values['forget']) ? values['forget'].map(String) : []
  const own = text('node-name')
  for (const name of forgets) {
    if (name === '') return usage('Bad value "" of --forget: want the name of a host of the group')
    if (name === own) return usage(`Bad value "${name}" of --forget: it is this host; tell another one`)
  }
  // Given and empty is a variable that is not set, on a host that would announce beside its group.
  if (values['join'] === undefined) return undefined
  const bindText = text('ml-bindaddr')
  const bindAddress = bindText === '' ? undefined : parseAddress(bindText)
  if (bindText !== '' && (bindAddress === undefined || bindAddress.bits === 0n)) {
    return usage(`Bad value "${bindText}" of --ml-bindaddr: want an address of this host`)
  }
  const join = parseJoin(text('join'), bindAddress)
  if (isUsage(join)) return join
  const bindPort = parsePort('ml-bindport', text('ml-bindport') || '7946', 1)
  if (isUsage(bindPort)) return bindPort
  return { join, bindAddress, bindPort, secretKeyPath: text('ml-secret-key-path') || undefined, forgets }
}

function parseJoin(text: string, bindAddress: Address | undefined): readonly Address[] | Usage {
  const join: Address[] = []
  for (const part of text.split(',').map((each) => each.trim())) {
    const address = parseAddress(part)
    if (address === undefined || address.bits === 0n) {
      return usage(`Bad value "${part}" of --join: want addresses of hosts, separated by commas`)
    }
    // Hosts that are all bound to loopback addresses are one machine's, on purpose.
    if (isLoopback(address) && (bindAddress === undefined || !isLoopback(bindAddress))) {
      return usage(`Bad value "${part}" of --join: there each host meets itself, and no other; give the ` +
        'addresses at which hosts reach each other')
    }
    join.push(address)
  }
  return join
}
