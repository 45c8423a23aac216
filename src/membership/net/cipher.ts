/** Encryption of packets and streams: AES-GCM with a random nonce, version byte first. */
import { createCipheriv, createDecipheriv, createSecretKey, randomFillSync } from 'node:crypto'
import type { Bytes } from '../wire/bytes.ts'

const nonceBytes = 12
const tagBytes = 16
const headBytes = 1 + nonceBytes

/** What version 1 adds to a plaintext. */
export const sealBytes = headBytes + tagBytes

/** Bytes of randomness fetched at a time. */
const poolBytes = 4_080

export interface Cipher {
  /** Version 1: `01`, nonce, ciphertext, tag. `nonce` is for tests: two with one nonce break the key. */
  seal(plain: Bytes, authenticated?: Bytes, nonce?: Bytes): Bytes
  /** The plaintext of either version; undefined where it was not sealed with this key. */
  open(sealed: Bytes, authenticated?: Bytes): Bytes | undefined
}

const nothing = new Uint8Array()

/** A cipher for a key of 16, 24 or 32 bytes; throws for another length. The key is set up once. */
export function createCipher(key: Bytes): Cipher {
  const algorithm = algorithmOf(key)
  const secret = createSecretKey(key)
  const pool = new Uint8Array(poolBytes)
  let used = poolBytes
  const nextNonce = (): Bytes => {
    if (used + nonceBytes > poolBytes) {
      randomFillSync(pool)
      used = 0
    }
    used += nonceBytes
    return pool.subarray(used - nonceBytes, used)
  }
  return {
    seal: (plain, authenticated = nothing, nonce = nextNonce()) => {
      const cipher = createCipheriv(algorithm, secret, nonce)
      cipher.setAAD(authenticated)
      const sealed = new Uint8Array(plain.length + sealBytes)
      sealed[0] = 1
      sealed.set(nonce, 1)
      sealed.set(cipher.update(plain), headBytes)
      cipher.final()
      sealed.set(cipher.getAuthTag(), headBytes + plain.length)
      return sealed
    },
    open: (sealed, authenticated = nothing) => {
      const version = sealed[0] ?? 255
      if (version > 1 || sealed.length < sealBytes + (version === 0 ? 16 : 0)) return undefined
      const decipher = createDecipheriv(algorithm, secret, sealed.subarray(1, headBytes))
      decipher.setAAD(authenticated)
      decipher.setAuthTag(sealed.subarray(-tagBytes))
      try {
        const plain = decipher.update(sealed.subarray(headBytes, -tagBytes))
        decipher.final()
        return version === 0 ? unpad(plain) : plain
      } catch {
        return undefined // authentication failed
      }
    },
  }
}

function algorithmOf({ length }: Bytes): 'aes-128-gcm' | 'aes-192-gcm' | 'aes-256-gcm' {
  switch (length) {
    case 16: return 'aes-128-gcm'
    case 24: return 'aes-192-gcm'
    case 32: return 'aes-256-gcm'
    default: throw new RangeError(`Cannot use a key of ${length} bytes: want 16, 24 or 32`)
  }
}

/**
 * PKCS #7, which version 0 adds; every byte of it is checked, since the version byte is not
 * authenticated and a packet of version 1 must not be shortened by changing it.
 */
function unpad(plain: Bytes): Bytes | undefined {
  const count = plain.at(-1) ?? 0
  const isSound = count >= 1 && count <= 16 && plain.length >= count &&
    plain.subarray(-count).every((byte) => byte === count)
  return isSound ? plain.subarray(0, plain.length - count) : undefined
}
