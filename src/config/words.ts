/** Numbers with their nouns, as messages for people have them. */

/** `1 problem`, `2 problems`, `0 problems`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
