// The connection table: search, sort, pages, details, and the way to end what should not be there.
//
// What is searched for stands in the address. The table is asked for when that changes and when somebody wants it
// fresh, not each second: each answer walks every shard, and rows that jump are hard to click.

import { useRef, useState } from 'preact/hooks';

import { query as queryString } from '../admin';
import type { ConnectionPage, ConnectionRow } from '../api';
import { useAsked } from '../asked';
import { bytes, duration, exact, moment, timeOfDay } from '../format';
import type { Page } from '../page';
import { Empty, UserName } from '../parts';
import { linkTo } from '../route';
import { ConnectionDialog } from './connection_dialog';
import { DisconnectDialog } from './disconnect_dialog';
import type { Target } from './disconnect_dialog';
import { SearchForm, searchOf } from './search_form';
import type { Search } from './search_form';

const PAGE_ROWS = 100;

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
  const { answer, problem, isLoading } = useAsked<ConnectionPage>(
    page,
    `/api/connections${apiQuery(search, own.at(-1) ?? '')}`,
    refreshed,
  );

  const go = (to: string[]) => {
    shownKey.current = searchKey;
    setCursors(to);
  };
  const change = (changes: Partial<Search>) => {
    setDone('');
    const next = { ...search, ...changes };
    page.goTo(linkTo('connections', { ...next, by: next.value === '' ? '' : next.by }));
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
          {answer !== null && (
            <span class="quiet">
              {exact(answer.matched)} {answer.matched === 1 ? 'matches' : 'match'}, as of{' '}
              {timeOfDay(new Date(answer.as_of))}
            </span>
          )}
        </div>
      </div>
      <SearchForm
        page={page}
        search={search}
        change={change}
        onDisconnect={setTarget}
        onRefresh={() => setRefreshed((times) => times + 1)}
      />
      {problem !== '' && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <div class="scroll" tabIndex={0} role="group" aria-label="Connections, a table" aria-busy={isLoading}>
        <table class="list">
          <thead>
            <tr>
              {COLUMNS.map((column) => (
                <ColumnHead key={column.name} column={column} search={search} change={change} />
              ))}
              <th scope="col">
                <span class="hidden">Details</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <Row key={row.id} row={row} onOpen={() => setOpen(row.id)} />
            ))}
          </tbody>
        </table>
      </div>
      {answer !== null && rows.length === 0 && <Empty>No connection matches.</Empty>}
      <nav class="pages" aria-label="Pages">
        <button type="button" disabled={own.length === 0} onClick={() => go(own.slice(0, -1))}>
          Previous
        </button>
        <span class="quiet">{rows.length === 0 ? 'none' : `${exact(first)} to ${exact(first + rows.length - 1)}`}</span>
        <button type="button" disabled={answer?.next == null} onClick={() => go([...own, answer?.next ?? ''])}>
          Next
        </button>
      </nav>
      {open !== null && (
        <ConnectionDialog admin={page.admin} id={open} onClose={() => setOpen(null)} onDisconnect={setTarget} />
      )}
      {target !== null && (
        <DisconnectDialog admin={page.admin} target={target} onClose={() => setTarget(null)} onDone={onDisconnected} />
      )}
    </section>
  );
}

interface ColumnHeadProps {
  column: (typeof COLUMNS)[number];
  search: Search;
  change: (changes: Partial<Search>) => void;
}

function ColumnHead({ column, search, change }: ColumnHeadProps) {
  const name = `${column.isNumber === true ? 'number' : ''} ${column.isLess === true ? 'less' : ''}`.trim();
  if (column.sort === undefined)
    return (
      <th scope="col" class={name}>
        {column.name}
      </th>
    );
  const isSorted = (search.sort || 'age') === column.sort;
  const isAscending = search.order === 'asc';
  const onClick = () => change({ sort: column.sort ?? '', order: isSorted && !isAscending ? 'asc' : '' });
  return (
    <th scope="col" class={name} aria-sort={isSorted ? (isAscending ? 'ascending' : 'descending') : 'none'}>
      <button type="button" class="sort" onClick={onClick}>
        <span class="arrow" aria-hidden="true">
          {isSorted ? (isAscending ? '↑' : '↓') : ''}
        </span>
        {column.name}
      </button>
    </th>
  );
}

function Row({ row, onOpen }: { row: ConnectionRow; onOpen: () => void }) {
  return (
    <tr onClick={onOpen}>
      <td class="name">
        <UserName user={row.user} anonymous={row.anonymous} />
      </td>
      <td class="mono less">{row.address}</td>
      <td class="less">{row.state}</td>
      <td class="number">{duration(row.age_seconds)}</td>
      <td class="number less">{duration(row.silence_seconds)}</td>
      <td class="number">{bytes(row.bytes)}</td>
      <td class={row.lag_events > 0 ? 'number high' : 'number'}>{exact(row.lag_events)}</td>
      <td class="number less">
        {row.expires === null ? (
          <span class="quiet">never</span>
        ) : (
          <span title={moment(row.expires)}>{remaining(row.expires)}</span>
        )}
      </td>
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
