/** Changes of input are noticed, also where a folder goes and comes back. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { watchPaths, type Watcher } from './watch.ts'

const capMs = 5_000

interface Watched extends AsyncDisposable {
  readonly folder: string
  readonly watcher: Watcher
  /** Makes a change; whether it was told. */
  tells(change: () => void): Promise<boolean>
}

/** A folder `conf` with one file, watched through `path`. */
async function openWatched(path: string): Promise<Watched> {
  const folder = mkdtempSync(join(tmpdir(), 'arpeggio-watch-'))
  mkdirSync(join(folder, 'conf'))
  writeFileSync(join(folder, 'conf/a.yaml'), 'a')
  let told: () => void = () => undefined
  const watcher = await watchPaths([join(folder, path)], () => told())
  return {
    folder,
    watcher,
    tells: (change) => {
      const answer = new Promise<boolean>((resolve) => {
        const timer = setTimeout(() => resolve(false), capMs)
        told = () => {
          clearTimeout(timer)
          resolve(true)
        }
      })
      change()
      return answer
    },
    [Symbol.asyncDispose]: async () => {
      watcher[Symbol.dispose]()
      rmSync(folder, { recursive: true })
    },
  }
}

for (const path of ['conf', 'conf/a.yaml']) {
  test(`watch ${path}: a folder that goes and comes back is watched again`, async () => {
    await using watched = await openWatched(path)
    const { folder } = watched
    const conf = join(folder, 'conf')
    assert.ok(await watched.tells(() => writeFileSync(join(conf, 'a.yaml'), 'b')), 'an edit')
    assert.ok(await watched.tells(() => renameSync(conf, join(folder, 'gone'))), 'it goes')
    assert.ok(await watched.tells(() => renameSync(join(folder, 'gone'), conf)), 'it comes back')
    assert.ok(await watched.tells(() => writeFileSync(join(conf, 'a.yaml'), 'c')), 'an edit then')
  })
}

test('watch: an input that is not there yet is noticed, and its edits then', async () => {
  await using watched = await openWatched('later/deep')
  const { folder } = watched
  const deep = join(folder, 'later/deep')
  assert.ok(await watched.tells(() => mkdirSync(join(folder, 'later'))), 'the folder above')
  assert.ok(await watched.tells(() => mkdirSync(deep)), 'the folder')
  assert.ok(await watched.tells(() => writeFileSync(join(deep, 'b.yaml'), 'b')), 'an edit')
  assert.equal(watched.watcher.failures, [])
})

test.run()
