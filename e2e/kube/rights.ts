/** Rights that manifests give, and rights that an audit log shows in use, in the same words. */
import { at, type Fields, listAt, textAt } from './objects.ts'

/** `VERB GROUP/RESOURCE`, with the names it is for, if it is for names: `get apps/deployments controller`. */
export type Right = string

/** What the rules of these Roles and ClusterRoles give. */
export function grantedBy(roles: readonly unknown[]): ReadonlySet<Right> {
  const rights = roles.flatMap((role) => listAt(role, 'rules')).flatMap((rule) => {
    const names = textsAt(rule, 'resourceNames')
    return textsAt(rule, 'verbs').flatMap((verb) =>
      textsAt(rule, 'apiGroups').flatMap((group) =>
        textsAt(rule, 'resources').flatMap((resource) =>
          (names.length === 0 ? [''] : names).map((name) => rightOf(verb, group, resource, name))
        )
      )
    )
  })
  return new Set(rights)
}

function textsAt(value: unknown, name: string): readonly string[] {
  return listAt(value, name).map(String)
}

function rightOf(verb: string, group: string, resource: string, name: string): Right {
  return `${verb} ${group}/${resource} ${name}`.trimEnd()
}

export interface Usage {
  /** Rights of `granted` that let something happen. */
  readonly used: ReadonlySet<Right>
  /** What was asked for and refused. */
  readonly denied: readonly string[]
}

/** What one account asked for, by the rights that it has. */
export function usageOf(
  events: readonly unknown[], account: string, granted: ReadonlySet<Right>,
): Usage {
  const own = events.filter((event) => textAt(event, 'user', 'username') === account)
  const used = new Set<Right>()
  const denied = new Set<string>()
  for (const event of own) {
    const wide = askedFor(event, false)
    const narrow = askedFor(event, true)
    if (at(event, 'responseStatus', 'code') === 403) denied.add(narrow)
    else for (const right of [wide, narrow]) if (granted.has(right)) used.add(right)
  }
  return { used, denied: [...denied].toSorted() }
}

function askedFor(event: unknown, isNamed: boolean): Right {
  const found = at(event, 'objectRef')
  if (found === undefined) return `${textAt(event, 'verb')} ${textAt(event, 'requestURI')}`
  const subresource = textAt(found, 'subresource')
  const resource = textAt(found, 'resource') + (subresource === '' ? '' : `/${subresource}`)
  const name = isNamed ? textAt(found, 'name') : ''
  return rightOf(textAt(event, 'verb'), textAt(found, 'apiGroup'), resource, name)
}

/** An audit policy that writes down everything that these accounts ask for, without any content. */
export function auditPolicyFor(users: readonly string[]): string {
  const policy: Fields = {
    apiVersion: 'audit.k8s.io/v1', kind: 'Policy', omitStages: ['RequestReceived'],
    rules: [{ level: 'Metadata', users }, { level: 'None' }],
  }
  return JSON.stringify(policy)
}
