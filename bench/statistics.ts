/** Where a set of numbers lies. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** @param values at least one */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = (sorted.length - 1) / 2;
  const at = (index: number): number => sorted[index] ?? NaN;
  return {
    median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2,
    min: at(0),
    max: at(sorted.length - 1),
  };
}

/**
 * The spread of the ratios of pairs that ran one right after the other: what disturbs the machine for longer
 * than a pair cancels out.
 */
export function pairedRatios(numerators: readonly number[], denominators: readonly number[]): Spread {
  return spreadOf(numerators.map((value, index) => value / (denominators[index] ?? NaN)));
}
