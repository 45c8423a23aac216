/** The two objects that the webhook follows, narrowed, and how each is written. */
import { type Fields, isFields } from '../config/fields.ts'
import type { Call } from '../kube/api.ts'
import { metadataOf, textOf } from '../kube/object.ts'
import type { Resource } from '../kube/reflector.ts'
import type { KeyPair } from './certificate.ts'
import type { Stored, Told } from './rotation.ts'

/** Name of the ValidatingWebhookConfiguration: MetalLB's, so that ours takes the place of one left behind. */
export const configurationName = 'metallb-webhook-configuration'

const configurations = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations'
const by = 'fieldManager=arpeggio-controller'

export interface Place {
  readonly namespace: string
  /** Name of the Secret. */
  readonly secret: string
  /** Name of the Service that leads to this program. */
  readonly service: string
}

/** The DNS name under which API servers ask a Service. */
export function hostOf({ service, namespace }: Place): string {
  return `${service}.${namespace}.svc`
}

function secretsOf({ namespace }: Place): string {
  return `/api/v1/namespaces/${namespace}/secrets`
}

/** The one Secret. Rights are by name, which holds for a list that asks for this name alone. */
export function secretResource(place: Place): Resource<Stored> {
  return {
    name: `secret ${place.secret}`, path: secretsOf(place),
    query: `fieldSelector=metadata.name=${place.secret}`,
    narrow: (value) => {
      const content = isFields(value['data']) ? value['data'] : {}
      const text = (name: string): string => Buffer.from(textOf(content, name), 'base64').toString()
      return {
        version: textOf(metadataOf(value), 'resourceVersion'),
        certificate: text('tls.crt'), key: text('tls.key'), trusted: text('ca.crt'),
      }
    },
  }
}

/** The one configuration: of its webhooks, those that lead to our Service, and to nobody else's. */
export function configurationResource(place: Place): Resource<Told> {
  return {
    name: `validatingwebhookconfiguration ${configurationName}`, path: configurations,
    query: `fieldSelector=metadata.name=${configurationName}`,
    narrow: (value) => {
      const webhooks = Array.isArray(value['webhooks']) ? value['webhooks'].filter(isFields) : []
      return {
        version: textOf(metadataOf(value), 'resourceVersion'),
        bundles: webhooks.flatMap((webhook) => {
          const client = isFields(webhook['clientConfig']) ? webhook['clientConfig'] : {}
          const service = isFields(client['service']) ? client['service'] : {}
          const isOurs = textOf(service, 'name') === place.service &&
            textOf(service, 'namespace') === place.namespace
          const bundle = Buffer.from(textOf(client, 'caBundle'), 'base64').toString()
          return isOurs ? [{ webhook: textOf(webhook, 'name'), bundle }] : []
        }),
      }
    },
  }
}

/** Sets `caBundle` of these webhooks and nothing else, if the configuration is still as it was seen. */
export function tellCall({ version }: Told, webhooks: readonly string[], bundle: string): Call {
  const caBundle = Buffer.from(bundle).toString('base64')
  return {
    method: 'PATCH', path: `${configurations}/${configurationName}?${by}`, wantsMetadata: true,
    contentType: 'application/strategic-merge-patch+json',
    body: {
      metadata: { resourceVersion: version },
      webhooks: webhooks.map((name) => ({ name, clientConfig: { caBundle } })),
    },
  }
}

export interface Keep {
  readonly pair: KeyPair
  readonly trusted: string
  /** Owner references of a Secret that is made. */
  readonly owners: readonly unknown[]
}

/** Stores a certificate, if the Secret is still as it was seen, or still missing. */
export function storeCall(
  place: Place, stored: Stored | undefined, { pair, trusted, owners }: Keep,
): Call {
  const encode = (text: string): string => Buffer.from(text).toString('base64')
  const content: Fields = {
    'tls.crt': encode(pair.certificate), 'tls.key': encode(pair.key), 'ca.crt': encode(trusted),
  }
  const { namespace, secret: name } = place
  if (stored !== undefined) {
    return {
      method: 'PATCH', path: `${secretsOf(place)}/${name}?${by}`, wantsMetadata: true,
      contentType: 'application/merge-patch+json',
      // An authority's key that somebody else left here has no use.
      body: { metadata: { resourceVersion: stored.version }, data: { ...content, 'ca.key': null } },
    }
  }
  return {
    method: 'POST', path: `${secretsOf(place)}?${by}`, wantsMetadata: true,
    body: {
      apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls',
      metadata: { name, namespace, ownerReferences: owners }, data: content,
    },
  }
}
