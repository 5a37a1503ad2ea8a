// Numbers that say when they are old: they lose their colour, and name the time that they are from.
import { createElement, type ReactNode } from 'react';
import { useLink } from '../api/link.ts';
import { useNow, useTimes } from '../words/times.ts';

interface AgedProps {
  /** When the number was heard, Unix milliseconds; undefined: it was not yet. */
  at: number | undefined;
  /** Older than this is old. */
  limitMs: number;
  as?: 'div' | 'span' | 'section' | 'li' | 'td' | 'dd';
  className?: string;
  children: ReactNode;
}

/** Is what was heard at a moment old by now? The link being down for 5 s makes everything old. */
export function useAged(at: number | undefined, limitMs: number): boolean {
  const now = useNow(1000);
  const link = useLink();
  if (at === undefined) return false;
  return now - at > limitMs || (link.phase === 'reconnecting' && now - link.since > 5000);
}

export function Aged({ at, limitMs, as = 'div', className = '', children }: AgedProps) {
  const old = useAged(at, limitMs);
  const times = useTimes();
  const props: { className: string; title?: string } = old ? { className: `${className} aged`, title: `From ${times.exact(at ?? 0)}; nothing newer has come` } : { className };
  return createElement(
    as,
    props,
    children,
    old && at !== undefined ? createElement('span', { className: 'aged-from', key: 'from' }, `from ${times.exact(at)}`) : null,
  );
}
