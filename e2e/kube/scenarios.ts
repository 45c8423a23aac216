/** Named stories of one suite, told against one controller and its API server. */
import { findAssets, type Test, testUnless } from './assets.ts'
import { serverPrograms } from './server.ts'
import { openStage, type Stage } from './stage.ts'

export type Scenario = (name: string, body: (stage: Stage) => Promise<void>) => void

/**
 * Opens the stage, which `test` closes at its end; each story begins without rules, and one that fails says
 * what the controller said last. Skipped where the API server's programs cannot be had.
 */
export async function openScenarios(
  test: Test & { after(close: () => Promise<void>): unknown },
): Promise<Scenario> {
  const assets = await findAssets(serverPrograms)
  const stage = 'folder' in assets ? await openStage(assets.folder) : undefined
  test.after(async () => void await stage?.[Symbol.asyncDispose]())
  const open = testUnless('lack' in assets ? assets.lack : undefined, test)
  return (name, body) => open(name, async () => {
    if (stage === undefined) throw new Error('There is no API server')
    await stage.proxy.setRules([])
    try {
      await body(stage)
    } catch (error) {
      throw new Error(stage.controller.child.lines.slice(-15).join('\n'), { cause: error })
    }
  })
}
