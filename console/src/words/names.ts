// Names of states and domains, as they are shown.
import type { Domain, Figure, SensorState } from '../api/types.ts';

export const DOMAIN_TITLE: Record<Domain, string> = { traffic: 'Traffic', energy: 'Energy', safety: 'Safety' };

/** ok is shown as "reporting": it says what is so, not that somebody approves. */
export const STATE_TITLE: Record<SensorState, string> = { ok: 'Reporting', silent: 'Silent', never: 'Never reported' };

/** A title for something that has only an id: mill-quarter is shown as Mill Quarter. */
export function titleOf(id: string, title: string | undefined): string {
  if (title !== undefined && title !== '' && title !== id) return title;
  return id.replace(/(^|-)([a-z0-9])/g, (_, dash: string, letter: string) => (dash === '' ? '' : ' ') + letter.toUpperCase());
}

export const AGG_TITLE: Record<Figure['agg'], string> = { mean: 'mean of', sum: 'sum of', max: 'highest of' };
