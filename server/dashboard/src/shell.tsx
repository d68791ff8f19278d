// What every view stands in: name and state of the hub, the way between views, what must not be overlooked.

import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';

import type { Sample } from './api';
import { Dialog } from './dialog';
import { duration, exact } from './format';
import type { Link } from './live';
import type { Page } from './page';
import { VIEWS, linkTo } from './route';
import type { View } from './route';
import { chooseTheme, scheme } from './theme';
import { ConnectionsView } from './views/connections';
import { DebuggerView } from './views/debugger';
import { OverviewView } from './views/overview';
import { SettingsView } from './views/settings';

const NAMES: Record<View, string> = {
  overview: 'Overview',
  connections: 'Connections',
  debugger: 'Debugger',
  settings: 'Settings',
};

export function Shell({ page }: { page: Page }) {
  const sample = page.timeline.last;
  const { view } = page.route;
  useTitle(page.link.state === 'lost' ? 'lost' : (sample?.state ?? ''));
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => skipTo(event)}>
        Skip to the content
      </a>
      <header>
        <div class="bar">
          <h1>
            <a href={linkTo('overview')}>
              core<b>cast</b>
            </a>
          </h1>
          <State sample={sample} link={page.link} isLocked={page.admin.isLocked} />
          <nav aria-label="Views">
            {VIEWS.map((one) => (
              <a key={one} href={linkTo(one)} aria-current={one === view ? 'page' : undefined}>
                {NAMES[one]}
              </a>
            ))}
          </nav>
          <ThemeSwitch page={page} />
        </div>
      </header>
      <div class="banners">
        <div role="status">
          <Banners sample={sample} link={page.link} />
        </div>
        {sample !== null && sample.drain !== null && <DrainProgress drain={sample.drain} />}
      </div>
      <main id="main" tabIndex={-1} data-link={page.link.state} aria-label={NAMES[view]}>
        {view === 'overview' && <OverviewView page={page} />}
        {view === 'connections' && <ConnectionsView page={page} />}
        {view === 'debugger' && <DebuggerView page={page} />}
        {view === 'settings' && <SettingsView page={page} />}
      </main>
      {page.admin.isLocked && <TokenPrompt page={page} />}
    </>
  );
}

/** Tabs of several hubs are told apart, and one that needs a look is seen. */
function useTitle(state: string): void {
  const title = `${state === '' || state === 'running' ? '' : `${state}: `}corecast ${location.host}`;
  useEffect(() => {
    document.title = title;
  }, [title]);
}

/** Not by its address: the fragment names the view. */
function skipTo(event: Event): void {
  event.preventDefault();
  document.getElementById('main')?.focus();
}

function State({ sample, link, isLocked }: { sample: Sample | null; link: Link; isLocked: boolean }) {
  const lost = link.state === 'lost';
  const state = isLocked ? 'locked' : lost ? 'lost' : (sample?.state ?? 'connecting');
  return (
    <p class="state">
      <span class="pill" data-state={state}>
        {state}
      </span>
      {sample !== null && <span class="version">v{sample.version}</span>}
      {sample !== null && !lost && <span class="uptime">up {duration(Math.floor(sample.uptime_seconds))}</span>}
    </p>
  );
}

/** What is read out when it comes: nothing that changes each second. */
function Banners({ sample, link }: { sample: Sample | null; link: Link }) {
  return (
    <>
      {link.state === 'lost' && (
        <Banner kind="bad">
          <strong>{link.isAnswering ? 'The hub sends no numbers to this page.' : 'The hub does not answer.'}</strong>{' '}
          {sample === null
            ? 'Nothing has come yet.'
            : `What you see is of ${new Date(link.since).toLocaleTimeString('en-GB')}.`}{' '}
          The page keeps trying. <span class="quiet">({link.why})</span>
        </Banner>
      )}
      {sample?.state === 'draining' && <span class="hidden">The hub is draining.</span>}
      {sample?.dry_run === true && (
        <Banner kind="note">
          <strong>Dry run:</strong> limits refuse and evict nobody. What they would have done is counted.
        </Banner>
      )}
    </>
  );
}

function DrainProgress({ drain }: { drain: NonNullable<Sample['drain']> }) {
  const gone = drain.of - drain.left;
  const share = drain.of === 0 ? 1 : gone / drain.of;
  return (
    <Banner kind="note">
      <strong>Draining:</strong> {exact(gone)} of {exact(drain.of)} streams are gone, {exact(drain.left)} are left.{' '}
      <span class="quiet">Paced over {duration(drain.over_seconds)}.</span>
      <progress value={share} aria-label="Streams that are gone" />
    </Banner>
  );
}

function Banner({ kind, children }: { kind: 'bad' | 'note'; children: ComponentChildren }) {
  return (
    <p class="banner" data-kind={kind}>
      {children}
    </p>
  );
}

function ThemeSwitch({ page }: { page: Page }) {
  const other = scheme() === 'dark' ? 'light' : 'dark';
  const onClick = () => {
    // Back to what the system says as soon as that is what is wanted: it may change at dusk.
    const system = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
    chooseTheme(other === system ? 'system' : other);
    page.changed();
  };
  return (
    <button type="button" class="icon" onClick={onClick} aria-label={`Switch to ${other}`} title={`Switch to ${other}`}>
      <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
        <circle cx="8" cy="8" r="6.2" fill="none" stroke="currentColor" stroke-width="1.5" />
        <path d="M8 1.8a6.2 6.2 0 0 1 0 12.4z" fill="currentColor" />
      </svg>
    </button>
  );
}

function TokenPrompt({ page }: { page: Page }) {
  const [token, setToken] = useState('');
  // A token that was there has just been refused.
  const [wasRefused] = useState(page.admin.hasToken);
  return (
    <Dialog title="This hub asks for a token">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          page.admin.unlock(token.trim());
        }}
      >
        {wasRefused && (
          <p class="problem" role="alert">
            The token was refused.
          </p>
        )}
        <label>
          Token of <code>[admin]</code>
          <input
            type="password"
            name="admin-token"
            autocomplete="off"
            required
            value={token}
            onInput={(event) => setToken(event.currentTarget.value)}
          />
        </label>
        <p class="quiet">It is kept until this tab is closed.</p>
        <p class="buttons">
          <button class="primary">Unlock</button>
        </p>
      </form>
    </Dialog>
  );
}
