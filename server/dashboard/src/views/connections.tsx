// The connection table: search, sort, pages, details, and the way to end what should not be there.
//
// What is searched for stands in the address. The table is asked for when that changes and when somebody wants it
// fresh, not each second: each answer walks every shard, and rows that jump are hard to click.

import { useEffect, useRef, useState } from 'preact/hooks';

import { Failure, query as queryString } from '../admin';
import type { ConnectionPage, ConnectionRow, TopicRow, UserRow } from '../api';
import { bytes, duration, exact, moment, timeOfDay } from '../format';
import type { Page } from '../page';
import { Empty, UserName, failureText } from '../parts';
import { linkTo } from '../route';
import { ConnectionDialog } from './connection_dialog';
import { DisconnectDialog } from './disconnect_dialog';
import type { Target } from './disconnect_dialog';

const PAGE_ROWS = 100;
const SUGGESTIONS = 10;
const STATES = ['head', 'publishing', 'answering', 'moving', 'streaming', 'draining', 'closing'];

/** Small screens do without what is `isLess`; the details have it. */
const COLUMNS: { name: string; sort?: string; isNumber?: boolean; isLess?: boolean }[] = [
  { name: 'User' },
  { name: 'Address', isLess: true },
  { name: 'State', isLess: true },
  { name: 'Age', sort: 'age', isNumber: true },
  { name: 'Silence', sort: 'silence', isNumber: true, isLess: true },
  { name: 'Bytes', sort: 'bytes', isNumber: true },
  { name: 'Lag', sort: 'lag', isNumber: true },
  { name: 'Expires', isNumber: true, isLess: true },
];

/** What stands in the address, as text. */
interface Search {
  by: string;
  value: string;
  state: string;
  behind: string;
  anonymous: string;
  sort: string;
  order: string;
}

function searchOf(query: URLSearchParams): Search {
  const of = (name: string) => query.get(name) ?? '';
  return {
    by: ['user', 'topic', 'address'].includes(of('by')) ? of('by') : 'user',
    value: of('value'),
    state: of('state'),
    behind: of('behind'),
    anonymous: of('anonymous'),
    sort: of('sort'),
    order: of('order'),
  };
}

/** As the API wants it. Fields carry names of our own, so that `by` and `value` become one. */
function apiQuery(search: Search, cursor: string): string {
  const { by, value, ...rest } = search;
  return queryString({ ...rest, [by]: value, limit: PAGE_ROWS, cursor });
}

export function ConnectionsView({ page }: { page: Page }) {
  const search = searchOf(page.route.query);
  const [cursors, setCursors] = useState<string[]>([]);
  const [refreshed, setRefreshed] = useState(0);
  const [open, setOpen] = useState<string | null>(null);
  const [target, setTarget] = useState<Target | null>(null);
  const [done, setDone] = useState('');
  const searchKey = apiQuery(search, '');
  const shownKey = useRef(searchKey);
  // Another search begins at its first page.
  const own = shownKey.current === searchKey ? cursors : [];
  const { answer, problem, isLoading } = useAnswer(page, `/api/connections${apiQuery(search, own.at(-1) ?? '')}`, refreshed);

  const go = (to: string[]) => {
    shownKey.current = searchKey;
    setCursors(to);
  };
  const change = (changes: Partial<Search>) => {
    setDone('');
    location.hash = linkTo('connections', { ...search, by: search.value === '' && changes.value === undefined ? '' : search.by, ...changes });
  };
  const onDisconnected = (count: number) => {
    setTarget(null);
    setOpen(null);
    setDone(count === 1 ? 'One connection was disconnected.' : `${exact(count)} connections were disconnected.`);
    setRefreshed((times) => times + 1);
  };
  const rows = answer?.connections ?? [];
  const first = own.length * PAGE_ROWS + 1;
  return (
    <section class="card connections" aria-labelledby="connections-title">
      <div class="card-head">
        <h2 id="connections-title">Connections</h2>
        <div class="aside" role="status">
          {done !== '' && <strong>{done} </strong>}
          {answer !== null && <span class="quiet">{exact(answer.matched)} {answer.matched === 1 ? 'matches' : 'match'}, as of {timeOfDay(new Date(answer.as_of))}</span>}
        </div>
      </div>
      <SearchForm key={searchKey} page={page} search={search} change={change} onDisconnect={setTarget} onRefresh={() => setRefreshed((times) => times + 1)} />
      {problem !== '' && <p class="problem" role="alert">{problem}</p>}
      <div class="scroll" tabIndex={0} role="group" aria-label="Connections, a table" aria-busy={isLoading}>
        <table class="list">
          <thead>
            <tr>
              {COLUMNS.map((column) => <ColumnHead key={column.name} column={column} search={search} change={change} />)}
              <th scope="col"><span class="hidden">Details</span></th>
            </tr>
          </thead>
          <tbody>{rows.map((row) => <Row key={row.id} row={row} onOpen={() => setOpen(row.id)} />)}</tbody>
        </table>
      </div>
      {answer !== null && rows.length === 0 && <Empty>No connection matches.</Empty>}
      <nav class="pages" aria-label="Pages">
        <button type="button" disabled={own.length === 0} onClick={() => go(own.slice(0, -1))}>Previous</button>
        <span class="quiet">{rows.length === 0 ? 'none' : `${exact(first)} to ${exact(first + rows.length - 1)}`}</span>
        <button type="button" disabled={answer?.next == null} onClick={() => go([...own, answer?.next ?? ''])}>Next</button>
      </nav>
      {open !== null && <ConnectionDialog admin={page.admin} id={open} onClose={() => setOpen(null)} onDisconnect={setTarget} />}
      {target !== null && <DisconnectDialog admin={page.admin} target={target} onClose={() => setTarget(null)} onDone={onDisconnected} />}
    </section>
  );
}

/** What the API says to `path`; asked again when that or `times` changes, or when a token has been entered. */
function useAnswer(page: Page, path: string, times: number) {
  const [answer, setAnswer] = useState<ConnectionPage | null>(null);
  const [problem, setProblem] = useState('');
  const [isLoading, setLoading] = useState(true);
  const isBack = page.link.state !== 'lost';
  useEffect(() => {
    const asked = new AbortController();
    setLoading(true);
    const ask = async () => {
      await page.admin.untilUnlocked();
      const said = await page.admin.ask<ConnectionPage>(path, asked.signal);
      if (asked.signal.aborted) return;
      setAnswer(said);
      setProblem('');
    };
    ask()
      .catch((error: unknown) => {
        const isLocked = error instanceof Failure && error.status === 401;
        if (!asked.signal.aborted && !isLocked) setProblem(failureText(error));
      })
      .finally(() => {
        if (!asked.signal.aborted) setLoading(false);
      });
    return () => asked.abort();
  }, [path, times, isBack, page.admin.isLocked]);
  return { answer, problem, isLoading };
}

interface SearchFormProps {
  page: Page;
  search: Search;
  change: (changes: Partial<Search>) => void;
  onDisconnect: (target: Target) => void;
  onRefresh: () => void;
}

function SearchForm({ page, search, change, onDisconnect, onRefresh }: SearchFormProps) {
  const [by, setBy] = useState(search.by);
  const [value, setValue] = useState(search.value);
  const suggestions = useSuggestions(page, by, value);
  const target: Target | null = search.value === '' ? null : { kind: search.by as Target['kind'], value: search.value };
  return (
    <form
      class="search"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        change({ by, value: value.trim() });
      }}
    >
      <label>
        Search by
        <select value={by} onChange={(event) => setBy(event.currentTarget.value)}>
          <option value="user">user</option>
          <option value="topic">topic</option>
          <option value="address">address</option>
        </select>
      </label>
      <label class="grow">
        {by === 'topic' ? 'Selector, exactly' : by === 'address' ? 'IP address' : 'User, exactly'}
        <input
          type="search"
          name="value"
          list="suggestions"
          autocomplete="off"
          spellcheck={false}
          value={value}
          onInput={(event) => setValue(event.currentTarget.value)}
        />
      </label>
      <datalist id="suggestions">{suggestions.map((name) => <option key={name} value={name} />)}</datalist>
      <label>
        State
        <select name="state" value={search.state} onChange={(event) => change({ state: event.currentTarget.value })}>
          <option value="">any</option>
          {STATES.map((state) => <option key={state}>{state}</option>)}
        </select>
      </label>
      <label class="check">
        <input type="checkbox" name="behind" checked={search.behind !== ''} onChange={(event) => change({ behind: event.currentTarget.checked ? 'true' : '' })} />
        behind
      </label>
      <label class="check">
        <input type="checkbox" name="anonymous" checked={search.anonymous !== ''} onChange={(event) => change({ anonymous: event.currentTarget.checked ? 'true' : '' })} />
        anonymous
      </label>
      <span class="row">
        <button class="primary">Search</button>
        <button type="button" onClick={onRefresh}>Refresh</button>
        {target !== null && <button type="button" class="danger" onClick={() => onDisconnect(target)}>Disconnect all…</button>}
      </span>
    </form>
  );
}

/** Names that begin as what is being typed. */
function useSuggestions(page: Page, by: string, typed: string): string[] {
  const [names, setNames] = useState<string[]>([]);
  useEffect(() => {
    if (by === 'address' || typed === '') {
      setNames([]);
      return undefined;
    }
    const asked = new AbortController();
    // Not for each key: the API walks its index for every question.
    const timer = setTimeout(async () => {
      try {
        const asking = queryString({ prefix: typed, limit: SUGGESTIONS });
        const said = await page.admin.ask<{ users?: UserRow[]; topics?: TopicRow[] }>(`/api/${by}s${asking}`, asked.signal);
        const found = by === 'user' ? said.users?.map((row) => row.user) : said.topics?.map((row) => row.selector);
        setNames((found ?? []).filter((name) => name !== null));
      } catch {
        // A suggestion is a convenience: the search itself says what is wrong.
        setNames([]);
      }
    }, 200);
    return () => {
      clearTimeout(timer);
      asked.abort();
    };
  }, [by, typed]);
  return names;
}

interface ColumnHeadProps {
  column: (typeof COLUMNS)[number];
  search: Search;
  change: (changes: Partial<Search>) => void;
}

function ColumnHead({ column, search, change }: ColumnHeadProps) {
  const name = `${column.isNumber === true ? 'number' : ''} ${column.isLess === true ? 'less' : ''}`.trim();
  if (column.sort === undefined) return <th scope="col" class={name}>{column.name}</th>;
  const isSorted = (search.sort || 'age') === column.sort;
  const isAscending = search.order === 'asc';
  const onClick = () => change({ sort: column.sort ?? '', order: isSorted && !isAscending ? 'asc' : '' });
  return (
    <th scope="col" class={name} aria-sort={isSorted ? (isAscending ? 'ascending' : 'descending') : 'none'}>
      <button type="button" class="sort" onClick={onClick}>
        <span class="arrow" aria-hidden="true">{isSorted ? (isAscending ? '↑' : '↓') : ''}</span>
        {column.name}
      </button>
    </th>
  );
}

function Row({ row, onOpen }: { row: ConnectionRow; onOpen: () => void }) {
  return (
    <tr onClick={onOpen}>
      <td class="name"><UserName user={row.user} anonymous={row.anonymous} /></td>
      <td class="mono less">{row.address}</td>
      <td class="less">{row.state}</td>
      <td class="number">{duration(row.age_seconds)}</td>
      <td class="number less">{duration(row.silence_seconds)}</td>
      <td class="number">{bytes(row.bytes)}</td>
      <td class={row.lag_events > 0 ? 'number high' : 'number'}>{exact(row.lag_events)}</td>
      <td class="number less">{row.expires === null ? 'never' : <span title={moment(row.expires)}>{remaining(row.expires)}</span>}</td>
      <td class="number">
        <button
          type="button"
          class="small"
          aria-label={`Details of ${row.id}`}
          onClick={(event) => {
            event.stopPropagation();
            onOpen();
          }}
        >
          Details
        </button>
      </td>
    </tr>
  );
}

function remaining(expires: string): string {
  const seconds = (Date.parse(expires) - Date.now()) / 1000;
  return seconds > 0 ? `in ${duration(Math.ceil(seconds))}` : 'now';
}
