/** Reads a kubeconfig whose credentials stand in it or in files: all there is to do for most of them. */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { type Fields, isFields } from '../config/fields.ts'
import { parseDocuments } from '../config/yaml.ts'
import type { Access } from './model.ts'
import { textOf } from './object.ts'

const clusterKeys = new Set([
  'server', 'certificate-authority', 'certificate-authority-data', 'insecure-skip-tls-verify',
  'tls-server-name', 'extensions',
])
const userKeys = new Set([
  'token', 'client-certificate', 'client-certificate-data', 'client-key', 'client-key-data', 'extensions',
])

/**
 * The current context of the text of `path`; undefined where it is not plain: commands, providers,
 * proxies, or mistakes, which the client library knows all about. Throws an Error
 * where a file that it names cannot be read.
 */
export function readPlain(text: string, path: string): Access | undefined {
  const { documents, problems } = parseDocuments({ file: path, bytes: Buffer.from(text) })
  const config = documents[0]?.value
  if (problems.length > 0 || documents.length !== 1 || !isFields(config)) return undefined
  const context = find(config, 'context', textOf(config, 'current-context'))
  if (context === undefined) return undefined
  const cluster = find(config, 'cluster', textOf(context, 'cluster'))
  const user = find(config, 'user', textOf(context, 'user'))
  if (cluster === undefined || user === undefined) return undefined
  if (!hasOnly(cluster, clusterKeys) || !hasOnly(user, userKeys)) return undefined
  const server = URL.canParse(textOf(cluster, 'server')) ? new URL(textOf(cluster, 'server')) : undefined
  if (server?.protocol !== 'https:') return undefined
  const token = textOf(user, 'token')
  const headers = token === '' ? {} : { authorization: `Bearer ${token}` }
  const tls = readTls(cluster, user, dirname(path))
  return {
    server, tls: () => tls, headers: () => headers, refused: () => undefined,
    namespace: textOf(context, 'namespace') || undefined,
  }
}

/** `{ name, context: {…} }` among `contexts`, and alike. */
function find(config: Fields, kind: 'context' | 'cluster' | 'user', name: string): Fields | undefined {
  const entries: unknown = config[`${kind}s`]
  if (name === '' || !Array.isArray(entries)) return undefined
  const entry: unknown = entries.find((one) => isFields(one) && one['name'] === name)
  const value = isFields(entry) ? entry[kind] : undefined
  return isFields(value) ? value : undefined
}

function hasOnly(fields: Fields, keys: ReadonlySet<string>): boolean {
  return Object.keys(fields).every((key) => keys.has(key))
}

function readTls(cluster: Fields, user: Fields, folder: string): Readonly<Record<string, unknown>> {
  const parts = {
    ca: readPart(cluster, 'certificate-authority', folder),
    cert: readPart(user, 'client-certificate', folder),
    key: readPart(user, 'client-key', folder),
    servername: textOf(cluster, 'tls-server-name') || undefined,
    rejectUnauthorized: cluster['insecure-skip-tls-verify'] === true ? false : undefined,
  }
  // An undefined value is not the same as none, to TLS.
  return Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined))
}

/** In the text as base64, or a file beside it. */
function readPart(fields: Fields, name: string, folder: string): Buffer | undefined {
  const inline = textOf(fields, `${name}-data`)
  if (inline !== '') return Buffer.from(inline, 'base64')
  const file = textOf(fields, name)
  return file === '' ? undefined : readFileSync(resolve(folder, file))
}
