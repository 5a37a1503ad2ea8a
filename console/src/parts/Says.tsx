// What the page says when there is nothing to show, something is under way, or something went wrong.
import type { ReactNode } from 'react';
import type { Fault } from '../api/client.ts';
import type { Kept } from '../api/resource.ts';
import { useTimes } from '../words/times.ts';

/** Nothing here yet, and what to do next. */
export function Empty({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="says">
      <p className="says-title">{title}</p>
      <div className="says-todo">{children}</div>
    </div>
  );
}

/** What went wrong, and what to do. */
export function Trouble({ fault, retry, at }: { fault: Fault; retry?: (() => void) | undefined; at?: number | undefined }) {
  const times = useTimes();
  return (
    <div className="says trouble" role="alert">
      <p className="says-title">{fault.title}</p>
      <div className="says-todo">
        <p>{fault.todo}</p>
        {at !== undefined && <p>What is shown is from {times.exact(at)}.</p>}
        {retry !== undefined && (
          <button type="button" className="button" onClick={retry}>
            Try again now
          </button>
        )}
      </div>
    </div>
  );
}

/** Lines where text will be. */
export function Waiting({ what, lines = 3 }: { what: string; lines?: number }) {
  return (
    <div className="waiting">
      <p className="hidden-text" role="status">
        Loading {what}
      </p>
      {Array.from({ length: lines }, (_, i) => (
        <div key={i} className="waiting-line" aria-hidden="true" />
      ))}
    </div>
  );
}

interface AnswerProps<T> {
  kept: Kept<T> & { reload: () => void };
  what: string;
  lines?: number;
  children: (data: T) => ReactNode;
}

/** Shows an answer, or that it is awaited, or why it does not come; what was heard before stays. */
export function Answer<T>({ kept, what, lines, children }: AnswerProps<T>) {
  if (kept.data !== undefined) {
    return (
      <>
        {kept.fault !== undefined && kept.fault.status > 0 && <Trouble fault={kept.fault} retry={kept.reload} at={kept.at} />}
        {children(kept.data)}
      </>
    );
  }
  if (kept.fault !== undefined) return <Trouble fault={kept.fault} retry={kept.reload} />;
  return <Waiting what={what} {...(lines === undefined ? {} : { lines })} />;
}
