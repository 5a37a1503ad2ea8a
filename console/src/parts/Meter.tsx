// How full something is, from 0 to 1. Fuller than high is drawn as trouble; the words beside it say so too.

export function Meter({ value, label, high = 0.8 }: { value: number; label: string; high?: number }) {
  const percent = Math.min(100, Math.max(0, value * 100));
  return (
    <span className={value > high ? 'meter high' : 'meter'} role="meter" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(percent)}>
      <span style={{ inlineSize: `${percent}%` }} />
    </span>
  );
}
