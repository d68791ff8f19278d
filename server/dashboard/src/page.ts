// What the page knows, in one place: views draw it, and ask for it to be changed.
//
// Invariant: it is drawn at most once a frame, however much comes in.

import { Admin } from './admin';
import { DebugStream } from './debug_stream';
import { followLive } from './live';
import type { Link } from './live';
import { routeOf } from './route';
import type { Route } from './route';
import { applyTheme, onSystemTheme } from './theme';
import { Timeline } from './timeline';

export class Page {
  readonly admin = new Admin(() => this.changed());
  readonly timeline = new Timeline();
  readonly debug = new DebugStream(this.admin, () => this.changed());
  link: Link = { state: 'connecting' };
  route: Route = routeOf(location.hash);
  #isScheduled = false;
  #live = new AbortController();

  constructor(private readonly draw: () => void) {}

  begin(): void {
    applyTheme();
    onSystemTheme(() => this.changed());
    addEventListener('hashchange', () => {
      this.route = routeOf(location.hash);
      this.changed();
    });
    // A page that the browser keeps for the back button would keep its streams, and there are few.
    addEventListener('pagehide', () => this.#live.abort());
    addEventListener('pageshow', (event) => {
      if (event.persisted) this.#follow();
    });
    this.#follow();
    this.draw();
  }

  changed(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    requestAnimationFrame(() => {
      this.#isScheduled = false;
      this.draw();
    });
  }

  #follow(): void {
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
