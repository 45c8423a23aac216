/** Warnings of EndpointSlices that serve nobody: whose they are, and where their endpoints are. */
import { isLoopback, parseAddress } from '../net/address.ts'
import { addWarning, field, isFields, item, keyed } from './fields.ts'
import { labelKeys } from './names.ts'
import { labelsOf, type RawObject } from './object.ts'
import { suggest } from './suggest.ts'

/**
 * `services` are the keys of all Services of the input, of any type; where it has none, they are elsewhere,
 * and nobody is missed.
 */
export function warnSlice(object: RawObject, services: ReadonlySet<string>): void {
  if (services.size > 0) warnOrphan(object, services)
  const endpoints = object.value['endpoints']
  if (!Array.isArray(endpoints)) return
  endpoints.forEach((endpoint: unknown, i) => {
    const addresses = isFields(endpoint) ? endpoint['addresses'] : undefined
    if (!Array.isArray(addresses)) return
    addresses.forEach((text: unknown, n) => {
      const address = typeof text === 'string' ? parseAddress(text) : undefined
      if (address === undefined || !isLoopback(address)) return
      const at = item(field(item(field(object.at, 'endpoints'), i), 'addresses'), n)
      const message = `${text} is a loopback address: nothing can be forwarded to it, and Kubernetes ` +
        'refuses it; write the address that the host has on its LAN, or a container\'s'
      addWarning(at, 'LoopbackEndpoint', message)
    })
  })
}

/** Among more none is looked for that was meant. */
const maxSuggested = 1_000

function warnOrphan(object: RawObject, services: ReadonlySet<string>): void {
  const name = labelsOf(object)[labelKeys.sliceService]
  const labels = field(object.at, 'metadata.labels')
  if (name === undefined) {
    const message = `Without the label ${labelKeys.sliceService} these endpoints serve nobody`
    return addWarning(labels, 'UnknownService', message)
  }
  const namespace = object.namespace === '' ? 'default' : object.namespace
  const key = `${namespace}/${name}`
  if (services.has(key)) return
  const meant = services.size > maxSuggested ? undefined : suggest(key, [...services])
  const hint = meant === undefined ? '' : `; did you mean "${meant}"?`
  const message = `There is no Service "${key}" in the input, so these endpoints serve nobody${hint}`
  addWarning(keyed(labels, labelKeys.sliceService), 'UnknownService', message)
}
