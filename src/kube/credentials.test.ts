/** Kubeconfigs as text: what is plain, and what the client library must read. */
import { writeFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openAccess } from './access.ts'
import { readPlain } from './credentials.ts'

type Given = {
  readonly cluster?: object
  readonly user?: object
  readonly context?: object
  readonly current?: string
}

function configOf({ cluster = {}, user = { token: 't' }, context = {}, current = 'c' }: Given): string {
  return JSON.stringify({
    apiVersion: 'v1', kind: 'Config', 'current-context': current,
    clusters: [
      { name: 'other', cluster: { server: 'https://192.0.2.9' } },
      { name: 'k', cluster: { server: 'https://192.0.2.1:6443/base', ...cluster } },
    ],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'c', context: { cluster: 'k', user: 'u', ...context } }],
  })
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')

const plain: readonly { it: string; given: Given; tls: object; headers: object; namespace?: string }[] = [
  { it: 'a token', given: {}, tls: {}, headers: { authorization: 'Bearer t' } },
  {
    it: 'certificates in the text, and the namespace of the context',
    given: {
      cluster: { 'certificate-authority-data': base64('ca'), 'tls-server-name': 'kubernetes' },
      user: { 'client-certificate-data': base64('cert'), 'client-key-data': base64('key') },
      context: { namespace: 'metallb-system' },
    },
    tls: { ca: 'ca', cert: 'cert', key: 'key', servername: 'kubernetes' }, headers: {},
    namespace: 'metallb-system',
  },
  {
    it: 'no verification', given: { cluster: { 'insecure-skip-tls-verify': true } },
    tls: { rejectUnauthorized: false }, headers: { authorization: 'Bearer t' },
  },
]

for (const { it, given, tls, headers, namespace } of plain) {
  test(`plain: ${it}`, () => {
    const access = readPlain(configOf(given), 'config')
    assert.is(access?.server.href, 'https://192.0.2.1:6443/base')
    const texts = Object.entries(access?.tls() ?? {})
      .map(([name, value]) => [name, value instanceof Uint8Array ? String(value) : value])
    assert.equal(Object.fromEntries(texts), tls)
    assert.equal(access?.headers(), headers)
    assert.is(access?.namespace, namespace)
  })
}

const others: readonly { it: string; given: Given }[] = [
  { it: 'a command', given: { user: { exec: { command: 'aws' } } } },
  { it: 'a provider', given: { user: { 'auth-provider': { name: 'oidc' } } } },
  { it: 'a token in a file', given: { user: { tokenFile: 'token' } } },
  { it: 'a password', given: { user: { username: 'a', password: 'b' } } },
  { it: 'another to be', given: { user: { token: 't', as: 'somebody' } } },
  { it: 'a proxy', given: { cluster: { 'proxy-url': 'http://192.0.2.7:3128' } } },
  { it: 'no TLS', given: { cluster: { server: 'http://192.0.2.1' } } },
  { it: 'no such context', given: { current: 'd' } },
  { it: 'no such cluster', given: { context: { cluster: 'none' } } },
  { it: 'no such user', given: { context: { user: 'none' } } },
]

for (const { it, given } of others) {
  test(`for the library: ${it}`, () => assert.is(readPlain(configOf(given), 'config'), undefined))
}

test('for the library: no YAML, and several documents', () => {
  assert.is(readPlain('a: [', 'config'), undefined)
  assert.is(readPlain(`${configOf({})}\n---\n${configOf({})}`, 'config'), undefined)
})

test('certificates in files are read beside the kubeconfig; a missing one is named', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'kubeconfig-'))
  try {
    const path = join(folder, 'config')
    writeFileSync(path, configOf({ cluster: { 'certificate-authority': 'ca.crt' } }))
    const error = await openAccess({}, path).then(() => '', String)
    assert.match(error, /Cannot read the kubeconfig ".*config": .*ca\.crt/)
    writeFileSync(join(folder, 'ca.crt'), 'ca')
    const access = await openAccess({}, path)
    assert.is(String(access.tls()['ca']), 'ca')
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test.run()
