/** Lines up columns of text the way kubectl prints tables. */

/** Rows under `header`, columns three blanks apart, empty cells as `-`; no trailing blanks. */
export function formatTable(
  header: readonly string[], rows: readonly (readonly string[])[],
): string {
  const cells = [header, ...rows.map((row) => row.map((cell) => (cell === '' ? '-' : cell)))]
  const widths = header.map((_, column) =>
    Math.max(...cells.map((row) => (row[column] ?? '').length))
  )
  return cells
    .map((row) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('   ').trimEnd())
    .join('\n')
}
