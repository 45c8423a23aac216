/** The clock that all processes of a benchmark share. */

/** Wall time in ms, with fractions. */
export function wallMs(): number {
  return performance.timeOrigin + performance.now()
}
