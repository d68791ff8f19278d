// The hub's settings as they are in force, and what may be done to it while it runs.

import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';

import type { Change, Reloaded } from '../api';
import { useAsked } from '../asked';
import { Confirm } from '../dialog';
import { exact, moment } from '../format';
import type { Page } from '../page';
import { Card, Empty, Facts, failureText, plain } from '../parts';

type Values = Record<string, unknown>;

const isTable = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function SettingsView({ page }: { page: Page }) {
  const [reloads, setReloads] = useState(0);
  return (
    <div class="settings">
      <div class="side">
        <HubFacts page={page} />
        <Deeds page={page} onReloaded={() => setReloads((times) => times + 1)} />
        <LogLevel page={page} />
        {page.admin.hasToken && (
          <Card title="Token">
            <p class="quiet">The admin token is kept until this tab is closed.</p>
            <p class="row">
              <button type="button" onClick={() => page.forgetToken()}>
                Forget it
              </button>
            </p>
          </Card>
        )}
      </div>
      <Config page={page} reloads={reloads} />
    </div>
  );
}

function HubFacts({ page }: { page: Page }) {
  const { answer: said, problem } = useAsked<Values>(page, '/api/hub');
  const of = (name: string) => plain(said?.[name]);
  return (
    <Card title="Hub">
      {problem !== '' && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      {said !== null && (
        <Facts
          of={[
            ['Version', of('version')],
            ['Started', moment(of('started'))],
            ['State', page.timeline.last?.state ?? of('state')],
            ['Driver', of('driver')],
            ['Shards', of('shards')],
            ['Listens on', of('listen')],
            ['Admin', of('admin')],
            ['Process', of('pid')],
          ]}
        />
      )}
    </Card>
  );
}

function Deeds({ page, onReloaded }: { page: Page; onReloaded: () => void }) {
  const [asking, setAsking] = useState<'reload' | 'drain' | null>(null);
  const [reloaded, setReloaded] = useState<Reloaded | null>(null);
  const streams = page.timeline.last?.streams;
  const isDraining = page.timeline.last?.state === 'draining';
  const close = () => setAsking(null);
  const reload = async () => {
    setReloaded(await page.admin.tell<Reloaded>('POST', '/api/reload'));
    onReloaded();
    close();
  };
  const drain = async () => {
    await page.admin.tell('POST', '/api/drain');
    close();
  };
  return (
    <Card title="Steer">
      <p class="row">
        <button type="button" onClick={() => setAsking('reload')}>
          Reload settings…
        </button>
        <button type="button" class="danger" disabled={isDraining} onClick={() => setAsking('drain')}>
          {isDraining ? 'Draining' : 'Drain and stop…'}
        </button>
      </p>
      {reloaded !== null && <ReloadOutcome reloaded={reloaded} />}
      {asking === 'reload' && (
        <Confirm title="Reload settings" deed="Reload" onClose={close} onConfirm={reload}>
          <p>
            The hub reads its file again and applies what can change while it runs. If the file has a fault, nothing
            changes.
          </p>
        </Confirm>
      )}
      {asking === 'drain' && (
        <Confirm title="Drain and stop" deed="Drain" isDangerous onClose={close} onConfirm={drain}>
          <p>
            The hub takes no more connections, asks {exact(streams)} streams to go, and ends. This cannot be taken back.
          </p>
        </Confirm>
      )}
    </Card>
  );
}

function ReloadOutcome({ reloaded }: { reloaded: Reloaded }) {
  const { applied, needs_restart } = reloaded;
  return (
    <div role="status" class="outcome">
      {applied.length === 0 && needs_restart.length === 0 && <p>Reloaded: nothing has changed.</p>}
      {applied.length > 0 && <h3>Applied</h3>}
      <Changes of={applied} />
      {needs_restart.length > 0 && <h3>Needs a restart</h3>}
      <Changes of={needs_restart} />
    </div>
  );
}

function Changes({ of }: { of: Change[] }) {
  return (
    <ul>
      {of.map(({ setting, from, to }) => (
        <li key={setting}>
          <code>{setting}</code> {from} → <b>{to}</b>
        </li>
      ))}
    </ul>
  );
}

function LogLevel({ page }: { page: Page }) {
  const { answer: said, problem } = useAsked<{ level: string }>(page, '/api/log-level');
  const [typed, setTyped] = useState<string | null>(null);
  const [outcome, setOutcome] = useState<{ isGood: boolean; text: string } | null>(null);
  const level = typed ?? said?.level ?? '';
  const apply = async () => {
    try {
      const now = await page.admin.tell<{ level: string }>('PUT', '/api/log-level', { level });
      setTyped(now.level);
      setOutcome({ isGood: true, text: 'in force' });
    } catch (error) {
      setOutcome({ isGood: false, text: failureText(error) });
    }
  };
  return (
    <Card title="Log level">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void apply();
        }}
      >
        <label>
          Directives, such as <code>info,corecast::shard=debug</code>
          <input
            name="level"
            required
            autocomplete="off"
            spellcheck={false}
            value={level}
            onInput={(event) => {
              setTyped(event.currentTarget.value);
              setOutcome(null);
            }}
          />
        </label>
        <p class="row">
          <button>Apply</button>
          <span role="status" class={outcome?.isGood === false || problem !== '' ? 'answer problem' : 'answer'}>
            {outcome?.text ?? problem}
          </span>
        </p>
      </form>
    </Card>
  );
}

function shownValue(value: unknown): ComponentChildren {
  if (value === null) return <span class="quiet">not set</span>;
  if (!Array.isArray(value)) return plain(value);
  return value.length === 0 ? (
    <span class="quiet">none</span>
  ) : (
    value.map((one) => <div key={plain(one)}>{plain(one)}</div>)
  );
}

function Config({ page, reloads }: { page: Page; reloads: number }) {
  const { answer: said, problem } = useAsked<Values>(page, '/api/config', reloads);
  const [wanted, setWanted] = useState('');
  const sections = Object.entries(said ?? {}).filter((entry): entry is [string, Values] => isTable(entry[1]));
  const matching = sections
    .map(
      ([section, values]) =>
        [
          section,
          Object.entries(values).filter(([key]) => `${section}.${key}`.includes(wanted.trim().toLowerCase())),
        ] as const,
    )
    .filter(([, values]) => values.length > 0);
  return (
    <Card
      title="Settings in force"
      aside={
        <input
          type="search"
          aria-label="Find a setting"
          placeholder="find a setting"
          value={wanted}
          onInput={(event) => setWanted(event.currentTarget.value)}
        />
      }
    >
      {problem !== '' && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      {said !== null && matching.length === 0 && <Empty>No setting matches.</Empty>}
      <table class="config">
        {matching.map(([section, values]) => (
          <tbody key={section}>
            <tr class="group">
              <th colSpan={2} scope="rowgroup">
                [{section}]
              </th>
            </tr>
            {values.map(([key, value]) => (
              <tr key={key}>
                <th scope="row">
                  <code>{key}</code>
                </th>
                <td class="mono">{shownValue(value)}</td>
              </tr>
            ))}
          </tbody>
        ))}
      </table>
    </Card>
  );
}
