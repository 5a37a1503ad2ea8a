import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app/App.tsx';
import './styles/tokens.css';
import './styles/base.css';
import './styles/frame.css';
import './styles/parts.css';
import './overview/overview.css';

function start(): void {
  const root = document.getElementById('root');
  if (root === null) throw new Error('index.html has no element with the id root');
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}

// The words of index.html are painted first, so that something is there at once on a slow device. A hidden page is not
// painted, and need not wait for it.
if (document.hidden) start();
else requestAnimationFrame(() => setTimeout(start));
