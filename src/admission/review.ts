/** Reads what an API server asks of an admission webhook, and writes the answer (admission.k8s.io/v1). */
import { type Fields, isFields } from '../config/fields.ts'
import { textOf } from '../kube/object.ts'
import type { Change, Judgement } from '../plan/admission.ts'

/** A request to admit one change. */
export interface Review {
  readonly uid: string
  readonly kind: string
  readonly namespace: string
  readonly name: string
  /** Who asks. */
  readonly user: string
  readonly isDryRun: boolean
  readonly change: Change
}

/** The request of a review; a sentence where there is none. */
export function parseReview(value: unknown): Review | string {
  const request = isFields(value) ? value['request'] : undefined
  if (!isFields(request) || textOf(request, 'uid') === '') return 'Want an AdmissionReview with a request'
  const { object, oldObject, userInfo, kind } = request
  const isDelete = request['operation'] === 'DELETE'
  const after = isFields(object) && !isDelete ? object : undefined
  const before = isFields(oldObject) ? oldObject : undefined
  if (after === undefined && before === undefined) return 'Want an AdmissionReview with an object'
  return {
    uid: textOf(request, 'uid'),
    kind: isFields(kind) ? textOf(kind, 'kind') : '',
    namespace: textOf(request, 'namespace'),
    name: textOf(request, 'name'),
    user: isFields(userInfo) ? textOf(userInfo, 'username') : '',
    isDryRun: request['dryRun'] === true,
    change: { before, after },
  }
}

/** What lets everything pass that is not ours to judge. */
export const allowed: Judgement = { isAllowed: true, message: '', warnings: [] }

/** API servers cut warnings: 256 characters each, 4,096 together. */
const maxWarnings = 16

/** The answer: kubectl prints `admission webhook "NAME" denied the request: MESSAGE`, as MetalLB's does. */
export function formatReview(uid: string, { isAllowed, message, warnings }: Judgement): Fields {
  const status = isAllowed ? {} : { status: { code: 403, reason: 'Forbidden', message } }
  const told = warnings.length === 0 ? {} : { warnings: warnings.slice(0, maxWarnings) }
  return {
    apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview',
    response: { uid, allowed: isAllowed, ...status, ...told },
  }
}
