// Names of states and domains, as they are shown.
import type { Domain, Figure, SensorState } from '../api/types.ts';

export const DOMAIN_TITLE: Record<Domain, string> = { traffic: 'Traffic', energy: 'Energy', safety: 'Safety' };

/** ok is shown as "reporting": it says what is so, not that somebody approves. */
export const STATE_TITLE: Record<SensorState, string> = { ok: 'Reporting', silent: 'Silent', never: 'Never reported' };

export const AGG_TITLE: Record<Figure['agg'], string> = { mean: 'mean of', sum: 'sum of', max: 'highest of' };
