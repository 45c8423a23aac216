/** Words to other members that are collected during a step, so that many units share a message. */
import { type Entry, type MessageKind, pagesOf } from './codec.ts'
import { type Ownership, tell } from './state.ts'

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
