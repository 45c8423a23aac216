/** Outputs that several of the guide's blocks have, and the suite's own looks at what a manifest has done. */
import type { Step } from './model.ts'

export const pods = String.raw`NAME +READY +STATUS +RESTARTS +AGE`
export const running = String.raw`1\/1 +Running +\d+(?: \(\S+ ago\))? +\S+`
export const controllerRow = String.raw`controller-[0-9a-f]+-\w{5} +${running}`
export const speakerRows = String.raw`(?:speaker-\w{5} +${running}\n){3}`

/** One controller, and one speaker on each of the three nodes; nothing else. */
export const allPods = new RegExp(`^${pods}\n${controllerRow}\n${speakerRows}$`)
export const created = (...objects: readonly string[]): readonly RegExp[] =>
  [new RegExp(`^${objects.map((object) => `${object.replaceAll('.', String.raw`\.`)} created\n`).join('')}$`)]

export const logLine = /^\{"ts":"[^"]+","level":"\w+","caller":"[^"]+","msg":"[^"]+"/m
export const sheetOf = (name: string, address: string, port: number): RegExp => new RegExp(
  `^(?:default +)?${name} +LoadBalancer +\\S+ +${address.replaceAll('.', '[.]')} +${port}:\\d+/TCP`, 'm')

/** How the suite looks whether a manifest that the guide applies later, or by no command, is accepted. */
export const accepts = (file: string, ...objects: readonly string[]): Step => ({
  command: `kubectl apply --dry-run=server -f ${file}`, isOurs: true,
  want: objects.map((object) => new RegExp(`^${object} created \\(server dry run\\)$`, 'm')),
})
export const applies = (file: string, ...objects: readonly string[]): Step =>
  ({ command: `kubectl apply -f ${file}`, isOurs: true, want: created(...objects) })
/** The counters of a pool that nobody uses yet. */
export const frees = (pool: string, count: number): Step => ({
  command: `kubectl get ipaddresspool ${pool} -n metallb-system -o jsonpath='{.status}'`,
  isOurs: true, isPatient: true,
  want: [/"assignedIPv4":0\b/, new RegExp(`"availableIPv4":${count}\\b`)],
})
export const gets = (name: string, address: string, port: number): Step => ({
  command: `kubectl get service ${name}`, isOurs: true, isPatient: true, want: [sheetOf(name, address, port)],
})
