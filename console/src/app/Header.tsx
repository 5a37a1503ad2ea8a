// The top of every page: the mark and the city, the ways to go, whether the page is live, the time, light or dark.
import { useSignedIn } from '../api/door.ts';
import { useLink } from '../api/link.ts';
import { Mark, MoonIcon, SunIcon, SystemIcon } from '../parts/Icons.tsx';
import { span, useNow, useTimes } from '../words/times.ts';
import { Link } from './router.tsx';
import { useSession } from './session.tsx';
import { setTheme, type Theme, useTheme } from './theme.ts';

const WAYS = [
  { to: '/', title: 'Overview' },
  { to: '/sensors', title: 'Sensors' },
  { to: '/pipeline', title: 'Pipeline' },
] as const;

function Connection() {
  const link = useLink();
  const times = useTimes();
  const now = useNow(1000);
  const text = {
    live: 'Live',
    connecting: now - link.since > 4000 ? `No answer since ${times.clock(link.since)}` : 'Connecting',
    reconnecting: `Reconnecting since ${times.clock(link.since)}`,
  }[link.phase];
  const hint = link.phase === 'live' ? 'The page hears from Lamppost' : `Nothing heard for ${span(now - link.since)}; numbers on the page are older than that`;
  return (
    <p className={`connection ${link.phase}`} title={hint}>
      <span className="connection-light" aria-hidden="true" />
      <span role="status">{text}</span>
    </p>
  );
}

function Clock() {
  const now = useNow(1000);
  const times = useTimes();
  return (
    <time className="clock" dateTime={new Date(now).toISOString()} title={`${times.full(now)} (${times.zone})`}>
      {times.clock(now)}
      <span className="clock-seconds">{times.exact(now).slice(-3)}</span>
    </time>
  );
}

const NEXT: Record<Theme, Theme> = { system: 'light', light: 'dark', dark: 'system' };
const THEME_TITLE: Record<Theme, string> = { system: 'as the system', light: 'light', dark: 'dark' };

function ThemeButton() {
  const theme = useTheme();
  return (
    <button type="button" className="icon-button" onClick={() => setTheme(NEXT[theme])} aria-label={`Colours: ${THEME_TITLE[theme]}. Change to ${THEME_TITLE[NEXT[theme]]}`} title={`Colours: ${THEME_TITLE[theme]}`}>
      {theme === 'system' ? <SystemIcon /> : theme === 'light' ? <SunIcon /> : <MoonIcon />}
    </button>
  );
}

export function Header({ path, city }: { path: string; city: string | undefined }) {
  const session = useSession();
  const signedIn = useSignedIn();
  const here = (to: string): boolean => (to === '/' ? path === '/' : path === to || path.startsWith(`${to}/`));
  return (
    <header className="top">
      <Link to="/" className="brand">
        <Mark />
        <span className="brand-name">Lamppost</span>
        {city !== undefined && <span className="brand-city">{city}</span>}
      </Link>
      <nav className="ways" aria-label="Pages">
        {WAYS.map((way) => (
          <Link key={way.to} to={way.to} {...(here(way.to) ? { 'aria-current': 'page' as const } : {})}>
            {way.title}
          </Link>
        ))}
      </nav>
      <div className="top-right">
        {signedIn && (
          <button type="button" className="text-button" onClick={() => void session.leave()}>
            Sign out
          </button>
        )}
        <Connection />
        <Clock />
        <ThemeButton />
      </div>
    </header>
  );
}
