/** Writes changes to the log, with the words that users of MetalLB grep for. */
import type { Log } from './log.ts'
import type { Change } from './plan/change.ts'

/** One line per change: info for news, warn where somebody waits for an address in vain. */
export function logChanges(log: Log, changes: readonly Change[]): void {
  for (const { kind, ...fields } of changes) {
    switch (kind) {
      case 'assigned':
        log.info('IP address assigned by controller', { event: 'ipAllocated', ...fields })
        break
      case 'refused':
        log.warn('IP allocation failed', { event: 'allocationFailed', ...withoutMessage(fields) })
        break
      case 'released':
        log.info('IP address released', { event: 'clearAssignment', ...fields })
        break
      case 'left':
        log.warn('another host has the address: the service is given another', {
          event: 'foreignHost', ...fields,
        })
        break
      case 'silent':
        log.warn('not announced', { event: 'notAnnounced', ...fields })
        break
      case 'announced':
        log.info('service has IP, announcing as leader', { event: 'serviceAnnounced', ...fields })
        break
      case 'withdrawn':
        log.info('withdrawing service announcement', { event: 'serviceWithdrawn', ...fields })
        break
    }
  }
}

/** `msg` is the log's own key: a sentence goes under `error`. */
function withoutMessage(fields: object): Readonly<Record<string, unknown>> {
  if (!('message' in fields)) return { ...fields }
  const { message, ...rest } = fields
  return { ...rest, error: message }
}

/** Most addresses named on one line of the owned-addresses report. */
const ipsPerLine = 100

/**
 * The line a minute that says what this node owns and how many members live, so that the last ten lines
 * of a log, which is what `kubectl logs -l` shows, always have the words that people grep for:
 * leader, announce, memberlist. Without a ring, `members` is undefined.
 */
export function logOwned(log: Log, node: string, ips: readonly string[], members?: number): void {
  for (let at = 0; at < ips.length; at += ipsPerLine) {
    const part = ips.slice(at, at + ipsPerLine)
    log.info('leader, announcing', {
      event: 'announces', node, count: ips.length, ips: part, memberlist: members,
    })
  }
}
