/** What surrounds a datagram: encryption where there is a key, and never a label. */
import type { ShellDrop } from '../model.ts'
import type { Settings } from '../settings.ts'
import type { Bytes } from '../wire/bytes.ts'
import { codes } from '../wire/message.ts'
import type { Cipher } from './cipher.ts'

export type EnvelopeFailure = Extract<ShellDrop, 'label' | 'undecryptable'>

export interface Envelope {
  readonly cipher: Cipher | undefined
  /** Whether what we send is encrypted. */
  readonly isSealed: boolean
  /** Whether plain text is refused. */
  readonly wantsEncryption: boolean
  seal(plain: Bytes): Bytes
  open(packet: Bytes): Bytes | EnvelopeFailure
}

type Verification = Pick<Settings, 'verifiesIncoming' | 'verifiesOutgoing'>

/** The two flags exist to switch a living ring to encryption in steps. */
export function createEnvelope(settings: Verification, cipher: Cipher | undefined): Envelope {
  const isSealed = cipher !== undefined && settings.verifiesOutgoing
  const wantsEncryption = cipher !== undefined && settings.verifiesIncoming
  return {
    cipher, isSealed, wantsEncryption,
    seal: (plain) => isSealed ? cipher.seal(plain) : plain,
    open: (packet) => {
      if (packet[0] === codes.label) return 'label'
      return cipher?.open(packet) ?? (wantsEncryption ? 'undecryptable' : packet)
    },
  }
}
