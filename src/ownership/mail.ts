/** Words to other members that are collected during a step, so that many units share a message. */
import { encodeMessage, type Entry, type Message, messageOf, type MessageKind, pagesOf } from './codec.ts'
import { legOf } from './fleet.ts'
import { isAliveNode, type Ownership } from './state.ts'

/** One message to one member, now. */
export function tell(
  o: Ownership, to: string, kind: MessageKind, rest: Partial<Message>,
): void {
  push(o, to, isAliveNode(o, to) ? undefined : wayTo(o, to), messageOf(kind, rest))
}

/** The same on one leg, from this node's address there to the member's. */
export function tellOn(
  o: Ownership, { to, ifindex }: { readonly to: string; readonly ifindex: number }, kind: MessageKind,
  rest: Partial<Message>,
): void {
  push(o, to, ifindex, messageOf(kind, rest))
}

function push(o: Ownership, to: string, ifindex: number | undefined, message: Message): void {
  o.counts.sent++
  o.out.push({ kind: 'tell', to, ifindex, bytes: encodeMessage(message) })
}

/** To a member that the wire has just heard: on that leg, since the ring may not reach it. */
export function tellNear(o: Ownership, to: string, kind: MessageKind, entry: Entry): void {
  push(o, to, wayTo(o, to), messageOf(kind, { entries: [entry] }))
}

/** The ring sends nothing to a member that it calls dead: the leg on which that one was heard last does. */
function wayTo(o: Ownership, to: string): number | undefined {
  let [way, lastMs]: [number | undefined, number] = [undefined, Number.NEGATIVE_INFINITY]
  for (const { ifindex, hosts } of o.hearing.values()) {
    const atMs = hosts.get(legOf(o, to, ifindex)?.mac ?? '')?.atMs
    if (atMs === undefined || atMs <= lastMs) continue
    way = ifindex
    lastMs = atMs
  }
  return way
}

/** One entry of a message that leaves at the end of the step, with others to the same member. */
export function mail(o: Ownership, to: string, kind: MessageKind, entry: Entry): void {
  const key = `${kind} ${to}`
  const known = o.mail.get(key)
  if (known === undefined) o.mail.set(key, { to, kind, entries: [entry] })
  else known.entries.push(entry)
}

/** At the end of each step. */
export function sendMail(o: Ownership): void {
  for (const { to, kind, entries } of o.mail.values()) {
    for (const page of pagesOf(entries)) tell(o, to, kind, { entries: page })
  }
  o.mail.clear()
}
