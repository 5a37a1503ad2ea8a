// The districts, and how many of the sensors in each report.
import type { CSSProperties } from 'react';
import { Link } from '../app/router.tsx';
import type { District, Site } from '../api/types.ts';
import { titleOf } from '../words/names.ts';
import { count, whole } from '../words/numbers.ts';

export interface DistrictSum {
  id: string;
  title: string;
  sensors: number;
  silent: number;
  never: number;
}

/** Adds the sites up by district, the largest first; sites in no district are left out. */
export function byDistrict(sites: readonly Site[], districts: readonly District[]): DistrictSum[] {
  const titles = new Map(districts.map((d) => [d.id, d.title]));
  const sums = new Map<string, DistrictSum>();
  for (const s of sites) {
    if (s.district === '') continue;
    const sum = sums.get(s.district) ?? { id: s.district, title: titleOf(s.district, titles.get(s.district)), sensors: 0, silent: 0, never: 0 };
    sum.sensors += s.sensors;
    sum.silent += s.silent;
    sum.never += s.never;
    sums.set(s.district, sum);
  }
  return [...sums.values()].sort((a, b) => b.sensors - a.sensors || a.title.localeCompare(b.title));
}

const part = (n: number) => ({ '--part': n }) as CSSProperties;

export function Districts({ sums }: { sums: readonly DistrictSum[] }) {
  if (sums.length === 0) return null;
  return (
    <section className="districts" aria-labelledby="districts-title">
      <h2 id="districts-title">Districts</h2>
      <ul>
        {sums.map((d) => {
          const ok = d.sensors - d.silent - d.never;
          return (
            <li key={d.id}>
              <Link to={`/sensors?district=${encodeURIComponent(d.id)}`}>{d.title}</Link>
              <span className="quiet">
                <span className="hidden-text">{count(d.silent, 'sensor')} silent, </span>
                {whole(ok)} of {whole(d.sensors)}
              </span>
              <span className="district-bar" aria-hidden="true">
                {ok > 0 && <span className="ok" style={part(ok)} />}
                {d.silent > 0 && <span className="silent" style={part(d.silent)} />}
                {d.never > 0 && <span className="never" style={part(d.never)} />}
              </span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
