/** Tells people what happened to units: log, metrics, and events on the Services concerned. */
import { type EventText, eventText } from '../cluster/vocabulary.ts'
import type { Recorder } from '../kube/events.ts'
import type { LiveService } from '../kube/live.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { parseAddress, sameAddress } from '../net/address.ts'
import type { Note } from '../ownership/model.ts'

export interface NewsParts {
  readonly log: Log
  readonly metrics: Metrics
  readonly node: string
  readonly recorder: Pick<Recorder, 'record'>
  readonly services: () => ReadonlyMap<string, LiveService>
  /** A foreign machine answers, or does not any more: others are told of that at once. */
  readonly onConflict?: () => void
}

/** What `note` means, for whoever reads the log of this node. */
export function createNews(parts: NewsParts): (note: Note) => void {
  const { log, metrics, node } = parts
  return (note) => {
    switch (note.kind) {
      case 'claimed':
        metrics.countMove(note.cause)
        return log.info('became leader of address', {
          event: 'claimed', ip: note.unit, node, reason: note.cause, from: note.from,
          darkMs: note.darkMs === undefined ? undefined : Math.round(note.darkMs),
        })
      case 'released':
        return log.info('gave up address', {
          event: 'released', ip: note.unit, node, reason: note.cause, to: note.to,
        })
      case 'silenced':
        return log.warn('address is not answered for the time being', {
          event: 'silenced', ip: note.unit, node, reason: note.cause,
        })
      case 'resumed':
        return log.info('address is answered again', {
          event: 'resumed', ip: note.unit, node, reason: note.cause,
        })
      case 'inConflict': {
        parts.onConflict?.()
        log.error('address conflict: another host answers for the address', {
          event: 'inConflict', ip: note.text, node, mac: note.mac,
        })
        const message = `${note.text} is also answered by the host ${note.mac ?? 'unknown'}: ` +
          `node "${node}" is silent until that ends`
        return warnServices(parts, note.text, eventText('inConflict', message))
      }
      case 'conflictEnded':
        parts.onConflict?.()
        return log.info('address conflict has ended', { event: 'conflictEnded', ip: note.text, node })
      case 'strictARP': {
        log.error('the kernel of a node answers for an address: set strictARP of kube-proxy', {
          event: 'strictARP', ip: note.text, node: note.node, mac: note.mac,
        })
        const message = `The kernel of node "${note.node}" (${note.mac}) answers for ${note.text}, ` +
          'though it does not announce it: set ipvs.strictARP of kube-proxy'
        return warnServices(parts, note.text, eventText('strictARP', message))
      }
      case 'postponed':
        return log.warn('address is not taken over yet', {
          event: 'postponed', ip: note.unit, node, reason: note.reason,
        })
    }
  }
}

function warnServices(
  { recorder, services }: NewsParts, ip: string, happening: EventText,
): void {
  const address = parseAddress(ip)
  if (address === undefined) return
  for (const { intent, uid } of services().values()) {
    if (!intent.held.some((held) => sameAddress(held, address))) continue
    recorder.record({ namespace: intent.namespace, name: intent.name, uid }, happening)
  }
}
