/** Which suite runs each block of commands of the READMEs, or why none does. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { commandBlocks } from './kube/readme.ts'

const root = join(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

interface Row {
  readonly file: string
  /** How the block begins. */
  readonly begins: string
  /** Path of what runs it, by its text: it names this beginning, or the block's heading. */
  readonly by?: string
  readonly heading?: string
  /** Its lines stand in this block as well, which is run. */
  readonly linesOf?: string
  /** Why nobody runs it as it stands. */
  readonly why?: string
}

const main = 'README.md'
const deploy = 'deploy/README.md'
const rows: readonly Row[] = [
  { file: main, begins: 'hack/image', linesOf: 'kind create cluster' },
  { file: main, begins: 'git clone', why: 'hack/demo judges itself, and the workflow runs it from a clone' },
  { file: main, begins: 'hack/test\n', why: 'it is what runs this' },
  { file: main, begins: 'node_modules/.bin/node src/main.ts check', by: 'e2e/lab/readme.test.ts' },
  { file: main, begins: 'sudo node_modules/.bin/node src/main.ts', by: 'e2e/lab/readme.test.ts' },
  { file: main, begins: 'kind create cluster', by: 'hack/e2e', heading: '## In a kind cluster' },
  { file: main, begins: 'docker network inspect kind', by: 'e2e/kind/readme.test.ts' },
  { file: main, begins: 'kubectl apply -f - <<EOF', by: 'e2e/kind/readme.test.ts' },
  { file: main, begins: 'kubectl apply -k deploy/base', by: 'e2e/gitops/readme.test.ts' },
  { file: main, begins: 'helm install arpeggio deploy/chart', by: 'e2e/gitops/readme.test.ts' },
  { file: main, begins: 'kubectl apply -f deploy/gitops/argocd', by: 'e2e/gitops/readme.test.ts' },
  { file: main, begins: 'kubectl apply -f deploy/gitops/flux/source.yaml -f deploy/gitops/flux/kust',
    by: 'e2e/gitops/flux.ts' },
  { file: main, begins: 'kubectl apply -f deploy/gitops/flux/source.yaml -f deploy/gitops/flux/helm',
    by: 'e2e/gitops/flux-release.test.ts' },
  { file: main, begins: 'kubectl delete validatingwebhookconfiguration', by: 'e2e/kube/inplace.test.ts',
    heading: 'Leaving MetalLB' },
  { file: main, begins: 'kubectl apply -k deploy/overlays/beside-metallb', by: 'e2e/kube/beside.test.ts' },
  { file: deploy, begins: 'kubectl apply -f deploy/arpeggio.yaml     #', by: 'e2e/gitops/readme.test.ts' },
  { file: deploy, begins: 'hack/image --platforms',
    why: 'it needs buildx, emulation and a registry: the workflow does it for a tag' },
  { file: deploy, begins: "sed 's#image:", by: 'e2e/gitops/readme.test.ts' },
  { file: deploy, begins: 'helm install arpeggio deploy/chart -n metallb-system',
    by: 'e2e/gitops/readme.test.ts' },
  { file: deploy, begins: 'helm show crds', why: 'e2e/gitops/helm.test.ts does the same, with both Helms' },
  { file: deploy, begins: 'kubectl annotate ipaddresspool lan',
    why: 'e2e/kube/webhook.test.ts does the same to another pool' },
  { file: deploy, begins: 'kubectl delete validatingwebhookconfiguration', by: 'e2e/kube/inplace.test.ts',
    heading: 'Where MetalLB was' },
  { file: deploy, begins: 'kubectl annotate crd --overwrite',
    why: 'e2e/gitops/leaving.test.ts does the same, with both Helms' },
  { file: deploy, begins: 'helm template metallb deploy/chart', by: 'e2e/gitops/values.test.ts' },
  { file: deploy, begins: 'kubectl patch validatingwebhookconfiguration', by: 'e2e/kube/beside.test.ts',
    heading: 'Side by side' },
  { file: deploy, begins: 'helm install arpeggio deploy/chart -n arpeggio-system',
    by: 'e2e/gitops/readme.test.ts' },
]

for (const file of [main, deploy]) {
  test(`${file}: each block of commands is run by a suite, or says why it is not`, () => {
    const blocks = commandBlocks(read(file))
    const own = rows.filter((row) => row.file === file)
    const found = blocks.map((block) => own.filter(({ begins }) => block.startsWith(begins)).length)
    const wrong = blocks.filter((_, i) => found[i] !== 1)
    assert.equal(wrong, [], 'a row of the table for each')
    const stale = own.filter(({ begins }) => !blocks.some((block) => block.startsWith(begins)))
    assert.equal(stale, [], 'a block for each row of the table')
  })
}

for (const { file, begins, by, heading, linesOf, why } of rows) {
  const name = `${file}: ${begins.trim()}`
  if (why !== undefined) {
    test(`${name}: not run: ${why}`, () => console.log(`not run: ${name}: ${why}`))
    continue
  }
  if (linesOf !== undefined) {
    test(`${name}: its lines are those of "${linesOf}"`, () => {
      const linesFrom = (beginning: string): readonly string[] =>
        (commandBlocks(read(file)).find((block) => block.startsWith(beginning)) ?? '')
          .split('\n').map((line) => line.replace(/ *#.*/, '')).filter((line) => line !== '')
      const theirs = linesFrom(linesOf)
      assert.equal(linesFrom(begins).filter((line) => !theirs.includes(line)), [])
    })
    continue
  }
  test(`${name}: ${by} runs it`, () => {
    const text = read(by ?? '')
    const isNamed = [begins, heading].some((word) => word !== undefined && text.includes(word))
    assert.ok(isNamed, `${by} does not name it`)
  })
}

test.run()
