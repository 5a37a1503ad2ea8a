// The edge bridges: which are there, which of their sensors fail, what waits at them. Worst first.
import { query } from '../api/client.ts';
import { useResource } from '../api/resource.ts';
import type { Bridge, List } from '../api/types.ts';
import { StateMark } from '../parts/Icons.tsx';
import { Answer, Empty } from '../parts/Says.tsx';
import { count, whole } from '../words/numbers.ts';
import { ago, useNow } from '../words/times.ts';
import { type Fact, needsCare, sensorsFact, settingsFact, waitingFact, worstFirst } from './bridge.ts';

const SHOWN = 12;

function Said({ fact }: { fact: Fact | undefined }) {
  return <span className={fact?.wrong === true ? 'bridge-wrong' : 'bridge-fact'}>{fact?.text}</span>;
}

function BridgeRow({ bridge }: { bridge: Bridge }) {
  const now = useNow(5000);
  const online = bridge.state === 'online';
  return (
    <li className="bridge-row">
      <span className="bridge-name">
        <StateMark state={online ? 'ok' : 'silent'} />
        <span>
          <strong>{bridge.title}</strong>
          {bridge.title !== bridge.publisher && <code className="quiet">{bridge.publisher}</code>}
          <span className={online ? 'quiet' : 'quiet bridge-wrong'}>
            {bridge.state}
            {bridge.at !== null && `, heard ${ago(Date.parse(bridge.at), now)}`}
          </span>
        </span>
      </span>
      <Said fact={sensorsFact(bridge)} />
      <Said fact={waitingFact(bridge)} />
      <Said fact={settingsFact(bridge)} />
    </li>
  );
}

export function Bridges() {
  const kept = useResource<List<Bridge>>(query('bridges', { limit: 1000 }), 10_000);
  const total = kept.data?.total ?? 0;
  const care = kept.data?.items.filter(needsCare).length ?? 0;
  return (
    <section className="bridges" aria-labelledby="bridges-title">
      <div className="section-head">
        <h2 id="bridges-title">
          Bridges
          {total > 0 && <span className="tally calm">{whole(total)}</span>}
        </h2>
        {total > 0 && <p className={care > 0 ? 'bridge-wrong' : 'quiet'}>{care > 0 ? `${count(care, 'needs', 'need')} attention` : 'All are well'}</p>}
      </div>
      <Answer kept={kept} what="bridges" lines={3}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="No edge bridges yet">
              <p>
                A bridge is listed as soon as it connects. At the cabinet, write its settings with <code>lamppost-bridge init</code>, then start it with <code>lamppost-bridge run --publisher ID --mqtt URL</code>.
              </p>
            </Empty>
          ) : (
            <>
              <ul className="bridge-list">
                {worstFirst(items)
                  .slice(0, SHOWN)
                  .map((b) => (
                    <BridgeRow key={b.publisher} bridge={b} />
                  ))}
              </ul>
              {total > SHOWN && (
                <p className="quiet bridge-more">
                  {whole(total - Math.min(items.length, SHOWN))} more: <code>lamppost bridges list</code>
                </p>
              )}
            </>
          )
        }
      </Answer>
    </section>
  );
}
