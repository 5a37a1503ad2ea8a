// One site, chosen on the map or in the list: its sensors and their states.
import { Link, sensorPath } from '../app/router.tsx';
import { query } from '../api/client.ts';
import { useResource } from '../api/resource.ts';
import type { List, Sensor, Site } from '../api/types.ts';
import { CrossIcon, StateMark } from '../parts/Icons.tsx';
import { Answer, Empty } from '../parts/Says.tsx';
import { STATE_TITLE, titleAtSite } from '../words/names.ts';
import { count } from '../words/numbers.ts';
import { ago, useNow } from '../words/times.ts';

export function SiteCard({ site, close }: { site: Site; close: () => void }) {
  const now = useNow(5000);
  const sensors = useResource<List<Sensor>>(query('sensors', { q: site.id, limit: 200 }), 10_000);
  return (
    <section className="site-card" aria-labelledby="site-card-title">
      <header>
        <h3 id="site-card-title">{site.title || site.id}</h3>
        <button type="button" className="icon-button" aria-label="Close" onClick={close}>
          <CrossIcon />
        </button>
      </header>
      <p className="quiet">{count(site.sensors, 'sensor')}</p>
      <Answer kept={sensors} what="its sensors" lines={2}>
        {({ items }) => {
          const here = items.filter((s) => s.site === site.id);
          if (here.length === 0) {
            return (
              <Empty title="No sensor stands here any more">
                <p>The site was left by its sensors. Close this and choose another.</p>
              </Empty>
            );
          }
          return (
            <ul className="site-card-list">
              {here.map((s) => (
                <li key={s.id}>
                  <Link to={sensorPath(s.id)}>
                    <StateMark state={s.state} />
                    <span>{titleAtSite(s)}</span>
                    <span className="quiet">
                      {STATE_TITLE[s.state]}
                      {s.last_seen !== null && `, ${ago(Date.parse(s.last_seen), now)}`}
                    </span>
                  </Link>
                </li>
              ))}
            </ul>
          );
        }}
      </Answer>
    </section>
  );
}
