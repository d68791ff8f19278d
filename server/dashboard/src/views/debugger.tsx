// Subscribes like a client and shows every line that comes; publishes like a backend.

import { useEffect, useRef, useState } from 'preact/hooks';

import { UNKNOWN, exact, milliseconds } from '../format';
import { LINES_MAX } from '../debug_stream';
import type { DebugState, DebugStream, Line } from '../debug_stream';
import type { Page } from '../page';
import { Card, Empty, Name, failureText } from '../parts';

const STATES: Record<DebugState, string> = {
  closed: 'not subscribed',
  connecting: 'connecting',
  open: 'open',
  waiting: 'coming back',
};

/** Kept while the page is open, so that a look at another view costs nothing; never stored. */
const kept = {
  topics: '*',
  token: '',
  lastEventId: '',
  comesBack: true,
  audience: 'topics' as 'topics' | 'users' | 'all',
  names: '',
  data: '',
  type: '',
  id: '',
  publishToken: '',
  isPrivate: false,
  isEphemeral: false,
};

/** A field of `kept` as state of a view. */
function useKept<K extends keyof typeof kept>(name: K): [(typeof kept)[K], (value: (typeof kept)[K]) => void] {
  const [value, setValue] = useState(kept[name]);
  return [
    value,
    (next) => {
      kept[name] = next;
      setValue(next);
    },
  ];
}

/** One name a line: a URI Template may have commas. */
const linesOf = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');

export function DebuggerView({ page }: { page: Page }) {
  return (
    <div class="debugger">
      <div class="side">
        <Subscribe stream={page.debug} />
        <Publish page={page} />
      </div>
      <Stream stream={page.debug} />
    </div>
  );
}

function Subscribe({ stream }: { stream: DebugStream }) {
  const [topics, setTopics] = useKept('topics');
  const [token, setToken] = useKept('token');
  const [lastEventId, setLastEventId] = useKept('lastEventId');
  const [comesBack, setComesBack] = useKept('comesBack');
  const isOpen = stream.state !== 'closed';
  return (
    <Card
      title="Subscribe"
      aside={
        <span class="pill" data-state={stream.state} role="status">
          {STATES[stream.state]}
        </span>
      }
    >
      <form
        name="subscribe"
        onSubmit={(event) => {
          event.preventDefault();
          stream.start({ topics: linesOf(topics), token: token.trim(), lastEventId: lastEventId.trim(), comesBack });
        }}
      >
        <label>
          Topics, one a line
          <textarea
            name="topics"
            rows={2}
            spellcheck={false}
            value={topics}
            onInput={(event) => setTopics(event.currentTarget.value)}
          />
        </label>
        <label>
          Token <span class="quiet">(empty: anonymous)</span>
          <input
            name="token"
            autocomplete="off"
            spellcheck={false}
            value={token}
            onInput={(event) => setToken(event.currentTarget.value)}
          />
        </label>
        <label>
          Last event id <span class="quiet">(empty: from now on)</span>
          <input
            name="last-event-id"
            autocomplete="off"
            spellcheck={false}
            value={lastEventId}
            onInput={(event) => setLastEventId(event.currentTarget.value)}
          />
        </label>
        <label class="check">
          <input type="checkbox" checked={comesBack} onChange={(event) => setComesBack(event.currentTarget.checked)} />
          Come back as a browser does
        </label>
        <p class="row">
          <button class="primary">{isOpen ? 'Subscribe anew' : 'Subscribe'}</button>
          <button type="button" disabled={!isOpen} onClick={() => stream.stop()}>
            Stop
          </button>
        </p>
      </form>
    </Card>
  );
}

function Publish({ page }: { page: Page }) {
  const [audience, setAudience] = useKept('audience');
  const [names, setNames] = useKept('names');
  const [data, setData] = useKept('data');
  const [type, setType] = useKept('type');
  const [id, setId] = useKept('id');
  const [token, setToken] = useKept('publishToken');
  const [isPrivate, setPrivate] = useKept('isPrivate');
  const [isEphemeral, setEphemeral] = useKept('isEphemeral');
  const [answer, setAnswer] = useState<{ isGood: boolean; text: string } | null>(null);
  const [isBusy, setBusy] = useState(false);
  const publish = async () => {
    const body = {
      [audience]: audience === 'all' ? true : linesOf(names),
      data,
      ...(type === '' ? {} : { type }),
      ...(id === '' ? {} : { id }),
      ...(isPrivate ? { private: true } : {}),
      ...(isEphemeral ? { ephemeral: true } : {}),
    };
    const headers: Record<string, string> = { 'Content-Type': 'application/json' };
    if (token.trim() !== '') headers['X-Corecast-Authorization'] = `Bearer ${token.trim()}`;
    setBusy(true);
    const began = performance.now();
    try {
      const response = await page.admin.open('/hub/publish', { method: 'POST', headers, body: JSON.stringify(body) });
      const said = (await response.json()) as { id?: string };
      setAnswer({ isGood: true, text: `${said.id ?? UNKNOWN} after ${milliseconds(performance.now() - began)}` });
    } catch (error) {
      setAnswer({ isGood: false, text: failureText(error) });
    } finally {
      setBusy(false);
    }
  };
  return (
    <Card title="Publish" class="publish">
      <form
        name="publish"
        onSubmit={(event) => {
          event.preventDefault();
          void publish();
        }}
      >
        <div class="pair">
          <label>
            To
            <select
              name="audience"
              value={audience}
              onChange={(event) => setAudience(event.currentTarget.value as typeof audience)}
            >
              <option value="topics">topics</option>
              <option value="users">users</option>
              <option value="all">all</option>
            </select>
          </label>
          <label>
            Type
            <input
              name="type"
              placeholder="message"
              autocomplete="off"
              spellcheck={false}
              value={type}
              onInput={(event) => setType(event.currentTarget.value)}
            />
          </label>
        </div>
        {audience !== 'all' && (
          <label>
            {audience === 'users' ? 'Users, one a line' : 'Topics, one a line'}
            <textarea
              name="names"
              rows={1}
              required
              spellcheck={false}
              value={names}
              onInput={(event) => setNames(event.currentTarget.value)}
            />
          </label>
        )}
        <label>
          Data
          <textarea
            name="data"
            rows={3}
            spellcheck={false}
            value={data}
            onInput={(event) => setData(event.currentTarget.value)}
          />
        </label>
        <label>
          Id <span class="quiet">(empty: the hub gives one)</span>
          <input
            name="id"
            autocomplete="off"
            spellcheck={false}
            value={id}
            onInput={(event) => setId(event.currentTarget.value)}
          />
        </label>
        <label>
          Publisher's token
          <input
            name="publish-token"
            autocomplete="off"
            spellcheck={false}
            value={token}
            onInput={(event) => setToken(event.currentTarget.value)}
          />
        </label>
        <div class="row">
          <label class="check">
            <input type="checkbox" checked={isPrivate} onChange={(event) => setPrivate(event.currentTarget.checked)} />{' '}
            private
          </label>
          <label class="check">
            <input
              type="checkbox"
              checked={isEphemeral}
              onChange={(event) => setEphemeral(event.currentTarget.checked)}
            />{' '}
            ephemeral
          </label>
        </div>
        <p class="row">
          <button class="primary" disabled={isBusy}>
            Publish
          </button>
          <span role="status" class={answer?.isGood === false ? 'answer problem' : 'answer'}>
            {answer?.text}
          </span>
        </p>
      </form>
    </Card>
  );
}

function Stream({ stream }: { stream: DebugStream }) {
  const { shown } = stream;
  const list = useRef<HTMLOListElement>(null);
  const isAtEnd = useRef(true);
  const last = shown.at(-1)?.number;
  // Follows what comes, unless somebody has scrolled up to read.
  useEffect(() => {
    const element = list.current;
    if (element !== null && isAtEnd.current) element.scrollTop = element.scrollHeight;
  }, [last]);
  const onScroll = () => {
    const element = list.current;
    if (element !== null) isAtEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < 24;
  };
  return (
    <Card
      title="Stream"
      class="stream"
      aside={
        <>
          <span class="quiet counts">
            {several(stream.events, 'event')}, {several(stream.comments, 'comment')}
          </span>
          <button
            type="button"
            class="small"
            aria-pressed={stream.isPaused}
            onClick={() => (stream.isPaused ? stream.goOn() : stream.pause())}
          >
            {stream.isPaused ? `Go on (${exact(stream.unseen)} new)` : 'Pause'}
          </button>
          <button type="button" class="small" onClick={() => stream.clear()}>
            Clear
          </button>
        </>
      }
    >
      {shown.length === 0 ? (
        <Empty>Nothing has come. The last {LINES_MAX} lines are kept.</Empty>
      ) : (
        <ol class="lines" ref={list} onScroll={onScroll} tabIndex={0} aria-label="What has come, oldest first">
          {shown.map((line) => (
            <LineRow key={line.number} line={line} />
          ))}
        </ol>
      )}
    </Card>
  );
}

function LineRow({ line }: { line: Line }) {
  const isStream = line.kind === 'event' || line.kind === 'control';
  return (
    <li data-kind={line.kind}>
      <time dateTime={line.at.toISOString()}>{clock(line.at)}</time>
      {isStream && (
        <span class="type">
          <Name of={line.type} />
        </span>
      )}
      {isStream && (
        <span class="id">
          <Name of={line.id === '' ? UNKNOWN : line.id} />
        </span>
      )}
      <pre dir="auto">
        {line.data}
        {line.cut > 0 && <i class="quiet"> … {exact(line.cut)} more characters</i>}
      </pre>
    </li>
  );
}

function several(count: number, what: string): string {
  return `${exact(count)} ${what}${count === 1 ? '' : 's'}`;
}

function clock(at: Date): string {
  return `${at.toTimeString().slice(0, 8)}.${String(at.getMilliseconds()).padStart(3, '0')}`;
}
