// What an operator must know first: how many sensors report, and which do not, the longest silent first.
import { Link, sensorPath } from '../app/router.tsx';
import type { Kept } from '../api/resource.ts';
import type { Domain, List, Pipeline, Sensor } from '../api/types.ts';
import { StateMark } from '../parts/Icons.tsx';
import { Answer, Empty, Waiting } from '../parts/Says.tsx';
import { useSettled } from '../parts/useSettled.ts';
import { DOMAIN_TITLE, titleAtSite } from '../words/names.ts';
import { count, whole } from '../words/numbers.ts';
import { span, useNow, useTimes } from '../words/times.ts';

const NEW_MS = 15 * 60_000;
const SHOWN = 60;
/** Beside the length of the silence, the hour alone is clear for this long. */
const SAME_DAY_MS = 22 * 3_600_000;

export interface Counts {
  total: number;
  silent: number;
  never: number;
}

/** The sentence at the head of the wall. */
export function Headline({ counts, only }: { counts: Counts | undefined; only: Domain | undefined }) {
  const kind = only === undefined ? '' : `${DOMAIN_TITLE[only].toLowerCase()} `;
  const reporting = counts === undefined ? 0 : counts.total - counts.silent - counts.never;
  const sentence = counts === undefined ? '' : `${whole(reporting)} of ${count(counts.total, `${kind}sensor`)} reporting, ${whole(counts.silent)} silent, ${whole(counts.never)} never reported`;
  const settled = useSettled(sentence, 20_000);
  return (
    <div className="headline">
      <h1 tabIndex={-1}>
        {counts === undefined ? (
          <span className="headline-wait">Asking the city</span>
        ) : counts.total === 0 ? (
          <>No {kind}sensors yet</>
        ) : (
          <>
            <span className="headline-number">{whole(reporting)}</span> of {whole(counts.total)} {kind}sensors are reporting
          </>
        )}
      </h1>
      <p className="hidden-text" role="status">
        {settled}
      </p>
    </div>
  );
}

function PartTrouble({ pipeline }: { pipeline: Pipeline | undefined }) {
  if (pipeline === undefined) return null;
  const down = pipeline.parts.filter((p) => !p.ready);
  if (down.length === 0 && !pipeline.spool.full) return null;
  return (
    <ul className="attention-list parts-down">
      {pipeline.spool.full && (
        <li>
          <Link to="/pipeline" className="attention-row">
            <StateMark state="silent" />
            <span className="attention-what">
              <strong>The spool is full</strong>
              <span className="quiet">Make room on the disk; until then the broker keeps what comes.</span>
            </span>
          </Link>
        </li>
      )}
      {down.map((p) => (
        <li key={p.name}>
          <Link to="/pipeline" className="attention-row">
            <StateMark state="silent" />
            <span className="attention-what">
              <strong>{p.name} is not ready</strong>
              <span className="quiet">{p.message}</span>
            </span>
          </Link>
        </li>
      ))}
    </ul>
  );
}

/** Silent sensors, longest first. */
export function longestFirst(sensors: readonly Sensor[]): Sensor[] {
  const at = (s: Sensor): number => (s.last_seen === null ? 0 : Date.parse(s.last_seen));
  return [...sensors].sort((a, b) => at(a) - at(b) || a.id.localeCompare(b.id));
}

function SilentRow({ sensor }: { sensor: Sensor }) {
  const now = useNow(5000);
  const times = useTimes();
  const seen = sensor.last_seen === null ? undefined : Date.parse(sensor.last_seen);
  return (
    <li>
      <Link to={sensorPath(sensor.id)} className="attention-row">
        <StateMark state="silent" />
        <span className="attention-what">
          <strong>{titleAtSite(sensor)}</strong>
          <span className="quiet">{sensor.site_title || sensor.site}</span>
        </span>
        {seen !== undefined && (
          <span className="attention-since">
            <strong>{span(now - seen)}</strong>
            <span className="quiet">
              {now - seen < NEW_MS && <span className="badge">new</span>} since {now - seen < SAME_DAY_MS ? times.clock(seen) : times.dateTime(seen)}
            </span>
          </span>
        )}
      </Link>
    </li>
  );
}

interface AttentionProps {
  silent: Kept<List<Sensor>> & { reload: () => void };
  counts: Counts | undefined;
  pipeline: Pipeline | undefined;
  only: Domain | undefined;
}

export function Attention({ silent, counts, pipeline, only }: AttentionProps) {
  const domain = only === undefined ? '' : `&domain=${only}`;
  return (
    <section className="attention" aria-labelledby="attention-title">
      <h2 id="attention-title">
        Needs attention
        {counts !== undefined && counts.silent > 0 && <span className="tally">{whole(counts.silent)}</span>}
      </h2>
      <PartTrouble pipeline={pipeline} />
      <Answer kept={silent} what="silent sensors" lines={5}>
        {({ items, total }) => {
          if (counts === undefined) return <Waiting what="silent sensors" />;
          if (counts.total === 0) return <NoSensors />;
          if (items.length === 0) {
            return (
              <Empty title="No sensor is silent">
                <p>Each has reported within twice its cadence. Nothing is to be done here.</p>
              </Empty>
            );
          }
          return (
            <>
              <ul className="attention-list">
                {longestFirst(items)
                  .slice(0, SHOWN)
                  .map((s) => (
                    <SilentRow key={s.id} sensor={s} />
                  ))}
              </ul>
              {total > Math.min(items.length, SHOWN) && (
                <p className="attention-more">
                  <Link to={`/sensors?state=silent${domain}`}>All {whole(total)} silent sensors</Link>
                </p>
              )}
            </>
          );
        }}
      </Answer>
      {counts !== undefined && counts.never > 0 && (
        <p className="attention-never">
          <StateMark state="never" />
          <Link to={`/sensors?state=never${domain}`}>{count(counts.never, 'sensor has', 'sensors have')} never reported</Link>
        </p>
      )}
    </section>
  );
}

/** What to do in a city without sensors. */
export function NoSensors() {
  return (
    <Empty title="Register the first sensor">
      <p>
        Write a table with the columns <code>sensor,title,site,site_title,district,lon,lat,publisher,cadence_s,quantities</code> and run <code>lamppost sensors import sensors.csv</code>.
      </p>
      <p>
        To look around first, start with a demonstration city: <code>lamppost up --demo 120</code>.
      </p>
    </Empty>
  );
}
