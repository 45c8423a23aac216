/** Command blocks of the READMEs, run as they stand there. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../lab/command.ts'
import type { KubeServer } from './server.ts'

const root = join(import.meta.dirname, '../..')
const blocksCapMs = 120_000

/** Code blocks of the part below a heading, up to the next heading. */
export async function blocksOf(file: string, heading: string): Promise<readonly string[]> {
  const text = await readFile(join(root, file), 'utf8')
  const part = text.split(/^#+ /m).find((one) => one.startsWith(`${heading}\n`)) ?? ''
  return [...part.matchAll(/^```\n([^]*?)^```$/gm)].map(([, block = '']) => block)
}

/** The one block of commands whose text begins so; throws where there is none, or another. */
export async function blockOf(file: string, beginning: string): Promise<string> {
  const text = await readFile(join(root, file), 'utf8')
  const found = commandBlocks(text).filter((block) => block.startsWith(beginning))
  const [block] = found
  if (block === undefined || found.length > 1) throw new Error(`Not one block "${beginning}" in ${file}`)
  return block
}

/** Blocks of commands in a README: those that name no language, or a shell. */
export function commandBlocks(text: string): readonly string[] {
  return [...text.matchAll(/^```(.*)\n([^]*?)^```$/gm)]
    .filter(([, language = '']) => /^(?:|sh|bash|shell|console)$/.test(language))
    .map(([, , block = '']) => block)
}

/**
 * Runs them in one shell, from the repository's folder, with the kubectl of `folder`; `within` = words
 * before the command, as `ip netns exec`. Throws an Error.
 */
export async function runBlocks(
  server: KubeServer, folder: string, blocks: readonly string[], within: readonly string[] = [],
): Promise<void> {
  const script = join(server.folder, 'blocks.sh')
  await writeFile(script, blocks.join(''))
  const words = [...within, 'env', '-C', root, `KUBECONFIG=${server.kubeconfig}`,
    `PATH=${folder}:${process.env['PATH'] ?? ''}`, 'bash', '-eu', script]
  const { code, stdout, stderr } = await run(words, { capMs: blocksCapMs })
  if (code !== 0) throw new Error(`${blocks.join('')}ended with ${code}: ${stdout}${stderr}`)
}
