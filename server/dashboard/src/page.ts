// What the page knows, in one place: views draw it, and ask for it to be changed.
//
// Invariant: it is drawn at most once a frame, however much comes in. A tab that nobody has looked at for as long as its
// charts remember holds no stream: the hub has few for dashboards, and a browser few connections for one server.

import { Admin } from './admin';
import { DebugStream } from './debug_stream';
import { followLive } from './live';
import type { Link } from './live';
import { routeOf } from './route';
import type { Route } from './route';
import { applyTheme, onSystemTheme } from './theme';
import { Timeline, WINDOW_SECONDS } from './timeline';

export class Page {
  readonly admin = new Admin(() => this.changed());
  readonly timeline = new Timeline();
  readonly debug = new DebugStream(this.admin, () => this.changed());
  link: Link = { state: 'connecting' };
  route: Route = routeOf(location.hash);
  #isScheduled = false;
  #live: AbortController | undefined;
  #unseen: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly draw: () => void) {}

  begin(): void {
    applyTheme();
    onSystemTheme(() => this.changed());
    addEventListener('hashchange', () => {
      this.route = routeOf(location.hash);
      this.changed();
    });
    // A page that the browser keeps for the back button would keep its stream.
    addEventListener('pagehide', () => this.#live?.abort());
    addEventListener('pageshow', () => this.#follow());
    document.addEventListener('visibilitychange', () => this.#onVisibility());
    this.#follow();
    this.draw();
  }

  /** To a view, as a link would lead there, but at once. */
  goTo(link: string): void {
    location.hash = link;
    this.route = routeOf(link);
    this.changed();
  }

  /** The hub will ask for it again, if it wants one. */
  forgetToken(): void {
    this.#live?.abort();
    this.admin.unlock('');
    this.#follow();
  }

  changed(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    requestAnimationFrame(() => {
      this.#isScheduled = false;
      this.draw();
    });
  }

  #onVisibility(): void {
    clearTimeout(this.#unseen);
    if (document.visibilityState === 'visible') this.#follow();
    else this.#unseen = setTimeout(() => this.#live?.abort(), WINDOW_SECONDS * 1000);
  }

  /** If it does not already. */
  #follow(): void {
    if (this.#live?.signal.aborted === false) return;
    this.#live = new AbortController();
    const follower = {
      onSample: (sample: Parameters<Timeline['add']>[0]) => {
        this.timeline.add(sample);
        this.changed();
      },
      onLink: (link: Link) => {
        this.link = link;
        this.changed();
      },
    };
    void followLive(this.admin, follower, this.#live.signal);
  }
}
