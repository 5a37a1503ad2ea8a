// The sites as a list: for those who cannot see or use the map, and for devices that cannot draw it.
import { useState } from 'react';
import type { Site } from '../api/types.ts';
import { StateMark } from '../parts/Icons.tsx';
import { Pager } from '../parts/Pager.tsx';
import { Empty } from '../parts/Says.tsx';
import { STATE_TITLE } from '../words/names.ts';
import { count } from '../words/numbers.ts';

const PAGE = 50;
const ORDER = { silent: 0, never: 1, ok: 2 };

interface SiteListProps {
  sites: readonly Site[];
  chosen: string | undefined;
  choose: (site: string) => void;
}

export function SiteList({ sites, chosen, choose }: SiteListProps) {
  const [page, setPage] = useState(0);
  if (sites.length === 0) {
    return (
      <Empty title="No sites here">
        <p>Sites come with the sensors that stand on them. Choose another domain, or register sensors with lamppost sensors import.</p>
      </Empty>
    );
  }
  const sorted = [...sites].sort((a, b) => ORDER[a.state] - ORDER[b.state] || a.title.localeCompare(b.title));
  const last = Math.max(0, Math.ceil(sorted.length / PAGE) - 1);
  const shownPage = Math.min(page, last);
  return (
    <div className="site-list">
      <ul>
        {sorted.slice(shownPage * PAGE, (shownPage + 1) * PAGE).map((s) => (
          <li key={s.id}>
            <button type="button" className="site-row" aria-pressed={s.id === chosen} onClick={() => choose(s.id)}>
              <StateMark state={s.state} />
              <span className="site-title">{s.title || s.id}</span>
              <span className="quiet">
                {STATE_TITLE[s.state]}, {s.silent > 0 ? `${s.silent} of ` : ''}
                {count(s.sensors, 'sensor')}
              </span>
            </button>
          </li>
        ))}
      </ul>
      <Pager offset={shownPage * PAGE} limit={PAGE} total={sorted.length} what="sites" go={(offset) => setPage(offset / PAGE)} />
    </div>
  );
}
