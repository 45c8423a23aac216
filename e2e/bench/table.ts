/** Prints what was measured: tables of plain text, and numbers short enough to compare. */

/** The value in the middle; of an even number of values the lower one. */
export function median(values: readonly number[]): number {
  return percentile(values, 0.5)
}

/** The smallest value that at least this part of all values does not exceed; NaN of none. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? Number.NaN
}

/** Three digits at least: `0.213`, `21.3`, `2130`. */
export function formatNumber(value: number): string {
  if (Number.isNaN(value)) return 'none'
  if (value === 0) return '0'
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))))
  return value.toFixed(Math.min(3, digits))
}

/** Smallest and largest, as one number where they print alike. */
export function formatSpread(values: readonly number[]): string {
  const least = formatNumber(Math.min(...values))
  const most = formatNumber(Math.max(...values))
  return least === most ? least : `${least}-${most}`
}

export function formatRatio(value: number): string {
  return Number.isFinite(value) ? `${value.toFixed(2)} x` : 'none'
}

/** Columns as wide as their widest cell; the first row is the head, a line of dashes follows. */
export function printTable(title: string, rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)))
  const line = (row: readonly string[]): string =>
    row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('   ').trimEnd()
  const [head = [], ...body] = rows
  const rule = line(widths.map((width) => '-'.repeat(width)))
  console.log(`\n${title}\n\n${[line(head), rule, ...body.map(line)].join('\n')}`)
}
