/** Which version of Kubernetes answers. */
import { isFields } from '../config/fields.ts'
import { type Api, Refused } from './api.ts'
import { textOf } from './object.ts'

/** Major and minor version; rejects where the server does not say. */
export async function readVersion(api: Api): Promise<{ major: number; minor: number }> {
  const reply = await api.call({ method: 'GET', path: '/version' })
  if (reply.status !== 200 || !isFields(reply.value)) throw new Refused(reply)
  // Some distributions write `30+`.
  return {
    major: Number.parseInt(textOf(reply.value, 'major')),
    minor: Number.parseInt(textOf(reply.value, 'minor')),
  }
}
