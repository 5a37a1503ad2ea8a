// Light, dark, or as the system says. The choice stays on this device; public/theme.js applies it before the first paint.
import { useSyncExternalStore } from 'react';

export type Theme = 'system' | 'light' | 'dark';

const KEY = 'lamppost-theme';
const dark = typeof matchMedia === 'function' ? matchMedia('(prefers-color-scheme: dark)') : undefined;
const watchers = new Set<() => void>();

function watch(changed: () => void): () => void {
  watchers.add(changed);
  dark?.addEventListener('change', changed);
  return () => {
    watchers.delete(changed);
    dark?.removeEventListener('change', changed);
  };
}

function chosen(): Theme {
  const theme = document.documentElement.dataset.theme;
  return theme === 'light' || theme === 'dark' ? theme : 'system';
}

/** What is shown now: light or dark. */
export const useScheme = () =>
  useSyncExternalStore(watch, (): 'light' | 'dark' => {
    const theme = chosen();
    return theme === 'system' ? (dark?.matches ? 'dark' : 'light') : theme;
  });

/** What was chosen on this device. */
export const useTheme = () => useSyncExternalStore(watch, chosen);

export function setTheme(theme: Theme): void {
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    if (theme === 'system') localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // Storage is off: the choice lasts until the page is loaded again.
  }
  for (const changed of watchers) changed();
}
