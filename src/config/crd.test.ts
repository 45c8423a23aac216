/** The definitions as text: which kinds and versions there are, and that no name is said twice. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { formatCrds } from './crd.ts'
import { type Fields, isFields } from './fields.ts'
import { parseDocuments } from './yaml.ts'

const { documents, problems } = parseDocuments({
  file: 'crds.yaml', bytes: new TextEncoder().encode(formatCrds()),
})
const at = (value: unknown, ...path: readonly string[]): unknown =>
  path.reduce<unknown>((part, key) => isFields(part) ? part[key] : undefined, value)
const list = (value: unknown): readonly unknown[] => Array.isArray(value) ? value : []
const versionsOf = (crd: unknown): readonly unknown[] => list(at(crd, 'spec', 'versions'))

test('crd: these kinds, in these versions, and the stored one', () => {
  assert.equal(problems, [])
  assert.equal(documents.map(({ value }) => [
    at(value, 'metadata', 'name'), at(value, 'spec', 'names', 'kind'), at(value, 'spec', 'scope'),
    versionsOf(value).map((version) => `${String(at(version, 'name'))} ${String(at(version, 'storage'))}`),
  ]), [
    ['ipaddresspools.metallb.io', 'IPAddressPool', 'Namespaced', ['v1beta1 true']],
    ['l2advertisements.metallb.io', 'L2Advertisement', 'Namespaced', ['v1beta1 true']],
    ['bgpadvertisements.metallb.io', 'BGPAdvertisement', 'Namespaced', ['v1beta1 true']],
    ['bgppeers.metallb.io', 'BGPPeer', 'Namespaced', ['v1beta1 false', 'v1beta2 true']],
    ['bfdprofiles.metallb.io', 'BFDProfile', 'Namespaced', ['v1beta1 true']],
    ['communities.metallb.io', 'Community', 'Namespaced', ['v1beta1 true']],
    ['servicel2statuses.metallb.io', 'ServiceL2Status', 'Namespaced', ['v1beta1 true']],
    ['servicebgpstatuses.metallb.io', 'ServiceBGPStatus', 'Namespaced', ['v1beta1 true']],
    ['configurationstates.metallb.io', 'ConfigurationState', 'Namespaced', ['v1beta1 true']],
  ])
})

test('crd: every version has a status of its own, and the label of the installation', () => {
  for (const { value } of documents) {
    assert.equal(at(value, 'metadata', 'labels'), { app: 'metallb' })
    for (const version of versionsOf(value)) assert.equal(at(version, 'subresources'), { status: {} })
  }
})

test('crd: every field says what it is for', () => {
  const silent: string[] = []
  const walk = (schema: Fields, path: string): void => {
    for (const [name, part] of Object.entries(isFields(schema['properties']) ? schema['properties'] : {})) {
      if (!isFields(part)) continue
      if (part['description'] === undefined) silent.push(`${path}.${name}`)
      walk(part, `${path}.${name}`)
    }
    if (isFields(schema['items'])) walk(schema['items'], `${path}[]`)
  }
  for (const { value } of documents) {
    const schema = at(versionsOf(value)[0], 'schema', 'openAPIV3Schema')
    for (const part of ['spec', 'status']) {
      const found = at(schema, 'properties', part)
      if (isFields(found)) walk(found, `${String(at(value, 'metadata', 'name'))} ${part}`)
    }
  }
  assert.equal(silent, [])
})

test.run()
