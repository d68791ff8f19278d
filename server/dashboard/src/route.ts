// Which view is shown, and what it is asked for, as the fragment of the address: it can be linked to, and the back
// button works. `#/connections?by=user&value=alice`

export const VIEWS = ['overview', 'connections', 'debugger', 'settings'] as const;
export type View = (typeof VIEWS)[number];

export interface Route {
  view: View;
  query: URLSearchParams;
}

export function routeOf(fragment: string): Route {
  const [path = '', search = ''] = fragment.replace(/^#\/?/, '').split(/\?(.*)/s);
  return { view: VIEWS.find((view) => view === path) ?? 'overview', query: new URLSearchParams(search) };
}

/** The address of a view; what is empty is left out. */
export function linkTo(view: View, query: Record<string, string> = {}): string {
  const set = Object.entries(query).filter(([, value]) => value !== '');
  return `#/${view}${set.length > 0 ? `?${new URLSearchParams(set)}` : ''}`;
}
