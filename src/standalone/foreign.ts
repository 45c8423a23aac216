/** Which addresses machines have that are none of ours, as this host has found by asking. */
import type { Sighting } from '../ipam/foreign.ts'
import { parseAddress } from '../net/address.ts'
import type { Millis } from '../net/model.ts'
import type { Ownership } from '../ownership/state.ts'
import { strangeVoices } from '../ownership/view.ts'

/** `now`: on the clock of ownership. */
export function sightingsOf(ownership: Ownership, now: Millis): readonly Sighting[] {
  return strangeVoices(ownership, now).flatMap(({ text, mac }) => {
    const address = parseAddress(text)
    return address === undefined ? [] : [{ address, mac }]
  })
}
