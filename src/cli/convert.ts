/** What `arpeggio convert` prints: manifests as YAML or JSON, and what they do not carry over. */
import { convertLegacy, type Manifest } from '../config/convert.ts'
import type { ConvertOptions } from '../config/options.ts'
import { dumpYaml } from '../config/yaml.ts'
import { formatProblem, formatWarning } from './check.ts'
import type { Input } from './input.ts'

export interface ConvertResult {
  /** Empty if there are problems: nothing half done can be applied by mistake. */
  readonly stdout: string
  /** Problems and warnings, one a line. */
  readonly stderr: string
  readonly exitCode: 0 | 1
}

/** Converts what was read; warnings leave the exit code at 0. */
export function runConvert(input: Input, options: ConvertOptions): ConvertResult {
  const { namespace, output, paths } = options
  // Where nothing could be read, there is nothing to say about what it lacks.
  const conversion = input.sources.length === 0 && input.problems.length > 0
    ? { manifests: [], problems: [], warnings: [] }
    : convertLegacy(input.sources, namespace === undefined ? {} : { namespace })
  // Of an empty folder there is no file to name.
  const lacks = conversion.problems.map((one) => one.file === '' ? { ...one, file: paths.join(', ') } : one)
  const problems = [...input.problems, ...lacks]
  const lines = [
    ...problems.map(formatProblem),
    ...conversion.warnings.map(formatWarning),
  ]
  const isGood = problems.length === 0
  return {
    stdout: isGood ? formatManifests(conversion.manifests, output) : '',
    stderr: lines.join('\n'),
    exitCode: isGood ? 0 : 1,
  }
}

/** YAML documents under a line that says who made them; as JSON, one List. */
export function formatManifests(manifests: readonly Manifest[], output: ConvertOptions['output']): string {
  if (output === 'json') {
    return JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifests }, undefined, 2)
  }
  const head = '# Made by arpeggio convert from a legacy ConfigMap.\n'
  return (head + manifests.map(dumpYaml).join('---\n')).trimEnd()
}
