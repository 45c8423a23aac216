/** Numbers with their nouns, and lists, as messages for people have them. */

/** `1 problem`, `2 problems`, `0 problems`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** `a, b`; of more than `most` the rest is counted: `a, b and 3 more`. */
export function listSome(names: readonly string[], most = 5): string {
  const rest = names.length - most
  return names.slice(0, most).join(', ') + (rest > 0 ? ` and ${rest} more` : '')
}
