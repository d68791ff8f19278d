// What is searched for in the connection table.

import { useEffect, useState } from 'preact/hooks';

import { query as queryString } from '../admin';
import type { TopicRow, UserRow } from '../api';
import type { Page } from '../page';
import type { Target } from './disconnect_dialog';

const SUGGESTIONS = 10;
const STATES = ['head', 'publishing', 'answering', 'moving', 'streaming', 'draining', 'closing'];

/** What stands in the address, as text. */
export interface Search {
  by: string;
  value: string;
  state: string;
  behind: string;
  anonymous: string;
  sort: string;
  order: string;
}

export function searchOf(query: URLSearchParams): Search {
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

interface SearchFormProps {
  page: Page;
  search: Search;
  change: (changes: Partial<Search>) => void;
  onDisconnect: (target: Target) => void;
  onRefresh: () => void;
}

export function SearchForm({ page, search, change, onDisconnect, onRefresh }: SearchFormProps) {
  const [by, setBy] = useState(search.by);
  const [value, setValue] = useState(search.value);
  // What is typed gives way to what a link or the back button asks for.
  useEffect(() => {
    setBy(search.by);
    setValue(search.value);
  }, [search.by, search.value]);
  const suggestions = useSuggestions(page, by, value);
  const target: Target | null =
    search.value === ''
      ? null
      : {
          kind: search.by as Target['kind'],
          value: search.value,
          isAnonymous: search.by === 'user' && search.anonymous !== '',
        };
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
        {by === 'topic'
          ? 'Selector, exactly'
          : by === 'address'
            ? 'IP address'
            : search.anonymous === ''
              ? 'User, exactly'
              : 'Client id, exactly'}
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
      <datalist id="suggestions">
        {suggestions.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      <label>
        State
        <select name="state" value={search.state} onChange={(event) => change({ state: event.currentTarget.value })}>
          <option value="">any</option>
          {STATES.map((state) => (
            <option key={state}>{state}</option>
          ))}
        </select>
      </label>
      <label class="check">
        <input
          type="checkbox"
          name="behind"
          checked={search.behind !== ''}
          onChange={(event) => change({ behind: event.currentTarget.checked ? 'true' : '' })}
        />
        behind
      </label>
      <label class="check">
        <input
          type="checkbox"
          name="anonymous"
          checked={search.anonymous !== ''}
          onChange={(event) => change({ anonymous: event.currentTarget.checked ? 'true' : '' })}
        />
        anonymous
      </label>
      <span class="row">
        <button class="primary">Search</button>
        <button type="button" onClick={onRefresh}>
          Refresh
        </button>
        {target !== null && (
          <button type="button" class="danger" onClick={() => onDisconnect(target)}>
            Disconnect all…
          </button>
        )}
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
        const said = await page.admin.ask<{ users?: UserRow[]; topics?: TopicRow[] }>(
          `/api/${by}s${asking}`,
          asked.signal,
        );
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
