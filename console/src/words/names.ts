// Names of states and domains, as they are shown.
import type { Domain, Figure, Quantity, Sensor, SensorState } from '../api/types.ts';

export const DOMAIN_TITLE: Record<Domain, string> = { traffic: 'Traffic', energy: 'Energy', safety: 'Safety' };

/** ok is shown as "reporting": it says what is so, not that somebody approves. */
export const STATE_TITLE: Record<SensorState, string> = { ok: 'Reporting', silent: 'Silent', never: 'Never reported' };

/** A title for something that has only an id: mill-quarter is shown as Mill Quarter. */
export function titleOf(id: string, title: string | undefined): string {
  if (title !== undefined && title !== '' && title !== id) return title;
  return id.replace(/(^|-)([a-z0-9])/g, (_, dash: string, letter: string) => (dash === '' ? '' : ' ') + letter.toUpperCase());
}

/** A sensor's title where its site stands beside it: "Crane Yard 87, waste container" is then a waste container. */
export function titleAtSite(sensor: Pick<Sensor, 'id' | 'title' | 'site_title'>): string {
  const start = `${sensor.site_title}, `;
  if (sensor.site_title === '' || !sensor.title.startsWith(start) || sensor.title.length === start.length) return sensor.title || sensor.id;
  const rest = sensor.title.slice(start.length);
  return rest.charAt(0).toUpperCase() + rest.slice(1);
}

const AGG_TITLE: Record<Figure['agg'], string> = { mean: 'mean of', sum: 'sum of', max: 'highest of' };

/** What a figure is made of; sensors that count each have their own period, and it is the last of these. */
export const madeOf = (agg: Figure['agg'], quantity: Pick<Quantity, 'kind'> | undefined) => (agg === 'sum' && quantity?.kind === 'count' ? 'last counts of' : AGG_TITLE[agg]);

/** Names of quantities in two: what is measured of the city, and what devices tell of themselves. A name that the catalogue lacks is measured. */
export function ownLast(names: readonly string[], catalogue: readonly Quantity[]): { measured: string[]; own: string[] } {
  const device = new Set(catalogue.filter((q) => q.device === true).map((q) => q.name));
  return { measured: names.filter((n) => !device.has(n)), own: names.filter((n) => device.has(n)) };
}
