// The drawings of the page, as inline SVG in the colour of the text around them.
import type { ReactNode } from 'react';
import type { Domain, SensorState } from '../api/types.ts';

function Icon({ children, size = 24 }: { children: ReactNode; size?: number }) {
  return (
    <svg className="icon" viewBox={`0 0 ${size} ${size}`} fill="none" stroke="currentColor" strokeWidth="1.8" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true" focusable="false">
      {children}
    </svg>
  );
}

/** The mark: a lamppost and its light. */
export function Mark() {
  return (
    <svg className="mark" viewBox="0 0 32 32" fill="none" aria-hidden="true" focusable="false">
      <path className="mark-cone" d="M8.6 17.5 4 30h15.2L14.8 17.5Z" />
      <path d="M24 30V10c0-4.2-2.9-7-6.6-7h-1.9c-2.3 0-3.8 1.7-3.8 4" stroke="currentColor" strokeWidth="2.6" strokeLinecap="round" />
      <path d="M5.8 13c0-3.4 2.6-6 5.9-6s5.9 2.6 5.9 6Z" fill="currentColor" />
      <path className="mark-lamp" d="M7.8 13h7.8l-.8 3.2a3.2 3.2 0 0 1-6.2 0Z" />
      <path d="M20 30h8" stroke="currentColor" strokeWidth="2.6" strokeLinecap="round" />
    </svg>
  );
}

export function DomainIcon({ domain }: { domain: Domain }) {
  switch (domain) {
    case 'traffic':
      return (
        <Icon>
          <path d="M7 21 9.5 3M17 21 14.5 3M12 4v3M12 10.5v3M12 17v3" />
        </Icon>
      );
    case 'energy':
      return (
        <Icon>
          <path d="M13 2.5 5.5 13.5H11L10 21.5l8-11.5h-5.5Z" />
        </Icon>
      );
    case 'safety':
      return (
        <Icon>
          <path d="M12 21c4.5-2 7-5 7-9.5V5.5L12 3 5 5.5v6C5 16 7.5 19 12 21Z" />
          <path d="M8.5 11.5c1.2-1 2.3-1 3.5 0s2.3 1 3.5 0" />
        </Icon>
      );
  }
}

/** A sensor's state as a shape: a full disc, a diamond with a stroke, an empty ring. */
export function StateMark({ state }: { state: SensorState }) {
  return (
    <svg className={`state-mark state-${state}`} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      {state === 'ok' && <circle cx="8" cy="8" r="5" className="fill" />}
      {state === 'silent' && (
        <>
          <path d="M8 .8 15.2 8 8 15.2.8 8Z" className="fill" />
          <path d="M8 4.6v4M8 10.8v.6" className="cut" />
        </>
      )}
      {state === 'never' && <circle cx="8" cy="8" r="5" className="ring" />}
    </svg>
  );
}

export const SunIcon = () => (
  <Icon>
    <circle cx="12" cy="12" r="4" />
    <path d="M12 3v1.5M12 19.5V21M3 12h1.5M19.5 12H21M5.6 5.6l1.1 1.1M17.3 17.3l1.1 1.1M5.6 18.4l1.1-1.1M17.3 6.7l1.1-1.1" />
  </Icon>
);

export const MoonIcon = () => (
  <Icon>
    <path d="M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5Z" />
  </Icon>
);

export const SystemIcon = () => (
  <Icon>
    <circle cx="12" cy="12" r="8.5" />
    <path d="M12 3.5v17a8.5 8.5 0 0 0 0-17Z" fill="currentColor" stroke="none" />
  </Icon>
);

export const ArrowIcon = () => (
  <Icon>
    <path d="M5 12h14M13 6l6 6-6 6" />
  </Icon>
);

export const BackIcon = () => (
  <Icon>
    <path d="M19 12H5M11 6l-6 6 6 6" />
  </Icon>
);

export const CheckIcon = () => (
  <Icon>
    <path d="m5 12.5 4.5 4.5L19 7.5" />
  </Icon>
);

export const CrossIcon = () => (
  <Icon>
    <path d="M6 6l12 12M18 6 6 18" />
  </Icon>
);

export const PlusIcon = () => (
  <Icon>
    <path d="M12 5v14M5 12h14" />
  </Icon>
);

export const MinusIcon = () => (
  <Icon>
    <path d="M5 12h14" />
  </Icon>
);

export const FitIcon = () => (
  <Icon>
    <path d="M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5" />
  </Icon>
);

export const SearchIcon = () => (
  <Icon>
    <circle cx="10.5" cy="10.5" r="6.5" />
    <path d="m15.5 15.5 5 5" />
  </Icon>
);
