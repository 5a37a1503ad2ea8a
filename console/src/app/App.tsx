// The page: what is always there, and the page of the address.
import { lazy, Suspense, useEffect, useMemo, useRef } from 'react';
import { useShut } from '../api/door.ts';
import { useResource } from '../api/resource.ts';
import type { City } from '../api/types.ts';
import { Overview } from '../overview/Overview.tsx';
import { Empty, Waiting } from '../parts/Says.tsx';
import { TimesContext, timesIn } from '../words/times.ts';
import { Header } from './Header.tsx';
import { Link, usePath } from './router.tsx';
import { SessionProvider, SignInPage } from './session.tsx';

const SensorsPage = lazy(async () => ({ default: (await import('../sensors/Sensors.tsx')).Sensors }));
const SensorPage = lazy(async () => ({ default: (await import('../sensor/Sensor.tsx')).SensorPage }));
const PipelinePage = lazy(async () => ({ default: (await import('../pipeline/Pipeline.tsx')).PipelinePage }));

function Page({ path }: { path: string }) {
  if (path === '/') return <Overview />;
  if (path === '/sensors' || path === '/sensors/') return <SensorsPage />;
  if (path.startsWith('/sensors/')) {
    const id = decodeURIComponent(path.slice('/sensors/'.length));
    return <SensorPage key={id} id={id} />;
  }
  if (path === '/pipeline' || path === '/pipeline/') return <PipelinePage />;
  return (
    <main id="main" className="sheet">
      <h1 tabIndex={-1}>There is no such page</h1>
      <Empty title={`Nothing is at ${path}`}>
        <p>
          Go to the <Link to="/">overview</Link>, or look for it among the <Link to="/sensors">sensors</Link>.
        </p>
      </Empty>
    </main>
  );
}

/** After a step to another page: its heading is read out, and the view starts at the top. */
function useArrival(path: string): void {
  const first = useRef(true);
  useEffect(() => {
    if (first.current) {
      first.current = false;
      return;
    }
    window.scrollTo(0, 0);
    // The page's part may still be on its way: its heading is looked for until it is there.
    let tries = 0;
    const timer = setInterval(() => {
      // Meanwhile the page before may still be there, hidden.
      const heading = [...document.querySelectorAll<HTMLElement>('main h1')].find((h) => h.offsetParent !== null);
      heading?.focus({ preventScroll: true });
      if (heading !== undefined || ++tries > 80) clearInterval(timer);
    }, 25);
    return () => clearInterval(timer);
  }, [path]);
}

const BROWSER_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

export function App() {
  const path = usePath();
  const city = useResource<City>('city', 600_000);
  const zone = city.data?.zone ?? BROWSER_ZONE;
  const times = useMemo(() => timesIn(zone), [zone]);
  const shut = useShut();
  useArrival(path);
  return (
    <TimesContext.Provider value={times}>
      <SessionProvider>
        <a className="skip" href="#main">
          Skip to the content
        </a>
        <Header path={path} city={city.data?.name} />
        {shut ? (
          <SignInPage />
        ) : (
          <Suspense
            fallback={
              <main id="main" className="sheet">
                <Waiting what="the page" lines={6} />
              </main>
            }
          >
            <Page path={path} />
          </Suspense>
        )}
      </SessionProvider>
    </TimesContext.Provider>
  );
}
