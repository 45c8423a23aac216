/** Streams on the wire: an encrypted one is a frame with its length, a plain one just its content. */
import type { ShellDrop } from '../model.ts'
import { type Bytes, concatBytes, u32At, u32Bytes } from '../wire/bytes.ts'
import { codes } from '../wire/message.ts'
import { maxStreamBytes } from '../wire/stream.ts'
import { type Cipher, sealBytes } from './cipher.ts'

const frameHeadBytes = 5

/** The frame of one content: type, length of what follows, and the sealed content. */
export function sealFrame(cipher: Cipher, content: Bytes, nonce?: Bytes): Bytes {
  const head = concatBytes(Uint8Array.of(codes.encrypted), u32Bytes(content.length + sealBytes))
  return concatBytes(head, cipher.seal(content, head, nonce))
}

export interface StreamRules {
  readonly cipher: Cipher | undefined
  /** Plain streams are refused. */
  readonly wantsEncryption: boolean
}

export type FrameFailure = Extract<ShellDrop, 'label' | 'undecryptable' | 'unencrypted' | 'overload'>

/** Collects one side of a stream. Mutable, owned by one connection. */
export interface Unframer {
  /** Content that is readable now, undefined while more must come, or why the stream must end. */
  push(bytes: Bytes): Bytes | FrameFailure | undefined
  /** Bytes held back until the frame is whole. */
  heldBytes(): number
}

/** Reads frames or plain content, as the rules allow. */
export function createUnframer({ cipher, wantsEncryption }: StreamRules): Unframer {
  let chunks: Bytes[] = []
  let held = 0
  let isPlain = false
  return {
    heldBytes: () => held,
    push: (bytes) => {
      if (isPlain) return bytes
      chunks.push(bytes)
      held += bytes.length
      const [first = bytes] = chunks
      if (first[0] === codes.label) return 'label'
      if (first[0] !== codes.encrypted) {
        if (wantsEncryption) return 'unencrypted'
        isPlain = true
        held = 0
        return bytes
      }
      if (cipher === undefined) return 'undecryptable'
      if (held < frameHeadBytes) return undefined
      if (first.length < frameHeadBytes) chunks = [concatBytes(...chunks)]
      const head = (chunks[0] ?? bytes).subarray(0, frameHeadBytes)
      const length = u32At(head, 1)
      if (length > maxStreamBytes + sealBytes) return 'overload'
      if (held < frameHeadBytes + length) return undefined
      const sealed = concatBytes(...chunks).subarray(frameHeadBytes, frameHeadBytes + length)
      const content = cipher.open(sealed, head)
      chunks = []
      held = 0
      return content === undefined || content.length === 0 ? 'undecryptable' : content
    },
  }
}
