/** The points that no line leads to or from: drawn as dots, or they would not be seen. (undefined is no gap, null is.) */
export function isolated(column: readonly (number | null | undefined)[]): number[] {
  const kept = column.map((value, i) => [value, i] as const).filter(([value]) => value !== undefined);
  return kept.filter(([value], k) => typeof value === 'number' && kept[k - 1]?.[0] == null && kept[k + 1]?.[0] == null).map(([, i]) => i);
}
