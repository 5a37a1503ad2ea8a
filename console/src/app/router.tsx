// Which page is shown: the path of the address, kept in the browser's history.
import { type AnchorHTMLAttributes, type MouseEvent, useCallback, useMemo, useSyncExternalStore } from 'react';

const watchers = new Set<() => void>();

function watch(changed: () => void): () => void {
  watchers.add(changed);
  window.addEventListener('popstate', changed);
  return () => {
    watchers.delete(changed);
    window.removeEventListener('popstate', changed);
  };
}

/** Goes to another address of the page. replace leaves no step to go back to. */
export function navigate(to: string, replace = false): void {
  if (replace) history.replaceState(null, '', to);
  else history.pushState(null, '', to);
  for (const changed of watchers) changed();
}

/** The path of the address, without the query. */
export const usePath = () => useSyncExternalStore(watch, () => location.pathname);

/** The query of the address, and a way to change parts of it; '' removes one. */
export function useSearch(): [URLSearchParams, (changes: Record<string, string>) => void] {
  const text = useSyncExternalStore(watch, () => location.search);
  const search = useMemo(() => new URLSearchParams(text), [text]);
  const change = useCallback((changes: Record<string, string>) => {
    const next = new URLSearchParams(location.search);
    for (const [key, value] of Object.entries(changes)) {
      if (value === '') next.delete(key);
      else next.set(key, value);
    }
    const query = next.toString();
    navigate(location.pathname + (query === '' ? '' : `?${query}`), true);
  }, []);
  return [search, change];
}

interface LinkProps extends AnchorHTMLAttributes<HTMLAnchorElement> {
  to: string;
}

/** A link within the page; with a modifier key, the browser does what it does with links. */
export function Link({ to, onClick, children, ...rest }: LinkProps) {
  const follow = (event: MouseEvent<HTMLAnchorElement>): void => {
    onClick?.(event);
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    navigate(to);
  };
  return (
    <a href={to} onClick={follow} {...rest}>
      {children}
    </a>
  );
}

/** The address of a sensor's page. */
export const sensorPath = (id: string) => `/sensors/${encodeURIComponent(id)}`;
