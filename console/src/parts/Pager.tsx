import { whole } from '../words/numbers.ts';

interface PagerProps {
  offset: number;
  limit: number;
  total: number;
  /** What is paged, in the plural. */
  what: string;
  go: (offset: number) => void;
}

/** Steps through a long list; nothing where it fits on one page. */
export function Pager({ offset, limit, total, what, go }: PagerProps) {
  if (total <= limit) return null;
  const to = Math.min(total, offset + limit);
  return (
    <nav className="pager" aria-label={`Pages of ${what}`}>
      <button type="button" className="button" disabled={offset === 0} onClick={() => go(Math.max(0, offset - limit))}>
        Previous
      </button>
      <p>
        {whole(offset + 1)} to {whole(to)} of {whole(total)}
      </p>
      <button type="button" className="button" disabled={to >= total} onClick={() => go(offset + limit)}>
        Next
      </button>
    </nav>
  );
}
