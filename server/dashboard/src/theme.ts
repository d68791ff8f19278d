// Light, dark, or as the system has it. The style sheet's `light-dark()` follows `color-scheme`; this only sets that.

const KEY = 'corecast.admin.theme';
const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const systemIsDark = matchMedia('(prefers-color-scheme: dark)');

export function theme(): Theme {
  const kept = localStorage.getItem(KEY);
  return THEMES.find((one) => one === kept) ?? 'system';
}

export function chooseTheme(chosen: Theme): void {
  localStorage.setItem(KEY, chosen);
  applyTheme();
}

export function applyTheme(): void {
  document.documentElement.dataset.theme = theme();
}

/** What is seen, whoever chose it. */
export function scheme(): 'light' | 'dark' {
  const chosen = theme();
  if (chosen !== 'system') return chosen;
  return systemIsDark.matches ? 'dark' : 'light';
}

export function onSystemTheme(listener: () => void): void {
  systemIsDark.addEventListener('change', listener);
}
