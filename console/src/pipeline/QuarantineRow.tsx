// One refused message: why, what to do, and its raw bytes.
import { type ReactNode, useMemo, useState } from 'react';
import { Link, sensorPath } from '../app/router.tsx';
import type { Quarantined } from '../api/types.ts';
import { bytes as size, count } from '../words/numbers.ts';
import { reasonOf } from '../words/reasons.ts';
import { useNow, useTimes } from '../words/times.ts';
import { asText, decodeBase64, hexLines, layOut } from './payload.ts';

const SHOWN_BYTES = 16_384;

function Payload({ item }: { item: Quarantined }) {
  const bytes = useMemo(() => decodeBase64(item.payload_base64), [item.payload_base64]);
  const text = useMemo(() => asText(bytes), [bytes]);
  const [view, setView] = useState<'text' | 'hex'>(text === undefined ? 'hex' : 'text');
  const cut = bytes.length > SHOWN_BYTES;
  const readable = text ?? new TextDecoder().decode(bytes);
  return (
    <div className="payload">
      <fieldset className="filter">
        <legend className="hidden-text">Show the payload as</legend>
        {(['text', 'hex'] as const).map((v) => (
          <label key={v} className="filter-choice">
            <input type="radio" name={`payload-${item.id}`} checked={view === v} onChange={() => setView(v)} />
            <span>{v === 'text' ? 'Text' : 'Hex'}</span>
          </label>
        ))}
      </fieldset>
      {bytes.length === 0 ? (
        <p className="quiet">The payload was empty.</p>
      ) : (
        <pre tabIndex={0} aria-label={`Payload as ${view}`}>
          {view === 'text'
            ? cut
              ? readable.slice(0, SHOWN_BYTES)
              : layOut(readable)
            : hexLines(bytes.subarray(0, SHOWN_BYTES)).map((l) => (
                <span key={l.offset} className="hex-line">
                  <span className="hex-offset">{l.offset}</span>
                  <span className="hex-bytes">{l.hex}</span>
                  <span className="hex-text">{l.text}</span>
                  {'\n'}
                </span>
              ))}
        </pre>
      )}
      <p className="quiet">
        {size(item.size_bytes)}
        {item.truncated && `; only the first ${size(bytes.length)} were kept`}
        {cut && `; the first ${size(SHOWN_BYTES)} are shown`}
      </p>
    </div>
  );
}

export function QuarantineRow({ item, children }: { item: Quarantined; children?: ReactNode }) {
  const [open, setOpen] = useState(false);
  const now = useNow(60_000);
  const times = useTimes();
  const reason = reasonOf(item.reason);
  const received = Date.parse(item.received);
  return (
    <li className="quarantine-row">
      <div className="quarantine-head">
        {children}
        <div className="quarantine-why">
          <p className="quarantine-reason">
            <strong>{reason.title}</strong>
            <time className="quiet" dateTime={item.received} title={times.full(received)}>
              {times.near(received, now)}
            </time>
          </p>
          <p>{item.detail}</p>
          <p className="quiet">
            <code>{item.topic}</code>
            {item.readings > 0 && <>, {count(item.readings, 'reading')}</>}
            {item.sensor !== '' && (
              <>
                , sensor <Link to={sensorPath(item.sensor)}>{item.sensor}</Link>
              </>
            )}
          </p>
        </div>
        <button type="button" className="button small" aria-expanded={open} onClick={() => setOpen(!open)}>
          {open ? 'Hide payload' : 'Payload'}
        </button>
      </div>
      {open && (
        <>
          <p className="quarantine-todo">{reason.todo}</p>
          <Payload item={item} />
        </>
      )}
    </li>
  );
}
