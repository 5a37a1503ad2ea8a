// Before the first paint: the theme that was chosen on this device, if one was.
try {
  const theme = localStorage.getItem('lamppost-theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // Storage is off: the system's theme holds.
}
